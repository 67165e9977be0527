namespace AiDb.Engine.Compaction;

/// <summary>Those who wait for a rising number to reach a value.</summary>
/// <remarks>Thread safety: all members may be called concurrently.</remarks>
internal sealed class ProgressWaiters
{
    private readonly Lock _gate = new();
    private readonly List<(ulong Value, TaskCompletionSource Source)> _waiting = [];
    private ulong _reached;
    private AiDbException? _closed;

    /// <summary>Waits until the number is at least <paramref name="value"/>.</summary>
    public Task WaitAsync(ulong value, CancellationToken cancellationToken)
    {
        lock (_gate)
        {
            if (_reached >= value)
                return Task.CompletedTask;
            if (_closed is not null)
                return Task.FromException(DatabaseHealth.Repeat(_closed));
            var source = new TaskCompletionSource(TaskCreationOptions.RunContinuationsAsynchronously);
            _waiting.Add((value, source));
            return source.Task.WaitAsync(cancellationToken);
        }
    }

    /// <summary>Raises the number.</summary>
    public void Reach(ulong value)
    {
        List<(ulong Value, TaskCompletionSource Source)> done;
        lock (_gate)
        {
            _reached = Math.Max(_reached, value);
            done = _waiting.FindAll(waiter => waiter.Value <= _reached);
            _waiting.RemoveAll(waiter => waiter.Value <= _reached);
        }

        foreach ((_, TaskCompletionSource source) in done)
            source.TrySetResult();
    }

    /// <summary>Ends every wait with an error, also those that begin later.</summary>
    public void Close(AiDbException error)
    {
        lock (_gate)
            _closed = error;
        Fail(error);
    }

    /// <summary>Ends every wait with an error.</summary>
    public void Fail(AiDbException error)
    {
        List<(ulong Value, TaskCompletionSource Source)> failed;
        lock (_gate)
        {
            failed = [.. _waiting];
            _waiting.Clear();
        }

        foreach ((_, TaskCompletionSource source) in failed)
            source.TrySetException(DatabaseHealth.Repeat(error));
    }
}
