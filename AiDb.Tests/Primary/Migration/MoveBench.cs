using System.Text;
using AiDb.Cluster.Metadata;
using AiDb.Cluster.Migration;
using AiDb.Cluster.Model;
using AiDb.Engine;
using AiDb.Primary.Hosting;
using AiDb.Primary.Migration;
using AiDb.Primary.Shards;
using AiDb.Tests.Cluster.Metadata;
using AiDb.Tests.Engine;
using AiDb.Tests.TestSupport;
using Microsoft.Extensions.Logging.Abstractions;

namespace AiDb.Tests.Primary.Migration;

/// <summary>Shard 1, which owns all slots, with its database, a metadata store, and a map of it that can be made to
/// stand still.</summary>
internal sealed class MoveBench : IAsyncDisposable
{
    public const ulong Migration = 5;

    private static readonly TimeSpan Patience = TimeSpan.FromSeconds(60);

    private readonly CancellationTokenSource _end = new();
    private readonly List<Task> _running = [];
    private readonly IMetadataStore _inner;

    private MoveBench()
    {
        _inner = EmbeddedMetadataStore.InMemory(TimeProvider.System, new Random(TestSeed.Base));
        Seen = new SwitchedStore(_inner);
        Store = new SwitchedStore(_inner);
        Map = new ClusterMapWatcher(Seen, TimeProvider.System, NullLogger<ClusterMapWatcher>.Instance);
    }

    /// <summary>The store as the map follows it.</summary>
    public SwitchedStore Seen { get; }

    /// <summary>The store as the primary asks it.</summary>
    public SwitchedStore Store { get; }

    public ClusterMapWatcher Map { get; }

    public ShardHost Host { get; private set; } = null!;

    public TableDescriptor Table { get; } = new() { Name = "kv", Id = AiDb.Engine.Table.FirstHostId + 5 };

    public Table Keys => Host.Database.GetTableById(Table.Id);

    public static async Task<MoveBench> StartAsync()
    {
        MoveBench bench = new();
        await bench.PutAsync(
            MetadataOperation.Put(MetadataKeys.Slots, Encoding.ASCII.GetBytes(SlotMap.Create(_ => 1).Format())),
            MetadataOperation.Put(MetadataKeys.Table(bench.Table.Name), MetadataJson.Write(TableRecord.From(bench.Table))));
        await bench.PutShardAsync(epoch: 1);
        bench._running.Add(bench.Map.RunAsync(bench._end.Token));
        await bench.UntilAsync(() => bench.Map.Current.FindShard(1) is not null);
        Database database = TestDatabase.Open(TestDatabase.NewDisk());
        database.BeginEpoch(1);
        bench.Host = new ShardHost(1, database, MapFollower.OwnershipOf(bench.Map.Current, 1), map: bench.Map);
        return bench;
    }

    /// <summary>Says in which epoch the shard is.</summary>
    public Task PutShardAsync(ulong epoch) => PutAsync(MetadataOperation.Put(
        MetadataKeys.Shard(1),
        MetadataJson.Write(ShardRecord.From(AiDb.Tests.Cluster.TestSupport.Shard(1, ["p1"]) with { Epoch = epoch }))));

    /// <summary>Begins to move slots to shard 2.</summary>
    public async Task<SlotMigration> PutMigrationAsync(SlotSet slots)
    {
        SlotMigration migration = new()
        {
            Id = Migration,
            Source = 1,
            Target = 2,
            Slots = slots,
            Phase = MigrationPhase.Copying,
        };
        await PutAsync(MetadataOperation.Put(MetadataKeys.Migration(Migration), MigrationJson.Write(migration)));
        return migration;
    }

    /// <summary>Writes a key whose partition its writer named.</summary>
    public void Write(string key, int slot)
    {
        var batch = new WriteBatch();
        batch.Put(Keys, Encoding.UTF8.GetBytes(key), "value"u8);
        Host.Moves.Partitions.Put(batch, Table.Id, Encoding.UTF8.GetBytes(key), slot, null);
        Host.Database.Write(batch);
    }

    public bool Holds(string key)
    {
        bool found = Keys.TryGet(Encoding.UTF8.GetBytes(key), out ValueLease lease);
        lease.Dispose();
        return found;
    }

    /// <summary>Has the host take in the map of now, as its follower does.</summary>
    public async Task FollowAsync()
    {
        long revision = (await _inner.RangeAsync("", prefix: true)).Revision;
        await UntilAsync(() => Map.Current.Version >= revision);
        Host.Ownership = MapFollower.OwnershipOf(Map.Current, 1);
    }

    public void RunMoves() => _running.Add(
        new MoveRunner(Host, Map, Store, "", TimeProvider.System, NullLogger.Instance).RunAsync(_end.Token));

    public async Task UntilAsync(Func<bool> condition)
    {
        using CancellationTokenSource patience = new(Patience);
        while (!condition())
            await Task.Delay(5, patience.Token);
    }

    public async ValueTask DisposeAsync()
    {
        await _end.CancelAsync();
        foreach (Task running in _running)
            await running.ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing | ConfigureAwaitOptions.ContinueOnCapturedContext);
        await Host.DisposeAsync();
        await _inner.DisposeAsync();
        _end.Dispose();
    }

    private async Task PutAsync(params MetadataOperation[] puts) =>
        await _inner.CommitAsync(new MetadataTransaction { Then = puts });
}
