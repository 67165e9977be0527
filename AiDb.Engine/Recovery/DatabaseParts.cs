using AiDb.Engine.Catalogues;
using AiDb.Engine.ChangeFeeds;
using AiDb.Engine.Commit;
using AiDb.Engine.Compaction;
using AiDb.Engine.CompactionFilters;
using AiDb.Engine.Diagnostics;
using AiDb.Engine.Log;
using AiDb.Engine.MemTables;
using AiDb.Engine.Replication;
using AiDb.Engine.Scrubbing;
using AiDb.Engine.State;

namespace AiDb.Engine.Recovery;

/// <summary>The parts of an open database, wired together, and the order in which they end.</summary>
internal sealed class DatabaseParts
{
    private readonly IDisposable _folderLock;
    private readonly MemtableMemory? _memory;
    private readonly ReplicaApplier? _replicaApplier;

    public DatabaseParts(
        EngineContext context, IDisposable folderLock, WriteAheadLog log, StateHolder state, Catalogue catalogue,
        TreeStore tree, BatchOutcomes outcomes, BatchApplier applier, VoterState? voter)
    {
        _folderLock = folderLock;
        Context = context;
        Log = log;
        State = state;
        Catalogue = catalogue;
        Tree = tree;
        Outcomes = outcomes;
        Signal = new LogSignal(Math.Min(state.Applied.Lsn, log.DurableLsn));
        Syncer = new LogSyncer(context, log, Signal, state);
        var throttle = new WriteThrottle(context, state);
        Background = new BackgroundWork(context, log, Syncer, state, catalogue, tree, throttle, outcomes);
        var rotation = new MemtableRotation(context, state, Background);
        if (voter is null)
        {
            Committer = new GroupCommitter(context, log, Syncer, state, applier, Background, rotation);
        }
        else
        {
            var recent = new RecentEntries();
            _replicaApplier = new ReplicaApplier(context, log, Syncer, state, applier, rotation, throttle, recent);
            Replica = new ReplicaLog(context, log, Syncer, Signal, _replicaApplier, recent, voter);
            Committer = new ReplicatedCommitter(context, _replicaApplier, rotation);
        }

        Pipeline = new CommitPipeline(context, Committer, throttle);
        if (context.MemoryGovernor is { } governor)
        {
            _memory = new MemtableMemory(governor, Pipeline);
            throttle.Govern(_memory);
        }

        Scrub = new DatabaseScrub(context, tree, log);
        Background.FilterWriter = new FilterWriter(context, state, Pipeline);
        context.Metrics.Observe(context.Path, TryStatistics);
    }

    public EngineContext Context { get; }

    public WriteAheadLog Log { get; }

    public LogSignal Signal { get; }

    public StateHolder State { get; }

    public Catalogue Catalogue { get; }

    public TreeStore Tree { get; }

    public BatchOutcomes Outcomes { get; }

    public LogSyncer Syncer { get; }

    public BackgroundWork Background { get; }

    public DatabaseScrub Scrub { get; }

    public ICommitter Committer { get; }

    /// <summary>The log as the host of a replica sees it; null: the database is no replica.</summary>
    public ReplicaLog? Replica { get; }

    public CommitPipeline Pipeline { get; }

    /// <summary>Runs something on the executor. Its errors end the task.</summary>
    public Task RunAsync(string name, Action work, CancellationToken cancellationToken)
    {
        var done = new TaskCompletionSource(TaskCreationOptions.RunContinuationsAsynchronously);
        Context.Executor.Queue(name, () =>
        {
            try
            {
                work();
                done.SetResult();
            }
            catch (OperationCanceledException error)
            {
                done.SetCanceled(error.CancellationToken);
            }
            catch (IOException error)
            {
                done.SetException(new AiDbException(AiDbErrorKind.Unavailable, $"{name} failed: {error.Message}", error));
            }
            catch (Exception error)
            {
                done.SetException(error);
            }
        });
        return done.Task.WaitAsync(cancellationToken);
    }

    public DatabaseStatistics Statistics()
    {
        ReadState state = State.Acquire();
        try
        {
            long memtableBytes = state.Active.SizeBytes;
            long entries = state.Active.EntryCount + state.Tree.TotalEntries;
            foreach (MemTable memtable in state.Immutable)
            {
                memtableBytes += memtable.SizeBytes;
                entries += memtable.EntryCount;
            }

            var tablesPerLevel = new int[Manifest.VersionEdit.Levels];
            for (int level = 0; level < tablesPerLevel.Length; level++)
                tablesPerLevel[level] = state.Tree.Level(level).Length;
            return new DatabaseStatistics
            {
                MemtableBytes = memtableBytes,
                TableBytes = state.Tree.TotalBytes,
                ValueFileBytes = state.Tree.ValueFiles.TotalBytes,
                ValueGarbageBytes = state.Tree.ValueFiles.GarbageBytes,
                TablesPerLevel = tablesPerLevel,
                LogBytes = Log.SizeBytes,
                BlockCacheBytes = Context.Cache.UsedBytes,
                EstimatedEntries = entries,
                FlushedBytes = Background.Tally.FlushedBytes,
                CompactedBytes = Background.Tally.CompactedBytes,
                CompactionReadBytes = Background.Tally.CompactionReadBytes,
                PendingCompactionBytes = Background.PendingBytes(state.Tree),
                IsBackgroundIdle = Background.IsIdle(state),
                PrefixFilterChecks = Context.PrefixScans.Checked,
                PrefixFilterSkips = Context.PrefixScans.Skipped,
                Damage = Context.Health.Damage,
                LastScrub = Scrub.LastEnded,
                Stall = Context.Stalls.Kind,
                StallCause = Context.Stalls.Cause,
                StallSince = Context.Stalls.Since,
                Stalls = Context.Stalls.Totals(),
            };
        }
        finally
        {
            state.Release();
        }
    }

    private DatabaseStatistics? TryStatistics()
    {
        try
        {
            return Context.IsClosing ? null : Statistics();
        }
        catch (ObjectDisposedException)
        {
            return null;
        }
    }

    /// <summary>Answers the queued writes, ends background work, syncs, and gives everything up. Never
    /// throws: what was acknowledged as durable is, and the log brings the rest back as far as the disk took
    /// it.</summary>
    public void Close()
    {
        Pipeline.Close();
        Context.BeginClosing();
        Scrub.Stop();
        Background.Stop();
        try
        {
            if (Context.Health.Failure is null)
            {
                Syncer.Sync();
                // What is not committed may yet be cut off.
                Tree.NoteDurable(Math.Min(Log.DurableLsn, Log.CommittedLsn));
            }
        }
        catch (Exception error) when (error is AiDbException or IOException)
        {
            EngineLog.CloseFailed(Context.Logger, Context.Path, error);
        }

        finally
        {
            Signal.Close();
            Abandon();
        }

        EngineLog.Closed(Context.Logger, Context.Path);
    }

    /// <summary>Gives everything up as it is.</summary>
    public void Abandon()
    {
        Replica?.Close();
        Scrub.Dispose();
        _memory?.Dispose();
        _replicaApplier?.Dispose();
        Syncer.Dispose();
        Background.Dispose();
        State.Close();
        Tree.Dispose();
        Log.Dispose();
        Context.Dispose();
        _folderLock.Dispose();
    }
}
