using System.Globalization;
using AiDb.Cluster.Replication;
using AiDb.Simulation.Actors;
using AiDb.Simulation.Checks;
using AiDb.Simulation.World;

namespace AiDb.Simulation;

/// <summary>Runs one seed: load and faults until the operations are done, then everything is mended and must come to
/// rest.</summary>
internal static class SimulationRun
{
    /// <summary>What a seed takes at most until it is mended; far more than it needs.</summary>
    private static readonly TimeSpan Longest = TimeSpan.FromMinutes(20);
    private static readonly TimeSpan LongestHostile = TimeSpan.FromMinutes(1);
    private static readonly TimeSpan TimeToRest = TimeSpan.FromMinutes(1);
    private const int LeastFaults = 5;

    /// <summary>Runs a seed.</summary>
    public static SimulationResult Run(
        int seed, int operations, ProtocolRules rules, bool isHostile = false, bool keepTrace = false)
    {
        Scenario scenario = Scenario.Of(seed, operations, isHostile);
        var cluster = new SimulatedCluster(scenario, rules, keepTrace);
        var history = new History();
        FaultInjector? faults = null;
        string? failure = null;
        try
        {
            foreach (SimulatedNode node in cluster.Nodes)
                node.Start();
            Coordinator[] coordinators = [new(cluster, "g1"), new(cluster, "g2")];
            var @operator = new Operator(cluster);
            faults = new FaultInjector(cluster, scenario, coordinators, @operator);
            FaultInjector injector = faults;
            bool GoesOn() => history.Answered < operations || injector.Counts.Values.Sum() < LeastFaults;
            Client[] clients =
                [.. Enumerable.Range(1, scenario.Clients).Select(id => new Client(cluster, scenario, history, id, GoesOn))];
            cluster.Scheduler.RunUntil(isHostile ? LongestHostile : Longest, () => !GoesOn());
            faults.Stop();
            Rest(cluster, clients);
        }
        catch (InvariantViolation violation)
        {
            failure = violation.Message;
        }
        catch (Exception error) when (error is AiDbException or InvalidOperationException or ArgumentException or KeyNotFoundException)
        {
            failure = error.ToString();
        }

        int undecided = 0;
        if (failure is null && LinearizabilityChecker.FindViolation(history.Events, out undecided) is { } key)
            failure = $"The history of key {key} is not linearizable.";
        return new SimulationResult
        {
            Seed = seed,
            Failure = failure,
            TraceHash = cluster.Trace.Hash,
            LastLines = [.. cluster.Trace.Lines],
            Operations = history.Answered,
            Undecided = undecided,
            Unanswered = history.Events.Count - history.Answered,
            Faults = faults?.Counts ?? [],
            Epochs = cluster.Invariants.ActiveEpochs,
            Messages = cluster.Network.Sent,
            Time = cluster.Scheduler.Now,
        };
    }

    private static void Rest(SimulatedCluster cluster, Client[] clients)
    {
        bool IsAtRest()
        {
            if (!clients.All(client => client.IsDone) || cluster.ActiveLeader()?.Process is not { } leader)
                return false;
            var conf = cluster.Store.Conf;
            return conf.NextVoters is null && conf.Voters.All(voter =>
                cluster.Node(voter.NodeId) is { Process: { } process } node
                && node.Voter == voter
                && process.Applied == leader.Applied
                && node.Log.LastLsn == leader.Applied);
        }

        TimeSpan end = cluster.Scheduler.Now + TimeToRest;
        if (!cluster.Scheduler.RunUntil(end, IsAtRest))
        {
            string state = string.Join(", ", cluster.Nodes.Select(node => string.Create(
                CultureInfo.InvariantCulture,
                $"{node.Voter.DiskId} {node.Process?.Leader?.Phase.ToString() ?? "follows"} last {node.Log.LastLsn} applied {node.Process?.Applied}")));
            throw new InvariantViolation($"It does not come to rest after everything was mended: {state}.");
        }

        cluster.Invariants.CheckConvergence();
    }
}

/// <summary>What came of a seed.</summary>
internal sealed record SimulationResult
{
    /// <summary>The seed.</summary>
    public required int Seed { get; init; }

    /// <summary>What does not hold; null: everything holds.</summary>
    public required string? Failure { get; init; }

    /// <summary>The same for the same seed.</summary>
    public required ulong TraceHash { get; init; }

    /// <summary>The last lines of what happened.</summary>
    public required IReadOnlyList<string> LastLines { get; init; }

    /// <summary>Operations that were answered.</summary>
    public required int Operations { get; init; }

    /// <summary>Operations of unknown outcome.</summary>
    public required int Unanswered { get; init; }

    /// <summary>Keys whose history was too tangled to decide.</summary>
    public required int Undecided { get; init; }

    /// <summary>What went wrong, and how often.</summary>
    public required SortedDictionary<FaultKind, int> Faults { get; init; }

    /// <summary>Epochs whose primary became active.</summary>
    public required int Epochs { get; init; }

    /// <summary>Messages sent.</summary>
    public required long Messages { get; init; }

    /// <summary>Simulated time.</summary>
    public required TimeSpan Time { get; init; }
}
