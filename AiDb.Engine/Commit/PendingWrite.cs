using System.Numerics;
using System.Threading.Tasks.Sources;
using AiDb.Engine.Log;

namespace AiDb.Engine.Commit;

/// <summary>What a queued write is.</summary>
internal enum PendingKind : byte
{
    /// <summary>A batch.</summary>
    Batch,

    /// <summary>A batch that takes files in: everything before it is flushed first.</summary>
    Ingest,

    /// <summary>The first entry of a new epoch.</summary>
    EpochStart,

    /// <summary>No entry: makes the active memtable immutable. Its result's Lsn is the memtable's
    /// ordinal.</summary>
    Rotate,

    /// <summary>No entry: answers once everything before it is answered; what comes after it is
    /// refused.</summary>
    Close,
}

/// <summary>A write in the commit queue and the one who waits for it.</summary>
/// <remarks>
/// Pooled. An asynchronous one is held by two parties: the leader, until it has answered, and the waiter, until
/// it has the answer; the second to let go puts it back. A synchronous one is the waiter's alone once it is
/// answered: the leader does not touch it after <see cref="Answer"/>. Between answer and cancellation the first
/// wins; a cancelled write stays queued, and its batch is left the memory that the leader still reads.
/// </remarks>
internal sealed class PendingWrite : IValueTaskSource<WriteResult>
{
    private const int Waiting = 0;
    private const int Answered = 1;
    private const int GivenUp = 2;

    private readonly PendingWritePool _pool;
    private ManualResetValueTaskSourceCore<WriteResult> _source;
    private CancellationTokenRegistration _registration;
    private WriteBatch? _batch;
    private int _outcome;
    private int _holders;
    private bool _asynchronous;

    public PendingWrite(PendingWritePool pool)
    {
        _pool = pool;
        _source.RunContinuationsAsynchronously = true;
    }

    /// <summary>The next in the queue.</summary>
    public PendingWrite? Next { get; set; }

    public PendingKind Kind { get; private set; }

    public bool IsSynced { get; private set; }

    public bool HasConditions { get; private set; }

    /// <summary>For <see cref="PendingKind.EpochStart"/>.</summary>
    public ulong Epoch { get; private set; }

    /// <summary>When the leader began to hold it up; 0: it did not.</summary>
    public long HeldSince { get; set; }

    /// <summary>The leader's note of its place in the log.</summary>
    public LogPosition Position { get; set; }

    /// <summary>The leader's note of what the write will answer.</summary>
    public WriteResult Result { get; set; }

    /// <summary>The leader's note of what the write will fail with.</summary>
    public AiDbException? Error { get; set; }

    public LogOperationWriter? Operations { get; private set; }

    public int PayloadBytes => Operations?.SizeBytes ?? 0;

    /// <summary>Whether it is answered or given up; meaningful to a synchronous waiter.</summary>
    public bool IsAnswered => Volatile.Read(ref _outcome) != Waiting;

    /// <summary>The gate at which a synchronous writer sleeps, as a bit; 0 of an asynchronous one.</summary>
    public int GateMask { get; private set; }

    /// <summary>Makes it a batch's.</summary>
    public void Prepare(WriteBatch batch, bool synced, bool asynchronous)
    {
        Prepare(batch.IsIngest ? PendingKind.Ingest : PendingKind.Batch, 0, synced, asynchronous);
        _batch = batch;
        Operations = batch.Operations;
        HasConditions = batch.HasConditions;
    }

    /// <summary>Makes it something other than a batch.</summary>
    public void Prepare(PendingKind kind, ulong epoch, bool synced, bool asynchronous)
    {
        Kind = kind;
        Epoch = epoch;
        IsSynced = synced;
        HasConditions = false;
        HeldSince = 0;
        Result = default;
        Error = null;
        Next = null;
        _asynchronous = asynchronous;
        _outcome = Waiting;
        _holders = asynchronous ? 2 : 1;
        GateMask = asynchronous ? 0 : 1 << _pool.Gates.Current;
    }

    /// <summary>Blocks until it is answered.</summary>
    public WriteResult Wait()
    {
        AnswerGates gates = _pool.Gates;
        int gate = BitOperations.TrailingZeroCount(GateMask);
        SpinBriefly();
        while (true)
        {
            int version = gates.Version(gate);
            if (IsAnswered)
                break;
            gates.Sleep(gate, version);
        }

        WriteResult result = Result;
        AiDbException? error = Error;
        Release();
        return error is null ? result : throw error;
    }

    /// <summary>The answer as a task; the token gives up waiting. Called once, after it was queued.</summary>
    public ValueTask<WriteResult> AsTask(CancellationToken cancellationToken)
    {
        short version = _source.Version;
        if (cancellationToken.CanBeCanceled)
            _registration = cancellationToken.UnsafeRegister(static write => ((PendingWrite)write!).GiveUp(), this);
        return new ValueTask<WriteResult>(this, version);
    }

    /// <summary>The leader's answer, from <see cref="Result"/> or <see cref="Error"/>.</summary>
    public void Answer()
    {
        if (_asynchronous)
        {
            if (Interlocked.CompareExchange(ref _outcome, Answered, Waiting) == Waiting)
            {
                if (Error is { } failure)
                    _source.SetException(failure);
                else
                    _source.SetResult(Result);
            }
        }
        else
        {
            // From here on it may be another write already.
            Volatile.Write(ref _outcome, Answered);
            return;
        }

        Release();
    }

    /// <summary>Answers writes and wakes their writers with one call.</summary>
    /// <param name="writes">Writes of one pool; each has a result or an error.</param>
    /// <param name="own">The caller's own, who does not sleep; null: none.</param>
    public static void AnswerAll(List<PendingWrite> writes, PendingWrite? own = null)
    {
        if (writes.Count == 0)
            return;
        AnswerGates gates = writes[0]._pool.Gates;
        int mask = 0;
        foreach (PendingWrite write in writes)
        {
            if (write != own)
                mask |= write.GateMask;
            write.Answer();
        }

        if (mask != 0)
            gates.Open(mask);
    }

    WriteResult IValueTaskSource<WriteResult>.GetResult(short token)
    {
        // A task that is awaited twice, against the rules, must not let go of what is another's by then.
        if (_source.GetStatus(token) == ValueTaskSourceStatus.Pending)
            throw new InvalidOperationException("The write is not answered yet; await its task.");
        _registration.Dispose();
        _registration = default;
        try
        {
            return _source.GetResult(token);
        }
        finally
        {
            _source.Reset();
            Release();
        }
    }

    ValueTaskSourceStatus IValueTaskSource<WriteResult>.GetStatus(short token) => _source.GetStatus(token);

    void IValueTaskSource<WriteResult>.OnCompleted(
        Action<object?> continuation, object? state, short token, ValueTaskSourceOnCompletedFlags flags) =>
        _source.OnCompleted(continuation, state, token, flags);

    private void GiveUp()
    {
        if (Interlocked.CompareExchange(ref _outcome, GivenUp, Waiting) != Waiting)
            return;
        _batch?.Detach();
        _source.SetException(new AiDbException(
            AiDbErrorKind.OutcomeUnknown,
            "The caller stopped waiting for a write that is queued: it may or may not take effect. Read before " +
            "writing again."));
    }

    /// <summary>A group that is not synced is answered sooner than a thread falls asleep.</summary>
    private void SpinBriefly()
    {
        if (IsSynced)
            return;
        var spinner = default(SpinWait);
        while (!IsAnswered && !spinner.NextSpinWillYield)
            spinner.SpinOnce();
    }

    private void Release()
    {
        if (Interlocked.Decrement(ref _holders) != 0)
            return;
        _batch = null;
        Operations = null;
        Error = null;
        _pool.Return(this);
    }
}

/// <summary>Keeps pending writes for reuse.</summary>
internal sealed class PendingWritePool
{
    private const int Kept = 1024;

    private readonly Lock _gate = new();

    /// <summary>Where its synchronous writes wait.</summary>
    public AnswerGates Gates { get; } = new();

    private readonly PendingWrite?[] _free = new PendingWrite?[Kept];
    private int _count;

    public PendingWrite Rent()
    {
        lock (_gate)
        {
            if (_count > 0)
                return _free[--_count]!;
        }

        return new PendingWrite(this);
    }

    public void Return(PendingWrite write)
    {
        lock (_gate)
        {
            if (_count < Kept)
                _free[_count++] = write;
        }
    }
}
