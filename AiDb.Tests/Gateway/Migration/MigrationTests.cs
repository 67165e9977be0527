using AiDb.Cluster.Metadata;
using AiDb.Cluster.Migration;
using AiDb.Cluster.Model;
using AiDb.Contracts;
using AiDb.Engine;
using AiDb.Primary.Shards;
using AiDb.Tests.Gateway.Qdrant;
using AiDb.Tests.TestSupport;
using Microsoft.Extensions.DependencyInjection;

namespace AiDb.Tests.Gateway.Migration;

/// <summary>Slots move between real primaries while clients write, read and scan.</summary>
public sealed class MigrationTests
{
    private static readonly TimeSpan Patience = TimeSpan.FromSeconds(120);

    [Fact]
    public async Task A_primary_that_comes_later_takes_its_share_and_no_client_notices()
    {
        await using CollectionCluster cluster = await CollectionCluster.StartAsync(2, "--AiDb:Cluster:SlotsAtATime=2048");
        MovingLoad load = new(cluster);
        await load.FillAsync();
        await cluster.StartPrimaryAsync("primary-3");
        await UntilAsync(cluster, map => map.FindShard(3) is { State: ShardState.Active });
        using CancellationTokenSource stop = new();
        Task running = load.RunAsync(stop.Token);
        await MigrationRecords.OrderRebalanceAsync(StoreOf(cluster), new RebalanceOrder(PlacementStrategies.Slots, 0));
        await UntilAsync(cluster, map => IsAtRest(map) && map.Slots.Count(3) > 4000, running);
        await stop.CancelAsync();
        await running;
        await load.CheckAsync();
        Assert.True(load.Scans > 0);
        TestContext.Current.TestOutputHelper?.WriteLine(
            $"{load.Writes} writes, {load.Scans} scans, the slowest request {load.Slowest.TotalMilliseconds:0.0} ms");

        ClusterMap map = MapOf(cluster);
        Assert.All(map.Migrations, migration => Assert.Equal(MigrationPhase.Done, migration.Phase));
        CheckOwners(cluster, map, "primary-1", "primary-2", "primary-3");
    }

    [Fact]
    public async Task A_drained_primary_loses_every_slot_and_can_be_taken_away()
    {
        await using CollectionCluster cluster = await CollectionCluster.StartAsync(2, "--AiDb:Cluster:SlotsAtATime=16384");
        MovingLoad load = new(cluster);
        await load.FillAsync();
        using CancellationTokenSource stop = new();
        Task running = load.RunAsync(stop.Token);
        uint shard = MapOf(cluster).Shards.Single(shard => shard.PrimaryNodeId == "primary-2").Id;
        await MigrationRecords.SetDrainingAsync(StoreOf(cluster), shard, isDraining: true);
        await UntilAsync(cluster, map => IsAtRest(map) && map.Slots.Count(shard) == 0, running);
        await stop.CancelAsync();
        await running;
        await cluster.StopPrimaryAsync("primary-2");
        await load.CheckAsync();
    }

    [Fact]
    public async Task A_migration_that_is_cancelled_during_its_copy_leaves_everything_as_it_was()
    {
        await using CollectionCluster cluster = await CollectionCluster.StartAsync(2);
        MovingLoad load = new(cluster);
        await load.FillAsync();
        ClusterMap map = MapOf(cluster);
        PlannedMove move = new(1, 2, SlotSet.Of(SlotsOf(map, 1)), "a test");

        // So slowly that it is still under way.
        Assert.True(await MigrationRecords.StartAsync(StoreOf(cluster), map, move, bytesPerSecond: 1, nowMs: 0));
        ShardHost target = HostOf(cluster, 2);
        await UntilAsync(cluster, _ => target.Moves.Markers.HasAny);
        ulong id = MapOf(cluster).Migrations.Max(migration => migration.Id);
        Assert.Equal(MigrationPhase.Aborted, await MigrationRecords.AbortAsync(StoreOf(cluster), id, "cancelled"));
        await UntilAsync(cluster, current => IsAtRest(current) && !target.Moves.Markers.HasAny);
        Assert.Equal(map.Slots.Format(), MapOf(cluster).Slots.Format());
        await load.CheckAsync();
        CheckOwners(cluster, MapOf(cluster), "primary-1", "primary-2");
    }

    [Fact]
    public async Task Frozen_slots_make_requests_wait_and_are_served_again_when_the_target_never_commits()
    {
        await using CollectionCluster cluster = await CollectionCluster.StartAsync(2);
        MovingLoad load = new(cluster);
        await load.FillAsync();
        ClusterMap map = MapOf(cluster);
        await cluster.StopPrimaryAsync("primary-2");
        uint absent = map.Shards.Single(shard => shard.PrimaryNodeId == "primary-2").Id;
        uint present = map.Shards.Single(shard => shard.PrimaryNodeId == "primary-1").Id;
        SlotMigration migration = new()
        {
            Id = 77,
            Source = present,
            Target = absent,
            Slots = SlotSet.Of(SlotsOf(map, present)),
            Phase = MigrationPhase.Copying,
        };
        await StoreOf(cluster).CommitAsync(new MetadataTransaction
        {
            Then = [MetadataOperation.Put(MetadataKeys.Migration(77), MigrationJson.Write(migration))],
        });
        ShardHost host = HostOf(cluster, present);
        await UntilAsync(cluster, current => current.Migrations.Count == 1);
        await host.Moves.FreezeAsync(migration, TimeSpan.FromSeconds(5), TestContext.Current.CancellationToken);
        await host.Moves.MarkFrozenAsync(migration, TestContext.Current.CancellationToken);
        Assert.False(host.Ownership.Owns((uint)migration.Slots.All().First()));

        // Also by a primary that is opened anew.
        await cluster.StopPrimaryAsync("primary-1");
        await cluster.StartPrimaryAsync("primary-1");
        await UntilAsync(cluster, current => current.FindShard(present) is { State: ShardState.Active }
            && cluster.Primary("primary-1").FindShard(present) is { } again && again.Ownership.Owns((uint)migration.Slots.All().First()));
        Assert.Equal(MigrationPhase.Aborted, MapOf(cluster).Migrations.Single().Phase);
        await UntilAsync(cluster, _ => !HostOf(cluster, present).Moves.Markers.HasAny);
        await cluster.StartPrimaryAsync("primary-2");
        await UntilAsync(cluster, current => cluster.Primary("primary-2").NotReady is null && current.FindNode("primary-2")!.Alive);
        await load.CheckAsync();
    }

    [Fact]
    public async Task Primaries_that_are_stopped_at_any_moment_of_a_rebalancing_lose_nothing()
    {
        int seed = TestSeed.Base;
        TestContext.Current.TestOutputHelper?.WriteLine($"seed {seed}");
        var random = new Random(seed);
        await using CollectionCluster cluster = await CollectionCluster.StartAsync(2, "--AiDb:Cluster:SlotsAtATime=1024");
        MovingLoad load = new(cluster);
        await load.FillAsync();
        await cluster.StartPrimaryAsync("primary-3");
        await UntilAsync(cluster, map => map.FindShard(3) is { State: ShardState.Active });
        await MigrationRecords.OrderRebalanceAsync(StoreOf(cluster), new RebalanceOrder(PlacementStrategies.Slots, 200_000));
        for (int round = 0; round < 4; round++)
        {
            await UntilAsync(cluster, map => map.Migrations.Any(migration => !migration.IsOver) || IsAtRest(map));
            await Task.Delay(random.Next(150), TestContext.Current.CancellationToken);
            string victim = $"primary-{random.Next(1, 4)}";
            await cluster.StopPrimaryAsync(victim);
            await cluster.StartPrimaryAsync(victim);
            await UntilAsync(cluster, map => cluster.Primary(victim).NotReady is null);
        }

        await UntilAsync(cluster, map => IsAtRest(map) && map.Slots.Count(3) > 4000);
        await UntilAsync(cluster, _ => new[] { "primary-1", "primary-2", "primary-3" }.All(
            node => cluster.Primary(node).Shards.All(host => !host.Moves.Markers.HasAny)));
        await load.CheckAsync();
        CheckOwners(cluster, MapOf(cluster), "primary-1", "primary-2", "primary-3");
    }

    /// <summary>Nobody's database holds keys of others' slots any more.</summary>
    private static void CheckOwners(CollectionCluster cluster, ClusterMap map, params string[] nodes)
    {
        TableDescriptor table = map.FindTable(MovingLoad.Table)!;
        foreach (string node in nodes)
        {
            ShardHost host = cluster.Primary(node).Shards.Single();
            using ScanCursor cursor = host.Database.GetTableById(table.Id).Scan();
            while (cursor.MoveNext())
                Assert.Equal(host.Shard, map.Slots[host.Moves.KeySlots.SlotOf(table, cursor.Key, null, out _)]);
        }
    }

    private static bool IsAtRest(ClusterMap map) => map.Rebalance is null && map.Migrations.All(migration => migration.IsOver);

    private static IEnumerable<int> SlotsOf(ClusterMap map, uint shard) =>
        Enumerable.Range(0, SlotHash.SlotCount).Where(slot => map.Slots[slot] == shard);

    private static ShardHost HostOf(CollectionCluster cluster, uint shard) =>
        cluster.Primary(MapOf(cluster).FindShard(shard)!.PrimaryNodeId).FindShard(shard)!;

    private static IMetadataStore StoreOf(CollectionCluster cluster) => cluster.Services.GetRequiredService<IMetadataStore>();

    private static ClusterMap MapOf(CollectionCluster cluster) => cluster.Services.GetRequiredService<ClusterMapWatcher>().Current;

    private static async Task UntilAsync(CollectionCluster cluster, Func<ClusterMap, bool> condition, Task? running = null)
    {
        using CancellationTokenSource patience = new(Patience);
        while (!condition(MapOf(cluster)))
        {
            if (running is { IsCompleted: true })
                await running;
            await Task.Delay(10, patience.Token);
        }
    }
}
