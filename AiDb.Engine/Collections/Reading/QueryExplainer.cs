using System.Globalization;
using AiDb.Engine.Collections.Payloads;
using AiDb.Engine.Collections.Queries;

namespace AiDb.Engine.Collections.Reading;

/// <summary>Says in words how a query would be carried out, and what would make it faster.</summary>
/// <remarks>Thread safety: all members may be called concurrently.</remarks>
internal sealed class QueryExplainer(CollectionState state)
{
    /// <summary>Explains the stages of a request, checked and resolved.</summary>
    public QueryExplanation Explain(QueryStage stage, CancellationToken cancellationToken)
    {
        List<string> steps = [];
        List<string> warnings = [];
        Add(stage, steps, warnings, cancellationToken);
        return new QueryExplanation(steps, [.. warnings.Distinct()]);
    }

    private void Add(QueryStage stage, List<string> steps, List<string> warnings, CancellationToken cancellationToken)
    {
        foreach (QueryStage prefetch in stage.Prefetches)
            Add(prefetch, steps, warnings, cancellationToken);
        string name = stage.Path.Length == 0 ? "query" : stage.Path.TrimEnd('.');
        if (stage.Prefetches.Count > 0)
        {
            steps.Add(Text($"{name}: {Merge(stage)} of {stage.Prefetches.Count} prefetches, best {stage.Limit}"));
            return;
        }

        long generation = state.Indexes.Readers.Enter();
        try
        {
            using ResolvedFilter filter = state.Filters.Resolve(state.Filters.Bind(stage.Filter), cancellationToken);
            if (filter.Result is { } result)
                AddFilter(name, result, steps, warnings);
            steps.Add(Text($"{name}: {Plan(stage, filter.Matches)}, best {stage.Limit}"));
            if (stage.Query is NearestQuery && state.UnindexedVectors is > 10_000 and var waiting
                && state.Options.Optimizers?.IndexingThresholdKb != 0)
            {
                warnings.Add(Text($"{waiting} vectors are not in the graph yet; every search looks at each of them."));
            }
        }
        finally
        {
            state.Indexes.Readers.Leave(generation);
        }
    }

    private void AddFilter(string name, FilterResult result, List<string> steps, List<string> warnings)
    {
        string by = result.UsedIndexes.Count > 0 ? $" by the indexes over {string.Join(", ", result.UsedIndexes)}" : "";
        string read = result.PayloadsRead > 0 ? Text($", {result.PayloadsRead} payloads read") : "";
        steps.Add(Text($"{name}: filter{by}: {result.Count} of {state.Indexes.Points.Count} points match{read}"));
        foreach (string field in result.ScannedFields)
        {
            warnings.Add(
                $"The filter reads payloads because no index over '{field}' answers its condition; create one of the kind that does.");
        }
    }

    private string Plan(QueryStage stage, long matches) => stage.Query switch
    {
        NearestQuery => state.Indexes.Fields[stage.Using].Explain(matches, stage.Parameters),
        RecommendQuery or DiscoverQuery or ContextQuery =>
            Text($"compare each of {Math.Min(matches, state.Indexes.Fields[stage.Using].Present.Count())} points with the examples"),
        OrderByQuery order => $"walk along the index over {order.OrderBy.Path}",
        SampleQuery => Text($"draw at random from {matches} points"),
        TextQuery text => $"rank by the words of {text.Path} (BM25)",
        null => "in the order of ids",
        _ => stage.Query.GetType().Name,
    };

    private static string Merge(QueryStage stage) => stage.Query switch
    {
        RrfQuery => "reciprocal rank fusion",
        DbsfQuery => "distribution-based score fusion",
        FormulaQuery => "formula over the scores",
        null => "merge",
        _ => "exact scores of the results",
    };

    private static string Text(FormattableString text) => text.ToString(CultureInfo.InvariantCulture);
}
