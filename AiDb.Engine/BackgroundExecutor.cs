// The one place where the engine makes threads.
#pragma warning disable RS0030

namespace AiDb.Engine;

/// <summary>The default executor: a thread for each of flush, compaction and whatever else takes long, so
/// that none of them waits for another; short work (commits, syncs) runs on the thread pool. May be shared by
/// many databases.</summary>
/// <remarks>Thread safety: all members may be called concurrently, <see cref="Dispose"/> last. Jobs queued
/// after <see cref="Dispose"/> run on the thread pool.</remarks>
public sealed class BackgroundExecutor : IBackgroundExecutor
{
    /// <summary>The name of jobs that take over a commit queue.</summary>
    internal const string CommitJob = "commit";

    /// <summary>The name of jobs that sync the log.</summary>
    internal const string SyncJob = "sync";

    private readonly Lock _gate = new();
    private readonly Dictionary<string, Lane> _lanes = new(StringComparer.Ordinal);
    private readonly int _threadsPerKind;
    private bool _disposed;

    /// <summary>Makes an executor without threads; they come with the first job of each kind.</summary>
    /// <param name="threadsPerKind">Jobs of one name that run at once.</param>
    public BackgroundExecutor(int threadsPerKind = 1)
    {
        ArgumentOutOfRangeException.ThrowIfLessThan(threadsPerKind, 1);
        _threadsPerKind = threadsPerKind;
    }

    /// <inheritdoc/>
    public void Queue(string name, Action job)
    {
        if (name is not (CommitJob or SyncJob))
        {
            lock (_gate)
            {
                if (!_disposed)
                {
                    if (!_lanes.TryGetValue(name, out Lane? lane))
                        _lanes.Add(name, lane = new Lane(name, _threadsPerKind));
                    lane.Add(job);
                    return;
                }
            }
        }

        ThreadPool.UnsafeQueueUserWorkItem(static job => job(), job, preferLocal: false);
    }

    /// <inheritdoc/>
    public void Dispose()
    {
        lock (_gate)
        {
            _disposed = true;
            foreach (Lane lane in _lanes.Values)
                lane.Close();
        }
    }

    /// <summary>A queue and its threads, which end when it is closed and empty.</summary>
    private sealed class Lane
    {
        private readonly object _gate = new();
        private readonly Queue<Action> _jobs = new();
        private bool _closed;

        public Lane(string name, int threads)
        {
            for (int index = 0; index < threads; index++)
            {
                var thread = new Thread(Run) { IsBackground = true, Name = $"AiDb {name}" };
                thread.Start();
            }
        }

        public void Add(Action job)
        {
            lock (_gate)
            {
                _jobs.Enqueue(job);
                Monitor.Pulse(_gate);
            }
        }

        public void Close()
        {
            lock (_gate)
            {
                _closed = true;
                Monitor.PulseAll(_gate);
            }
        }

        private void Run()
        {
            while (true)
            {
                Action job;
                lock (_gate)
                {
                    while (_jobs.Count == 0)
                    {
                        if (_closed)
                            return;
                        Monitor.Wait(_gate);
                    }

                    job = _jobs.Dequeue();
                }

                job();
            }
        }
    }
}
