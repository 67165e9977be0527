using AiDb.Engine.Commit;
using AiDb.Engine.Diagnostics;
using AiDb.Engine.Log;
using AiDb.Engine.State;

namespace AiDb.Engine.Replication;

/// <summary>Applies committed entries in log order, and answers those of them that were written here.</summary>
/// <remarks>Thread safety: all members may be called concurrently. One thread applies at a time, whichever comes first; the
/// others leave their commit position for it. Invariants: an entry is applied once it is committed and durable here, never
/// before; a write is answered after its entry was applied.</remarks>
internal sealed class ReplicaApplier : IDisposable
{
    private const int EntriesPerTurn = 256;
    private static readonly TimeSpan RetryInterval = TimeSpan.FromMilliseconds(20);

    private readonly EngineContext _context;
    private readonly WriteAheadLog _log;
    private readonly LogSyncer _syncer;
    private readonly StateHolder _state;
    private readonly BatchApplier _applier;
    private readonly MemtableRotation _rotation;
    private readonly WriteThrottle _throttle;
    private readonly RecentEntries _recent;
    private readonly Lock _waitingGate = new();
    private readonly Queue<PendingWrite> _waiting = new();
    private readonly List<PendingWrite> _answers = [];
    private readonly ITimer _retry;
    private LogReader? _reader;
    private ILogProposer? _proposer;
    private ulong _target;
    private ulong _appliedLsn;
    private ulong _epoch;
    private int _applying;
    private volatile bool _closed;

    public ReplicaApplier(
        EngineContext context, WriteAheadLog log, LogSyncer syncer, StateHolder state, BatchApplier applier,
        MemtableRotation rotation, WriteThrottle throttle, RecentEntries recent)
    {
        _context = context;
        _log = log;
        _syncer = syncer;
        _state = state;
        _applier = applier;
        _rotation = rotation;
        _throttle = throttle;
        _recent = recent;
        _appliedLsn = state.Applied.Lsn;
        _target = _appliedLsn;
        _epoch = state.Applied.Epoch;
        _retry = context.TimeProvider.CreateTimer(
            static applier => ((ReplicaApplier)applier!).Run(), this, Timeout.InfiniteTimeSpan, Timeout.InfiniteTimeSpan);
    }

    /// <summary>The last entry whose effects are seen.</summary>
    public ulong AppliedLsn => Volatile.Read(ref _appliedLsn);

    /// <summary>The epoch of the last applied entry.</summary>
    public ulong Epoch => Volatile.Read(ref _epoch);

    /// <summary>Who takes own writes; null: nobody does.</summary>
    public ILogProposer? Proposer
    {
        get => Volatile.Read(ref _proposer);
        set => Volatile.Write(ref _proposer, value);
    }

    /// <summary>Has a group of writes proposed; they are answered when they are committed.</summary>
    /// <returns>Null: they wait. Else why they were refused; nothing was appended then.</returns>
    public AiDbException? Propose(List<PendingWrite> group, IReadOnlyList<ReadOnlyMemory<byte>> batches, out ILogProposer? proposer)
    {
        // Whoever applies the entries must find who waits for them, so the applier waits here until they are noted.
        lock (_waitingGate)
        {
            proposer = Proposer;
            if (_closed || proposer?.Propose(batches) is not { } first)
            {
                proposer = null;
                return new AiDbException(
                    AiDbErrorKind.Unavailable, "This node is not the primary of the shard; nothing was written.");
            }

            for (int index = 0; index < group.Count; index++)
            {
                group[index].Position = new LogPosition(first.Epoch, first.FirstLsn + (ulong)index, 0);
                _waiting.Enqueue(group[index]);
            }

            return null;
        }
    }

    /// <summary>Raises the commit position and applies what may be applied.</summary>
    public void Commit(ulong lsn)
    {
        ulong seen = Volatile.Read(ref _target);
        while (lsn > seen)
        {
            ulong before = Interlocked.CompareExchange(ref _target, lsn, seen);
            if (before == seen)
                break;
            seen = before;
        }

        Run();
    }

    /// <summary>Refuses own writes and ends those that wait.</summary>
    public void StopProposing(AiDbException reason)
    {
        List<PendingWrite> ended;
        lock (_waitingGate)
        {
            Proposer = null;
            ended = [.. _waiting];
            _waiting.Clear();
        }

        foreach (PendingWrite write in ended)
            write.Error = DatabaseHealth.Repeat(reason);
        PendingWrite.AnswerAll(ended);
    }

    /// <summary>Applies nothing any more, and waits until nobody applies.</summary>
    public void Close(AiDbException reason)
    {
        _closed = true;
        StopProposing(reason);
        var spinner = default(SpinWait);
        while (Interlocked.CompareExchange(ref _applying, 1, 0) != 0)
            spinner.SpinOnce();
        _reader?.Dispose();
        _reader = null;
    }

    /// <inheritdoc/>
    public void Dispose() => _retry.Dispose();

    private ulong Limit => Math.Min(Volatile.Read(ref _target), _log.DurableLsn);

    private void Run()
    {
        while (AppliedLsn < Limit && !_closed && _context.Health.Failure is null)
        {
            if (Interlocked.CompareExchange(ref _applying, 1, 0) != 0)
                return;
            bool isHeldUp = false;
            try
            {
                while (!_closed && AppliedLsn < Limit && _context.Health.Failure is null && !isHeldUp)
                {
                    isHeldUp = _throttle.HardStop(out _) != WriteStallKind.None;
                    if (!isHeldUp)
                        ApplyTurn(Limit);
                }
            }
            finally
            {
                Interlocked.Exchange(ref _applying, 0);
            }

            if (isHeldUp)
            {
                // The memtables wait for their flush; what is committed stays in the log until then.
                _retry.Change(RetryInterval, Timeout.InfiniteTimeSpan);
                return;
            }
        }
    }

    private void ApplyTurn(ulong limit)
    {
        ulong from = AppliedLsn + 1;
        ulong to = Math.Min(limit, from + EntriesPerTurn - 1);
        _log.Commit(to);
        LogPosition last = default;
        try
        {
            lock (_rotation.Gate)
            {
                _rotation.RotateWhenFull();
                try
                {
                    for (ulong lsn = from; lsn <= to; lsn++)
                        last = Apply(lsn);
                }
                finally
                {
                    if (last.Lsn > 0)
                    {
                        _state.Publish(last);
                        Volatile.Write(ref _epoch, last.Epoch);
                        Volatile.Write(ref _appliedLsn, last.Lsn);
                    }
                }
            }
        }
        catch (Exception error)
        {
            // The entry is committed, so the next start must apply it; nothing after it may be applied before.
            var reason = new AiDbException(
                error is AiDbException known ? known.Kind : AiDbErrorKind.Internal,
                $"Committed entry {AppliedLsn + 1} could not be applied, so the replica stops: {error.Message}", error);
            if (_context.Health.Fail(reason))
                EngineLog.ReadOnly(_context.Logger, _context.Path, error);
        }

        _syncer.Publish();
        PendingWrite.AnswerAll(_answers);
        _answers.Clear();
        if (_context.Health.Failure is { } failure)
            StopProposing(new AiDbException(AiDbErrorKind.OutcomeUnknown, failure.Message, failure));
    }

    private LogPosition Apply(ulong lsn)
    {
        LogEntry entry = ReadEntry(lsn);
        _rotation.Logged(entry.Payload.Length + WriteAheadLog.RecordOverheadBytes);
        WriteResult result;
        if (entry.Type == LogRecordType.Batch)
        {
            result = _applier.Apply(entry.Position, entry.Payload.Span, mayHaveConditions: true);
        }
        else
        {
            _applier.Skip(entry.Position);
            result = default;
        }

        lock (_waitingGate)
        {
            if (_waiting.TryPeek(out PendingWrite? write) && write.Position.Lsn == lsn)
            {
                _waiting.Dequeue();
                if (write.Position.Epoch == entry.Position.Epoch)
                    write.Result = result;
                else
                    write.Error = new AiDbException(AiDbErrorKind.Aborted, "Another primary's write took the entry's place.");
                _answers.Add(write);
            }
        }

        return entry.Position;
    }

    private LogEntry ReadEntry(ulong lsn)
    {
        if (_recent.TryGet(lsn, out LogEntry entry))
            return entry;
        if (_reader?.NextLsn != lsn)
        {
            _reader?.Dispose();
            _reader = null;
            _reader = _log.OpenReader(lsn);
        }

        return _reader.TryRead(lsn, out entry)
            ? entry
            : throw new AiDbException(AiDbErrorKind.DataLoss, $"Entry {lsn} is committed, but not in the log.");
    }
}
