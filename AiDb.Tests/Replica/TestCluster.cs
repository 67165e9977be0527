using AiDb.Cluster.Metadata;
using AiDb.Cluster.Model;
using AiDb.Cluster.Placement;
using AiDb.Contracts;
using AiDb.Contracts.Internal.V1;
using AiDb.Contracts.Multiplexing;
using AiDb.Engine;
using AiDb.Primary.Hosting;
using AiDb.Replica.Hosting;
using AiDb.Tests.Contracts;
using Google.Protobuf;
using Microsoft.AspNetCore.Builder;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Logging.Abstractions;

namespace AiDb.Tests.Replica;

/// <summary>A metadata store, one primary and one cache replica, each with its own server on a loopback
/// port.</summary>
internal sealed class TestCluster : IAsyncDisposable
{
    public const string Secret = "the secret of this test";
    public const uint TableId = Table.FirstHostId + 1;

    private static readonly TimeSpan Patience = TimeSpan.FromSeconds(30);

    private readonly string _folder = Path.Combine(Path.GetTempPath(), "aidb-cluster-" + Guid.NewGuid().ToString("N"));
    private readonly CancellationTokenSource _stop = new();
    private readonly EmbeddedMetadataStore _store;
    private readonly ClusterMapWatcher _map;
    private readonly List<Task> _running = [];
    private GrpcTestServer? _metadata;
    private WebApplication? _primary;
    private WebApplication? _replica;
    private string[] _replicaArguments = [];

    private TestCluster()
    {
        _store = new EmbeddedMetadataStore(new EmptyMetadataJournal(), TimeProvider.System);
        _map = new ClusterMapWatcher(_store, TimeProvider.System, NullLogger<ClusterMapWatcher>.Instance);
    }

    public ClusterMap Map => _map.Current;

    public NodeConnection Primary { get; private set; } = null!;

    public NodeConnection Replica { get; private set; } = null!;

    public ReplicaNode ReplicaNode => _replica!.Services.GetRequiredService<ReplicaNode>();

    public PrimaryNode PrimaryNode => _primary!.Services.GetRequiredService<PrimaryNode>();

    public string PrimaryAddress => Map.PrimaryOf(1)!.Address;

    /// <summary>Starts all of it.</summary>
    /// <param name="replicaArguments">More settings of the replica.</param>
    public static async Task<TestCluster> StartAsync(params string[] replicaArguments)
    {
        var cluster = new TestCluster { _replicaArguments = replicaArguments };
        cluster._metadata = await GrpcTestServer.StartAsync(new MetadataService(cluster._store));
        var coordinator = new Coordinator(
            cluster._store, cluster._map, new CoordinatorOptions(), Guid.NewGuid, TimeProvider.System,
            NullLogger<Coordinator>.Instance);
        cluster._running.Add(cluster._map.RunAsync(cluster._stop.Token));
        cluster._running.Add(coordinator.RunAsync(cluster._stop.Token));
        await cluster.StartPrimaryAsync();
        await cluster.StartReplicaAsync();
        return cluster;
    }

    public static NodeConnection Connect(string address, string secret = Secret) =>
        new(GrpcTestServer.OpenChannel(address).CreateCallInvoker(), secret);

    /// <summary>Starts the replica, after <see cref="StopReplicaAsync"/>.</summary>
    public async Task StartReplicaAsync()
    {
        (_replica, Replica) = await StartReplicaAsync("replica", _replicaArguments);
    }

    /// <summary>Starts a replica, which the caller stops.</summary>
    public async Task<(WebApplication App, NodeConnection Connection)> StartReplicaAsync(string id, params string[] arguments)
    {
        WebApplication app = ReplicaServer.Build([.. Arguments(id), .. arguments]);
        await app.StartAsync();
        ReplicaNode node = app.Services.GetRequiredService<ReplicaNode>();
        await UntilAsync(() => node.NotReady is null);
        await WaitForMapAsync(map => map.FindNode(id) is { Alive: true });
        return (app, Connect(Map.FindNode(id)!.Address));
    }

    public async Task StopReplicaAsync()
    {
        await Replica.DisposeAsync();
        await _replica!.StopAsync();
        await _replica.DisposeAsync();
        _replica = null;
    }

    public async Task StartPrimaryAsync()
    {
        _primary = PrimaryServer.Build(Arguments("primary"));
        await _primary.StartAsync();
        PrimaryNode node = _primary.Services.GetRequiredService<PrimaryNode>();
        await UntilAsync(() => node.NotReady is null);
        ulong epoch = node.Shards.Single().Database.Epoch;
        await WaitForMapAsync(map => map.FindShard(1) is { State: ShardState.Active } shard && shard.Epoch == epoch);
        Primary = Connect(PrimaryAddress);
    }

    public async Task StopPrimaryAsync()
    {
        using (var now = new CancellationTokenSource())
        {
            await now.CancelAsync();
            await _primary!.StopAsync(now.Token);
        }

        await _primary.DisposeAsync();
        _primary = null;
        await Primary.DisposeAsync();
    }

    public Request Get(string key, ReadLevel? level = null)
    {
        ByteString bytes = ByteString.CopyFromUtf8(key);
        return new Request
        {
            Shard = 1,
            Get = new Get { TableId = TableId, Slot = (uint)SlotHash.Of(bytes.Span), Key = bytes, Level = level },
        };
    }

    public Request Put(string key, string value)
    {
        ByteString bytes = ByteString.CopyFromUtf8(key);
        var write = new Write();
        write.Operations.Add(new WriteOperation
        {
            Kind = WriteOperation.Types.Kind.Put,
            TableId = TableId,
            Slot = (uint)SlotHash.Of(bytes.Span),
            Key = bytes,
            Value = ByteString.CopyFromUtf8(value),
        });
        return new Request { Shard = 1, Write = write };
    }

    public async Task<Response> PutAsync(string key, string value)
    {
        Response response = await Primary.SendAsync(Put(key, value));
        Assert.Null(response.Error);
        return response;
    }

    /// <summary>Waits for what other threads bring about.</summary>
    public async Task UntilAsync(Func<bool> condition)
    {
        using var patience = new CancellationTokenSource(Patience);
        while (!condition())
            await Task.Delay(5, patience.Token);
    }

    public async ValueTask DisposeAsync()
    {
        if (_replica is not null)
            await StopReplicaAsync();

        if (_primary is not null)
            await StopPrimaryAsync();
        await _stop.CancelAsync();
        await Task.WhenAll(_running).ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
        if (_metadata is not null)
            await _metadata.DisposeAsync();
        await _store.DisposeAsync();
        _stop.Dispose();
        Directory.Delete(_folder, recursive: true);
    }

    public string[] Arguments(string id, string secret = Secret) =>
    [
        $"--AiDb:Node:Id={id}",
        $"--AiDb:Metadata:Address={_metadata!.Address}",
        $"--AiDb:Cluster:Secret={secret}",
        $"--AiDb:DataDirectory={Path.Combine(_folder, id)}",
        "--Logging:LogLevel:Default=None",
    ];

    private async Task WaitForMapAsync(Func<ClusterMap, bool> condition)
    {
        using var patience = new CancellationTokenSource(Patience);
        await _map.WaitForAsync(condition, patience.Token);
    }
}
