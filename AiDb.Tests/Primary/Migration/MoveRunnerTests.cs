using AiDb.Cluster.Migration;
using AiDb.Cluster.Model;
using AiDb.Primary.Migration;
using Microsoft.Extensions.Time.Testing;

namespace AiDb.Tests.Primary.Migration;

/// <summary>What a primary does with what migrations left in its database.</summary>
public sealed class MoveRunnerTests
{
    private static readonly SlotSet Moving = SlotSet.Of([3, 4]);
    private static readonly TimeSpan Patience = TimeSpan.FromSeconds(30);

    [Fact]
    public async Task Frozen_slots_stay_frozen_by_a_map_of_before_the_commit_and_are_swept_by_the_newer_one()
    {
        await using MoveBench bench = await MoveBench.StartAsync();
        bench.Write("goes", 3);
        bench.Write("stays", 7);
        bench.Seen.IsDown = true;
        SlotMigration migration = await bench.PutMigrationAsync(Moving);
        await bench.Host.Moves.FreezeAsync(migration, Patience, TestContext.Current.CancellationToken);
        await bench.Host.Moves.MarkFrozenAsync(migration, TestContext.Current.CancellationToken);
        await MigrationRecords.CommitAsync(bench.Store.Inner, MoveBench.Migration, 1, 1);

        // By its map there is no migration, and the slots are the shard's.
        int asked = bench.Store.Ranges;
        bench.RunMoves();
        await bench.UntilAsync(() => bench.Store.Ranges > asked + 9);
        Assert.False(bench.Host.Ownership.Owns(3));
        Assert.True(bench.Holds("goes"));
        Assert.True(bench.Host.Moves.Markers.HasAny);

        // The newer map alone is not enough: the host must go by it, or it would serve the slots without the marker.
        bench.Seen.IsDown = false;
        await bench.UntilAsync(() => bench.Map.Current.Migrations.Count == 1);
        asked = bench.Store.Ranges;
        await bench.UntilAsync(() => bench.Store.Ranges > asked + 9);
        Assert.True(bench.Host.Moves.Markers.HasAny);

        await bench.FollowAsync();
        await bench.UntilAsync(() => !bench.Host.Moves.Markers.HasAny);
        Assert.Equal((false, true, false), (bench.Holds("goes"), bench.Holds("stays"), bench.Host.Ownership.Owns(3)));
        Assert.Equal(MigrationPhase.Done, (await MigrationRecords.ReadAsync(bench.Store, MoveBench.Migration))!.Phase);
    }

    [Fact]
    public async Task A_primary_that_another_has_followed_ends_nothing()
    {
        await using MoveBench bench = await MoveBench.StartAsync();
        SlotMigration migration = await bench.PutMigrationAsync(Moving);
        await bench.Host.Moves.FreezeAsync(migration, Patience, TestContext.Current.CancellationToken);
        await bench.Host.Moves.MarkFrozenAsync(migration, TestContext.Current.CancellationToken);
        await MigrationRecords.AbortAsync(bench.Store, MoveBench.Migration, "a test");
        await bench.PutShardAsync(epoch: 2);
        await bench.FollowAsync();
        int asked = bench.Store.Ranges;
        bench.RunMoves();
        await bench.UntilAsync(() => bench.Store.Ranges > asked + 9);
        Assert.False(bench.Host.Ownership.Owns(3));
        Assert.True(bench.Host.Moves.Markers.HasAny);
    }

    [Fact]
    public async Task Whatever_a_step_fails_with_the_next_one_is_taken()
    {
        await using MoveBench bench = await MoveBench.StartAsync();
        SlotMigration migration = await bench.PutMigrationAsync(Moving);
        await bench.Host.Moves.FreezeAsync(migration, Patience, TestContext.Current.CancellationToken);
        await bench.Host.Moves.MarkFrozenAsync(migration, TestContext.Current.CancellationToken);
        await MigrationRecords.AbortAsync(bench.Store, MoveBench.Migration, "a test");
        await bench.FollowAsync();
        bench.Store.Fault = new InvalidOperationException("what nobody thought of");
        int asked = bench.Store.Ranges;
        bench.RunMoves();
        await bench.UntilAsync(() => bench.Store.Ranges > asked);
        bench.Store.Fault = null;
        await bench.UntilAsync(() => bench.Host.Ownership.Owns(3) && !bench.Host.Moves.Markers.HasAny);
    }

    [Fact]
    public async Task A_sweep_leaves_the_keys_of_slots_that_are_the_shards_own()
    {
        await using MoveBench bench = await MoveBench.StartAsync();
        bench.Write("own", 3);
        bench.Write("foreign", 4);
        bench.Write("elsewhere", 9);
        SlotMap slots = SlotMap.Create(slot => slot == 4 ? 2u : 1u);
        long deleted = await SlotSweep.RunAsync(
            bench.Host, new ClusterMap(1, "cluster", slots, [], [], [bench.Table], []),
            new MoveMarker(MoveBench.Migration, MoveRole.Target, Moving), slots, TimeProvider.System,
            TestContext.Current.CancellationToken);
        Assert.Equal((1L, true, false, true), (deleted, bench.Holds("own"), bench.Holds("foreign"), bench.Holds("elsewhere")));
    }

    [Fact]
    public async Task A_sweep_deletes_hashed_keys_of_the_markers_slots_only_and_only_as_it_saw_them()
    {
        await using MoveBench bench = await MoveBench.StartAsync();
        FakeTimeProvider time = new();
        for (int key = 0; key < 600; key++)
            bench.Write($"foreign {key:000}", 4);
        bench.Write("z written again", 4);

        // Whose writer named no partition, or whose name is not there any more: of a slot that was not given away here.
        bench.Keys.Put("z of another slot"u8, "value"u8);
        Assert.False(Moving.Contains(bench.Table.SlotOf("z of another slot"u8)));
        SlotMap slots = SlotMap.Create(_ => 2u);
        Task<long> sweeping = SlotSweep.RunAsync(
            bench.Host, new ClusterMap(1, "cluster", slots, [], [], [bench.Table], []),
            new MoveMarker(MoveBench.Migration, MoveRole.Target, Moving), slots, time, TestContext.Current.CancellationToken).AsTask();

        // It pauses after the first keys.
        await bench.UntilAsync(() => !bench.Holds("foreign 000"));
        bench.Write("z written again", 4);
        while (!sweeping.IsCompleted)
        {
            time.Advance(TimeSpan.FromSeconds(1));
            await Task.Delay(1, TestContext.Current.CancellationToken);
        }

        Assert.Equal(600, await sweeping);
        Assert.True(bench.Holds("z written again"));
        Assert.True(bench.Holds("z of another slot"));
        Assert.False(bench.Holds("foreign 599"));
    }
}
