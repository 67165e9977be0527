using AiDb.Cluster.Replication;

namespace AiDb.Simulation;

/// <summary>Breaks one rule of the protocol at a time and looks for a seed that notices: a simulator that finds nothing then
/// would prove nothing.</summary>
internal static class MutationGate
{
    /// <summary>The broken protocols, by name.</summary>
    public static IReadOnlyDictionary<string, ProtocolRules> Mutations { get; } = new Dictionary<string, ProtocolRules>
    {
        ["commits entries of older epochs by count"] = ProtocolRules.Safe with { CommitsOwnEpochOnly = false },
        ["answers a seal without keeping it"] = ProtocolRules.Safe with { PersistsSeal = false },
        ["an append does not raise the promise"] = ProtocolRules.Safe with { AppendRaisesPromise = false },
        ["cuts the log at the own commit position"] = ProtocolRules.Safe with { TruncatesAtDivergenceOnly = false },
        ["seals one voter too few"] = ProtocolRules.Safe with { SealsFullQuorum = false },
        ["an empty disk keeps its vote"] = ProtocolRules.Safe with { ChecksDisk = false },
        ["leaves the joint configuration early"] = ProtocolRules.Safe with { CommitsUnderBoth = false },
        ["reads without confirmation"] = ProtocolRules.Safe with { ConfirmsReads = false },
        ["adopts the longest log"] = ProtocolRules.Safe with { AdoptsByEpoch = false },
        ["acknowledges before the sync"] = ProtocolRules.Safe with { AcknowledgesDurable = false },
    };

    /// <summary>What notices: the directed scenario, or the first seed that does; null: nothing.</summary>
    public static string? Find(ProtocolRules rules, int firstSeed, int seeds, int operations)
    {
        if (DirectedScenario.Run(rules) is { } directed)
            return $"directed scenario: {directed}";
        for (int seed = firstSeed; seed < firstSeed + seeds; seed++)
        {
            SimulationResult result = SimulationRun.Run(seed, operations, rules, isHostile: true);
            if (result.Failure is { } failure)
                return $"seed {seed}: {failure.Split('\n')[0]}";
        }

        return null;
    }
}
