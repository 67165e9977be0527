namespace AiDb.Engine.Collections.Queries;

/// <summary>A request or one of its prefetches, which are alike but for what the results carry.</summary>
internal sealed record QueryStage
{
    /// <summary>What comes before it.</summary>
    public required IReadOnlyList<QueryStage> Prefetches { get; init; }

    /// <summary>How points are scored; null: in the order of ids.</summary>
    public required Query? Query { get; init; }

    /// <summary>Which vector.</summary>
    public required string Using { get; init; }

    /// <summary>Which points count; includes the filters of the stages above.</summary>
    public required Filter? Filter { get; init; }

    /// <summary>Scores beyond this are left out.</summary>
    public required float? ScoreThreshold { get; init; }

    /// <summary>How searches are done.</summary>
    public required SearchParameters Parameters { get; init; }

    /// <summary>How many points at most, those that an offset leaves out included.</summary>
    public required int Limit { get; init; }

    /// <summary>Where points that the query names are.</summary>
    public required LookupLocation? LookupFrom { get; init; }

    /// <summary>Where it is in the request, as users write it: empty, or <c>prefetch[0].</c> and so on.</summary>
    public required string Path { get; init; }

    /// <summary>All stages, this one first.</summary>
    public IEnumerable<QueryStage> All()
    {
        yield return this;
        foreach (QueryStage prefetch in Prefetches)
        {
            foreach (QueryStage stage in prefetch.All())
                yield return stage;
        }
    }

    /// <summary>The stages of a request, not checked yet.</summary>
    public static QueryStage From(QueryRequest request)
    {
        QueryErrors.RequireRange("limit", request.Limit, 1, QueryLimits.MaxPoints);
        QueryErrors.RequireRange("offset", request.Offset, 0, QueryLimits.MaxPoints);

        // A random order has no pages.
        int offset = request.Query is SampleQuery && request.Prefetches.Count == 0 ? 0 : request.Offset;
        QueryErrors.RequireRange("offset + limit", (long)offset + request.Limit, 1, QueryLimits.MaxPoints);
        int left = QueryLimits.MaxPrefetches;
        return new QueryStage
        {
            Prefetches = FromAll(request.Prefetches, "", 1, ref left),
            Query = request.Query,
            Using = request.Using,
            Filter = request.Filter,
            ScoreThreshold = request.ScoreThreshold,
            Parameters = request.Parameters,
            Limit = offset + request.Limit,
            LookupFrom = request.LookupFrom,
            Path = "",
        };
    }

    /// <summary>Gives every prefetch the filters of the stages above it.</summary>
    public QueryStage WithFilter(Filter? above)
    {
        Filter? filter = FilterMerge.And(above, Filter);
        return this with { Filter = filter, Prefetches = [.. Prefetches.Select(stage => stage.WithFilter(filter))] };
    }

    private static QueryStage[] FromAll(IReadOnlyList<Prefetch> prefetches, string path, int depth, ref int left)
    {
        if (prefetches.Count == 0)
            return [];
        if (depth > QueryLimits.MaxPrefetchDepth)
            throw QueryErrors.Invalid($"{path}prefetch", $"is on level {depth}; the limit is {QueryLimits.MaxPrefetchDepth}");
        left -= prefetches.Count;
        if (left < 0)
            throw QueryErrors.Invalid($"{path}prefetch", $"has too many entries; a request may have {QueryLimits.MaxPrefetches}");
        var stages = new QueryStage[prefetches.Count];
        for (int index = 0; index < stages.Length; index++)
        {
            Prefetch prefetch = prefetches[index];
            string inner = $"{path}prefetch[{index}].";
            QueryErrors.RequireRange($"{inner}limit", prefetch.Limit, 1, QueryLimits.MaxPoints);
            stages[index] = new QueryStage
            {
                Prefetches = FromAll(prefetch.Prefetches, inner, depth + 1, ref left),
                Query = prefetch.Query,
                Using = prefetch.Using,
                Filter = prefetch.Filter,
                ScoreThreshold = prefetch.ScoreThreshold,
                Parameters = prefetch.Parameters,
                Limit = prefetch.Limit,
                LookupFrom = prefetch.LookupFrom,
                Path = inner,
            };
        }

        return stages;
    }
}
