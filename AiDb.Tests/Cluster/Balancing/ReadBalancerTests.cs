using AiDb.Cluster.Balancing;
using Microsoft.Extensions.Time.Testing;

namespace AiDb.Tests.Cluster.Balancing;

public class ReadBalancerTests
{
    private readonly FakeTimeProvider _time = new();
    private readonly ReadBalancer _balancer;

    public ReadBalancerTests() => _balancer = new ReadBalancer(new ReadBalancerOptions(), _time);

    [Fact]
    public void Without_replicas_and_for_strong_reads_the_primary_answers()
    {
        Assert.True(_balancer.Choose("p", 1).IsPrimary);
        _balancer.Update(["r1"]);
        Assert.Equal("p", _balancer.Choose("p", 1, primaryOnly: true).NodeId);
        Assert.Equal("r1", _balancer.Choose("p", 1).NodeId);
    }

    [Fact]
    public void A_key_keeps_its_replica_and_keys_spread_over_all()
    {
        _balancer.Update(["r1", "r2", "r3"]);
        Dictionary<string, int> counts = new(StringComparer.Ordinal);
        foreach (ulong key in Keys(3000))
        {
            string node = Read(key);
            Assert.Equal(node, Read(key));
            counts[node] = counts.GetValueOrDefault(node) + 1;
        }

        Assert.All(counts.Values, count => Assert.InRange(count, 800, 1200));
        Assert.Equal(3, counts.Count);
    }

    [Fact]
    public void A_replica_that_comes_takes_keys_and_moves_none_between_the_others()
    {
        _balancer.Update(["r1", "r2"]);
        ulong[] keys = [.. Keys(1000)];
        string[] before = [.. keys.Select(key => Read(key))];
        _balancer.Update(["r1", "r2", "r3"]);
        string[] after = [.. keys.Select(key => Read(key))];
        int moved = 0;
        for (int i = 0; i < keys.Length; i++)
        {
            if (before[i] == after[i])
                continue;
            moved++;
            Assert.Equal("r3", after[i]);
        }

        Assert.InRange(moved, 230, 430);
    }

    [Fact]
    public void A_key_goes_to_its_second_replica_while_the_first_is_busy()
    {
        _balancer.Update(["r1", "r2"]);
        ReadTarget first = _balancer.Choose("p", 7);
        ReadTarget second = _balancer.Choose("p", 7);
        ReadTarget third = _balancer.Choose("p", 7);
        Assert.Equal(first.NodeId, second.NodeId);
        Assert.NotEqual(first.NodeId, third.NodeId);
        foreach (ReadTarget target in (ReadTarget[])[first, second, third])
            _balancer.Complete(target, ReadOutcome.Answered);
        Assert.Equal(first.NodeId, Read(7));
    }

    [Fact]
    public void A_slow_replica_loses_its_keys_to_a_fast_one_and_gets_another_chance()
    {
        _balancer.Update(["r1", "r2"]);
        string slow = Read(7);
        for (int i = 0; i < 60; i++)
            Read(7, latencyMs: Abandon(_balancer.Choose("p", 7)) == slow ? 50 : 1);
        Assert.NotEqual(slow, Read(7));
        _time.Advance(TimeSpan.FromSeconds(30));
        Assert.Equal(slow, Read(7));
    }

    [Fact]
    public void A_replica_that_fails_twice_is_left_alone_and_found_back_by_one_read()
    {
        _balancer.Update(["r1"]);
        Fail();
        Fail();
        Assert.Equal(["r1"], _balancer.GetDownReplicas());
        Assert.True(_balancer.Choose("p", 1).IsPrimary);

        _time.Advance(TimeSpan.FromMilliseconds(500));
        ReadTarget probe = _balancer.Choose("p", 1);
        Assert.True(probe.IsProbe);
        Assert.True(_balancer.Choose("p", 1).IsPrimary);
        _balancer.Complete(probe, ReadOutcome.Failed);
        Assert.True(_balancer.Choose("p", 1).IsPrimary);

        _time.Advance(TimeSpan.FromMilliseconds(500));
        Assert.True(_balancer.Choose("p", 1).IsPrimary);
        _time.Advance(TimeSpan.FromMilliseconds(500));
        probe = _balancer.Choose("p", 1);
        Assert.True(probe.IsProbe);
        _balancer.Complete(probe, ReadOutcome.Answered);
        Assert.Empty(_balancer.GetDownReplicas());
        Assert.False(_balancer.Choose("p", 1).IsPrimary);
    }

    [Fact]
    public void A_replica_that_owes_answers_and_gives_none_is_dropped_within_two_seconds()
    {
        _balancer.Update(["r1", "r2"]);
        ReadTarget lost = _balancer.Choose("p", 7);
        TimeSpan waited = TimeSpan.Zero;
        while (Read(7) == lost.NodeId)
        {
            // The others answer; this one took reads and is silent.
            ReadTarget target = _balancer.Choose("p", 7);
            if (target.NodeId != lost.NodeId)
                _balancer.Complete(target, ReadOutcome.Answered);
            _time.Advance(TimeSpan.FromMilliseconds(100));
            waited += TimeSpan.FromMilliseconds(100);
            Assert.True(waited < TimeSpan.FromSeconds(2));
        }

        _time.Advance(TimeSpan.FromSeconds(2));
        Assert.NotEqual(lost.NodeId, ReadNoProbe(7));
    }

    [Fact]
    public void An_idle_replica_is_not_taken_for_a_silent_one()
    {
        _balancer.Update(["r1"]);
        Assert.Equal("r1", Read(1));
        _time.Advance(TimeSpan.FromHours(1));
        Assert.Equal("r1", Read(1));
    }

    [Fact]
    public void A_success_forgives_an_earlier_failure_and_a_caller_who_gives_up_tells_nothing()
    {
        _balancer.Update(["r1"]);
        for (int i = 0; i < 10; i++)
        {
            Fail();
            Abandon(_balancer.Choose("p", 1));
            Assert.Equal("r1", Read(1));
        }
    }

    [Fact]
    public void The_primary_helps_out_when_replicas_are_full()
    {
        ReadBalancer balancer = new(new ReadBalancerOptions { MaxInFlightPerReplica = 2 }, _time);
        balancer.Update(["r1"]);
        ReadTarget first = balancer.Choose("p", 1);
        balancer.Choose("p", 1);
        Assert.True(balancer.Choose("p", 1).IsPrimary);
        balancer.Complete(first, ReadOutcome.Answered);
        Assert.False(balancer.Choose("p", 1).IsPrimary);
    }

    [Fact]
    public void What_is_known_of_a_replica_survives_an_update()
    {
        _balancer.Update(["r1"]);
        Fail();
        Fail();
        _balancer.Update(["r1", "r2"]);
        Assert.Equal(["r1"], _balancer.GetDownReplicas());
        Assert.All(Keys(20), key => Assert.Equal("r2", Read(key)));
    }

    [Fact]
    public void Choosing_does_not_allocate()
    {
        _balancer.Update(["r1", "r2", "r3"]);
        for (ulong key = 0; key < 100; key++)
            _balancer.Complete(_balancer.Choose("p", key), ReadOutcome.Answered);
        long before = GC.GetAllocatedBytesForCurrentThread();
        for (ulong key = 0; key < 1000; key++)
            _balancer.Complete(_balancer.Choose("p", key), ReadOutcome.Answered);
        Assert.Equal(before, GC.GetAllocatedBytesForCurrentThread());
    }

    [Fact]
    public void Every_invalid_option_is_named()
    {
        AiDbException error = Assert.Throws<AiDbException>(() => new ReadBalancer(
            new ReadBalancerOptions { FailuresToMarkDown = 0, AffinityFactor = double.NaN }, _time));
        Assert.Contains("FailuresToMarkDown", error.Message, StringComparison.Ordinal);
        Assert.Contains("AffinityFactor", error.Message, StringComparison.Ordinal);
    }

    private static IEnumerable<ulong> Keys(int count)
    {
        Random random = new(TestSupport.Seed);
        for (int i = 0; i < count; i++)
            yield return (ulong)random.NextInt64();
    }

    private string Read(ulong key, int latencyMs = 0)
    {
        ReadTarget target = _balancer.Choose("p", key);
        if (latencyMs > 0)
            _time.Advance(TimeSpan.FromMilliseconds(latencyMs));
        _balancer.Complete(target, ReadOutcome.Answered);
        return target.NodeId;
    }

    private string ReadNoProbe(ulong key)
    {
        ReadTarget target = _balancer.Choose("p", key);
        if (target.IsProbe)
            target = _balancer.Choose("p", key);
        _balancer.Complete(target, ReadOutcome.Answered);
        return target.NodeId;
    }

    private string Abandon(ReadTarget target)
    {
        _balancer.Complete(target, ReadOutcome.Abandoned);
        return target.NodeId;
    }

    private void Fail()
    {
        ReadTarget target = _balancer.Choose("p", 1);
        Assert.False(target.IsPrimary);
        _balancer.Complete(target, ReadOutcome.Failed);
    }
}
