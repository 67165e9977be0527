using AiDb.Cluster.Model;
using AiDb.Cluster.Replication;
using AiDb.Simulation.World;

namespace AiDb.Tests.Cluster.Replication;

public sealed class ShardLeaderTests
{
    private static readonly ShardVoter A = new("a", "disk-a");
    private static readonly ShardVoter B = new("b", "disk-b");
    private static readonly ShardVoter C = new("c", "disk-c");
    private readonly SimulatedLog _log = new();
    private readonly ReplicationOutbox _outbox = new();
    private readonly Voter _voter;

    public ShardLeaderTests() => _voter = new Voter(A, _log, _outbox, new ReplicationOptions());

    [Fact]
    public void A_primary_whose_own_voter_has_promised_a_later_epoch_appends_nothing_more()
    {
        ShardLeader leader = Lead(epoch: 1);
        _voter.Handle("b", new SealRequest(2, 2));

        Assert.Null(leader.Propose(new byte[] { 1 }, 0, default));
        Assert.False(leader.Read(1, default));
        Assert.Equal(LeaderPhase.SteppedDown, leader.Phase);
        Assert.Equal(1ul, _log.LastLsn);
    }

    [Fact]
    public void A_primary_counts_itself_only_after_its_own_sync()
    {
        ShardLeader leader = Lead(epoch: 1);
        EntryId entry = leader.Propose(new byte[] { 1 }, 0, default)!.Value;
        leader.Handle(new AppendReply(1, B, AppendOutcome.Matched, 1, entry.Lsn), default);
        Assert.True(_voter.CommitLsn < entry.Lsn);

        Sync(leader);
        Assert.Equal(entry.Lsn, _voter.CommitLsn);
    }

    [Fact]
    public void The_answer_of_a_disk_without_a_vote_counts_for_nothing()
    {
        ShardLeader leader = New(epoch: 1);
        leader.Start(default);
        Sync(leader);
        leader.Handle(new SealReply(1, new ShardVoter("b", "another-disk"), 1, new EpochHistory([], 0)), default);

        Assert.Equal(LeaderPhase.Sealing, leader.Phase);
    }

    [Fact]
    public void A_read_waits_for_a_quorum_that_knows_of_no_later_epoch()
    {
        ShardLeader leader = Lead(epoch: 1);
        Sync(leader);
        leader.Handle(new AppendReply(1, B, AppendOutcome.Matched, 1, 1), default);
        Assert.True(leader.Read(7, default));
        Assert.Empty(leader.TakeReadyReads());
        ulong round = Assert.IsType<ConfirmRequest>(_outbox.TakeImmediate()[^1].Message).Round;

        leader.Handle(new ConfirmReply(1, C, round, 1), default);
        Assert.Equal(new ReadyRead(7, 1), Assert.Single(leader.TakeReadyReads()));
    }

    [Fact]
    public void A_primary_steps_down_when_a_confirmation_tells_of_a_later_epoch()
    {
        ShardLeader leader = Lead(epoch: 1);
        leader.Handle(new ConfirmReply(1, C, 1, 2), default);

        Assert.Equal(LeaderPhase.SteppedDown, leader.Phase);
        Assert.Contains("epoch 2", leader.StepDownReason, StringComparison.Ordinal);
    }

    [Fact]
    public void A_divergence_is_answered_by_one_append_however_often_it_is_told()
    {
        ShardLeader leader = Lead(epoch: 1);
        for (int i = 0; i < 20; i++)
            leader.Propose(new byte[100], 0, default);
        _outbox.TakeImmediate();
        var history = new EpochHistory([], 0);
        for (ulong previous = 1; previous < 8; previous++)
            leader.Handle(new AppendReply(1, B, AppendOutcome.Diverged, 1, previous, history), default);

        Assert.Single(_outbox.TakeImmediate(), sent => sent.NodeId == "b");
    }

    [Fact]
    public void A_voter_refuses_to_lose_what_it_knows_to_be_committed()
    {
        var entry = new ReplicaEntry(new EntryId(1, 1), 1, ReplicaEntryKind.EpochStart, default);
        _voter.Handle("b", new AppendRequest(1, 1, default, [entry], 1));
        var other = new ReplicaEntry(new EntryId(2, 1), 2, ReplicaEntryKind.EpochStart, default);

        var error = Assert.Throws<AiDbException>(() => _voter.Handle("c", new AppendRequest(2, 2, default, [other], 0)));
        Assert.Equal(AiDbErrorKind.DataLoss, error.Kind);
    }

    [Fact]
    public void A_learner_that_got_a_vote_and_lost_it_is_sent_nothing_more()
    {
        var learner = new ShardVoter("d", "disk-d");
        ShardLeader leader = Lead(epoch: 1);
        leader.AddLearner(learner, default);
        GroupConfiguration group = Group(1, [A, B, C], 2);
        leader.Configure(group with { Generation = 2, Voters = [A, B, learner] }, default);
        leader.Configure(group with { Generation = 3, Voters = [A, B, C] }, default);
        _outbox.TakeImmediate();
        leader.Propose(new byte[] { 1 }, 0, default);
        Assert.DoesNotContain(_outbox.TakeImmediate(), sent => sent.NodeId == "d");
    }

    [Theory]
    [InlineData(3, 0)]
    [InlineData(3, 4)]
    public void A_quorum_that_cannot_be_safe_is_refused(int voters, int quorum) =>
        Assert.Throws<AiDbException>(() => Group(1, [.. new[] { A, B, C }.Take(voters)], quorum).Check());

    private ShardLeader Lead(ulong epoch)
    {
        ShardLeader leader = New(epoch);
        leader.Start(default);
        Sync(leader);
        leader.Handle(new SealReply(epoch, B, epoch, new EpochHistory([], 0)), default);
        Assert.Equal(LeaderPhase.Leading, leader.Phase);
        return leader;
    }

    private ShardLeader New(ulong epoch) =>
        new(Group(epoch, [A, B, C], 2), _voter, _log, _outbox, new ReplicationOptions());

    private static GroupConfiguration Group(ulong epoch, ShardVoter[] voters, int quorum) => new()
    {
        Generation = epoch,
        Epoch = epoch,
        PrimaryNodeId = "a",
        PrimaryIncarnation = "run",
        Voters = voters,
        WriteQuorum = quorum,
    };

    private void Sync(ShardLeader leader)
    {
        _log.CompleteSync(_log.BeginSync());
        _outbox.TakeForSync();
        leader.OnSynced(default);
    }
}
