using AiDb.Engine.Catalogues;
using AiDb.Engine.ChangeFeeds;
using AiDb.Engine.Commit;
using AiDb.Engine.Diagnostics;
using AiDb.Engine.Log;
using AiDb.Engine.Manifest;
using AiDb.Engine.MemTables;
using AiDb.Engine.State;
using AiDb.Engine.ValueFiles;

namespace AiDb.Engine.Compaction;

/// <summary>Flushes full memtables and keeps the levels in shape, on the executor.</summary>
/// <remarks>Thread safety: all members may be called concurrently. One flush and one compaction run at a
/// time, beside each other: flushes add to level 0, compactions take away what was there when they
/// began.</remarks>
internal sealed class BackgroundWork : IDisposable
{
    private readonly EngineContext _context;
    private readonly WriteAheadLog _log;
    private readonly LogSyncer _syncer;
    private readonly StateHolder _state;
    private readonly Catalogue _catalogue;
    private readonly TreeStore _tree;
    private readonly WriteThrottle _throttle;
    private readonly Lock _flushGate = new();
    private readonly BatchOutcomes _outcomes;
    private readonly CompactionPicker _picker;
    private readonly BackgroundJob _flush;
    private readonly BackgroundJob _compaction;
    private readonly ProgressWaiters _flushWaiters = new();
    private readonly ProgressWaiters _compactionWaiters = new();
    private ulong _wantedCompaction;
    private ulong _doneCompaction;

    public BackgroundWork(
        EngineContext context, WriteAheadLog log, LogSyncer syncer, StateHolder state, Catalogue catalogue, TreeStore tree,
        WriteThrottle throttle, BatchOutcomes outcomes)
    {
        _outcomes = outcomes;
        _context = context;
        _log = log;
        _syncer = syncer;
        _state = state;
        _catalogue = catalogue;
        _tree = tree;
        _throttle = throttle;
        _picker = new CompactionPicker(context.Options);
        _flush = new BackgroundJob(context, "flush", FlushStep, OnFlushOutcome);
        _compaction = new BackgroundJob(context, "compaction", CompactionStep, OnCompactionOutcome);
    }

    /// <summary>What was read and written.</summary>
    public BackgroundTally Tally { get; } = new();

    /// <summary>Bytes by which the levels of a tree are beyond their targets.</summary>
    public long PendingBytes(TreeVersion tree) => _picker.PendingBytes(tree);

    /// <summary>Whether nothing runs and nothing is due. The state is the current one; the caller holds
    /// it.</summary>
    public bool IsIdle(ReadState state) =>
        state.Immutable.Length == 0 && !_flush.IsRunning && !_compaction.IsRunning && _picker.Pick(state.Tree) is null
        && ValueGarbagePicker.Pick(state.Tree) is null;

    public void ScheduleFlush() => _flush.Schedule();

    public void ScheduleCompaction() => _compaction.Schedule();

    /// <summary>Waits until a memtable and all before it are flushed; the first error of a flush ends the
    /// wait.</summary>
    public Task WaitFlushedAsync(ulong ordinal, CancellationToken cancellationToken)
    {
        Task done = _flushWaiters.WaitAsync(ordinal, cancellationToken);
        _flush.Schedule();
        return done;
    }

    /// <summary>Compacts everything into one run.</summary>
    public Task CompactAllAsync(CancellationToken cancellationToken)
    {
        ulong wanted = Interlocked.Increment(ref _wantedCompaction);
        Task done = _compactionWaiters.WaitAsync(wanted, cancellationToken);
        _compaction.Schedule();
        return done;
    }

    /// <summary>Waits until nothing runs any more and keeps it so.</summary>
    public void Stop()
    {
        _flush.Stop();
        _compaction.Stop();
        var closed = new AiDbException(AiDbErrorKind.Unavailable, "The database was closed.");
        _flushWaiters.Close(closed);
        _compactionWaiters.Close(closed);
    }

    public void Dispose()
    {
        _flush.Dispose();
        _compaction.Dispose();
    }

    /// <summary>Flushes every immutable memtable on the caller's thread.</summary>
    /// <exception cref="AiDbException">It could not be done.</exception>
    public void FlushNow()
    {
        while (FlushStep())
        {
        }

        ReadState state = _state.Acquire();
        bool done = state.Immutable.Length == 0;
        state.Release();
        if (!done)
        {
            throw DatabaseHealth.Repeat(_context.Health.Failure
                ?? new AiDbException(AiDbErrorKind.Unavailable, "The database is being closed."));
        }
    }

    private bool FlushStep()
    {
        lock (_flushGate)
            return FlushStepLocked();
    }

    private bool FlushStepLocked()
    {
        if (_context.IsClosing)
            return false;
        ReadState state = _state.Acquire();
        try
        {
            // A log that failed cannot say that the memtable's entries are durable, so its tables must not
            // hold them.
            if (state.Immutable.Length == 0)
                return false;
            if (_context.Health.Failure is { } failure)
            {
                _flushWaiters.Fail(DatabaseHealth.Repeat(failure));
                return false;
            }

            Flush(state.Immutable[^1]);
        }
        finally
        {
            state.Release();
        }

        _throttle.Signal();
        _compaction.Schedule();
        return true;
    }

    private void Flush(MemTable memtable)
    {
        long started = _context.TimeProvider.GetTimestamp();
        LogPosition last = memtable.LastPosition;
        if (_log.DurableLsn < last.Lsn)
            _syncer.Sync();
        using (OutputTables output = _tree.CreateOutput())
        {
            FlushJob.Run(memtable, _state.SnapshotVersions(), _catalogue, output);
            output.Publish();
            var edit = new VersionEdit
            {
                Flushed = last,
                KnownDurableLsn = _log.DurableLsn,
                Outcomes = _outcomes.Advance(_log.FirstLsn, _tree.Flushed.Lsn, last.Lsn),
            };
            foreach (LiveTable table in output.Finished)
                edit.Added.Add((0, table.Metadata));
            edit.AddedValueFiles.AddRange(output.ValueFiles.Select(static file => file.Metadata));
            _tree.Change(edit, output.Finished, memtable);
            long writtenBytes = output.WrittenBytes;
            Tally.AddFlush(writtenBytes);
            _context.Metrics.Flushed(writtenBytes);
        }

        EngineLog.Flushed(
            _context.Logger, _context.Path, memtable.EntryCount, last.Lsn, _context.TimeProvider.GetElapsedTime(started));
        _flushWaiters.Reach(memtable.Ordinal);
        _log.ReleaseBefore(last.Lsn + 1);
    }

    private bool CompactionStep()
    {
        if (_context.IsClosing)
            return false;
        ulong wanted = Volatile.Read(ref _wantedCompaction);
        bool all = wanted > _doneCompaction;
        TreeVersion tree;
        CompactionPlan? plan;
        lock (_tree.Compacting.Gate)
        {
            tree = _tree.AcquireTree();
            plan = all ? _picker.PickAll(tree) : _picker.Pick(tree) ?? ValueGarbagePicker.Pick(tree);
            _tree.Compacting.Plan = plan;
        }

        try
        {
            ulong flushedTimestamp = _tree.Flushed.Timestamp;
            if (RemoveDropped(tree, flushedTimestamp))
                return true;
            if (plan is not null)
                Compact(plan, flushedTimestamp);
            if (all)
            {
                _doneCompaction = wanted;
                _compactionWaiters.Reach(wanted);
            }

            return plan is not null;
        }
        finally
        {
            lock (_tree.Compacting.Gate)
                _tree.Compacting.Plan = null;
            tree.Release();
            _throttle.Signal();
        }
    }

    private void Compact(CompactionPlan plan, ulong flushedTimestamp)
    {
        long started = _context.TimeProvider.GetTimestamp();
        var edit = new VersionEdit { KnownDurableLsn = _log.DurableLsn };
        foreach ((int level, LiveTable table) in plan.Inputs)
            edit.Removed.Add((level, table.Metadata.Id));
        int outputs = 1;
        if (plan.IsTrivialMove)
        {
            LiveTable moved = plan.Inputs[0].Table;
            edit.Added.Add((plan.OutputLevel, moved.Metadata));
            _tree.Change(edit, [moved]);
        }
        else
        {
            using OutputTables output = _tree.CreateOutput(plan.Tree);
            CompactionJob.Run(
                _context, plan, _state.SnapshotVersions(), _catalogue, flushedTimestamp, output);
            output.Publish();
            foreach (LiveTable table in output.Finished)
                edit.Added.Add((plan.OutputLevel, table.Metadata));
            edit.AddedValueFiles.AddRange(output.ValueFiles.Select(static file => file.Metadata));
            _tree.Change(edit, output.Finished);
            outputs = output.Finished.Count;
            long writtenBytes = output.WrittenBytes;
            Tally.AddCompaction(plan.InputBytes, writtenBytes);
            _context.Metrics.Compacted(writtenBytes);
        }

        EngineLog.Compacted(
            _context.Logger, _context.Path, plan.Inputs.Count, plan.InputBytes, outputs, plan.OutputLevel,
            _context.TimeProvider.GetElapsedTime(started), plan.Reason);
    }

    /// <summary>Takes tables out that hold nothing but keys of dropped tables.</summary>
    private bool RemoveDropped(TreeVersion tree, ulong flushedTimestamp)
    {
        IReadOnlyDictionary<uint, ulong> dropped = _catalogue.Dropped;
        if (dropped.Count == 0)
            return false;
        var edit = new VersionEdit();
        for (int level = 0; level < VersionEdit.Levels; level++)
        {
            foreach (LiveTable table in tree.Level(level))
            {
                if (Array.TrueForAll(
                    table.Reader.Properties.TableIds,
                    id => dropped.TryGetValue(id, out ulong version) && version <= flushedTimestamp))
                {
                    edit.Removed.Add((level, table.Metadata.Id));
                }
            }
        }

        if (edit.Removed.Count == 0)
            return false;
        _tree.Change(edit, []);
        return true;
    }

    private void OnFlushOutcome(AiDbException? error)
    {
        _context.Health.FlushError = error;
        if (error is not null)
            _flushWaiters.Fail(error);
        _throttle.Signal();
    }

    private void OnCompactionOutcome(AiDbException? error)
    {
        _context.Health.CompactionError = error;
        if (error is not null)
        {
            // Whoever asked for it hears of the error and may ask again.
            _doneCompaction = Volatile.Read(ref _wantedCompaction);
            _compactionWaiters.Fail(error);
        }

        _throttle.Signal();
    }
}
