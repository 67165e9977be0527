using Google.Protobuf.Collections;

namespace AiDb.Contracts.Multiplexing;

/// <summary>The requests of one multiplexer that have no answer yet: numbered, bounded, queued for the next
/// frame.</summary>
/// <remarks>
/// Thread safety: all members may be called concurrently, except <see cref="TakeForFrame"/> (one writer) and
/// <see cref="Complete"/> (one reader). Invariant: who moves a request to <see cref="PendingState.Idle"/>
/// under the lock is the one that completes it, outside the lock. A number is slot | generation, so that a
/// late answer to a request that was given up never meets the slot's next user.
/// </remarks>
internal sealed class PendingRequests<TRequest, TResponse>(MultiplexerOptions options)
    where TRequest : class
    where TResponse : class
{
    private const int SlotBits = 20;
    private const int MaxPooled = 4096;

    private readonly Lock _gate = new();
    private readonly Queue<(PendingRequest<TRequest, TResponse> Pending, ulong Id)> _queue = new();
    private readonly Stack<PendingRequest<TRequest, TResponse>> _pool = new();
    private readonly Stack<int> _freeSlots = new();
    private readonly List<(PendingRequest<TRequest, TResponse> Pending, TResponse Response)> _answered = [];
    private PendingRequest<TRequest, TResponse>?[] _slots = new PendingRequest<TRequest, TResponse>?[16];
    private ulong[] _generations = new ulong[16];
    private int _usedSlots;
    private int _count;
    private long _bytes;
    private Func<AiDbException>? _refusal;
    private TaskCompletionSource? _empty;

    /// <summary>Unanswered requests.</summary>
    public int Count
    {
        get
        {
            lock (_gate)
                return _count;
        }
    }

    public PendingRequest<TRequest, TResponse> Rent()
    {
        lock (_gate)
        {
            if (_pool.TryPop(out PendingRequest<TRequest, TResponse>? pending))
                return pending;
        }

        return new PendingRequest<TRequest, TResponse>(this);
    }

    public void Recycle(PendingRequest<TRequest, TResponse> pending)
    {
        pending.Request = null;
        pending.CancelledEarly = false;
        lock (_gate)
        {
            if (_pool.Count < MaxPooled)
                _pool.Push(pending);
        }
    }

    /// <summary>Puts a request into the queue; null, or why it is refused. <paramref name="number"/> is
    /// called with its number before the writer can see it.</summary>
    public AiDbException? TryQueue(PendingRequest<TRequest, TResponse> pending, Action<TRequest, ulong> number)
    {
        lock (_gate)
        {
            if (pending.CancelledEarly)
                return CancelledError();
            if (_refusal is not null)
                return _refusal();
            if (_count >= options.MaxInFlight)
                return Full($"{options.MaxInFlight} requests");
            if (_count > 0 && _bytes + pending.SizeBytes > options.MaxInFlightBytes)
                return Full($"{options.MaxInFlightBytes} bytes");

            int slot = TakeSlot();
            pending.Id = (_generations[slot] << SlotBits) | (uint)slot;
            _slots[slot] = pending;
            _count++;
            _bytes += pending.SizeBytes;
            pending.State = PendingState.Queued;
            number(pending.Request!, pending.Id);
            _queue.Enqueue((pending, pending.Id));
            return null;
        }
    }

    /// <summary>Moves what has gathered into a frame; false when nothing has.</summary>
    public bool TakeForFrame(RepeatedField<TRequest> frame)
    {
        long bytes = 0;
        lock (_gate)
        {
            while (frame.Count < options.MaxFrameRequests && _queue.TryPeek(out var next))
            {
                PendingRequest<TRequest, TResponse> pending = next.Pending;
                if (pending.Id != next.Id || pending.State != PendingState.Queued)
                {
                    _queue.Dequeue();
                    continue;
                }

                if (frame.Count > 0 && bytes + pending.SizeBytes > options.MaxFrameBytes)
                    break;
                _queue.Dequeue();
                bytes += pending.SizeBytes;
                frame.Add(pending.Request!);
                pending.Request = null;
                pending.State = PendingState.Written;
            }
        }

        return frame.Count > 0;
    }

    /// <summary>Hands out the answers of a frame. Answers to requests that were given up are
    /// dropped.</summary>
    public void Complete(RepeatedField<TResponse> responses, Func<TResponse, ulong> idOf)
    {
        lock (_gate)
        {
            foreach (TResponse response in responses)
            {
                ulong id = idOf(response);
                int slot = (int)(id & ((1 << SlotBits) - 1));
                PendingRequest<TRequest, TResponse>? pending = slot < _usedSlots ? _slots[slot] : null;
                // An answer to what was not sent yet would be a fault of the other side; it is not believed.
                if (pending is null || pending.Id != id || pending.State != PendingState.Written)
                    continue;
                Remove(pending);
                _answered.Add((pending, response));
            }
        }

        foreach ((PendingRequest<TRequest, TResponse> pending, TResponse response) in _answered)
            pending.SetResult(response);
        _answered.Clear();
    }

    /// <summary>Ends the wait of one request whose sender cancelled.</summary>
    public void Cancel(PendingRequest<TRequest, TResponse> pending)
    {
        lock (_gate)
        {
            if (pending.State == PendingState.Idle)
            {
                pending.CancelledEarly = true;
                return;
            }

            Remove(pending);
        }

        pending.SetException(CancelledError());
    }

    /// <summary>Ends the waits whose time is over; whether any request with a deadline remains.</summary>
    public bool Expire(long now)
    {
        List<(PendingRequest<TRequest, TResponse> Pending, bool Unknown)>? expired = null;
        bool remain = false;
        lock (_gate)
        {
            for (int slot = 0; slot < _usedSlots; slot++)
            {
                PendingRequest<TRequest, TResponse>? pending = _slots[slot];
                if (pending is null || pending.Deadline == long.MaxValue)
                    continue;
                if (pending.Deadline > now)
                {
                    remain = true;
                    continue;
                }

                bool unknown = pending is { State: PendingState.Written, ChangesState: true };
                Remove(pending);
                (expired ??= []).Add((pending, unknown));
            }
        }

        foreach ((PendingRequest<TRequest, TResponse> pending, bool unknown) in expired ?? [])
        {
            pending.SetException(unknown
                ? new AiDbException(AiDbErrorKind.OutcomeUnknown, "No answer came within the request's time limit; the write may have taken effect.")
                : new AiDbException(AiDbErrorKind.DeadlineExceeded, "No answer came within the request's time limit."));
        }

        return remain;
    }

    /// <summary>Takes requests again.</summary>
    public void Accept()
    {
        lock (_gate)
            _refusal = null;
    }

    /// <summary>Refuses requests from here on; what is under way goes on.</summary>
    public void Refuse(Func<AiDbException> refusal)
    {
        lock (_gate)
            _refusal = refusal;
    }

    /// <summary>Refuses requests from here on and ends every wait: what changes something and was written is
    /// unknown, everything else did nothing and fails with <paramref name="kind"/>.</summary>
    public void FailAll(
        Func<AiDbException> refusal, AiDbErrorKind kind, string cause, Exception? innerException)
    {
        List<(PendingRequest<TRequest, TResponse> Pending, bool Unknown)> lost = [];
        lock (_gate)
        {
            _refusal = refusal;
            for (int slot = 0; slot < _usedSlots; slot++)
            {
                if (_slots[slot] is not { } pending)
                    continue;
                lost.Add((pending, pending is { State: PendingState.Written, ChangesState: true }));
                Remove(pending);
            }

            _queue.Clear();
        }

        foreach ((PendingRequest<TRequest, TResponse> pending, bool unknown) in lost)
        {
            pending.SetException(unknown
                ? new AiDbException(AiDbErrorKind.OutcomeUnknown, $"The answer was lost: {cause} The write may have taken effect.", innerException)
                : new AiDbException(kind, cause, innerException));
        }
    }

    /// <summary>Ends when nothing is under way.</summary>
    public Task WhenEmpty()
    {
        lock (_gate)
        {
            if (_count == 0)
                return Task.CompletedTask;
            _empty ??= new TaskCompletionSource(TaskCreationOptions.RunContinuationsAsynchronously);
            return _empty.Task;
        }
    }

    private static AiDbException CancelledError() => new(AiDbErrorKind.Cancelled, "The caller cancelled the request.");

    private static AiDbException Full(string limit) =>
        new(AiDbErrorKind.ResourceExhausted, $"The connection's limit of {limit} without an answer is reached.")
        {
            RetryAfter = TimeSpan.FromMilliseconds(50),
        };

    private int TakeSlot()
    {
        if (!_freeSlots.TryPop(out int slot))
        {
            if (_usedSlots == _slots.Length)
            {
                Array.Resize(ref _slots, _slots.Length * 2);
                Array.Resize(ref _generations, _generations.Length * 2);
            }

            slot = _usedSlots++;
        }

        _generations[slot]++;
        return slot;
    }

    private void Remove(PendingRequest<TRequest, TResponse> pending)
    {
        int slot = (int)(pending.Id & ((1 << SlotBits) - 1));
        _slots[slot] = null;
        _freeSlots.Push(slot);
        pending.Id = 0;
        pending.State = PendingState.Idle;
        _bytes -= pending.SizeBytes;
        if (--_count == 0)
            _empty?.TrySetResult();
    }
}
