using AiDb.Engine.Collections;

namespace AiDb.Gateway.Collections;

/// <summary>Makes one answer of those of the shards. Each shard gave its first or best, as many as were asked for; so the
/// first or best of all are among them.</summary>
internal static class ShardMerge
{
    /// <summary>The best of the shards' best; of equal ones the lower id comes first.</summary>
    public static IReadOnlyList<ScoredPoint> Best(
        IReadOnlyList<IReadOnlyList<ScoredPoint>> parts, LeafQuery query, CollectionOptions options)
    {
        List<ScoredPoint> all = [.. parts.SelectMany(static part => part)];
        switch (query.Query)
        {
            case null:
                all.Sort(static (left, right) => left.Id.CompareTo(right.Id));
                break;
            case OrderByQuery { OrderBy.Descending: var descending }:
                all.Sort((left, right) =>
                    CompareOrder(left.OrderValue, left.Id, right.OrderValue, right.Id, descending));
                break;
            case SampleQuery:
                return Sample(parts, query.Limit);
            default:
                bool higherFirst = HigherIsBetter(query, options);
                all.Sort((left, right) => CompareScores(left, right, higherFirst));
                break;
        }

        return all.Count <= query.Limit ? all : all.GetRange(0, query.Limit);
    }

    /// <summary>The first page over all shards.</summary>
    public static ScrollPage Page(IReadOnlyList<ScrollPage> pages, ScrollRequest request)
    {
        if (pages.Count == 1)
            return pages[0];
        List<PointRecord> all = [.. pages.SelectMany(static page => page.Points)];
        if (request.OrderBy is { Descending: var descending })
        {
            all.Sort((left, right) => CompareOrder(left.OrderValue, left.Id, right.OrderValue, right.Id, descending));
            return new ScrollPage(Take(all, request.Limit), null);
        }

        all.Sort(static (left, right) => left.Id.CompareTo(right.Id));
        PointId? next = all.Count > request.Limit ? all[request.Limit].Id : null;
        foreach (ScrollPage page in pages)
        {
            if (page.Next is { } candidate && (next is null || candidate.CompareTo(next.Value) < 0))
                next = candidate;
        }

        return new ScrollPage(Take(all, request.Limit), next);
    }

    /// <summary>The counts over all shards: most first, then by value.</summary>
    public static IReadOnlyList<FacetHit> Facets(IEnumerable<FacetHit> hits, int limit)
    {
        Dictionary<MatchValue, long> counts = [];
        foreach (FacetHit hit in hits)
            counts[hit.Value] = counts.GetValueOrDefault(hit.Value) + hit.Count;
        return
        [
            .. counts.OrderByDescending(static pair => pair.Value)
                .ThenBy(static pair => pair.Key, Comparer<MatchValue>.Create(CompareValues))
                .Take(limit)
                .Select(static pair => new FacetHit(pair.Key, pair.Value)),
        ];
    }

    private static List<PointRecord> Take(List<PointRecord> all, int limit) =>
        all.Count <= limit ? all : all.GetRange(0, limit);

    // Each shard drew as many of its own points as were asked for. Shards hold about as many each, since ids are hashed.
    private static List<ScoredPoint> Sample(IReadOnlyList<IReadOnlyList<ScoredPoint>> parts, int limit)
    {
        ScoredPoint[] all = [.. parts.SelectMany(static part => part)];
        Random.Shared.Shuffle(all);
        return [.. all.Take(limit)];
    }

    private static bool HigherIsBetter(LeafQuery query, CollectionOptions options) =>
        query.Query is not (NearestQuery or RecommendQuery { Strategy: RecommendStrategy.AverageVector })
        || !options.Vectors.TryGetValue(query.Using, out VectorOptions? vector)
        || vector.Metric is not (VectorMetric.Euclid or VectorMetric.Manhattan);

    private static int CompareScores(ScoredPoint left, ScoredPoint right, bool higherFirst)
    {
        bool leftNumber = !float.IsNaN(left.Score);
        bool rightNumber = !float.IsNaN(right.Score);
        if (leftNumber != rightNumber)
            return leftNumber ? -1 : 1;
        int byScore = leftNumber ? left.Score.CompareTo(right.Score) : 0;
        if (byScore != 0)
            return higherFirst ? -byScore : byScore;
        return left.Id.CompareTo(right.Id);
    }

    private static int CompareOrder(OrderValue? left, PointId leftId, OrderValue? right, PointId rightId, bool descending)
    {
        int byValue = Nullable.Compare(left, right);
        if (byValue != 0)
            return descending ? -byValue : byValue;
        return leftId.CompareTo(rightId);
    }

    private static int CompareValues(MatchValue left, MatchValue right)
    {
        if (left.Text is not null && right.Text is not null)
            return string.CompareOrdinal(left.Text, right.Text);
        if (left.Boolean is { } leftBoolean && right.Boolean is { } rightBoolean)
            return leftBoolean.CompareTo(rightBoolean);
        return left.Integer.CompareTo(right.Integer);
    }
}
