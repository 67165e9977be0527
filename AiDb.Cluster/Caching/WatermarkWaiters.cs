namespace AiDb.Cluster.Caching;

/// <summary>Reads that wait until a watermark reaches what their session must see.</summary>
/// <remarks>Thread safety: all members may be called concurrently.</remarks>
internal sealed class WatermarkWaiters(TimeProvider timeProvider)
{
    private readonly Lock _lock = new();
    private readonly List<Waiter> _waiters = [];
    private int _count;

    public async ValueTask<bool> WaitAsync(
        Func<ShardPosition> current, ShardPosition position, TimeSpan timeout, CancellationToken cancellationToken)
    {
        if (current() >= position)
            return true;
        cancellationToken.ThrowIfCancellationRequested();
        if (timeout <= TimeSpan.Zero)
            return false;
        Waiter waiter = new(position);
        lock (_lock)
        {
            _waiters.Add(waiter);
            // Full fence: either Release sees the waiter, or the check below sees the watermark.
            Interlocked.Increment(ref _count);
        }

        try
        {
            if (current() >= position)
                return true;
            await waiter.Reached.Task.WaitAsync(timeout, timeProvider, cancellationToken);
            return true;
        }
        catch (TimeoutException)
        {
            return false;
        }
        finally
        {
            lock (_lock)
            {
                if (_waiters.Remove(waiter))
                    Interlocked.Decrement(ref _count);
            }
        }
    }

    public void Release(ShardPosition position)
    {
        Interlocked.MemoryBarrier();
        if (Volatile.Read(ref _count) == 0)
            return;
        lock (_lock)
        {
            for (int i = _waiters.Count - 1; i >= 0; i--)
            {
                if (_waiters[i].Position > position)
                    continue;
                _waiters[i].Reached.TrySetResult();
                _waiters.RemoveAt(i);
                Interlocked.Decrement(ref _count);
            }
        }
    }

    private sealed record Waiter(ShardPosition Position)
    {
        public TaskCompletionSource Reached { get; } = new(TaskCreationOptions.RunContinuationsAsynchronously);
    }
}
