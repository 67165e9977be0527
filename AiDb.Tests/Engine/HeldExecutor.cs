using AiDb.Engine;

namespace AiDb.Tests.Engine;

/// <summary>Runs every job at once on the thread that queues it, but those of one name only when it is
/// told to.</summary>
internal sealed class HeldExecutor(string held) : IBackgroundExecutor
{
    private readonly Queue<Action> _jobs = new();
    private bool _isReleased;

    /// <inheritdoc/>
    public void Queue(string name, Action job)
    {
        lock (_jobs)
        {
            if (name == held && !_isReleased)
            {
                _jobs.Enqueue(job);
                return;
            }
        }

        job();
    }

    /// <summary>Runs what was held, and holds nothing more.</summary>
    public void Release()
    {
        while (true)
        {
            Action? job;
            lock (_jobs)
            {
                _isReleased = true;
                if (!_jobs.TryDequeue(out job))
                    return;
            }

            job();
        }
    }

    /// <inheritdoc/>
    public void Dispose()
    {
    }
}
