using AiDb.Cluster.Model;
using AiDb.Cluster.Placement;
using Microsoft.Extensions.Logging.Abstractions;

namespace AiDb.Tests.Cluster.Placement;

public class ShardSupervisorTests
{
    private static readonly string[] Three = ["p1", "p2", "p3"];

    [Fact]
    public void A_new_shard_gets_its_first_primary_once_all_its_voters_are_there()
    {
        ShardSupervisor supervisor = New();
        ShardDescriptor shard = TestSupport.Shard(1, Three) with { State = ShardState.New, Epoch = 0 };
        Assert.Empty(supervisor.Plan(Map([shard], "p1", "p2"), default));
        SupervisorStep step = Assert.Single(supervisor.Plan(Map([shard], Three), default));
        Assert.Equal(("p1", 1UL, 2UL, ShardState.Recovering, "run-1"), (
            step.Next.PrimaryNodeId, step.Next.Epoch, step.Next.Generation, step.Next.State, step.Next.PrimaryIncarnation));
    }

    [Fact]
    public void A_primary_that_started_anew_is_followed_by_a_voter_that_did_not()
    {
        ShardSupervisor supervisor = New();
        ShardDescriptor shard = TestSupport.Shard(1, Three) with { PrimaryIncarnation = "an earlier run" };
        Assert.Equal("p2", Assert.Single(supervisor.Plan(Map([shard], Three), default)).Next.PrimaryNodeId);
        Assert.Equal("p1", Assert.Single(supervisor.Plan(Map([shard], "p1"), default)).Next.PrimaryNodeId);
        // While it is away its followers decide: they know whether they hear it.
        Assert.Empty(supervisor.Plan(Map([shard], "p2", "p3"), default));
    }

    [Fact]
    public void A_primary_that_does_not_begin_to_serve_is_followed_by_the_next_voter()
    {
        ShardSupervisor supervisor = New();
        ShardDescriptor shard = TestSupport.Shard(1, Three) with { State = ShardState.Recovering };
        Assert.Empty(supervisor.Plan(Map([shard], Three), default));
        Assert.Empty(supervisor.Plan(Map([shard], Three), ShardSupervisor.Patience));
        SupervisorStep step = Assert.Single(supervisor.Plan(
            Map([shard], Three), ShardSupervisor.Patience + TimeSpan.FromSeconds(1)));
        Assert.Equal(("p2", 2UL), (step.Next.PrimaryNodeId, step.Next.Epoch));
        // The next one gets the same time.
        Assert.Empty(supervisor.Plan(Map([step.Next], Three), ShardSupervisor.Patience + TimeSpan.FromSeconds(2)));
    }

    [Fact]
    public void A_voter_that_is_gone_for_long_is_replaced_by_a_spare_node_and_not_before()
    {
        ShardSupervisor supervisor = New(new CoordinatorOptions { VotersPerShard = 3, ReplaceAfter = TimeSpan.FromMinutes(1) });
        ShardDescriptor shard = TestSupport.Shard(1, Three);
        ClusterMap without = Map([shard], "p1", "p2", "p4");
        Assert.Empty(supervisor.Plan(without, default));
        Assert.Empty(supervisor.Plan(without, TimeSpan.FromSeconds(59)));
        // It came back for a moment: its time begins anew.
        Assert.Empty(supervisor.Plan(Map([shard], "p1", "p2", "p3", "p4"), TimeSpan.FromSeconds(60)));
        Assert.Empty(supervisor.Plan(without, TimeSpan.FromSeconds(61)));
        SupervisorStep step = Assert.Single(supervisor.Plan(without, TimeSpan.FromSeconds(121)));
        Assert.Equal(["p1", "p2", "p4"], step.Next.WantedVoters!.Select(voter => voter.NodeId));
        Assert.Equal((2, 1UL, shard.Voters), (step.Next.WantedWriteQuorum, step.Next.Epoch, step.Next.Voters));
        Assert.Empty(supervisor.Plan(Map([step.Next], "p1", "p2", "p4"), TimeSpan.FromSeconds(500)));

        // Without a spare node nothing can be done, and with zero nothing is.
        Assert.Empty(supervisor.Plan(Map([shard], "p1", "p2"), TimeSpan.FromSeconds(600)));
        ShardSupervisor never = New(new CoordinatorOptions { VotersPerShard = 3, ReplaceAfter = TimeSpan.Zero });
        Assert.Empty(never.Plan(without, default));
        Assert.Empty(never.Plan(without, TimeSpan.FromDays(9)));
    }

    [Fact]
    public void A_node_that_came_back_with_an_empty_disk_takes_its_own_place()
    {
        ShardSupervisor supervisor = New(new CoordinatorOptions { VotersPerShard = 3, ReplaceAfter = TimeSpan.FromMinutes(1) });
        ShardDescriptor shard = TestSupport.Shard(1, Three);
        ClusterMap map = TestSupport.Map(
            [shard], [TestSupport.Primary("p1"), TestSupport.Primary("p2"), TestSupport.Primary("p3", "new-disk")]);
        Assert.Empty(supervisor.Plan(map, default));
        Assert.Equal(
            new ShardVoter("p3", "new-disk"),
            Assert.Single(supervisor.Plan(map, TimeSpan.FromMinutes(2))).Next.WantedVoters![^1]);
    }

    [Fact]
    public void Shards_with_fewer_voters_than_the_settings_say_get_more_when_there_are_nodes()
    {
        ShardSupervisor supervisor = New(new CoordinatorOptions { VotersPerShard = 3 });
        ShardDescriptor single = TestSupport.Shard(1, ["p1"]);
        // Two voters would survive no more than one.
        Assert.Empty(supervisor.Plan(Map([single], "p1", "p2"), default));
        SupervisorStep step = Assert.Single(supervisor.Plan(Map([single], Three), default));
        Assert.Equal(Three, step.Next.WantedVoters!.Select(voter => voter.NodeId));
        Assert.Equal((2, 1), (step.Next.WantedWriteQuorum, step.Next.WriteQuorum));
        Assert.Empty(New(new CoordinatorOptions()).Plan(Map([single], Three), default));
    }

    [Theory]
    [InlineData(false, ShardState.Active)]
    [InlineData(true, ShardState.Active)]
    [InlineData(true, ShardState.Recovering)]
    public void A_wish_for_a_voter_that_is_gone_for_long_is_withdrawn_and_another_takes_its_place(bool isNext, ShardState state)
    {
        ShardSupervisor supervisor = New(new CoordinatorOptions { VotersPerShard = 3, ReplaceAfter = TimeSpan.FromMinutes(1) });
        ShardDescriptor shard = TestSupport.Shard(1, Three);
        ShardDescriptor changing = ShardConf.Wanting(shard, [.. shard.Voters.Take(2), new ShardVoter("p4", "disk-p4")], 2);
        changing = (isNext ? ShardConf.Joint(changing) : changing) with { State = state };
        ClusterMap map = Map([changing], "p1", "p2", "p5");
        Assert.Empty(supervisor.Plan(map, default));
        Assert.DoesNotContain(
            supervisor.Plan(map, TimeSpan.FromSeconds(59)), step => step.Next.NextVoters is null && step.Next.WantedVoters is null);
        if (state == ShardState.Recovering)
            supervisor.Plan(Map([changing with { Epoch = changing.Epoch + 1 }], "p1", "p2", "p5"), TimeSpan.FromSeconds(60));
        ShardDescriptor withdrawn = Assert.Single(supervisor.Plan(
            Map([changing with { Epoch = changing.Epoch + 1 }], "p1", "p2", "p5"), TimeSpan.FromSeconds(61))).Next;
        Assert.Equal((shard.Voters, 2), (withdrawn.Voters, withdrawn.WriteQuorum));
        Assert.Null(withdrawn.NextVoters);
        Assert.Null(withdrawn.WantedVoters);
        Assert.Equal((0, 0), (withdrawn.NextWriteQuorum, withdrawn.WantedWriteQuorum));

        SupervisorStep other = Assert.Single(supervisor.Plan(
            Map([withdrawn with { State = ShardState.Active }], "p1", "p2", "p5"), TimeSpan.FromSeconds(62)));
        Assert.Equal(["p1", "p2", "p5"], other.Next.WantedVoters!.Select(voter => voter.NodeId));
    }

    [Fact]
    public void A_sole_voter_elects_itself_also_where_others_are_wanted()
    {
        ShardSupervisor supervisor = New();
        ShardDescriptor shard = TestSupport.Shard(1, ["p1"]) with { PrimaryIncarnation = "an earlier run" };
        ShardDescriptor wanting = ShardConf.Wanting(shard, TestSupport.Shard(1, Three).Voters, 2);
        Assert.Empty(supervisor.Plan(Map([wanting], Three), default));
        Assert.Empty(supervisor.Plan(Map([wanting with { State = ShardState.Recovering }], Three), TimeSpan.FromMinutes(1)));
    }

    private static ShardSupervisor New(CoordinatorOptions? options = null) => new(
        null!, new ClusterMapWatcher(null!, TimeProvider.System, NullLogger<ClusterMapWatcher>.Instance),
        options ?? new CoordinatorOptions { VotersPerShard = 3 }, TimeProvider.System, NullLogger<ShardSupervisor>.Instance);

    private static ClusterMap Map(ShardDescriptor[] shards, params string[] nodes) =>
        TestSupport.Map(shards, [.. nodes.Select(node => TestSupport.Primary(node))]);
}
