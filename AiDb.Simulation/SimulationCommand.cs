using System.Globalization;
using AiDb.Cluster.Replication;
using AiDb.Simulation.Actors;
using AiDb.Simulation.Checks;
using AiDb.Simulation.Fleet;

namespace AiDb.Simulation;

/// <summary>What to simulate.</summary>
internal sealed record SimulationSettings
{
    /// <summary>How many seeds.</summary>
    public int Seeds { get; init; } = 100;

    /// <summary>The first.</summary>
    public int FirstSeed { get; init; } = 1;

    /// <summary>Operations of each.</summary>
    public int Operations { get; init; } = 2000;

    /// <summary>Whether primaries change fast.</summary>
    public bool Hostile { get; init; }

    /// <summary>Whether everything that happens is printed.</summary>
    public bool Trace { get; init; }

    /// <summary>Whether the rules are broken, one by one.</summary>
    public bool Mutations { get; init; }
}

/// <summary>Runs seeds and reports.</summary>
internal static class SimulationCommand
{
    private const int RepeatEvery = 50;

    /// <summary>Runs what the settings say.</summary>
    /// <returns>0: everything holds; 1: there are findings; 2: cancelled.</returns>
    public static int Run(SimulationSettings settings, TextWriter output, CancellationToken cancellationToken) =>
        settings.Mutations ? RunMutations(settings, output, cancellationToken) : RunSeeds(settings, output, cancellationToken);

    /// <summary>Runs a fleet.</summary>
    /// <returns>0: everything holds; 1: something does not, or an option is invalid; 2: cancelled.</returns>
    public static int RunFleet(FleetOptions options, TextWriter output, CancellationToken cancellationToken)
    {
        try
        {
            new FleetRun(options, output).Run(cancellationToken);
            return 0;
        }
        catch (OperationCanceledException)
        {
            return 2;
        }
        catch (Exception error) when (error is InvariantViolation or AiDbException)
        {
            output.WriteLine($"FINDING: {error.Message}");
            return 1;
        }
    }

    private static int RunSeeds(SimulationSettings settings, TextWriter output, CancellationToken cancellationToken)
    {
        var faults = new SortedDictionary<FaultKind, long>();
        long operations = 0;
        long unanswered = 0;
        long messages = 0;
        long epochs = 0;
        long undecided = 0;
        int findings = 0;
        TimeSpan time = default;
        for (int i = 0; i < settings.Seeds; i++)
        {
            if (cancellationToken.IsCancellationRequested)
                return 2;
            int seed = settings.FirstSeed + i;
            SimulationResult result = SimulationRun.Run(
                seed, settings.Operations, ProtocolRules.Safe, settings.Hostile, settings.Trace);
            if (i % RepeatEvery == 0 && result.Failure is null)
                result = Repeat(result, settings);
            findings += Report(result, output);
            operations += result.Operations;
            unanswered += result.Unanswered;
            messages += result.Messages;
            epochs += result.Epochs;
            undecided += result.Undecided;
            time += result.Time;
            foreach ((FaultKind kind, int count) in result.Faults)
                faults[kind] = faults.GetValueOrDefault(kind) + count;
            if ((i + 1) % 100 == 0 || i + 1 == settings.Seeds)
                output.WriteLine(Invariant($"{i + 1} of {settings.Seeds} seeds, {findings} findings"));
        }

        output.WriteLine(Invariant(
            $"seeds {settings.FirstSeed} to {settings.FirstSeed + settings.Seeds - 1}: {operations} operations answered, ")
            + Invariant($"{unanswered} of unknown outcome, {messages} messages, {epochs} epochs with an active primary, ")
            + Invariant($"{time.TotalHours:0.0} simulated hours, {faults.Values.Sum()} faults"));
        output.WriteLine(string.Join(", ", faults.Select(fault => Invariant($"{fault.Key} {fault.Value}"))));
        if (undecided > 0)
            output.WriteLine(Invariant($"{undecided} keys with a history too tangled to decide"));
        output.WriteLine(findings == 0 ? "all invariants hold; all histories are linearizable" : Invariant($"{findings} findings"));
        return findings == 0 ? 0 : 1;
    }

    private static int RunMutations(SimulationSettings settings, TextWriter output, CancellationToken cancellationToken)
    {
        int missed = 0;
        foreach ((string name, ProtocolRules rules) in MutationGate.Mutations)
        {
            if (cancellationToken.IsCancellationRequested)
                return 2;
            string? found = MutationGate.Find(rules, settings.FirstSeed, settings.Seeds, settings.Operations);
            output.WriteLine(found is null
                ? Invariant($"MISSED  {name}: none of {settings.Seeds} seeds notices")
                : $"caught  {name}: {found}");
            missed += found is null ? 1 : 0;
        }

        output.WriteLine(Invariant($"{MutationGate.Mutations.Count - missed} of {MutationGate.Mutations.Count} broken protocols caught"));
        return missed == 0 ? 0 : 1;
    }

    private static SimulationResult Repeat(SimulationResult result, SimulationSettings settings)
    {
        SimulationResult again = SimulationRun.Run(
            result.Seed, settings.Operations, ProtocolRules.Safe, settings.Hostile);
        return again.TraceHash == result.TraceHash
            ? result
            : result with { Failure = "Running the seed again gave another trace: the simulation is not deterministic." };
    }

    private static int Report(SimulationResult result, TextWriter output)
    {
        if (result.Failure is null)
            return 0;
        output.WriteLine(Invariant($"FINDING in seed {result.Seed} (trace {result.TraceHash:x16}): {result.Failure}"));
        foreach (string line in result.LastLines)
            output.WriteLine($"  {line}");
        return 1;
    }

    private static string Invariant(FormattableString text) => text.ToString(CultureInfo.InvariantCulture);
}
