using System.Text;
using AiDb.Cluster.Model;
using AiDb.Cluster.Placement;

namespace AiDb.Tests.Cluster.Placement;

public class VoterPlacementTests
{
    [Fact]
    public void Each_node_is_first_voter_of_one_shard_and_standby_of_the_next_ones()
    {
        NodeDescriptor[] nodes = [.. Enumerable.Range(1, 5).Select(i => TestSupport.Primary($"p{i}"))];
        IReadOnlyList<IReadOnlyList<ShardVoter>> shards = VoterPlacement.DealOut(nodes, 3);
        Assert.Equal(["p1 p2 p3", "p2 p3 p4", "p3 p4 p5", "p4 p5 p1", "p5 p1 p2"], shards.Select(Names));
        Assert.All(shards.SelectMany(voters => voters), voter => Assert.Equal("disk-" + voter.NodeId, voter.DiskId));
    }

    [Fact]
    public void Voters_are_spread_over_zones_and_every_node_keeps_as_many_shards()
    {
        NodeDescriptor[] nodes =
        [
            .. Enumerable.Range(1, 6).Select(i => TestSupport.Primary($"p{i}") with { Zone = $"z{(i - 1) / 2}" }),
        ];
        IReadOnlyList<IReadOnlyList<ShardVoter>> shards = VoterPlacement.DealOut(nodes, 3);
        Assert.Equal(6, shards.Select(voters => voters[0]).Distinct().Count());
        Assert.All(shards, voters => Assert.Equal(
            3, voters.Select(voter => nodes.Single(node => node.Id == voter.NodeId).Zone).Distinct().Count()));
        Assert.All(nodes, node => Assert.Equal(
            3, shards.Count(voters => voters.Any(voter => voter.NodeId == node.Id))));
    }

    [Fact]
    public async Task With_several_voters_the_coordinator_waits_for_as_many_nodes_and_keeps_later_ones_as_spares()
    {
        await using ClusterFixture cluster = new();
        cluster.RunCoordinator(new CoordinatorOptions { Shards = 1, VotersPerShard = 3 });
        cluster.RunNode(TestSupport.Primary("p1"), out _);
        cluster.RunNode(TestSupport.Primary("p2"), out _);
        await cluster.WaitForMapAsync(map => map.Nodes.Count == 2 && map.ClusterId.Length > 0);
        Assert.Empty(cluster.Map.Current.Shards);

        cluster.RunNode(TestSupport.Primary("p3"), out _);
        ClusterMap map = await cluster.WaitForMapAsync(map => map.Slots.IsComplete);
        Assert.Equal(["p1 p2 p3", "p2 p3 p1", "p3 p1 p2"], map.Shards.Select(shard => Names(shard.Voters)));
        Assert.All(map.Shards, shard => Assert.Equal((2, 0UL, ShardState.New), (shard.WriteQuorum, shard.Epoch, shard.State)));

        cluster.RunNode(TestSupport.Primary("p4"), out _);
        await cluster.WaitForMapAsync(map => map.FindNode("p4") is { Alive: true });
        Assert.Null(Coordinator.Plan(
            cluster.Map.Current, new CoordinatorOptions { Shards = 1, VotersPerShard = 3 }, () => Guid.Empty));
    }

    [Fact]
    public async Task A_record_of_voters_reads_as_it_was_written_and_one_of_a_single_voter_has_no_new_members()
    {
        await using ClusterFixture cluster = new();
        ShardDescriptor shard = TestSupport.Shard(1, ["p1", "p2", "p3"]) with
        {
            NextVoters = [new("p1", "d1"), new("p4", "d4")],
            NextWriteQuorum = 2,
            WantedVoters = [new("p5", "d5")],
            WantedWriteQuorum = 1,
        };
        await cluster.Store.PutAsync("shards/00001", Encoding.UTF8.GetString(MetadataJson.Write(ShardRecord.From(shard))));
        ShardDescriptor read = await ShardConf.ReadAsync(cluster.Store, 1);
        Assert.Equal(shard.NextVoters, read.NextVoters);
        Assert.Equal(shard.WantedVoters, read.WantedVoters);
        Assert.Equal((2, 1, 2), (read.NextWriteQuorum, read.WantedWriteQuorum, read.WriteQuorum));
        Assert.Equal(["p1", "p2", "p3", "p1", "p4", "p5"], read.Holders.Select(voter => voter.NodeId));

        string single = Encoding.UTF8.GetString(MetadataJson.Write(ShardRecord.From(TestSupport.Shard(1, ["p1"]))));
        Assert.Equal(
            """{"id":1,"generation":1,"epoch":1,"state":"Active","primary":"p1","incarnation":"run-1",""" + "\"voters\":"
            + """[{"nodeId":"p1","diskId":"disk-p1"}],"writeQuorum":1}""",
            single);
    }

    [Fact]
    public void Settings_that_cannot_be_kept_are_all_named_at_once()
    {
        AiDbException error = Assert.Throws<AiDbException>(() => new CoordinatorOptions
        {
            Shards = 0,
            VotersPerShard = 10,
            WriteQuorum = 11,
            ReplaceAfter = TimeSpan.FromSeconds(-1),
        }.Validate());
        foreach (string name in (string[])["Shards", "VotersPerShard", "WriteQuorum", "ReplaceAfter"])
            Assert.Contains(name, error.Message, StringComparison.Ordinal);
        Assert.Equal(2, new CoordinatorOptions { VotersPerShard = 3 }.WriteQuorumOf(3));
        Assert.Equal(3, new CoordinatorOptions { VotersPerShard = 3, WriteQuorum = 3 }.WriteQuorumOf(3));
        Assert.Equal(3, new CoordinatorOptions { VotersPerShard = 3, WriteQuorum = 3 }.WriteQuorumOf(5));
    }

    private static string Names(IEnumerable<ShardVoter> voters) => string.Join(' ', voters.Select(voter => voter.NodeId));
}
