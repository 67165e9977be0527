namespace AiDb.Engine.Log;

/// <summary>Tells the log's tails how far they may read: min(applied, durable). The database publishes, tails
/// wait.</summary>
/// <remarks>Thread safety: all members may be called concurrently. Publishing costs two memory accesses while
/// nobody
/// waits. Invariant: <see cref="ReadableLsn"/> never goes back.</remarks>
internal sealed class LogSignal
{
    private readonly Lock _gate = new();
    private TaskCompletionSource? _waiters;
    private ulong _readableLsn;
    private volatile bool _closed;

    /// <summary>Begins at the last entry that is applied and durable.</summary>
    public LogSignal(ulong readableLsn) => _readableLsn = readableLsn;

    /// <summary>The last entry that tails may see.</summary>
    public ulong ReadableLsn => Volatile.Read(ref _readableLsn);

    /// <summary>Whether the database is closed.</summary>
    public bool IsClosed => _closed;

    /// <summary>Raises the limit to min(applied, durable); a lower value than before changes
    /// nothing.</summary>
    public void Publish(ulong appliedLsn, ulong durableLsn)
    {
        ulong readable = Math.Min(appliedLsn, durableLsn);
        ulong current = Volatile.Read(ref _readableLsn);
        while (readable > current)
        {
            // A full fence: the limit must be visible before the look for waiters, or a waiter that has just
            // enqueued sleeps on.
            ulong seen = Interlocked.CompareExchange(ref _readableLsn, readable, current);
            if (seen == current)
            {
                if (Volatile.Read(ref _waiters) is not null)
                    WakeAll();
                return;
            }

            current = seen;
        }
    }

    /// <summary>Ends every wait with false, for good.</summary>
    public void Close()
    {
        _closed = true;
        WakeAll();
    }

    /// <summary>Waits until entries beyond <paramref name="lsn"/> may be read; false when the database is
    /// closed.</summary>
    public async ValueTask<bool> WaitBeyondAsync(ulong lsn, CancellationToken cancellationToken)
    {
        while (true)
        {
            cancellationToken.ThrowIfCancellationRequested();
            if (_closed)
                return false;
            if (ReadableLsn > lsn)
                return true;
            Task wake;
            lock (_gate)
            {
                if (_waiters is null)
                    Interlocked.Exchange(
                        ref _waiters, new TaskCompletionSource(TaskCreationOptions.RunContinuationsAsynchronously));
                wake = _waiters!.Task;
            }

            if (ReadableLsn > lsn || _closed)
                continue;
            await wake.WaitAsync(cancellationToken).ConfigureAwait(false);
        }
    }

    private void WakeAll()
    {
        TaskCompletionSource? waiters;
        lock (_gate)
        {
            waiters = _waiters;
            _waiters = null;
        }

        waiters?.SetResult();
    }
}
