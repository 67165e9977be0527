using AiDb.Engine.Compaction;
using AiDb.Engine.Diagnostics;
using AiDb.Engine.Log;
using AiDb.Engine.State;

namespace AiDb.Engine.Commit;

/// <summary>Log, commit, apply: what the leader does with a group of writes.</summary>
/// <remarks>Thread safety: the leader's own. Every write of the group leaves with a result or an
/// error.</remarks>
internal sealed class GroupCommitter : ICommitter
{
    private readonly EngineContext _context;
    private readonly WriteAheadLog _log;
    private readonly LogSyncer _syncer;
    private readonly StateHolder _state;
    private readonly BatchApplier _applier;
    private readonly BackgroundWork _background;
    private readonly DiskGuard _diskGuard;
    private readonly MemtableRotation _rotation;
    private ulong _epoch;

    public GroupCommitter(
        EngineContext context, WriteAheadLog log, LogSyncer syncer, StateHolder state, BatchApplier applier,
        BackgroundWork background, MemtableRotation rotation)
    {
        _context = context;
        _log = log;
        _syncer = syncer;
        _state = state;
        _applier = applier;
        _background = background;
        _rotation = rotation;
        _diskGuard = new DiskGuard(context);
        _epoch = log.Epoch;
    }

    /// <inheritdoc/>
    public ulong Epoch => Volatile.Read(ref _epoch);

    /// <inheritdoc/>
    public bool Commit(List<PendingWrite> group)
    {
        try
        {
            switch (group[0].Kind)
            {
                case PendingKind.Rotate:
                    group[0].Result = new WriteResult(Applied: true, 0, _rotation.Rotate());
                    break;
                case PendingKind.Close:
                    break;
                default:
                    CommitEntries(group);
                    break;
            }
        }
        catch (Exception error)
        {
            // Nothing may leave the leader without an answer. What it did is not known, so nothing more is
            // written.
            var reason = new AiDbException(
                AiDbErrorKind.Internal, $"A commit failed unexpectedly; the database is read-only: {error.Message}", error);
            if (_context.Health.Fail(reason))
                EngineLog.ReadOnly(_context.Logger, _context.Path, error);
            FailAll(group, 0, new AiDbException(AiDbErrorKind.OutcomeUnknown, reason.Message, error));
        }

        return true;
    }

    /// <inheritdoc/>
    public void RotateEarly() => _rotation.RotateEarly();

    private void CommitEntries(List<PendingWrite> group)
    {
        long bytes = 0;
        bool synced = false;
        foreach (PendingWrite write in group)
        {
            bytes += write.PayloadBytes + WriteAheadLog.RecordOverheadBytes;
            synced |= write.IsSynced;
        }

        if (_context.Health.Failure is null)
            _diskGuard.BeforeWriting(bytes);
        bool startsEpoch = group[0].Kind == PendingKind.EpochStart;
        if ((startsEpoch ? _context.Health.Failure : _context.Health.ReadOnlyReason) is { } reason)
        {
            // A nearly full disk has room for an epoch's record, without which not even reads would be
            // served.
            FailAll(group, 0, reason);
            return;
        }

        if (startsEpoch && group[0].Epoch <= _epoch)
        {
            group[0].Error = new AiDbException(
                AiDbErrorKind.PreconditionFailed,
                $"Epoch {group[0].Epoch} is not greater than the current one, {_epoch}.");
            return;
        }

        if (group[0].Kind == PendingKind.Ingest && !TryFlushAll(group))
            return;
        _rotation.RotateWhenFull();
        if (!TryLog(group, synced))
            return;
        _rotation.Logged(bytes);
        _log.Commit(group[^1].Position.Lsn);
        ApplyAll(group);
        _syncer.Publish();
        if (!synced)
            _syncer.Arm();
        _context.Metrics.Committed(group.Count, bytes, synced);
    }

    /// <summary>Writes the memtables to tables, on this thread: an ingest's tables are newer than all there is
    /// and older than all that comes.</summary>
    private bool TryFlushAll(List<PendingWrite> group)
    {
        try
        {
            _rotation.Rotate();
            _background.FlushNow();
            return true;
        }
        catch (Exception error) when (error is AiDbException or IOException)
        {
            FailAll(group, 0, new AiDbException(
                AiDbErrorKind.Unavailable, $"The flush before an ingest failed; nothing was ingested: {error.Message}", error));
            return false;
        }
    }

    private bool TryLog(List<PendingWrite> group, bool synced)
    {
        bool written = false;
        try
        {
            ulong lsn = _log.AppendedLsn;
            foreach (PendingWrite write in group)
            {
                bool startsEpoch = write.Kind == PendingKind.EpochStart;
                ulong epoch = startsEpoch ? write.Epoch : _epoch;
                write.Position = new LogPosition(epoch, ++lsn, _context.Clock.Next());
                _log.Append(
                    startsEpoch ? LogRecordType.EpochStart : LogRecordType.Batch,
                    epoch, lsn, write.Position.Timestamp, startsEpoch ? default : write.Operations!.WrittenSpan);
            }

            _log.WriteGroup();
            written = true;
            if (synced)
                _log.Sync();
            return true;
        }
        catch (AiDbException error)
        {
            if (written || _log.FailedReason is not null)
                _syncer.FailDatabase(error);
            FailAll(group, 0, error);
            return false;
        }
    }

    private void ApplyAll(List<PendingWrite> group)
    {
        int applied = 0;
        try
        {
            for (; applied < group.Count; applied++)
            {
                PendingWrite write = group[applied];
                if (write.Kind == PendingKind.EpochStart)
                {
                    _applier.Skip(write.Position);
                    Volatile.Write(ref _epoch, write.Epoch);
                    write.Result = new WriteResult(Applied: true, write.Position.Timestamp, write.Position.Lsn);
                }
                else
                {
                    write.Result = _applier.Apply(
                        write.Position, write.Operations!.WrittenSpan, write.HasConditions);
                }
            }
        }
        catch (AiDbException error)
        {
            // The entry is in the log, so the next start must decide it; nothing after it may be applied
            // before.
            var reason = new AiDbException(
                error.Kind,
                $"An entry that is in the log could not be applied, so the database is read-only: {error.Message}", error);
            if (_context.Health.Fail(reason))
                EngineLog.ReadOnly(_context.Logger, _context.Path, error);
            FailAll(group, applied, new AiDbException(AiDbErrorKind.OutcomeUnknown, reason.Message, error));
        }

        if (applied > 0)
            _state.Publish(group[applied - 1].Position);
    }

    private static void FailAll(List<PendingWrite> group, int from, AiDbException error)
    {
        for (int index = from; index < group.Count; index++)
            group[index].Error = DatabaseHealth.Repeat(error);
    }
}
