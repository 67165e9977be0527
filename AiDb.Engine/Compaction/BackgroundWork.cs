using AiDb.Engine.Catalogues;
using AiDb.Engine.ChangeFeeds;
using AiDb.Engine.Commit;
using AiDb.Engine.CompactionFilters;
using AiDb.Engine.Diagnostics;
using AiDb.Engine.Log;
using AiDb.Engine.Manifest;
using AiDb.Engine.MemTables;
using AiDb.Engine.State;

namespace AiDb.Engine.Compaction;

/// <summary>Flushes full memtables and keeps the levels in shape, on the executor.</summary>
/// <remarks>Thread safety: all members may be called concurrently. One flush runs at a time, beside the
/// compactions: flushes add to level 0, compactions take away what was there when they began.</remarks>
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
    private readonly CompactionScheduler _compactions;
    private readonly BackgroundJob _flush;
    private readonly ProgressWaiters _flushWaiters = new();

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
        _compactions = new CompactionScheduler(context, log, state, catalogue, tree, throttle, Tally);
        _flush = new BackgroundJob(context, "flush", FlushStep, OnFlushOutcome);
    }

    /// <summary>What was read and written.</summary>
    public BackgroundTally Tally { get; } = new();

    /// <summary>Bytes by which the levels of a tree are beyond their targets.</summary>
    public long PendingBytes(TreeVersion tree) => _compactions.PendingBytes(tree);

    /// <summary>Whether nothing runs and nothing is due. The state is the current one; the caller holds
    /// it.</summary>
    public bool IsIdle(ReadState state) =>
        state.Immutable.Length == 0 && !_flush.IsRunning && _compactions.IsIdle(state.Tree);

    /// <summary>Writes what the compaction filter decides; set before any work begins.</summary>
    public FilterWriter? FilterWriter
    {
        get => _compactions.FilterWriter;
        set => _compactions.FilterWriter = value;
    }

    public void ScheduleFlush() => _flush.Schedule();

    public void ScheduleCompaction() => _compactions.Schedule();

    /// <summary>Waits until a memtable and all before it are flushed; the first error of a flush ends the
    /// wait.</summary>
    public Task WaitFlushedAsync(ulong ordinal, CancellationToken cancellationToken)
    {
        Task done = _flushWaiters.WaitAsync(ordinal, cancellationToken);
        _flush.Schedule();
        return done;
    }

    /// <summary>Compacts everything into one run.</summary>
    public Task CompactAllAsync(CancellationToken cancellationToken) => _compactions.CompactAllAsync(cancellationToken);

    /// <summary>Waits until nothing runs any more and keeps it so.</summary>
    public void Stop()
    {
        _flush.Stop();
        _compactions.Stop();
        _flushWaiters.Close(new AiDbException(AiDbErrorKind.Unavailable, "The database was closed."));
    }

    public void Dispose()
    {
        _flush.Dispose();
        _compactions.Dispose();
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
        ulong ordinal;
        ReadState state = _state.Acquire();
        try
        {
            // A log that failed cannot say that the memtable's entries are durable, so its tables must not
            // hold them.
            if (state.Immutable.Length == 0)
            {
                // Also after a flush that ended with an error behind its edit.
                _flushWaiters.Reach(state.Active.Ordinal - 1);
                return false;
            }

            if (_context.Health.Failure is { } failure)
            {
                _flushWaiters.Fail(DatabaseHealth.Repeat(failure));
                return false;
            }

            Flush(state.Immutable[^1]);
            ordinal = state.Immutable[^1].Ordinal;
        }
        finally
        {
            state.Release();
        }

        // Whoever waits for the flush finds the stalls judged by the tree that it left.
        _throttle.Signal();
        _flushWaiters.Reach(ordinal);
        _compactions.Schedule();
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
            FlushJob.Run(memtable, _state.SnapshotVersions(last.Timestamp), _catalogue, output);
            output.Publish();
            var edit = new VersionEdit
            {
                Flushed = last,
                // What is not committed may yet be cut off.
                KnownDurableLsn = Math.Min(_log.DurableLsn, _log.CommittedLsn),
                Outcomes = _outcomes.Advance(_log.FirstLsn, _tree.Flushed.Lsn, last.Lsn),
            };
            foreach (LiveTable table in output.Finished)
                edit.Added.Add((0, table.Metadata));
            edit.AddedValueFiles.AddRange(output.ValueFiles.Select(static file => file.Metadata));
            _tree.Change(edit, output.Finished, memtable);
            long writtenBytes = output.WrittenBytes;
            Tally.AddFlush(writtenBytes);
            _context.BackgroundRate.TakeForFlush(writtenBytes);
            _context.Metrics.Flushed(writtenBytes);
        }

        EngineLog.Flushed(
            _context.Logger, _context.Path, memtable.EntryCount, last.Lsn, _context.TimeProvider.GetElapsedTime(started));
        _log.ReleaseBefore(last.Lsn + 1);
    }

    private void OnFlushOutcome(AiDbException? error)
    {
        _context.Health.FlushError = error;
        if (error is not null)
            _flushWaiters.Fail(error);
        _throttle.Signal();
    }
}
