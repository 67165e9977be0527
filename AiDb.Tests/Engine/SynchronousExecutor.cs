using AiDb.Engine;

namespace AiDb.Tests.Engine;

/// <summary>Runs every job at once on the thread that queues it, so that a single-threaded test does the same
/// each time.</summary>
internal sealed class SynchronousExecutor : IBackgroundExecutor
{
    public void Queue(string name, Action job) => job();

    public void Dispose()
    {
    }
}
