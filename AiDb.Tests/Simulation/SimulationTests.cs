using AiDb.Cluster.Replication;
using AiDb.Simulation;
using AiDb.Tests.TestSupport;

namespace AiDb.Tests.Simulation;

/// <summary>The bounded form of the proof; <c>dotnet run -c Release --project AiDb.Simulation -- --seeds N</c> is the long
/// one.</summary>
public sealed class SimulationTests
{
    private const int Seeds = 12;
    private const int HostileSeeds = 150;

    private static int FirstSeed => TestSeed.Base & 0xFFFFFF;

    [Fact]
    public void Groups_survive_faults_of_network_disk_clock_and_process() =>
        AssertHolds(FirstSeed, Seeds, operations: 2000, isHostile: false);

    [Fact]
    public void Groups_survive_primaries_that_change_faster_than_entries_travel() =>
        AssertHolds(FirstSeed, HostileSeeds, operations: 200, isHostile: true);

    [Fact]
    public void The_same_seed_is_the_same_run()
    {
        SimulationResult first = SimulationRun.Run(FirstSeed, 500, ProtocolRules.Safe);
        SimulationResult second = SimulationRun.Run(FirstSeed, 500, ProtocolRules.Safe);

        Assert.Equal(first.TraceHash, second.TraceHash);
        Assert.NotEqual(first.TraceHash, SimulationRun.Run(FirstSeed + 1, 500, ProtocolRules.Safe).TraceHash);
    }

    [Fact]
    public void Every_broken_protocol_is_noticed()
    {
        Assert.Null(DirectedScenario.Run(ProtocolRules.Safe));
        foreach ((string name, ProtocolRules rules) in MutationGate.Mutations)
        {
            string? found = MutationGate.Find(rules, firstSeed: 1, seeds: 1000, operations: 200);
            Assert.True(found is not null, $"Nothing notices a protocol that {name}.");
        }
    }

    private static void AssertHolds(int firstSeed, int seeds, int operations, bool isHostile)
    {
        for (int seed = firstSeed; seed < firstSeed + seeds; seed++)
        {
            SimulationResult result = SimulationRun.Run(seed, operations, ProtocolRules.Safe, isHostile);
            Assert.True(
                result.Failure is null,
                $"Seed {seed}{(isHostile ? ", hostile" : "")}: {result.Failure}\n{string.Join('\n', result.LastLines)}");
            Assert.True(result.Faults.Values.Sum() >= 5);
        }
    }
}
