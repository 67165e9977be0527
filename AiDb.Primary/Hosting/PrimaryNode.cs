using System.Collections.Concurrent;
using AiDb.Backup.Restoring.Lazy;
using AiDb.Cluster.Metadata;
using AiDb.Cluster.Model;
using AiDb.Cluster.Nodes;
using AiDb.Cluster.Placement;
using AiDb.Contracts;
using AiDb.Contracts.Internal.V1;
using AiDb.Engine;
using AiDb.Primary.Backup;
using AiDb.Primary.Migration;
using AiDb.Primary.Shards;

namespace AiDb.Primary.Hosting;

/// <summary>A node that holds shards: it registers, is given its shard, takes a new epoch of it and serves
/// it.</summary>
/// <remarks>Thread safety: all members may be called concurrently; <see cref="RunAsync"/> once. Once it
/// serves it does so without the metadata store; a later epoch of its shard in the map ends it.</remarks>
public sealed partial class PrimaryNode : IShardClient
{
    private static readonly TimeSpan RetryDelay = TimeSpan.FromSeconds(1);

    private readonly ConcurrentDictionary<uint, ShardHost> _hosts = new();
    private readonly HashSet<uint> _droppedTables = [];
    private readonly PrimaryOptions _options;
    private readonly IMetadataStore _store;
    private readonly DatabaseComponents _components;
    private readonly TimeProvider _time;
    private readonly ILoggerFactory _loggers;
    private readonly ILogger<PrimaryNode> _logger;
    private IDisposable? _directoryLock;

    /// <summary>Prepares a node.</summary>
    public PrimaryNode(
        PrimaryOptions options,
        IMetadataStore store,
        ClusterMapWatcher map,
        TimeProvider time,
        ILoggerFactory loggers)
    {
        _options = options;
        _store = store;
        Map = map;
        _time = time;
        _loggers = loggers;
        _logger = loggers.CreateLogger<PrimaryNode>();
        _components = new DatabaseComponents { TimeProvider = time, LoggerFactory = loggers };
        if (options.Backup is { } backup)
            Backup = new BackupHost(backup, store, _components.FileSystem, options.DataDirectory, time, loggers);
        Restorer = new ShardRestorer(options.Restore, options.Database, _components, loggers.CreateLogger<ShardRestorer>());
    }

    /// <summary>The archives of its shards; null: nothing is archived.</summary>
    public BackupHost? Backup { get; }

    /// <summary>Brings shards back whose data is missing.</summary>
    public ShardRestorer Restorer { get; }

    /// <summary>The cluster as the node sees it; its host runs it.</summary>
    public ClusterMapWatcher Map { get; }

    /// <summary>Why it does not serve yet; null when it does.</summary>
    public string? NotReady { get; private set; } = "starting";

    /// <summary>Its shards.</summary>
    public ICollection<ShardHost> Shards => _hosts.Values;

    /// <summary>A shard that it serves; null when it does not.</summary>
    public ShardHost? FindShard(uint shard) => _hosts.GetValueOrDefault(shard);

    /// <inheritdoc/>
    public ValueTask<Response> SendAsync(Request request, CancellationToken cancellationToken = default) =>
        _hosts.TryGetValue(request.Shard, out ShardHost? host)
            ? host.ExecuteAsync(request, cancellationToken)
            : ValueTask.FromResult(NoShard(request.Shard));

    /// <summary>Joins the cluster and serves until it is cancelled.</summary>
    /// <param name="address">Where others reach its gRPC port.</param>
    /// <param name="cancellationToken">Ends it; the data is closed by <see cref="DisposeAsync"/>.</param>
    /// <exception cref="AiDbException">It cannot serve, and trying again would not help; the message says
    /// why.</exception>
    public async Task RunAsync(string address, CancellationToken cancellationToken)
    {
        NodeDescriptor node = Describe(address);
        var registration = new NodeRegistration(
            _store, node, NodeRegistration.DefaultTimeToLive, _time, _loggers.CreateLogger<NodeRegistration>());
        using var ended = CancellationTokenSource.CreateLinkedTokenSource(cancellationToken);
        Task registering = registration.RunAsync(ended.Token);
        try
        {
            await ServeAsync(node, cancellationToken).ConfigureAwait(false);
        }
        finally
        {
            await ended.CancelAsync().ConfigureAwait(false);
            await registering.ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
        }
    }

    /// <summary>Syncs and closes the data.</summary>
    public async ValueTask DisposeAsync()
    {
        NotReady = "stopped";
        foreach (uint shard in _hosts.Keys)
            await CloseAsync(shard).ConfigureAwait(false);
        if (Backup is not null)
            await Backup.DisposeAsync().ConfigureAwait(false);
        Interlocked.Exchange(ref _directoryLock, null)?.Dispose();
    }

    private NodeDescriptor Describe(string address)
    {
        // The lock comes first: the identity of the disk must not be made by two processes at once.
        _components.FileSystem.CreateDirectory(_options.DataDirectory);
        _directoryLock = _components.FileSystem.Lock(Path.Combine(_options.DataDirectory, "LOCK"));
        return new NodeDescriptor
        {
            Id = _options.Node.NodeId,
            Role = NodeRole.Primary,
            Address = address,
            DiskId = DiskIdentity.LoadOrCreate(_components.FileSystem, _options.DataDirectory, Guid.NewGuid),
            Incarnation = Guid.NewGuid().ToString("N"),
            BuildVersion = typeof(PrimaryNode).Assembly.GetName().Version?.ToString(3) ?? "",
        };
    }

    private async Task ServeAsync(NodeDescriptor node, CancellationToken cancellationToken)
    {
        NotReady = "waiting for the metadata store to give it a shard";
        LogWaiting(node.Id, _options.Node.MetadataAddress);
        var election = new ShardElection(_store, Map, node);
        ShardDescriptor shard = await election.WaitForShardAsync(cancellationToken).ConfigureAwait(false);
        NotReady = $"opening shard {shard.Id}";
        string folder = ShardFolders.Of(_options.DataDirectory, shard.Id);
        LazyRestore? restore = await Restorer.OpenAsync(shard.Id, folder, reason => NotReady = reason, cancellationToken)
            .ConfigureAwait(false);
        Database? database = null;
        ShardDescriptor elected;
        try
        {
            database = Database.Open(
                folder, _options.Database,
                restore is null ? _components : _components with { FileSystem = restore.FileSystem });
            ulong leastEpoch = Backup is null
                ? 0
                : await Backup.FindEpochAsync(shard.Id, folder, cancellationToken).ConfigureAwait(false);
            elected = await PersistAsync(
                () => election.ElectAsync(shard.Id, Math.Max(database.Epoch, leastEpoch), cancellationToken), cancellationToken)
                .ConfigureAwait(false);
            database.BeginEpoch(elected.Epoch);
        }
        catch
        {
            if (restore is not null)
                await restore.DisposeAsync().ConfigureAwait(false);
            if (database is not null)
                await database.DisposeAsync().ConfigureAwait(false);
            throw;
        }

        ClusterMap map = Map.Current;
        var host = new ShardHost(
            shard.Id, database, OwnershipOf(map, shard.Id), _options.Shards, _time, _loggers.CreateLogger<ShardHost>(),
            Map);
        host.Restore = restore;
        restore?.Start();
        host.Archive = Backup?.Start(shard.Id, database);
        _hosts[shard.Id] = host;
        await PersistAsync(() => election.ActivateAsync(elected, cancellationToken), cancellationToken)
            .ConfigureAwait(false);
        NotReady = null;
        LogServing(node.Id, shard.Id, elected.Epoch, map.Slots.Count(shard.Id));
        using var moving = CancellationTokenSource.CreateLinkedTokenSource(cancellationToken);
        Task moves = new MoveRunner(host, Map, _store, _options.Node.ClusterSecret, _time, _logger).RunAsync(moving.Token);
        try
        {
            await FollowMapAsync(host, elected, map, cancellationToken).ConfigureAwait(false);
        }
        finally
        {
            await moving.CancelAsync().ConfigureAwait(false);
            await moves.ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
        }
    }

    /// <summary>Repeats a step of the election while the store cannot be reached; each is safe to
    /// repeat.</summary>
    private async Task<ShardDescriptor> PersistAsync(
        Func<ValueTask<ShardDescriptor>> step, CancellationToken cancellationToken)
    {
        bool told = false;
        while (true)
        {
            try
            {
                return await step().ConfigureAwait(false);
            }
            catch (AiDbException exception) when (exception.Kind is
                AiDbErrorKind.Unavailable or AiDbErrorKind.OutcomeUnknown or AiDbErrorKind.DeadlineExceeded)
            {
                if (!told)
                    LogStoreUnreachable(_options.Node.MetadataAddress, exception.Message);
                told = true;
                await Task.Delay(RetryDelay, _time, cancellationToken).ConfigureAwait(false);
            }
        }
    }

    private async Task FollowMapAsync(
        ShardHost host, ShardDescriptor elected, ClusterMap map, CancellationToken cancellationToken)
    {
        while (true)
        {
            if (ShardElection.IsSuperseded(map, elected))
            {
                await CloseAsync(host.Shard).ConfigureAwait(false);
                throw new AiDbException(
                    AiDbErrorKind.Aborted,
                    $"Shard {host.Shard} has a later epoch than {elected.Epoch}: another primary was elected, and this one "
                    + "stops serving.");
            }

            host.Ownership = OwnershipOf(map, host.Shard);
            DropTables(host, map.DroppedTables, host.DropTable);
            DropTables(host, map.Collections.Dropped, host.DropCollection);
            map = await Map.WaitForNewerAsync(map.Version, cancellationToken).ConfigureAwait(false);
        }
    }

    private void DropTables(ShardHost host, IEnumerable<uint> dropped, Action<uint> drop)
    {
        foreach (uint table in dropped)
        {
            if (_droppedTables.Contains(table))
                continue;
            try
            {
                // Most were dropped in an earlier run; only what has keys is worth an entry in the log.
                using (ScanCursor cursor = host.Database.GetTableById(table).Scan())
                {
                    if (!cursor.MoveNext())
                    {
                        _droppedTables.Add(table);
                        continue;
                    }
                }

                drop(table);
                _droppedTables.Add(table);
                LogDropped(host.Shard, table);
            }
            catch (AiDbException exception)
            {
                // Tried again with the next map; the catalogue refuses its readers meanwhile.
                LogDropFailed(host.Shard, table, exception.Message);
            }
        }
    }

    private async Task CloseAsync(uint shard)
    {
        if (!_hosts.TryRemove(shard, out ShardHost? host))
            return;
        NotReady = $"shard {shard} is closed";
        await host.DisposeAsync().ConfigureAwait(false);
        LogClosed(shard);
    }

    private static SlotOwnership OwnershipOf(ClusterMap map, uint shard) =>
        SlotOwnership.Of((ulong)map.Version, slot => map.Slots[slot] == shard, (ulong)map.SlotsRevision);

    /// <summary>While it starts the sender should try again; later its map is out of date.</summary>
    private Response NoShard(uint shard) => new()
    {
        Error = NotReady is { } reason
            ? ErrorMapping.ToError(
                new AiDbException(AiDbErrorKind.Unavailable, $"Node {_options.Node.NodeId} does not serve yet: {reason}.")
                {
                    RetryAfter = TimeSpan.FromMilliseconds(200),
                })
            : ErrorMapping.ToError(AiDbErrorKind.Aborted, $"Node {_options.Node.NodeId} does not hold shard {shard}."),
        MapVersion = (ulong)Map.Current.Version,
    };

    [LoggerMessage(
        EventId = 1, Level = LogLevel.Information,
        Message = "Primary {Node} waits for the metadata store at {Address} to give it a shard")]
    private partial void LogWaiting(string node, string address);

    [LoggerMessage(
        EventId = 2, Level = LogLevel.Information,
        Message = "Primary {Node} serves shard {Shard} in epoch {Epoch} with {Slots} slots")]
    private partial void LogServing(string node, uint shard, ulong epoch, int slots);

    [LoggerMessage(
        EventId = 3, Level = LogLevel.Warning, Message = "The metadata store at {Address} cannot be reached: {Reason}")]
    private partial void LogStoreUnreachable(string address, string reason);

    [LoggerMessage(EventId = 4, Level = LogLevel.Information, Message = "Shard {Shard}: the keys of table {Table} are dropped")]
    private partial void LogDropped(uint shard, uint table);

    [LoggerMessage(
        EventId = 5, Level = LogLevel.Warning, Message = "Shard {Shard}: table {Table} could not be dropped: {Reason}")]
    private partial void LogDropFailed(uint shard, uint table, string reason);

    [LoggerMessage(EventId = 6, Level = LogLevel.Information, Message = "Shard {Shard} is synced and closed")]
    private partial void LogClosed(uint shard);
}
