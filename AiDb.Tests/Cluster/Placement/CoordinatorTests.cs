using AiDb.Cluster.Metadata;
using AiDb.Cluster.Model;
using AiDb.Cluster.Placement;
using AiDb.Contracts;

namespace AiDb.Tests.Cluster.Placement;

public class CoordinatorTests
{
    [Fact]
    public async Task Slots_are_dealt_out_once_all_primaries_are_there_and_never_move_again()
    {
        await using ClusterFixture cluster = new();
        cluster.RunCoordinator(shards: 2);
        cluster.RunNode(TestSupport.Primary("p1"), out _);
        await cluster.WaitForMapAsync(map => map.Nodes.Count == 1 && map.ClusterId.Length > 0);
        Assert.Empty(cluster.Map.Current.Shards);

        cluster.RunNode(TestSupport.Primary("p2"), out _);
        ClusterMap first = await cluster.WaitForMapAsync(map => map.Slots.IsComplete);
        Assert.Equal(["p1", "p2"], first.Shards.Select(shard => shard.PrimaryNodeId).Order());
        Assert.All(first.Shards, shard => Assert.InRange(first.Slots.Count(shard.Id), 7000, 9400));
        Assert.All(Enumerable.Range(0, SlotHash.SlotCount), slot => Assert.NotNull(first.ShardOfSlot(slot)));

        cluster.RunNode(TestSupport.Primary("p3"), out _);
        ClusterMap second = await cluster.WaitForMapAsync(map => map.Shards.Count == 3);
        Assert.Equal(first.Slots.Format(), second.Slots.Format());
        Assert.Equal(0, second.Slots.Count(3));
    }

    [Fact]
    public async Task Nothing_is_placed_while_an_import_is_unfinished()
    {
        await using ClusterFixture cluster = new();
        await cluster.Store.PutAsync("import/unfinished", "");
        cluster.RunCoordinator(shards: 1);
        cluster.RunNode(TestSupport.Primary("p1"), out _);
        ClusterMap during = await cluster.WaitForMapAsync(map => map.Nodes.Count == 1 && map.Nodes[0].Alive);
        Assert.Equal((true, "", 0), (during.IsImporting, during.ClusterId, during.Shards.Count));
        await cluster.Store.CommitAsync(new MetadataTransaction { Then = [MetadataOperation.Delete("import/unfinished")] });
        await cluster.WaitForMapAsync(map => map.Slots.IsComplete);
        Assert.False(cluster.Map.Current.IsImporting);
    }

    [Fact]
    public async Task A_returning_primary_gets_its_own_shard_in_a_new_epoch()
    {
        await using ClusterFixture cluster = new();
        cluster.RunCoordinator(shards: 2);
        NodeDescriptor node = TestSupport.Primary("p1");
        Func<Task> stop = cluster.RunNode(node, out _);
        cluster.RunNode(TestSupport.Primary("p2"), out _);
        ShardElection election = cluster.NewElection(node);
        ShardDescriptor shard = await cluster.WaitForShardAsync(node);
        ShardDescriptor elected = await election.ElectAsync(shard.Id, diskEpoch: 0);
        Assert.Equal((1UL, ShardState.Recovering, "run-1"), (elected.Epoch, elected.State, elected.PrimaryIncarnation));
        Assert.Equal(ShardState.Active, (await election.ActivateAsync(elected)).State);
        await stop();
        await cluster.WaitForMapAsync(map => map.FindNode("p1") is { Alive: false });

        NodeDescriptor again = node with { Incarnation = "run-2", Address = "http://elsewhere:1" };
        cluster.RunNode(again, out _);
        ShardElection next = cluster.NewElection(again);
        Assert.Equal(shard.Id, (await cluster.WaitForShardAsync(again)).Id);
        ShardDescriptor reelected = await next.ElectAsync(shard.Id, diskEpoch: 1);
        Assert.Equal((2UL, "run-2"), (reelected.Epoch, reelected.PrimaryIncarnation));
        Assert.True(reelected.Generation > elected.Generation);
        ClusterMap map = await cluster.WaitForMapAsync(map => map.FindShard(shard.Id)!.Epoch == 2);
        Assert.True(ShardElection.IsSuperseded(map, elected));
        Assert.False(ShardElection.IsSuperseded(map, reelected));
        Assert.Equal(2, map.Shards.Count);
        AiDbException error = await Assert.ThrowsAsync<AiDbException>(() => election.ActivateAsync(elected).AsTask());
        Assert.Equal(AiDbErrorKind.Aborted, error.Kind);
    }

    [Fact]
    public async Task A_primary_with_another_disk_or_another_name_is_refused_and_told_the_way_out()
    {
        await using ClusterFixture cluster = new();
        cluster.RunCoordinator(shards: 1);
        Func<Task> stop = cluster.RunNode(TestSupport.Primary("p1", "d1"), out _);
        await cluster.WaitForMapAsync(map => map.Slots.IsComplete);
        await stop();

        NodeDescriptor emptied = TestSupport.Primary("p1", "d2");
        cluster.RunNode(emptied, out _);
        AiDbException error = await Assert.ThrowsAsync<AiDbException>(
            () => cluster.WaitForShardAsync(emptied));
        Assert.Equal(AiDbErrorKind.PreconditionFailed, error.Kind);
        Assert.Contains("disk d1", error.Message, StringComparison.Ordinal);
        Assert.Contains("original data folder", error.Message, StringComparison.Ordinal);

        error = await Assert.ThrowsAsync<AiDbException>(
            () => cluster.WaitForShardAsync(TestSupport.Primary("p9", "d1")));
        Assert.Contains("AiDb:Node:Id to 'p1'", error.Message, StringComparison.Ordinal);
        error = await Assert.ThrowsAsync<AiDbException>(() => cluster.NewElection(emptied).ElectAsync(1, 0).AsTask());
        Assert.Equal(AiDbErrorKind.PreconditionFailed, error.Kind);
        Assert.Single(cluster.Map.Current.Shards);
    }

    [Fact]
    public async Task The_epoch_is_above_the_disks_even_when_the_store_was_restored()
    {
        await using ClusterFixture cluster = new();
        cluster.RunCoordinator(shards: 1);
        NodeDescriptor node = TestSupport.Primary("p1");
        cluster.RunNode(node, out _);
        ShardElection election = cluster.NewElection(node);
        ShardDescriptor shard = await cluster.WaitForShardAsync(node);
        Assert.Equal(42UL, (await election.ElectAsync(shard.Id, diskEpoch: 41)).Epoch);
    }

    [Fact]
    public async Task Of_concurrent_elections_each_gets_an_epoch_of_its_own()
    {
        await using ClusterFixture cluster = new();
        cluster.RunCoordinator(shards: 1);
        NodeDescriptor node = TestSupport.Primary("p1");
        cluster.RunNode(node, out _);
        await cluster.WaitForMapAsync(map => map.Slots.IsComplete);
        ShardDescriptor[] elected = await Task.WhenAll(Enumerable.Range(0, 8).Select(
            _ => Task.Run(() => cluster.NewElection(node).ElectAsync(1, 0).AsTask())));
        Assert.Equal(Enumerable.Range(1, 8).Select(epoch => (ulong)epoch), elected.Select(shard => shard.Epoch).Order());
    }

    [Fact]
    public async Task Two_coordinators_make_one_cluster()
    {
        await using ClusterFixture cluster = new();
        cluster.RunCoordinator(shards: 3);
        cluster.RunCoordinator(shards: 3);
        foreach (string id in (string[])["p1", "p2", "p3"])
            cluster.RunNode(TestSupport.Primary(id), out _);
        ClusterMap map = await cluster.WaitForMapAsync(map => map.Slots.IsComplete);
        Assert.Equal(3, map.Shards.Select(shard => shard.PrimaryNodeId).Distinct().Count());
        Assert.Equal(3, map.Shards.Count);
    }
}
