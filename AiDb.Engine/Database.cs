using System.Diagnostics;
using AiDb.Engine.Catalogues;
using AiDb.Engine.Collections;
using AiDb.Engine.Collections.Writing;
using AiDb.Engine.Commit;
using AiDb.Engine.Diagnostics;
using AiDb.Engine.Images;
using AiDb.Engine.Ingest;
using AiDb.Engine.Iteration;
using AiDb.Engine.Log;
using AiDb.Engine.Manifest;
using AiDb.Engine.Recovery;
using AiDb.Engine.Repair;
using AiDb.Engine.Replication;
using AiDb.Engine.Scrubbing;
using AiDb.Engine.State;
using AiDb.Engine.Transactions;

namespace AiDb.Engine;

/// <summary>One shard: a log, memtables and tables in one folder. The door to everything in the
/// engine.</summary>
/// <remarks>Thread safety: all members may be called concurrently, <see cref="Dispose"/> last.</remarks>
public sealed class Database : IDisposable, IAsyncDisposable
{
    private readonly DatabaseParts _parts;
    private readonly TableDirectory _tables;
    private readonly StateHolder _state;
    private readonly Catalogue _catalogue;
    private int _disposed;

    internal Database(DatabaseParts parts)
    {
        _parts = parts;
        _state = parts.State;
        _catalogue = parts.Catalogue;
        _tables = new TableDirectory(this, parts.Catalogue);
        Collections = new CollectionSet(this);
    }

    /// <summary>The folder.</summary>
    public string Path => _parts.Context.Path;

    /// <summary>The last entry that reads see.</summary>
    public LogPosition AppliedPosition => _parts.State.Applied;

    /// <summary>The last entry that a loss of power would not take.</summary>
    public ulong DurableLsn => _parts.Log.DurableLsn;

    /// <summary>The epoch that entries are written under.</summary>
    public ulong Epoch => _parts.Committer.Epoch;

    /// <summary>Why writes are refused (full disk, log failure), or null.</summary>
    public AiDbException? ReadOnlyReason => _parts.Context.Health.ReadOnlyReason;

    /// <summary>The collections of points with vectors.</summary>
    public CollectionSet Collections { get; }

    /// <summary>The log for the host that replicates it; null: it was not opened by <see cref="OpenReplica"/>.</summary>
    public ReplicaLog? Replica => _parts.Replica;

    internal Catalogue Catalogue => _catalogue;

    internal EngineContext Context => _parts.Context;

    internal TimeProvider TimeProvider => _parts.Context.TimeProvider;

    /// <summary>Opens a database: takes its lock, replays the log's committed tail.</summary>
    /// <exception cref="AiDbException"><see cref="AiDbErrorKind.InvalidArgument"/>: the options are not
    /// valid; <see cref="AiDbErrorKind.NotFound"/>: there is none and
    /// <see cref="DatabaseOptions.CreateIfMissing"/> is off; <see cref="AiDbErrorKind.Unavailable"/>: another
    /// process uses it, or the disk fails; <see cref="AiDbErrorKind.DataLoss"/>: a file is damaged or
    /// missing.</exception>
    public static Database Open(string path, DatabaseOptions? options = null, DatabaseComponents? components = null)
    {
        ArgumentException.ThrowIfNullOrEmpty(path);
        options ??= new DatabaseOptions();
        options.Validate();
        return new Database(DatabaseOpener.Open(path, options, components ?? new DatabaseComponents()));
    }

    /// <summary>Opens a database as one of several replicas of a shard: only what its tables hold is applied, the rest of
    /// the log when the host says that the group has committed it (<see cref="Replica"/>).</summary>
    /// <exception cref="AiDbException">As <see cref="Open"/>; <see cref="AiDbErrorKind.DataLoss"/> also where the voter's
    /// file is damaged.</exception>
    public static Database OpenReplica(
        string path, DatabaseOptions? options = null, DatabaseComponents? components = null)
    {
        ArgumentException.ThrowIfNullOrEmpty(path);
        options ??= new DatabaseOptions();
        options.Validate();
        return new Database(DatabaseOpener.Open(path, options, components ?? new DatabaseComponents(), isReplica: true));
    }

    /// <summary>Makes a damaged database one that opens, of everything that its files still prove: rebuilds the list of
    /// tables, saves the readable blocks of damaged ones, and keeps the log up to its first hole. What it replaces is
    /// moved into folders named <c>lost</c>. A restore from a checkpoint or a replica is better wherever there is
    /// one.</summary>
    /// <param name="path">The folder; the database must be closed.</param>
    /// <param name="options">Its settings, above all <see cref="DatabaseOptions.LogDirectory"/>.</param>
    /// <param name="components">What it is built from.</param>
    /// <param name="dryRun">Whether to find out only; nothing is written then.</param>
    /// <param name="progress">Hears the name of each file before it is read.</param>
    /// <param name="cancellationToken">Ends it; it may be repeated.</param>
    /// <exception cref="AiDbException"><see cref="AiDbErrorKind.NotFound"/>: there is no database;
    /// <see cref="AiDbErrorKind.Unavailable"/>: it is open, or the disk fails;
    /// <see cref="AiDbErrorKind.ResourceExhausted"/>: too little space; nothing was changed;
    /// <see cref="AiDbErrorKind.Unimplemented"/>: a newer program wrote it.</exception>
    public static Task<RepairReport> RepairAsync(
        string path,
        DatabaseOptions? options = null,
        DatabaseComponents? components = null,
        bool dryRun = false,
        IProgress<string>? progress = null,
        CancellationToken cancellationToken = default)
    {
        ArgumentException.ThrowIfNullOrEmpty(path);
        options ??= new DatabaseOptions();
        options.Validate();
        return Task.Run(
            () => DatabaseRepair.Run(path, options, components ?? new DatabaseComponents(), dryRun, progress, cancellationToken),
            cancellationToken);
    }

    /// <summary>Starts a new epoch, durably. Entries from here on carry it.</summary>
    /// <exception cref="AiDbException"><see cref="AiDbErrorKind.PreconditionFailed"/>: not greater than the
    /// current one.</exception>
    public void BeginEpoch(ulong epoch) => _parts.Pipeline.Run(PendingKind.EpochStart, epoch);

    /// <summary>Opens a table by name, creating it where it is missing.</summary>
    /// <param name="name">1 to 255 bytes of letters, digits, <c>_ - .</c></param>
    public Table GetOrCreateTable(string name) => _tables.GetOrCreate(name);

    /// <summary>Opens a table by name, creating it where it is missing, with a merge operator for
    /// <see cref="Table.Merge"/>.</summary>
    /// <param name="name">1 to 255 bytes of letters, digits, <c>_ - .</c></param>
    /// <param name="mergeOperator">The <see cref="IMergeOperator.Name"/>; see
    /// <see cref="SetMergeOperator"/>.</param>
    public Table GetOrCreateTable(string name, string mergeOperator)
    {
        ArgumentNullException.ThrowIfNull(mergeOperator);
        return _tables.GetOrCreate(name, mergeOperator);
    }

    /// <summary>Gives a table its merge operator, durably and for ever. The name is kept; the operator itself must be
    /// registered wherever merged keys are read (<see cref="DatabaseComponents.MergeOperators"/>).</summary>
    /// <param name="table">A table of this database.</param>
    /// <param name="mergeOperator">The <see cref="IMergeOperator.Name"/>.</param>
    /// <exception cref="AiDbException"><see cref="AiDbErrorKind.PreconditionFailed"/>: the table has
    /// another.</exception>
    public void SetMergeOperator(Table table, string mergeOperator)
    {
        ArgumentNullException.ThrowIfNull(table);
        if (table.Database != this)
            throw new AiDbException(AiDbErrorKind.InvalidArgument, "The table is of another database.");
        _tables.SetMergeOperator(table, mergeOperator);
    }

    /// <summary>Finds a table by name; null when there is none.</summary>
    public Table? FindTable(string name) => _tables.Find(name);

    /// <summary>Names of the tables, sorted.</summary>
    public IReadOnlyList<string> ListTables() => _parts.Catalogue.Names();

    /// <summary>Drops a table and its keys; false when there was none. Its id is never used again.</summary>
    public bool DropTable(string name) => _tables.Drop(name);

    /// <summary>A table by its id, for hosts that keep the catalogue elsewhere. Ids that hosts hand out begin
    /// at <see cref="Table.FirstHostId"/>.</summary>
    public Table GetTableById(uint id) => _tables.GetById(id);

    /// <summary>Drops the keys of a table of a host's catalogue.</summary>
    public void DropTableById(uint id) => _tables.DropById(id);

    /// <summary>Writes a batch.</summary>
    /// <exception cref="AiDbException"><see cref="AiDbErrorKind.PreconditionFailed"/>: a condition did not
    /// hold.</exception>
    public WriteResult Write(WriteBatch batch, WriteDurability durability = default)
    {
        WriteResult result = TryWrite(batch, durability);
        return result.Applied ? result : throw new AiDbException(
            AiDbErrorKind.PreconditionFailed,
            $"The condition of operation {result.FailedOperation} did not hold: its key " +
            (result.CurrentVersion == 0 ? "is absent" : $"has version {result.CurrentVersion}") + ". Nothing was written.");
    }

    /// <summary>Writes a batch; the result says whether its conditions held.</summary>
    public WriteResult TryWrite(WriteBatch batch, WriteDurability durability = default)
    {
        if (!Check(batch))
            return Nothing();
        using Activity? activity = DatabaseMetrics.StartWithinTrace("aidb.engine.write");
        bool synced = IsSynced(durability);
        return batch.Points is { } points
            ? PointBatches.Write(_parts.Pipeline, batch, points, synced)
            : _parts.Pipeline.Write(batch, synced);
    }

    /// <summary>Writes a batch; the result says whether its conditions held. Cancelling gives up waiting, not
    /// the write: once it is queued its outcome is unknown
    /// (<see cref="AiDbErrorKind.OutcomeUnknown"/>).</summary>
    public ValueTask<WriteResult> TryWriteAsync(
        WriteBatch batch, WriteDurability durability = default, CancellationToken cancellationToken = default)
    {
        cancellationToken.ThrowIfCancellationRequested();
        if (!Check(batch))
            return ValueTask.FromResult(Nothing());
        return DatabaseMetrics.IsTraced
            ? TracedWriteAsync(batch, IsSynced(durability), cancellationToken)
            : PipelineWriteAsync(batch, IsSynced(durability), cancellationToken);
    }

    /// <summary>Holds the state as it is now for reads, until it is disposed.</summary>
    public Snapshot CreateSnapshot() => _parts.State.CreateSnapshot(this);

    /// <summary>Begins an optimistic transaction, which is disposed by the caller.</summary>
    public Transaction BeginTransaction(TransactionOptions? options = null)
    {
        ThrowIfDisposed();
        return new Transaction(this, options ?? new TransactionOptions());
    }

    /// <summary>Runs a body in a transaction and commits it; after a conflict anew, with pauses, at most
    /// <see cref="TransactionOptions.MaxAttempts"/> times.</summary>
    /// <param name="body">Reads and writes through the transaction. It may run several times, so what it does
    /// besides must bear that; it neither commits nor keeps the transaction.</param>
    /// <param name="options">The settings; null: the defaults.</param>
    /// <param name="cancellationToken">Handed to the body; ends pauses.</param>
    /// <returns>What the body returned when it was committed.</returns>
    /// <exception cref="AiDbException"><see cref="AiDbErrorKind.Aborted"/>: every attempt met a
    /// conflict.</exception>
    public ValueTask<T> RunTransactionAsync<T>(
        Func<Transaction, CancellationToken, ValueTask<T>> body, TransactionOptions? options = null,
        CancellationToken cancellationToken = default)
    {
        ArgumentNullException.ThrowIfNull(body);
        ThrowIfDisposed();
        return TransactionRunner.RunAsync(this, body, options ?? new TransactionOptions(), cancellationToken);
    }

    /// <summary>Makes every acknowledged write durable.</summary>
    public async ValueTask SyncAsync(CancellationToken cancellationToken = default)
    {
        ThrowIfDisposed();
        if (_parts.Log.DurableLsn >= _parts.Log.AppendedLsn)
            return;
        await _parts.RunAsync(BackgroundExecutor.SyncJob, _parts.Syncer.Sync, cancellationToken).ConfigureAwait(false);
    }

    /// <summary>Writes the memtables to tables and waits for it.</summary>
    public async ValueTask FlushAsync(CancellationToken cancellationToken = default)
    {
        WriteResult rotated = await _parts.Pipeline.RunAsync(PendingKind.Rotate, cancellationToken).ConfigureAwait(false);
        await _parts.Background.WaitFlushedAsync(rotated.Lsn, cancellationToken).ConfigureAwait(false);
    }

    /// <summary>Flushes and compacts everything, down to one run, and waits for it.</summary>
    public async ValueTask CompactAsync(CancellationToken cancellationToken = default)
    {
        await FlushAsync(cancellationToken).ConfigureAwait(false);
        await _parts.Background.CompactAllAsync(cancellationToken).ConfigureAwait(false);
    }

    /// <summary>Takes files of sorted keys (<see cref="ExternalTableWriter"/>) into a table: all or none, durably,
    /// as one write that replaces what the table held of their keys. They become tables as they are, without passing
    /// through log and memtable.</summary>
    /// <param name="table">The table that they were written for.</param>
    /// <param name="paths">The files; their ranges must not overlap.</param>
    /// <param name="copy">Copies the files; else they are linked where they are on the same volume, and must not be
    /// written to afterwards.</param>
    /// <param name="cancellationToken">Gives up before the write is queued; after that its outcome is unknown
    /// (<see cref="AiDbErrorKind.OutcomeUnknown"/>).</param>
    /// <exception cref="AiDbException"><see cref="AiDbErrorKind.InvalidArgument"/>: a file is not there, foreign or
    /// overlaps another; <see cref="AiDbErrorKind.AlreadyExists"/>: it was ingested before;
    /// <see cref="AiDbErrorKind.DataLoss"/>: it is damaged. Nothing was ingested.</exception>
    public async ValueTask<WriteResult> IngestAsync(
        Table table, IReadOnlyList<string> paths, bool copy = false, CancellationToken cancellationToken = default)
    {
        ArgumentNullException.ThrowIfNull(table);
        ArgumentNullException.ThrowIfNull(paths);
        ThrowIfDisposed();
        if (table.Database != this)
            throw new AiDbException(AiDbErrorKind.InvalidArgument, "The table is of another database.");
        return paths.Count == 0
            ? Nothing()
            : await IngestJob.RunAsync(_parts, table, paths, copy, cancellationToken)
                .ConfigureAwait(false);
    }

    /// <summary>Makes an openable copy in another folder of the same volume, by hard links; writes go on
    /// meanwhile.</summary>
    /// <param name="directory">Must not exist.</param>
    /// <param name="cancellationToken">Stops it and removes what was made.</param>
    /// <returns>The position that the copy ends with.</returns>
    public async ValueTask<LogPosition> CheckpointAsync(string directory, CancellationToken cancellationToken = default)
    {
        ArgumentException.ThrowIfNullOrEmpty(directory);
        await FlushAsync(cancellationToken).ConfigureAwait(false);
        LogPosition position = default;
        await _parts.RunAsync(
            "checkpoint",
            () => position = CheckpointJob.Run(_parts.Context, _parts.Tree, directory, cancellationToken),
            cancellationToken).ConfigureAwait(false);
        return position;
    }

    /// <summary>The tables and value files as of now, kept on the disk until the result is disposed; for backups.
    /// Entries that are not in them yet are in the log (<see cref="TailLog"/>).</summary>
    public TreeImage CaptureTree()
    {
        ThrowIfDisposed();
        (TreeVersion tree, VersionEdit whole) = _parts.Tree.Capture();
        return new TreeImage(_parts.Context, tree, whole);
    }

    /// <summary>Where an entry of the log stands; null when the log has given it up, or has no such entry.</summary>
    public LogPosition? FindLogPosition(ulong lsn)
    {
        ThrowIfDisposed();
        return lsn <= _parts.Signal.ReadableLsn ? _parts.Log.FindPosition(lsn) : null;
    }

    /// <summary>Lets the log give up entries that were kept for an archive
    /// (<see cref="DatabaseOptions.ArchiveLogBytes"/>).</summary>
    /// <param name="lsn">The last entry that the archive holds.</param>
    public void MarkArchived(ulong lsn) => _parts.Log.MarkArchived(lsn);

    /// <summary>Reads every table and every closed segment of the log from the disk, past the block cache, and compares
    /// them with their checksums; reads and writes go on meanwhile. Damage is also in
    /// <see cref="DatabaseStatistics.Damage"/>, the log and the metric <c>aidb.engine.damage</c>.</summary>
    /// <param name="progress">Hears of each file before it is read.</param>
    /// <param name="bytesPerSecond">Read at most; 0: as fast as the disk.</param>
    /// <param name="cancellationToken">Ends it.</param>
    public Task<ScrubReport> ScrubAsync(
        IProgress<ScrubProgress>? progress = null, long bytesPerSecond = 0, CancellationToken cancellationToken = default)
    {
        ArgumentOutOfRangeException.ThrowIfNegative(bytesPerSecond);
        ThrowIfDisposed();
        return _parts.Scrub.RunAsync(progress, bytesPerSecond, cancellationToken);
    }

    /// <summary>Follows the applied, durable entries from <paramref name="fromLsn"/> on.</summary>
    /// <exception cref="AiDbException"><see cref="AiDbErrorKind.Aborted"/>: the log no longer reaches back
    /// that far.</exception>
    public LogTail TailLog(ulong fromLsn)
    {
        ThrowIfDisposed();
        return new LogTail(_parts.Log, _parts.Signal, fromLsn);
    }

    /// <summary>Follows what takes effect, change by change; see <see cref="ChangeFeed"/>.</summary>
    /// <param name="options">Where it begins and which tables it covers; null: every change from now on.</param>
    /// <exception cref="AiDbException"><see cref="AiDbErrorKind.Aborted"/>: the log no longer reaches back to
    /// the position.</exception>
    public ChangeFeed OpenChangeFeed(ChangeFeedOptions? options = null)
    {
        ThrowIfDisposed();
        options ??= new ChangeFeedOptions();
        options.Validate();
        return ChangeFeed.Open(_parts, this, options);
    }

    /// <summary>Figures of the moment.</summary>
    public DatabaseStatistics GetStatistics() => _parts.Statistics();

    /// <summary>Stops background work, syncs the log and gives up the lock.</summary>
    public void Dispose()
    {
        if (Interlocked.Exchange(ref _disposed, 1) != 0)
            return;
        Collections.Close();
        _parts.Close();
    }

    /// <inheritdoc/>
    public ValueTask DisposeAsync()
    {
        Dispose();
        return ValueTask.CompletedTask;
    }

    /// <summary>The state to read from, with a reference that the caller gives back, and the version to read
    /// as of. The state comes first: see <see cref="StateHolder"/>.</summary>
    internal ReadState AcquireState(Snapshot? snapshot, out ulong version)
    {
        ReadSection section = ReadSection.Enter();
        try
        {
            ReadState state = PeekState(snapshot, out version);
            state.AddReference();
            return state;
        }
        finally
        {
            section.Exit();
        }
    }

    /// <summary>As <see cref="AcquireState"/>, without a reference: the state stays as long as the caller is
    /// in a <see cref="ReadSection"/>.</summary>
    internal ReadState PeekState(Snapshot? snapshot, out ulong version)
    {
        ReadState state = _state.Peek();
        if (snapshot is null)
        {
            version = _state.VisibleVersion;
            return state;
        }

        if (snapshot.Database != this)
            throw new AiDbException(AiDbErrorKind.InvalidArgument, "The snapshot is of another database.");

        // Asked after the state was taken: what is held now was held when the state's tables were made.
        ObjectDisposedException.ThrowIf(snapshot.IsReleased, snapshot);
        version = snapshot.Version;
        return state;
    }

    /// <summary>"Now" for the expiry of what is read: the clock, but never before the last entry.</summary>
    internal HybridClock Clock => _parts.Context.Clock;

    internal PrefixScans PrefixScans => _parts.Context.PrefixScans;

    /// <summary>Runs something on the executor; it handles its own errors.</summary>
    internal void QueueJob(string name, Action job) => _parts.Context.Executor.Queue(name, job);

    /// <summary>Runs something on the executor; its errors end the task.</summary>
    internal Task RunJobAsync(string name, Action job, CancellationToken cancellationToken) =>
        _parts.RunAsync(name, job, cancellationToken);

    internal void ReleaseSnapshot(Snapshot snapshot) => _parts.State.Release(snapshot);

    private async ValueTask<WriteResult> TracedWriteAsync(
        WriteBatch batch, bool synced, CancellationToken cancellationToken)
    {
        using Activity? activity = DatabaseMetrics.StartWithinTrace("aidb.engine.write");
        return await PipelineWriteAsync(batch, synced, cancellationToken).ConfigureAwait(false);
    }

    private ValueTask<WriteResult> PipelineWriteAsync(
        WriteBatch batch, bool synced, CancellationToken cancellationToken) => batch.Points is { } points
            ? PointBatches.WriteAsync(_parts.Pipeline, batch, points, synced, cancellationToken)
            : _parts.Pipeline.WriteAsync(batch, synced, cancellationToken);

    private bool Check(WriteBatch batch)
    {
        ArgumentNullException.ThrowIfNull(batch);
        ThrowIfDisposed();
        if (batch.Count == 0)
            return false;
        if (batch.Database != this)
            throw new AiDbException(AiDbErrorKind.InvalidArgument, "The batch has tables of another database.");

        // Before the batch gets its timestamp: that, and with it every later one, is greater than the versions of
        // the keys that it brings, also after a restart.
        if (batch.GreatestMovedVersion != 0)
            Clock.Observe(batch.GreatestMovedVersion);
        return true;
    }

    private WriteResult Nothing()
    {
        LogPosition applied = AppliedPosition;
        return new WriteResult(Applied: true, applied.Timestamp, applied.Lsn);
    }

    private bool IsSynced(WriteDurability durability)
    {
        if (durability == WriteDurability.Default)
            durability = _parts.Context.Options.DefaultDurability;
        return durability switch
        {
            WriteDurability.Memory => false,
            WriteDurability.Synced => true,
            _ => throw new AiDbException(
                AiDbErrorKind.InvalidArgument, $"durability must be Default, Memory or Synced, not {durability}."),
        };
    }

    private void ThrowIfDisposed() => ObjectDisposedException.ThrowIf(Volatile.Read(ref _disposed) != 0, this);
}
