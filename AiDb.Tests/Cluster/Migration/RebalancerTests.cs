using AiDb.Cluster.Metadata;
using AiDb.Cluster.Migration;
using AiDb.Cluster.Model;
using AiDb.Tests.TestSupport;
using Microsoft.Extensions.Logging;

namespace AiDb.Tests.Cluster.Migration;

/// <summary>What the one who has slots moved begins, and what it ends.</summary>
public sealed class RebalancerTests
{
    private static readonly RebalanceOrder ByBytes = new(PlacementStrategies.Bytes, 0);

    [Fact]
    public async Task A_bite_that_the_disk_has_room_for_moves_where_all_of_it_would_not_fit()
    {
        await using ClusterFixture cluster = new();
        await PutAsync(cluster);
        PlacementInput input = Input(await cluster.Store.ReadMapAsync(), Load(1) with { Bytes = 100e9 }, Load(2) with { FreeDiskBytes = 20e9 });
        await using RunningRebalancer _ = new(cluster, () => input);
        await MigrationRecords.OrderRebalanceAsync(cluster.Store, ByBytes);
        ClusterMap map = await cluster.WaitForMapAsync(current => current.Migrations.Count > 0);
        SlotMigration migration = Assert.Single(map.Migrations);
        Assert.Equal((1u, 2u, 1024), (migration.Source, migration.Target, migration.Slots.Count));
    }

    [Fact]
    public async Task Where_no_disk_has_room_nothing_moves_and_a_warning_says_so()
    {
        await using ClusterFixture cluster = new();
        await PutAsync(cluster);
        PlacementInput input = Input(await cluster.Store.ReadMapAsync(), Load(1) with { Bytes = 100e9 }, Load(2) with { FreeDiskBytes = 1 });
        await using RunningRebalancer running = new(cluster, () => input);
        await MigrationRecords.OrderRebalanceAsync(cluster.Store, ByBytes);
        ClusterMap map = await cluster.WaitForMapAsync(current => current.Version > 1 && current.Rebalance is null);
        Assert.Empty(map.Migrations);
        string line = Assert.Single(running.Log.Lines, line => line.StartsWith("Warning", StringComparison.Ordinal));
        Assert.Contains("1024 slots should move from shard 1 to shard 2", line, StringComparison.Ordinal);
    }

    [Fact]
    public async Task A_copy_whose_source_shows_life_goes_on_however_slow_it_is_and_ends_when_that_stops()
    {
        await using ClusterFixture cluster = new();
        await PutAsync(cluster);
        ClusterMap map = await cluster.Store.ReadMapAsync();
        Assert.True(await MigrationRecords.StartAsync(
            cluster.Store, map, new PlannedMove(1, 2, SlotSet.Of([1, 2]), ""), bytesPerSecond: 1, nowMs: 0));
        int looks = 0;
        int alive = 40;
        PlacementInput Look()
        {
            int frames = Math.Min(Interlocked.Increment(ref looks), Volatile.Read(ref alive));
            return Input(map, Load(1), Load(2) with { Moves = [new MoveFigures(1, "Copy", 5, 500, (ulong)frames)] });
        }

        TimeSpan stall = TimeSpan.FromSeconds(3);
        long began = cluster.Time.GetTimestamp();
        await using RunningRebalancer _ = new(cluster, Look, new RebalancerOptions { StallTimeout = stall });
        ClusterMap ended = await cluster.WaitForMapAsync(current => current.Migrations.Any(migration => migration.IsOver));
        Assert.True(looks > alive, $"it was ended at look {looks}");
        Assert.True(cluster.Time.GetElapsedTime(began) > 3 * stall);
        Assert.Contains("no progress", ended.Migrations.Single().Problem, StringComparison.Ordinal);
    }

    private static async Task PutAsync(ClusterFixture cluster)
    {
        List<MetadataOperation> puts =
            [MetadataOperation.Put(MetadataKeys.Slots, System.Text.Encoding.ASCII.GetBytes(SlotMap.Create(_ => 1).Format()))];
        foreach (uint shard in new uint[] { 1, 2 })
        {
            NodeDescriptor node = TestSupport.Primary($"p{shard}");
            puts.Add(MetadataOperation.Put(MetadataKeys.Shard(shard), MetadataJson.Write(ShardRecord.From(TestSupport.Shard(shard, [node.Id])))));
            puts.Add(MetadataOperation.Put(MetadataKeys.Member(node.Id), MetadataJson.Write(MemberRecord.From(node))));
            puts.Add(MetadataOperation.Put(
                MetadataKeys.Alive(node.Id), MetadataJson.Write(new AliveRecord(node.Incarnation, node.Address, node.DiskId))));
        }

        await cluster.Store.CommitAsync(new MetadataTransaction { Then = puts });
    }

    private static ShardLoad Load(uint shard) => new() { Shard = shard, Node = $"p{shard}", IsUp = true };

    private static PlacementInput Input(ClusterMap map, params ShardLoad[] loads) => new(map.Slots, loads);

    private sealed class RunningRebalancer : IAsyncDisposable
    {
        private readonly CancellationTokenSource _end = new();
        private readonly Task _running;

        public RunningRebalancer(ClusterFixture cluster, Func<PlacementInput> look, RebalancerOptions? options = null) =>
            _running = new Rebalancer(
                cluster.Store, cluster.Map, (_, _) => ValueTask.FromResult(look()), options ?? new RebalancerOptions(),
                cluster.Time, new Logger<Rebalancer>(Log)).RunAsync(_end.Token);

        public RecordingLog Log { get; } = new();

        public async ValueTask DisposeAsync()
        {
            await _end.CancelAsync();
            await _running.ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing | ConfigureAwaitOptions.ContinueOnCapturedContext);
            _end.Dispose();
        }
    }
}
