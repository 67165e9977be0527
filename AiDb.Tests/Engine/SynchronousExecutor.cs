using AiDb.Engine;
using AiDb.Tests.Engine.Storage;

namespace AiDb.Tests.Engine;

/// <summary>Runs every job at once on the thread that queues it, so that a single-threaded test does the same
/// each time.</summary>
internal sealed class SynchronousExecutor : IBackgroundExecutor
{
    public void Queue(string name, Action job)
    {
        try
        {
            job();
        }
        catch (SimulatedCrashException) when (name == "cleanup")
        {
            // Whoever gives back the last reference to a table may be a reader of another database, whose
            // machine has not crashed.
        }
    }

    public void Dispose()
    {
    }
}
