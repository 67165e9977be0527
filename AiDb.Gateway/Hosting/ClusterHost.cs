using AiDb.Cluster.Metadata;
using AiDb.Cluster.Migration;
using AiDb.Cluster.Model;
using AiDb.Cluster.Nodes;
using AiDb.Cluster.Placement;
using AiDb.Cluster.Ranges;
using AiDb.Engine;
using AiDb.Engine.Storage;
using AiDb.Gateway.Moving;
using AiDb.Gateway.Routing;
using AiDb.Primary.Backup;
using AiDb.Primary.Hosting;
using AiDb.Primary.Shards;
using AiDb.ServiceDefaults;
using Microsoft.Extensions.Diagnostics.HealthChecks;

namespace AiDb.Gateway.Hosting;

/// <summary>What stands behind a gateway: the metadata store, its own or another's, the coordinator, and -
/// stand-alone - the one node that holds the data, in this process.</summary>
/// <remarks>Both ways of running differ in nothing but where the nodes are.</remarks>
internal sealed class ClusterHost : IHealthCheck, IAsyncDisposable
{
    private const string StandaloneNode = "standalone";
    private const string InProcess = "in-process";

    private readonly GatewayOptions _options;
    private readonly TimeProvider _clock;
    private readonly ILoggerFactory _loggers;
    private readonly CancellationTokenSource _ending = new();
    private readonly List<Task> _running = [];
    private readonly IMetadataStore _store;
    private readonly LastMapKeeper? _lastMap;
    private readonly IDisposable? _directoryLock;
    private readonly PrimaryNode? _node;
    private readonly INodeDirectory _nodes;
    private NodeRegistration? _registration;
    private int _disposed;

    /// <summary>Opens the metadata store, or what leads to it.</summary>
    /// <exception cref="AiDbException">The data folder is in use, or damaged.</exception>
    public ClusterHost(GatewayOptions options, TimeProvider clock, ILoggerFactory loggers)
    {
        _options = options;
        _clock = clock;
        _loggers = loggers;
        DatabaseComponents components = new() { TimeProvider = clock, LoggerFactory = loggers };
        _store = options.Metadata is { } metadata
            ? MetadataStores.Open(metadata, options.ClusterSecret, clock)
            : EmbeddedMetadataStore.Open(Path.Combine(options.DataDirectory, "metadata"), components);
        Map = new ClusterMapWatcher(_store, clock, loggers.CreateLogger<ClusterMapWatcher>())
        {
            Fallback = () => _lastMap?.Read(),
        };
        if (options.Metadata is not null)
        {
            components.FileSystem.CreateDirectory(options.DataDirectory);
            _directoryLock = components.FileSystem.Lock(Path.Combine(options.DataDirectory, "gateway.lock"));
            _lastMap = new LastMapKeeper(
                _store, Map, new LastMapFile(components.FileSystem, options.DataDirectory), clock,
                loggers.CreateLogger<LastMapKeeper>());
        }

        if (options.Mode == GatewayMode.Standalone)
        {
            _node = new PrimaryNode(
                new PrimaryOptions
                {
                    Node = new NodeOptions
                    {
                        NodeId = StandaloneNode,
                        Metadata = new MetadataOptions { Address = InProcess },
                        ClusterSecret = options.ClusterSecret,
                    },
                    DataDirectory = options.DataDirectory,
                    Database = options.Engine,
                    Backup = options.Backup,
                    Restore = options.Restore,
                },
                _store, Map, clock, loggers);
            _nodes = new InProcessNode(StandaloneNode, _node);
        }
        else
        {
            _nodes = new RemoteNodes(options.ClusterSecret);
        }

        Router = new ShardRouter(Map, _nodes, clock);
        Rebalancer = new Rebalancer(
            _store, Map, new ShardFiguresReader(Router, clock).ReadAsync, options.Rebalancing, clock,
            loggers.CreateLogger<Rebalancer>());
        Splitter = new RangeSplitter(
            new Catalogue(_store, Map, clock), Map, new RangeFiguresReader(Router).ReadAsync, options.Splitting, clock,
            loggers.CreateLogger<RangeSplitter>());
    }

    /// <summary>Of a stand-alone gateway: its archives; null: there are none.</summary>
    public BackupHost? Backup => _node?.Backup;

    /// <summary>Of a stand-alone gateway: its shards.</summary>
    public ICollection<ShardHost> LocalShards => _node?.Shards ?? [];

    /// <summary>Splits ranges that have become too big.</summary>
    public RangeSplitter Splitter { get; }

    /// <summary>The metadata store.</summary>
    public IMetadataStore Store => _store;

    /// <summary>The cluster as the store shows it.</summary>
    public ClusterMapWatcher Map { get; }

    /// <summary>The ways to the nodes.</summary>
    public INodeDirectory Nodes => _nodes;

    /// <summary>The ways to the shards.</summary>
    public ShardRouter Router { get; }

    /// <summary>Moves slots between shards.</summary>
    public Rebalancer Rebalancer { get; }

    /// <summary>Follows the map and places shards; stand-alone, it serves when this returns.</summary>
    /// <exception cref="AiDbException">The data cannot be opened.</exception>
    public async Task StartAsync(CancellationToken cancellationToken)
    {
        if (_node is not null)
        {
            await StandaloneRestore.RunAsync(
                _store, _node.Restorer, _options.DataDirectory, StandaloneNode, PhysicalFileSystem.Instance, cancellationToken);
        }

        _running.Add(Map.RunAsync(_ending.Token));
        _running.Add(CoordinateAsync(_ending.Token));
        if (_lastMap is not null)
            _running.Add(_lastMap.RunAsync(_ending.Token));
        _running.Add(Router.RunAsync(_ending.Token));
        if (_node is null)
            return;
        Task serving = _node.RunAsync(InProcess, _ending.Token);
        _running.Add(serving);
        using PeriodicTimer look = new(TimeSpan.FromMilliseconds(5), _clock);
        while (_node.NotReady is not null && !serving.IsCompleted)
            await look.WaitForNextTickAsync(cancellationToken);
        if (serving.IsCompleted)
            await serving;
    }

    /// <summary>Shows the gateway itself in the cluster's map.</summary>
    /// <param name="address">Where others reach its gRPC port.</param>
    public void Register(string address)
    {
        if (_options.Mode != GatewayMode.Cluster)
            return;
        _registration = new NodeRegistration(
            _store,
            new NodeDescriptor
            {
                Id = _options.NodeId,
                Role = NodeRole.Gateway,
                Address = address,
                Incarnation = Guid.NewGuid().ToString("N"),
                BuildVersion = GatewayServer.Version,
            },
            NodeRegistration.DefaultTimeToLive,
            _clock,
            _loggers.CreateLogger<NodeRegistration>());
        _running.Add(_registration.RunAsync(_ending.Token));
    }

    /// <summary>Completes when something that must run has ended; it carries the reason.</summary>
    public async Task WatchAsync() => await await Task.WhenAny(_running);

    /// <inheritdoc/>
    public Task<HealthCheckResult> CheckHealthAsync(
        HealthCheckContext context, CancellationToken cancellationToken = default)
    {
        if (_node?.NotReady is { } reason)
            return Task.FromResult(HealthCheckResult.Unhealthy(reason));
        ClusterMap map = Map.Current;
        if (!map.Slots.IsComplete)
            return Task.FromResult(HealthCheckResult.Unhealthy("The slots are not dealt out: primaries are missing."));
        if (Describe(map.Shards.Where(shard => shard.State == ShardState.New)) is { Length: > 0 } starting)
            return Task.FromResult(HealthCheckResult.Unhealthy($"Shards that have not served yet: {starting}."));

        // A shard without slots may be taken away.
        string without = Describe(map.Shards.Where(shard => map.Slots.Count(shard.Id) > 0
            && (shard.State != ShardState.Active || map.FindNode(shard.PrimaryNodeId)?.Alive != true)));
        if (Map.IsFromFile || _registration?.IsUnreachable == true)
        {
            return Task.FromResult(HealthCheckResult.Degraded(
                $"The metadata store cannot be reached; requests are served with the map of revision {map.Version}."));
        }

        if (BackupHealth.Problem(LocalShards, Backup) is { } problem)
            return Task.FromResult(HealthCheckResult.Degraded(problem));
        return Task.FromResult(without.Length == 0
            ? HealthCheckResult.Healthy()
            : HealthCheckResult.Degraded($"Shards without a primary that serves: {without}."));
    }

    /// <summary>Ends what runs, syncs and closes the data.</summary>
    public async ValueTask DisposeAsync()
    {
        if (Interlocked.Exchange(ref _disposed, 1) != 0)
            return;
        await _ending.CancelAsync();
        foreach (Task task in _running)
            await task.ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
        await _nodes.DisposeAsync();
        if (_node is not null)
            await _node.DisposeAsync();
        await _store.DisposeAsync();
        _directoryLock?.Dispose();
        _ending.Dispose();
    }

    /// <summary>Whoever holds the store coordinates; of several gateways on one etcd it is one at a
    /// time.</summary>
    private async Task CoordinateAsync(CancellationToken cancellationToken)
    {
        Coordinator coordinator = new(
            _store, Map, _options.Coordinator, Guid.NewGuid, _clock, _loggers.CreateLogger<Coordinator>());
        if (_options.Metadata is null)
        {
            await PlaceAsync(coordinator, cancellationToken);
        }
        else if (_options.Metadata.IsEtcd)
        {
            CoordinatorLease lease = new(
                _store, _options.NodeId, NodeRegistration.DefaultTimeToLive, _clock, _loggers.CreateLogger<CoordinatorLease>());
            await lease.RunAsync(token => PlaceAsync(coordinator, token), cancellationToken);
        }
        else
        {
            // The gateway that holds the store coordinates, for as long as there is a store.
            await Task.Delay(Timeout.InfiniteTimeSpan, _clock, cancellationToken);
        }
    }

    /// <summary>Gives out shards and slots, moves slots, splits ranges, and looks after voters; the end of one is the end of
    /// all.</summary>
    private async Task PlaceAsync(Coordinator coordinator, CancellationToken cancellationToken)
    {
        ShardSupervisor supervisor = new(
            _store, Map, _options.Coordinator, _clock, _loggers.CreateLogger<ShardSupervisor>());
        using CancellationTokenSource ended = CancellationTokenSource.CreateLinkedTokenSource(cancellationToken);
        Task[] running =
        [
            coordinator.RunAsync(ended.Token), Rebalancer.RunAsync(ended.Token), supervisor.RunAsync(ended.Token),
            Splitter.RunAsync(ended.Token),
        ];
        Task first = await Task.WhenAny(running);
        await ended.CancelAsync();
        foreach (Task task in running)
            await task.ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
        await first;
    }

    private static string Describe(IEnumerable<ShardDescriptor> shards) =>
        string.Join(", ", shards.Select(shard => shard.Id));
}
