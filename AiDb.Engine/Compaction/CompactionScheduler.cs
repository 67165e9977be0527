using AiDb.Engine.Catalogues;
using AiDb.Engine.Commit;
using AiDb.Engine.CompactionFilters;
using AiDb.Engine.Diagnostics;
using AiDb.Engine.Log;
using AiDb.Engine.Manifest;
using AiDb.Engine.State;
using AiDb.Engine.ValueFiles;

namespace AiDb.Engine.Compaction;

/// <summary>Keeps the levels in shape: up to <see cref="DatabaseOptions.CompactionThreads"/> compactions at a
/// time, whose keys or levels do not meet.</summary>
/// <remarks>
/// Thread safety: all members may be called concurrently. Invariant: a plan is chosen for a tree that is taken
/// while the list of running plans is locked, and leaves the list after its result is in the tree; so what is
/// chosen neither takes nor overlaps what another is working on.
/// </remarks>
internal sealed class CompactionScheduler : IDisposable
{
    private readonly Lock _gate = new();
    private readonly EngineContext _context;
    private readonly WriteAheadLog _log;
    private readonly StateHolder _state;
    private readonly Catalogue _catalogue;
    private readonly TreeStore _tree;
    private readonly WriteThrottle _throttle;
    private readonly BackgroundTally _tally;
    private readonly CompactionPicker _picker;
    private readonly BackgroundJob[] _jobs;
    private readonly List<CompactionPlan> _running = [];
    private readonly ProgressWaiters _waiters = new();
    private ulong _wanted;
    private ulong _done;

    public CompactionScheduler(
        EngineContext context, WriteAheadLog log, StateHolder state, Catalogue catalogue, TreeStore tree,
        WriteThrottle throttle, BackgroundTally tally)
    {
        _context = context;
        _log = log;
        _state = state;
        _catalogue = catalogue;
        _tree = tree;
        _throttle = throttle;
        _tally = tally;
        _picker = new CompactionPicker(context.Options);
        _jobs = new BackgroundJob[context.Options.CompactionThreads];
        for (int job = 0; job < _jobs.Length; job++)
            _jobs[job] = new BackgroundJob(context, "compaction", Step, OnOutcome);
    }

    /// <summary>Has it look for work soon.</summary>
    public void Schedule()
    {
        foreach (BackgroundJob job in _jobs)
            job.Schedule();
    }

    /// <summary>Compacts everything into one run.</summary>
    public Task CompactAllAsync(CancellationToken cancellationToken)
    {
        ulong wanted = Interlocked.Increment(ref _wanted);
        Task done = _waiters.WaitAsync(wanted, cancellationToken);
        Schedule();
        return done;
    }

    /// <summary>Whether nothing runs and nothing is due in a tree.</summary>
    public bool IsIdle(TreeVersion tree) =>
        !Array.Exists(_jobs, static job => job.IsRunning) && PickDue(tree, []) is null;

    /// <summary>Bytes by which the levels of a tree are beyond their targets.</summary>
    public long PendingBytes(TreeVersion tree) => _picker.PendingBytes(tree);

    /// <summary>Waits until nothing runs any more and keeps it so.</summary>
    public void Stop()
    {
        foreach (BackgroundJob job in _jobs)
            job.Stop();
        _waiters.Close(new AiDbException(AiDbErrorKind.Unavailable, "The database was closed."));
    }

    /// <inheritdoc/>
    public void Dispose()
    {
        foreach (BackgroundJob job in _jobs)
            job.Dispose();
    }

    /// <summary>Writes what the compaction filter decides; set before any work begins.</summary>
    public FilterWriter? FilterWriter { get; set; }

    private bool Step()
    {
        if (_context.IsClosing)
            return false;
        if (!TryBegin(out CompactionPlan? plan, out ulong flushedTimestamp, out ulong wanted))
            return false;
        try
        {
            if (plan is not null)
                Run(plan, flushedTimestamp);
        }
        finally
        {
            End(plan);
        }

        if (wanted > 0)
            ReachWanted(wanted);

        // What had to wait for this one may go on.
        if (plan is not null)
            Schedule();
        return true;
    }

    /// <summary>Chooses what to do next; false when there is nothing that may be done now.</summary>
    /// <param name="plan">The plan, whose tree is held; null when everything asked for is done already.</param>
    /// <param name="flushedTimestamp">Timestamp of the last entry that replay does not need.</param>
    /// <param name="wanted">The request that it fulfils; 0: none.</param>
    private bool TryBegin(out CompactionPlan? plan, out ulong flushedTimestamp, out ulong wanted)
    {
        lock (_gate)
        {
            // Asked before the tree is taken: all that is flushed up to here is in its tables.
            flushedTimestamp = _tree.Flushed.Timestamp;
            TreeVersion tree = _tree.AcquireTree();
            plan = PickDropped(tree, flushedTimestamp);
            wanted = plan is null && Volatile.Read(ref _wanted) > _done ? Volatile.Read(ref _wanted) : 0;

            // A compaction of everything runs alone; nothing else begins while one is wanted.
            bool mayRun = wanted == 0 || _running.Count == 0;
            if (plan is null && mayRun)
                plan = wanted > 0 ? _picker.PickAll(tree) : PickDue(tree, _running);
            if (plan is null)
                tree.Release();
            else
                _running.Add(plan);
            return plan is not null || (wanted > 0 && mayRun);
        }
    }

    private void End(CompactionPlan? plan)
    {
        if (plan is not null)
        {
            lock (_gate)
                _running.Remove(plan);
            plan.Tree.Release();
        }

        _throttle.Signal();
    }

    private void ReachWanted(ulong wanted)
    {
        lock (_gate)
            _done = Math.Max(_done, wanted);
        _waiters.Reach(wanted);
    }

    private CompactionPlan? PickDue(TreeVersion tree, IReadOnlyList<CompactionPlan> running) =>
        _picker.Pick(tree, running) ?? ValueGarbagePicker.Pick(tree, running);

    private CompactionPlan? PickDropped(TreeVersion tree, ulong flushedTimestamp)
    {
        IReadOnlyDictionary<uint, ulong> dropped = _catalogue.Dropped;
        return dropped.Count == 0
            ? null
            : CompactionPicker.PickDropped(
                tree, id => dropped.TryGetValue(id, out ulong version) && version <= flushedTimestamp, _running);
    }

    private void Run(CompactionPlan plan, ulong flushedTimestamp)
    {
        long started = _context.TimeProvider.GetTimestamp();
        var edit = new VersionEdit { KnownDurableLsn = _log.DurableLsn };
        foreach ((int level, LiveTable table) in plan.Inputs)
            edit.Removed.Add((level, table.Metadata.Id));
        int outputs = 0;
        switch (plan.Kind)
        {
            case CompactionKind.Remove:
                _tree.Change(edit, []);
                break;
            case CompactionKind.Move:
                LiveTable moved = plan.Inputs[0].Table;
                edit.Added.Add((plan.OutputLevel, moved.Metadata));
                _tree.Change(edit, [moved]);
                outputs = 1;
                break;
            default:
                outputs = Merge(plan, flushedTimestamp, edit);
                break;
        }

        EngineLog.Compacted(
            _context.Logger, _context.Path, plan.Inputs.Count, plan.InputBytes, outputs, plan.OutputLevel,
            _context.TimeProvider.GetElapsedTime(started), plan.Reason);
    }

    private int Merge(CompactionPlan plan, ulong flushedTimestamp, VersionEdit edit)
    {
        ulong newest = plan.Inputs.Max(static input => input.Table.MaxVersion);
        var job = new CompactionJob(_context, plan, _state.SnapshotVersions(newest), _catalogue, flushedTimestamp);
        List<CompactionRange> ranges = CompactionRange.Split(plan, PartsFor(plan));
        OutputTables[] outputs = [.. ranges.Select(_ => _tree.CreateOutput(plan.Tree))];
        var decisions = new List<FilterDecision>[ranges.Count];
        try
        {
            CompactionParts.Run(
                _context.Executor,
                [.. ranges.Select<CompactionRange, Action>((range, part) =>
                    () => decisions[part] = job.Run(range, outputs[part]))]);
            foreach (OutputTables output in outputs)
                output.Publish();
            LiveTable[] tables = [.. outputs.SelectMany(static output => output.Finished)];
            foreach (LiveTable table in tables)
                edit.Added.Add((plan.OutputLevel, table.Metadata));
            foreach (OutputTables output in outputs)
                edit.AddedValueFiles.AddRange(output.ValueFiles.Select(static file => file.Metadata));
            _tree.Change(edit, tables);
            List<FilterDecision> decided = [.. decisions.SelectMany(static part => part)];
            if (decided.Count > 0)
                FilterWriter?.Begin(decided);
            long writtenBytes = outputs.Sum(static output => output.WrittenBytes);
            _tally.AddCompaction(plan.InputBytes, writtenBytes);
            _context.Metrics.Compacted(writtenBytes);
            return tables.Length;
        }
        finally
        {
            foreach (OutputTables output in outputs)
                output.Dispose();
        }
    }

    /// <summary>As many parts as there are threads, each of a few tables at least. Range deletions and operands
    /// are not split.</summary>
    private int PartsFor(CompactionPlan plan) => plan.HasRangeDeletes || plan.HasOperands
        ? 1
        : (int)Math.Clamp(plan.InputBytes / (2 * _context.Options.TableBytes), 1, _context.Options.CompactionThreads);

    private void OnOutcome(AiDbException? error)
    {
        _context.Health.CompactionError = error;
        if (error is not null)
        {
            // Whoever asked for it hears of the error and may ask again.
            lock (_gate)
                _done = Volatile.Read(ref _wanted);
            _waiters.Fail(error);
        }

        _throttle.Signal();
    }
}
