using System.Threading.Tasks.Sources;

namespace AiDb.Contracts.Multiplexing;

/// <summary>Where a pending request stands; guarded by the lock of <see cref="PendingRequests{TRequest,
/// TResponse}"/>.</summary>
internal enum PendingState : byte
{
    /// <summary>Not in the table: pooled, being set up, or answered.</summary>
    Idle,

    /// <summary>Waits for the next frame.</summary>
    Queued,

    /// <summary>Went into a frame; the other side may have seen it.</summary>
    Written,
}

/// <summary>What the sender of one request awaits. It goes back to its pool when the result was
/// taken.</summary>
internal sealed class PendingRequest<TRequest, TResponse>(PendingRequests<TRequest, TResponse> owner)
    : IValueTaskSource<TResponse>
    where TRequest : class
    where TResponse : class
{
    // Continuations run on the pool: the reading loop must not be held up by what senders do with their
    // answers.
    private ManualResetValueTaskSourceCore<TResponse> _core = new() { RunContinuationsAsynchronously = true };
    private CancellationTokenRegistration _cancellation;

    public ulong Id { get; set; }

    public TRequest? Request { get; set; }

    public int SizeBytes { get; set; }

    public bool ChangesState { get; set; }

    public PendingState State { get; set; }

    /// <summary>The timestamp at which the wait ends; <see cref="long.MaxValue"/>: never.</summary>
    public long Deadline { get; set; }

    /// <summary>Set where the sender cancelled before the request was queued.</summary>
    public bool CancelledEarly { get; set; }

    public ValueTask<TResponse> Task => new(this, _core.Version);

    /// <summary>Cancellation from here on ends the wait. Called before the request is queued, so that the
    /// answer cannot overtake it.</summary>
    public void CancelWith(CancellationToken cancellationToken) =>
        _cancellation = cancellationToken.UnsafeRegister(
            static state =>
            {
                var pending = (PendingRequest<TRequest, TResponse>)state!;
                pending.Owner.Cancel(pending);
            },
            this);

    public void SetResult(TResponse response) => _core.SetResult(response);

    public void SetException(AiDbException exception) => _core.SetException(exception);

    /// <summary>Gives up a request that was never queued.</summary>
    public void Abandon()
    {
        _cancellation.Dispose();
        _cancellation = default;
        Owner.Recycle(this);
    }

    private PendingRequests<TRequest, TResponse> Owner { get; } = owner;

    TResponse IValueTaskSource<TResponse>.GetResult(short token)
    {
        // A stale token must not recycle what someone else holds by now; GetStatus throws for it.
        _core.GetStatus(token);
        // Waits for a callback that is running, so that none can meet the next user of this object.
        _cancellation.Dispose();
        _cancellation = default;
        try
        {
            return _core.GetResult(token);
        }
        finally
        {
            _core.Reset();
            Owner.Recycle(this);
        }
    }

    ValueTaskSourceStatus IValueTaskSource<TResponse>.GetStatus(short token) => _core.GetStatus(token);

    void IValueTaskSource<TResponse>.OnCompleted(
        Action<object?> continuation, object? state, short token, ValueTaskSourceOnCompletedFlags flags) =>
        _core.OnCompleted(continuation, state, token, flags);
}
