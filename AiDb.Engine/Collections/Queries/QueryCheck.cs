namespace AiDb.Engine.Collections.Queries;

/// <summary>Checks a query before anything is searched.</summary>
internal static class QueryCheck
{
    /// <summary>Checks a stage and those before it.</summary>
    /// <exception cref="AiDbException"><see cref="AiDbErrorKind.InvalidArgument"/>: the request can never succeed; the
    /// message names the field.</exception>
    public static void Check(CollectionOptions options, QueryStage root)
    {
        CheckSum(root);
        foreach (QueryStage stage in root.All())
        {
            if (stage.Prefetches.Count > 0 && stage.Query is null)
                throw QueryErrors.Invalid($"{stage.Path}query", "is missing; it says how the points of the prefetches are scored");
            if (stage.ScoreThreshold is { } threshold)
                CheckThreshold(stage, threshold);
            CheckParameters(stage);
            if (stage.Query is not null)
                CheckQuery(options, stage, stage.Query);
        }
    }

    private static void CheckSum(QueryStage root)
    {
        long prefetched = root.All().Where(stage => stage != root).Sum(static stage => (long)stage.Limit);
        if (prefetched > QueryLimits.MaxPrefetchedPoints)
        {
            throw QueryErrors.Invalid(
                "prefetch", $"asks for {prefetched} points in all; a request may ask for {QueryLimits.MaxPrefetchedPoints}");
        }
    }

    private static void CheckThreshold(QueryStage stage, float threshold)
    {
        if (stage.Query is null)
            throw QueryErrors.Invalid($"{stage.Path}score_threshold", "needs a query");
        if (stage.Query is OrderByQuery or SampleQuery)
            throw QueryErrors.Invalid($"{stage.Path}score_threshold", "cannot be used with order_by or sample: they give no scores");
        if (float.IsNaN(threshold))
            throw QueryErrors.Invalid($"{stage.Path}score_threshold", "is not a number");
    }

    private static void CheckParameters(QueryStage stage)
    {
        SearchParameters parameters = stage.Parameters;
        if (parameters.HnswEf is { } ef)
            QueryErrors.RequireRange($"{stage.Path}params.hnsw_ef", ef, 1, QueryLimits.MaxPoints);
        if (parameters.Oversampling is { } oversampling && oversampling is not (>= 1 and <= 1000))
            throw QueryErrors.Invalid($"{stage.Path}params.quantization.oversampling", $"is {oversampling}; it must be 1 to 1000");
    }

    private static void CheckQuery(CollectionOptions options, QueryStage stage, Query query)
    {
        string field = $"{stage.Path}query";
        switch (query)
        {
            case NearestQuery nearest:
                RequireVector(options, stage);
                nearest.Mmr?.Validate();
                break;
            case RecommendQuery recommend:
                RequireVector(options, stage);
                CheckRecommend(field, recommend);
                break;
            case DiscoverQuery discover:
                RequireVector(options, stage);
                QueryErrors.RequireRange($"{field}.context (pairs)", discover.Context.Count, 0, QueryLimits.MaxExamples / 2);
                break;
            case ContextQuery context:
                RequireVector(options, stage);
                QueryErrors.RequireRange($"{field}.context (pairs)", context.Context.Count, 1, QueryLimits.MaxExamples / 2);
                break;
            case RrfQuery rrf:
                RequireFusion(stage, "fusion rrf");
                CheckRrf(field, rrf, stage.Prefetches.Count);
                break;
            case DbsfQuery:
                RequireFusion(stage, "fusion dbsf");
                break;
            case FormulaQuery formula:
                RequirePrefetches(stage, "formula");
                Formula.Compile(formula, $"{field}.formula");
                break;
            case TextQuery text:
                CheckText(field, text);
                break;
        }
    }

    private static void CheckRecommend(string field, RecommendQuery recommend)
    {
        if (recommend.Strategy == RecommendStrategy.AverageVector && recommend.Positive.Count == 0)
            throw QueryErrors.Invalid($"{field}.recommend.positive", "is empty; the strategy average_vector needs one at least");
        QueryErrors.RequireRange(
            $"{field}.recommend.positive and negative (examples)", (long)recommend.Positive.Count + recommend.Negative.Count, 1,
            QueryLimits.MaxExamples);
    }

    private static void CheckRrf(string field, RrfQuery rrf, int prefetches)
    {
        if (rrf.K is { } k)
            QueryErrors.RequireRange($"{field}.rrf.k", k, 1, int.MaxValue);
        if (rrf.Weights is not { } weights)
            return;
        if (weights.Count != prefetches)
            throw QueryErrors.Invalid($"{field}.rrf.weights", $"has {weights.Count} numbers; there are {prefetches} prefetches");
        if (!weights.All(static weight => float.IsFinite(weight) && weight >= 0))
            throw QueryErrors.Invalid($"{field}.rrf.weights", "must be 0 or more");
    }

    private static void CheckText(string field, TextQuery text)
    {
        if (text.Path.Length == 0)
            throw QueryErrors.Invalid($"{field}.bm25.field", "is empty");
        QueryErrors.RequireRange($"{field}.bm25.text (characters)", text.Text.Length, 0, QueryLimits.MaxTextLength);
        if (text.K1 is not (null or (>= 0 and <= 1000)))
            throw QueryErrors.Invalid($"{field}.bm25.k1", $"is {text.K1}; it must be 0 to 1000");
        if (text.B is not (null or (>= 0 and <= 1)))
            throw QueryErrors.Invalid($"{field}.bm25.b", $"is {text.B}; it must be 0 to 1");
    }

    private static void RequireVector(CollectionOptions options, QueryStage stage)
    {
        if (!options.Vectors.ContainsKey(stage.Using) && !options.SparseVectors.ContainsKey(stage.Using))
            throw QueryErrors.Invalid($"{stage.Path}using", $"names the vector \"{stage.Using}\", which the collection does not have");
    }

    private static void RequireFusion(QueryStage stage, string what)
    {
        RequirePrefetches(stage, what);
        if (stage.Using.Length > 0)
            throw QueryErrors.Invalid($"{stage.Path}using", $"cannot be used with {what}");
    }

    private static void RequirePrefetches(QueryStage stage, string what)
    {
        if (stage.Prefetches.Count == 0)
            throw QueryErrors.Invalid($"{stage.Path}query", $"is {what}, which needs a prefetch");
    }
}
