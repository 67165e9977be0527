using AiDb.Simulation.Fleet;
using AiDb.Tests.TestSupport;

namespace AiDb.Tests.Simulation;

/// <summary>The bounded form of <c>dotnet run -c Release --project AiDb.Simulation -- --fleet</c>.</summary>
public sealed class FleetTests
{
    private static readonly FleetOptions Small = new()
    {
        Seed = TestSeed.Base,
        Nodes = 20,
        Zones = 5,
        Shards = 60,
        Failing = 4,
    };

    [Fact]
    public void A_zone_that_fails_costs_seconds_and_its_voters_are_replaced_evenly()
    {
        using var output = new StringWriter();
        var run = new FleetRun(Small, output);
        try
        {
            run.Run(TestContext.Current.CancellationToken);
        }
        catch (Exception error)
        {
            Assert.Fail($"seed {Small.Seed}: {error}\n{output}");
        }

        Assert.InRange(run.LongestFailover, TimeSpan.FromSeconds(1), TimeSpan.FromSeconds(6));
        Assert.True(run.VotersOfNode.Most - run.VotersOfNode.Least <= 3, $"seed {Small.Seed}: {run.VotersOfNode}\n{output}");
        Assert.True(run.Answered > 1000, output.ToString());
    }

    [Fact]
    public void The_same_fleet_fails_the_same_way_also_without_zones()
    {
        // Four nodes of four zones: some shards lose two voters, and wait until these are back.
        FleetOptions options = Small with { Zones = 20 };
        using StringWriter first = new(), second = new();
        var run = new FleetRun(options, first);
        run.Run(TestContext.Current.CancellationToken);
        var again = new FleetRun(options, second);
        again.Run(TestContext.Current.CancellationToken);
        Assert.Equal(first.ToString(), second.ToString());
        Assert.Equal(run.TraceHash, again.TraceHash);
        Assert.Contains("all invariants hold", first.ToString(), StringComparison.Ordinal);
    }
}
