using System.CommandLine;

namespace AiDb.Benchmarks.Vectors;

/// <summary><c>vectors</c>: the dense index beside hnswlib and usearch.</summary>
internal static class VectorsCommand
{
    private static readonly Option<bool> Quick = new("--quick")
    {
        Description = "10,000 pictures or 30,000 words, 1,000 queries.",
    };

    private static readonly Option<string> Data = new("--data")
    {
        Description = $"Names with commas between: {string.Join(",", VectorsBenchmark.DataNames)}.",
        DefaultValueFactory = static _ => string.Join(",", VectorsBenchmark.DataNames),
    };

    private static readonly Option<string> Tests = new("--tests")
    {
        Description = $"Names with commas between: {string.Join(",", VectorsBenchmark.TestNames)}.",
        DefaultValueFactory = static _ => string.Join(",", VectorsBenchmark.TestNames),
    };

    private static readonly Option<int> Rounds = new("--rounds")
    {
        Description = "Rounds of each measurement, of which the fastest counts.",
        DefaultValueFactory = static _ => 3,
    };

    private static readonly Option<bool> NoPeer = new("--no-peer")
    {
        Description = "AiDb alone.",
    };

    private static readonly Option<bool> Reuse = new("--reuse")
    {
        Description = "Takes hnswlib's graph, and what its build cost, from an earlier run.",
    };

    private static readonly Option<int[]> Efs = new("--ef")
    {
        Description = "Candidates of the searches. Default: 16 to 512.",
        DefaultValueFactory = static _ => [16, 24, 32, 48, 64, 96, 128, 192, 256, 384, 512],
        AllowMultipleArgumentsPerToken = true,
    };

    public static Command Create()
    {
        Command command = new("vectors", """
            Builds and searches AiDb's vector index, hnswlib's and usearch's on the same data with the same settings, and prints recall
            and queries per CPU second. Data and peer are fetched with apt-get and npm on the first run.
            """);
        foreach (Option option in (Option[])[Quick, Data, Tests, Rounds, NoPeer, Reuse, Efs])
            command.Add(option);
        command.SetAction((parsed, cancellationToken) => Task.Run(
            () => new VectorsBenchmark(Read(parsed), parsed.InvocationConfiguration.Output).Run(cancellationToken),
            CancellationToken.None));
        return command;
    }

    private static VectorsOptions Read(ParseResult parsed) => new()
    {
        Quick = parsed.GetValue(Quick),
        Data = Names(parsed.GetValue(Data)!, VectorsBenchmark.DataNames, Data),
        Tests = Names(parsed.GetValue(Tests)!, VectorsBenchmark.TestNames, Tests),
        Rounds = Math.Max(1, parsed.GetValue(Rounds)),
        NoPeer = parsed.GetValue(NoPeer),
        Reuse = parsed.GetValue(Reuse),
        Efs = parsed.GetValue(Efs)!,
    };

    private static string[] Names(string text, string[] known, Option option)
    {
        string[] names = text.Split(',', StringSplitOptions.TrimEntries | StringSplitOptions.RemoveEmptyEntries);
        string[] unknown = [.. names.Except(known, StringComparer.Ordinal)];
        return unknown.Length == 0 && names.Length > 0 ? names : throw new AiDbException(
            AiDbErrorKind.InvalidArgument,
            $"{option.Name} names what is unknown: {string.Join(", ", unknown)}. There are {string.Join(", ", known)}.");
    }
}
