using AiDb.Engine;
using AiDb.Tests.Engine.Storage;

namespace AiDb.Tests.Engine;

/// <summary>Runs every job at once on the thread that queues it, so that a single-threaded test does the same
/// each time.</summary>
/// <remarks>The deletion of files that nobody reads any more is queued by whichever thread of the process finds that
/// out; that the machine of another test has crashed meanwhile is not that thread's affair.</remarks>
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
            // As with a real executor: what queued the job does not hear of it.
        }
    }

    public void Dispose()
    {
    }
}
