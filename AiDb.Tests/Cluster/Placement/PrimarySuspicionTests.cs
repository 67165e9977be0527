using AiDb.Cluster.Model;
using AiDb.Cluster.Placement;

namespace AiDb.Tests.Cluster.Placement;

public class PrimarySuspicionTests
{
    private static readonly ShardDescriptor Shard = TestSupport.Shard(1, ["p1", "p2", "p3"]);
    private static readonly ShardVoter P1 = Shard.Voters[0];
    private static readonly ShardVoter P2 = Shard.Voters[1];
    private static readonly ShardVoter P3 = Shard.Voters[2];

    [Fact]
    public void Silence_leads_to_a_question_and_a_majority_that_hears_nothing_to_an_election()
    {
        PrimarySuspicion suspicion = New();
        Assert.Equal(SuspicionStep.None, suspicion.Tick(Shard, Seconds(0.1), 1, Seconds(10)));
        Assert.Equal(SuspicionStep.None, suspicion.Tick(Shard, Seconds(1.4), 1, Seconds(11)));
        Assert.Equal(SuspicionStep.Ask, suspicion.Tick(Shard, Seconds(1.6), 1, Seconds(11.2)));
        Assert.Equal(SuspicionStep.None, suspicion.Tick(Shard, Seconds(1.7), 1, Seconds(11.3)));
        suspicion.Answer(P3, suspicion.Round, hears: false, promised: 7);
        Assert.Equal(SuspicionStep.Elect, suspicion.Tick(Shard, Seconds(1.7), 1, Seconds(11.3)));
        Assert.Equal(7UL, suspicion.GreatestPromised);
    }

    [Fact]
    public void A_primary_that_a_majority_hears_stays_and_late_answers_do_not_count()
    {
        PrimarySuspicion suspicion = New();
        suspicion.Tick(Shard, Seconds(0.1), 1, Seconds(10));
        Assert.Equal(SuspicionStep.Ask, suspicion.Tick(Shard, Seconds(2), 1, Seconds(12)));
        ulong first = suspicion.Round;
        suspicion.Answer(P3, first, hears: true, promised: 1);
        Assert.Equal(SuspicionStep.None, suspicion.Tick(Shard, Seconds(2.1), 1, Seconds(12.1)));
        Assert.Equal(SuspicionStep.Ask, suspicion.Tick(Shard, Seconds(2.4), 1, Seconds(12.4)));
        suspicion.Answer(P3, first, hears: false, promised: 1);
        suspicion.Answer(new ShardVoter("p3", "another disk"), suspicion.Round, hears: false, promised: 1);
        Assert.Equal(SuspicionStep.None, suspicion.Tick(Shard, Seconds(2.5), 1, Seconds(12.5)));
    }

    [Fact]
    public void A_sole_voter_stands_for_election_at_once_but_not_against_itself()
    {
        PrimarySuspicion suspicion = New();
        ShardDescriptor alone = TestSupport.Shard(1, ["p2"]);
        Assert.Equal(SuspicionStep.Elect, suspicion.Tick(alone, TimeSpan.Zero, 1, Seconds(10)));
        Assert.Equal(SuspicionStep.None, suspicion.Tick(alone with { Epoch = 2 }, TimeSpan.Zero, 1, Seconds(10.1)));
        Assert.Equal(SuspicionStep.Elect, suspicion.Tick(alone with { Epoch = 2 }, TimeSpan.Zero, 1, Seconds(13.2)));
    }

    [Fact]
    public void An_elected_primary_is_left_in_peace_and_longer_after_elections_that_led_nowhere()
    {
        PrimarySuspicion suspicion = New();
        suspicion.Tick(Shard, Seconds(0.1), 1, Seconds(10));
        ShardDescriptor second = Shard with { Epoch = 2 };
        Assert.Equal(SuspicionStep.None, suspicion.Tick(second, Seconds(5), 1, Seconds(20)));
        Assert.Equal(SuspicionStep.None, suspicion.Tick(second, Seconds(7.9), 1, Seconds(22.9)));
        Assert.Equal(SuspicionStep.Ask, suspicion.Tick(second, Seconds(8.1), 1, Seconds(23.1)));

        // Nobody heard the second: the third gets twice the time.
        ShardDescriptor third = Shard with { Epoch = 3 };
        Assert.Equal(SuspicionStep.None, suspicion.Tick(third, Seconds(9), 1, Seconds(24)));
        Assert.Equal(SuspicionStep.None, suspicion.Tick(third, Seconds(14.9), 1, Seconds(29.9)));
        Assert.Equal(SuspicionStep.Ask, suspicion.Tick(third, Seconds(15.1), 1, Seconds(30.1)));
    }

    [Fact]
    public void Who_has_no_vote_and_who_waits_for_the_first_election_doubts_nothing()
    {
        var learner = new PrimarySuspicion(new ShardVoter("p4", "disk-p4"), new SuspicionOptions(), () => 0);
        learner.Tick(Shard, Seconds(0.1), 1, Seconds(10));
        Assert.Equal(SuspicionStep.None, learner.Tick(Shard, Seconds(60), 1, Seconds(70)));
        ShardDescriptor first = Shard with { Epoch = 0, State = ShardState.New };
        Assert.Equal(SuspicionStep.None, New().Tick(first, Seconds(60), 0, Seconds(70)));
    }

    [Fact]
    public void While_voters_change_a_majority_of_both_groups_must_agree()
    {
        var p4 = new ShardVoter("p4", "disk-p4");
        var p5 = new ShardVoter("p5", "disk-p5");
        ShardDescriptor joint = Shard with { NextVoters = [P2, p4, p5], NextWriteQuorum = 2 };
        PrimarySuspicion suspicion = New();
        suspicion.Tick(joint, Seconds(0.1), 1, Seconds(10));
        Assert.Equal(SuspicionStep.Ask, suspicion.Tick(joint, Seconds(2), 1, Seconds(12)));
        suspicion.Answer(P3, suspicion.Round, hears: false, promised: 1);
        suspicion.Answer(P1, suspicion.Round, hears: false, promised: 1);
        Assert.Equal(SuspicionStep.None, suspicion.Tick(joint, Seconds(2), 1, Seconds(12.1)));
        suspicion.Answer(p5, suspicion.Round, hears: false, promised: 1);
        Assert.Equal(SuspicionStep.Elect, suspicion.Tick(joint, Seconds(2), 1, Seconds(12.1)));
    }

    private static PrimarySuspicion New() => new(P2, new SuspicionOptions(), () => 0);

    private static TimeSpan Seconds(double seconds) => TimeSpan.FromSeconds(seconds);
}
