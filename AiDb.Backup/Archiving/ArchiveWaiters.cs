namespace AiDb.Backup.Archiving;

/// <summary>Who waits for an entry to be archived.</summary>
/// <remarks>Thread safety: all members may be called concurrently.</remarks>
internal sealed class ArchiveWaiters
{
    private readonly Lock _gate = new();
    private readonly PriorityQueue<TaskCompletionSource, ulong> _waiting = new();
    private volatile int _count;

    public bool HasAny => _count > 0;

    /// <summary>Raised when the first one comes.</summary>
    public Action? Added { get; set; }

    public Task WaitAsync(ulong lsn, CancellationToken cancellationToken)
    {
        var done = new TaskCompletionSource(TaskCreationOptions.RunContinuationsAsynchronously);
        bool isFirst;
        lock (_gate)
        {
            _waiting.Enqueue(done, lsn);
            isFirst = _count++ == 0;
        }

        if (isFirst)
            Added?.Invoke();
        return done.Task.WaitAsync(cancellationToken);
    }

    public void Reach(ulong lsn)
    {
        lock (_gate)
        {
            while (_waiting.TryPeek(out TaskCompletionSource? done, out ulong wanted) && wanted <= lsn)
            {
                _waiting.Dequeue();
                _count--;
                done.TrySetResult();
            }
        }
    }

    public void Fail(AiDbException error)
    {
        lock (_gate)
        {
            while (_waiting.TryDequeue(out TaskCompletionSource? done, out _))
                done.TrySetException(new AiDbException(error.Kind, error.Message));
            _count = 0;
        }
    }
}
