using AiDb.Cluster.Balancing;
using AiDb.Cluster.Metadata;
using AiDb.Cluster.Model;
using AiDb.Cluster.Nodes;
using AiDb.Cluster.Placement;
using AiDb.Contracts;
using AiDb.Contracts.Internal.V1;
using AiDb.Contracts.V1;
using AiDb.Gateway.Front;
using AiDb.Gateway.Routing;
using Google.Protobuf;
using Microsoft.Extensions.Logging.Abstractions;

namespace AiDb.Tests.Gateway.Support;

/// <summary>The gateway's front over shards in memory: a real metadata store, map, coordinator, catalogue and
/// balancer.</summary>
internal sealed class FrontHarness : IShardRouter, IAsyncDisposable
{
    private readonly CancellationTokenSource _end = new();
    private readonly EmbeddedMetadataStore _store = EmbeddedMetadataStore.InMemory(TimeProvider.System);
    private readonly ClusterMapWatcher _watcher;
    private readonly List<Task> _running = [];

    private FrontHarness()
    {
        _watcher = new ClusterMapWatcher(_store, TimeProvider.System, NullLogger<ClusterMapWatcher>.Instance);
        Admission = new Admission(100, 1 << 20);
        Tables = new TableCatalogue(new Catalogue(_store, _watcher, TimeProvider.System), _watcher);
        Front = new KeyValueFront(
            this,
            Tables,
            Admission,
            new FrontOptions { RetryTime = TimeSpan.FromMilliseconds(300) },
            TimeProvider.System);
    }

    private readonly EpochWatches _epochs = new();

    public KeyValueFront Front { get; }

    public Admission Admission { get; }

    public TableCatalogue Tables { get; }

    public Dictionary<string, FakeShard> Nodes { get; } = new(StringComparer.Ordinal);

    public ClusterMap Map => _watcher.Current;

    public ReadBalancer Balancer { get; } = new(new ReadBalancerOptions(), TimeProvider.System);

    public IDisposable WatchEpoch(uint shard, ulong epoch, Action onLater) => _epochs.Watch(shard, epoch, onLater);

    public static async Task<FrontHarness> StartAsync(int shards, bool withReplica = false)
    {
        FrontHarness harness = new();
        harness._running.Add(harness._watcher.RunAsync(harness._end.Token));
        for (int i = 1; i <= shards; i++)
            harness.Register("primary-" + i, NodeRole.Primary);
        if (withReplica)
            harness.Register("replica", NodeRole.Replica);
        Coordinator coordinator = new(
            harness._store, harness._watcher, new CoordinatorOptions { Shards = shards }, Guid.NewGuid, TimeProvider.System,
            NullLogger<Coordinator>.Instance);
        harness._running.Add(coordinator.RunAsync(harness._end.Token));
        ClusterMap map = await harness._watcher.WaitForAsync(current => current.Slots.IsComplete
            && current.Nodes.Count(node => node.Alive) == shards + (withReplica ? 1 : 0));
        foreach (ShardDescriptor shard in map.Shards)
            harness.Nodes[shard.PrimaryNodeId] = new FakeShard(shard.Id);
        if (withReplica)
        {
            harness.Nodes["replica"] = new FakeShard(0, isCache: true);
            harness.Balancer.Update(map);
        }

        return harness;
    }

    public IShardClient? FindNode(string nodeId) => Nodes.GetValueOrDefault(nodeId);

    public async ValueTask WaitForNewerMapAsync(long version, CancellationToken cancellationToken) =>
        await _watcher.WaitForNewerAsync(version, cancellationToken);

    /// <summary>Stops following the metadata store, as when its watch hangs.</summary>
    public Task StopFollowingAsync() => _end.CancelAsync();

    /// <summary>Makes the table a table of ranges.</summary>
    public async Task<TableDescriptor> CreateRangesAsync(params string[] splitPoints)
    {
        PartitionRule rule = PartitionRule.Ranges(
            [.. splitPoints.Select(point => (ReadOnlyMemory<byte>)ByteString.CopyFromUtf8(point).Memory)]);
        return (await Tables.CreateAsync(
            "t", new TableSettings { Partitioning = rule }, ifNotExists: false, CancellationToken.None)).Table;
    }

    /// <summary>The scans that each shard was asked for, by the numbers of the shards.</summary>
    public int[] CountScans() =>
    [
        .. Map.Shards.Select(shard => Nodes[shard.PrimaryNodeId].Requests.Count(
            request => request.OperationCase == Request.OperationOneofCase.Scan)),
    ];

    /// <summary>All writes that shards were asked for.</summary>
    public IEnumerable<Write> Writes() => Nodes.Values.SelectMany(node => node.Requests)
        .Where(request => request.OperationCase == Request.OperationOneofCase.Write).Select(request => request.Write);

    public async Task PutAsync(string key, string value = "v", string partition = "") =>
        await Front.PutAsync(new PutRequest
        {
            Table = "t",
            Key = ByteString.CopyFromUtf8(key),
            Value = ByteString.CopyFromUtf8(value),
            Partition = ByteString.CopyFromUtf8(partition),
        });

    public async Task<GetResponse> GetAsync(string key, Consistency consistency = default, string session = "") =>
        await Front.GetAsync(new GetRequest
        {
            Table = "t",
            Key = ByteString.CopyFromUtf8(key),
            Options = new ReadOptions { Consistency = consistency, Session = session },
        });

    public async ValueTask DisposeAsync()
    {
        await _end.CancelAsync();
        foreach (Task task in _running)
            await task.ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
        await _store.DisposeAsync();
        _end.Dispose();
    }

    private void Register(string id, NodeRole role) => _running.Add(new NodeRegistration(
        _store,
        new NodeDescriptor
        {
            Id = id,
            Role = role,
            Address = "http://" + id,
            DiskId = role == NodeRole.Primary ? "disk-" + id : "",
            Incarnation = id,
        },
        TimeSpan.FromMinutes(1),
        TimeProvider.System,
        NullLogger<NodeRegistration>.Instance).RunAsync(_end.Token));

    /// <summary>The answer of a node that does not own what it was asked for.</summary>
    public static Response WrongOwner(long mapVersion) => new()
    {
        Error = ErrorMapping.ToError(AiDbErrorKind.Aborted, "not mine"),
        MapVersion = (ulong)mapVersion,
    };
}
