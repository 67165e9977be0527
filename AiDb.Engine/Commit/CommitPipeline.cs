using AiDb.Engine.Diagnostics;

namespace AiDb.Engine.Commit;

/// <summary>
/// The queue of writes. Whoever finds it without a leader leads: it takes what is queued, has it committed as
/// a group, and answers. Writers only push onto a list without locks and wait for their own answer.
/// </summary>
/// <remarks>
/// Thread safety: all members may be called concurrently. Invariants: one leader at a time; writes are
/// committed in the order in which they were pushed; a leader that is a caller leaves after the group that
/// answered its own write (the lead then goes to the executor), so no caller works for others without end. An
/// asynchronous writer never leads on its own thread: while it would sync, the writes behind it on that
/// thread could not join the group.
/// </remarks>
internal sealed class CommitPipeline
{
    /// <summary>The first ten rounds spin, the others give the processor to threads that wait for it.</summary>
    private const int MaxIdleGatherRounds = 16;

    private readonly EngineContext _context;
    private readonly ICommitter _committer;
    private readonly WriteThrottle _throttle;
    private readonly PendingWritePool _pool = new();
    private readonly Action _leadJob;
    private readonly List<PendingWrite> _group = [];
    private readonly long _groupBytes;
    private PendingWrite? _pushed;
    private PendingWrite? _first;
    private PendingWrite? _last;
    private int _queuedCount;
    private int _lastGroupCount;
    private int _leading;
    private bool _ended;
    private volatile bool _closed;

    public CommitPipeline(EngineContext context, ICommitter committer, WriteThrottle throttle)
    {
        _context = context;
        _committer = committer;
        _throttle = throttle;
        _leadJob = () => Lead(null);
        _groupBytes = Math.Min(4 << 20, context.Options.MemtableBytes);
    }

    /// <summary>Writes a batch and waits for the answer.</summary>
    public WriteResult Write(WriteBatch batch, bool synced)
    {
        ThrowIfClosed();
        PendingWrite write = _pool.Rent();
        write.Prepare(batch, synced, asynchronous: false);
        return PushAndWait(write);
    }

    /// <summary>Writes a batch.</summary>
    public ValueTask<WriteResult> WriteAsync(WriteBatch batch, bool synced, CancellationToken cancellationToken)
    {
        ThrowIfClosed();
        PendingWrite write = _pool.Rent();
        write.Prepare(batch, synced, asynchronous: true);
        return PushAsync(write, cancellationToken);
    }

    /// <summary>Queues something that is no batch and waits for the answer.</summary>
    public WriteResult Run(PendingKind kind, ulong epoch = 0)
    {
        if (kind != PendingKind.Close)
            ThrowIfClosed();
        PendingWrite write = _pool.Rent();
        write.Prepare(kind, epoch, synced: kind == PendingKind.EpochStart, asynchronous: false);
        return PushAndWait(write);
    }

    /// <summary>Queues something that is no batch.</summary>
    public ValueTask<WriteResult> RunAsync(PendingKind kind, CancellationToken cancellationToken)
    {
        ThrowIfClosed();
        PendingWrite write = _pool.Rent();
        write.Prepare(kind, 0, synced: false, asynchronous: true);
        return PushAsync(write, cancellationToken);
    }

    /// <summary>Takes no more writes and waits until those that are queued are answered.</summary>
    public void Close()
    {
        _closed = true;
        Run(PendingKind.Close);
    }

    private void ThrowIfClosed() => ObjectDisposedException.ThrowIf(_closed, typeof(Database));

    private WriteResult PushAndWait(PendingWrite write)
    {
        Push(write);
        if (TryTakeLead())
            Lead(write);
        return write.Wait();
    }

    private ValueTask<WriteResult> PushAsync(PendingWrite write, CancellationToken cancellationToken)
    {
        Push(write);
        if (TryTakeLead())
            _context.Executor.Queue(BackgroundExecutor.CommitJob, _leadJob);
        return write.AsTask(cancellationToken);
    }

    private void Push(PendingWrite write)
    {
        PendingWrite? head = Volatile.Read(ref _pushed);
        while (true)
        {
            write.Next = head;
            PendingWrite? seen = Interlocked.CompareExchange(ref _pushed, write, head);
            if (seen == head)
                return;
            head = seen;
        }
    }

    private bool TryTakeLead() => Interlocked.CompareExchange(ref _leading, 1, 0) == 0;

    private void Lead(PendingWrite? own)
    {
        while (true)
        {
            TakePushed();
            if (_first is null)
            {
                Interlocked.Exchange(ref _leading, 0);
                if (Volatile.Read(ref _pushed) is null || !TryTakeLead())
                    return;
                continue;
            }

            if (own is { IsAnswered: true })
            {
                _context.Executor.Queue(BackgroundExecutor.CommitJob, _leadJob);
                return;
            }

            if (_ended)
            {
                RefuseAll();
                continue;
            }

            HoldUp(own);
            if (_first is null || own is { IsAnswered: true })
                continue;
            Gather();
            TakeGroup();
            _lastGroupCount = _group.Count;
            bool isClose = _group[0].Kind == PendingKind.Close;
            if (_committer.Commit(_group))
                PendingWrite.AnswerAll(_group, own);
            _ended = isClose;
            _group.Clear();
        }
    }

    /// <summary>Before a sync, lets those join who wrote in the last group and were just woken: a sync costs more
    /// than the moment in which they queue again, and without it every other group has a single
    /// write.</summary>
    private void Gather()
    {
        if (_first is not { IsSynced: true })
            return;
        int idleRounds = 0;
        var spinner = default(SpinWait);
        while (_queuedCount < _lastGroupCount && idleRounds < MaxIdleGatherRounds)
        {
            int before = _queuedCount;
            spinner.SpinOnce(sleep1Threshold: -1);
            TakePushed();
            idleRounds = _queuedCount > before ? 0 : idleRounds + 1;
        }
    }

    private void AnswerAlone(PendingWrite write)
    {
        int gates = write.GateMask;
        write.Answer();
        if (gates != 0)
            _pool.Gates.Open(gates);
    }

    /// <summary>Answers writes that met the closing: what they would touch is being given up.</summary>
    private void RefuseAll()
    {
        while (_first is { } write)
        {
            _first = write.Next;
            write.Next = null;
            _queuedCount--;
            write.Error = new AiDbException(
                AiDbErrorKind.Unavailable, "The database was closed; the write was not begun.");
            AnswerAlone(write);
        }

        _last = null;
    }

    /// <summary>Appends what was pushed, which is newest first, to the leader's list, oldest first.</summary>
    private void TakePushed()
    {
        _pool.Gates.NextTurn();
        PendingWrite? newest = Interlocked.Exchange(ref _pushed, null);
        if (newest is null)
            return;
        PendingWrite? oldest = null;
        PendingWrite? rest = newest;
        while (rest is not null)
        {
            PendingWrite? next = rest.Next;
            rest.Next = oldest;
            oldest = rest;
            rest = next;
            _queuedCount++;
        }

        if (_first is null)
            _first = oldest;
        else
            _last!.Next = oldest;
        _last = newest;
    }

    private void TakeGroup()
    {
        long bytes = 0;
        while (_first is { } write)
        {
            bool alone = write.Kind != PendingKind.Batch;
            if (_group.Count > 0 && (alone || bytes + write.PayloadBytes > _groupBytes))
                break;
            _group.Add(write);
            bytes += write.PayloadBytes;
            _first = write.Next;
            write.Next = null;
            _queuedCount--;
            if (alone)
                break;
        }

        if (_first is null)
            _last = null;
        if (bytes > 0)
            _throttle.Delay(bytes);
    }

    /// <summary>While nothing may be written: answers what has waited too long, and waits; no longer than
    /// until the leader's own write is answered.</summary>
    private void HoldUp(PendingWrite? own)
    {
        while (_first is { Kind: PendingKind.Batch } && _throttle.HardStop(out string? cause) is var kind
            && kind != WriteStallKind.None)
        {
            if (_context.IsClosing || _closed || _context.Health.Failure is not null)
            {
                return;
            }

            long now = _context.TimeProvider.GetTimestamp();
            _context.Metrics.WriteHeldUp(kind);
            for (PendingWrite? write = _first; write is not null; write = write.Next)
            {
                if (write.HeldSince == 0)
                    write.HeldSince = Math.Max(1, now);
            }

            while (_first is { Kind: PendingKind.Batch } write
                && _context.TimeProvider.GetElapsedTime(write.HeldSince, now) >= _context.Options.WriteStallTimeout)
            {
                _first = write.Next;
                write.Next = null;
                _queuedCount--;
                write.Error = TimedOut(kind, cause!);
                AnswerAlone(write);
            }

            if (_first is null)
                _last = null;
            if (_first is null || own is { IsAnswered: true })
                return;

            // The request to flush early stands behind the writes that wait for it.
            if (kind == WriteStallKind.MemoryBudget)
                _committer.RotateEarly();
            _throttle.WaitForProgress(kind);
            TakePushed();
        }
    }

    private AiDbException TimedOut(WriteStallKind kind, string cause)
    {
        EngineLog.WriteTimedOut(_context.Logger, _context.Path, kind, cause);
        return new AiDbException(
            AiDbErrorKind.ResourceExhausted,
            $"The write was held up for {_context.Options.WriteStallTimeout} and not begun ({kind}): {cause}. Write less, " +
            "give the disk time, or raise the trigger.")
        {
            RetryAfter = TimeSpan.FromSeconds(1),
        };
    }
}
