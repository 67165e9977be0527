using System.CommandLine;

namespace AiDb.Benchmarks.Hybrid;

/// <summary><c>hybrid</c>: how good full-text, dense and hybrid search are.</summary>
internal static class HybridCommand
{
    private static readonly Option<string> Folder = new("--cranfield")
    {
        Description = "The folder of cran.all.1400, cran.qry and cranqrel.",
        Required = true,
    };

    private static readonly Option<int> Candidates = new("--candidates")
    {
        Description = "How many of each ranking are fused.",
        DefaultValueFactory = static _ => 100,
    };

    public static Command Create()
    {
        Command command = new("hybrid", """
            Ranks the Cranfield collection by BM25, by averages of word vectors, and by the fusions of both, and prints MAP and
            nDCG@10. The word vectors are fetched with npm on the first run; the collection is not.
            """);
        command.Add(Folder);
        command.Add(Candidates);
        command.SetAction((parsed, cancellationToken) => new HybridBenchmark(
            parsed.GetValue(Folder)!, parsed.GetValue(Candidates), parsed.InvocationConfiguration.Output).RunAsync(cancellationToken));
        return command;
    }
}
