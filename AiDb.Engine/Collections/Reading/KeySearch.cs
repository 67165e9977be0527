using AiDb.Engine.Collections.Payloads;
using AiDb.Engine.Collections.Queries;
using AiDb.Engine.Collections.Storage;

namespace AiDb.Engine.Collections.Reading;

/// <summary>Answers from the keys alone, point by point, while the indexes are still being made: slowly, and with the same
/// results.</summary>
/// <remarks>Thread safety: all members may be called concurrently.</remarks>
internal sealed class KeySearch(CollectionState state)
{
    /// <summary>Whether a query can be answered from the keys.</summary>
    public static bool CanAnswer(LeafQuery query) =>
        query.Query is NearestQuery { Vector: VectorValueInput } || ExampleScorer.For(query.Query) is not null;

    /// <summary>The best points, best first.</summary>
    public IReadOnlyList<ScoredPoint> Search(LeafQuery query, CancellationToken cancellationToken)
    {
        QueryErrors.RequireRange("limit", query.Limit, 1, QueryLimits.MaxPoints);
        _ = new PointSelection(state, query.WithPayload, query.WithVectors);
        if (!state.HasVectorName(query.Using))
            throw VectorChecks.UnknownName(state.Options, query.Using, "using");
        BoundFilter filter = state.Filters.Bind(query.Filter);
        List<ScoredPoint> found = Score(query, filter, cancellationToken);
        if (!query.WithPayload.Enabled && !query.WithVectors.Enabled)
            return found;
        PointRecord?[] read = state.Reader.Read(
            [.. found.Select(static point => point.Id)], query.WithPayload, query.WithVectors, cancellationToken);
        return
        [
            .. found.Zip(read).Where(static pair => pair.Second is not null).Select(static pair =>
                pair.First with { Payload = pair.Second!.Payload, Vectors = pair.Second.Vectors }),
        ];
    }

    private List<ScoredPoint> Score(LeafQuery query, BoundFilter filter, CancellationToken cancellationToken)
    {
        PointScorer scorer = PointScorer.For(state, query);
        var best = new PriorityQueue<ScoredPoint, (float Order, PointId Id)>(WorstFirst.Instance);
        Visit(filter, query.Using, (id, version, vector) =>
        {
            float similarity = scorer.Of(vector!);
            float score = scorer.ToScore(similarity);
            if (query.ScoreThreshold is { } threshold && (scorer.HigherIsNearer ? score < threshold : score > threshold))
                return;
            best.Enqueue(new ScoredPoint { Id = id, Version = version, Score = score }, (similarity, id));
            if (best.Count > query.Limit)
                best.Dequeue();
        }, cancellationToken);
        var points = new ScoredPoint[best.Count];
        for (int at = points.Length - 1; at >= 0; at--)
            points[at] = best.Dequeue();
        return [.. points];
    }

    /// <summary>How many points meet a filter.</summary>
    public long Count(BoundFilter filter, CancellationToken cancellationToken)
    {
        long count = 0;
        Visit(filter, null, (_, _, _) => count++, cancellationToken);
        return count;
    }

    /// <summary>Shows the points that meet a filter and, where a vector is asked for, have it.</summary>
    private void Visit(
        BoundFilter filter, string? vectorName, Action<PointId, ulong, VectorValue?> visit, CancellationToken cancellationToken)
    {
        using Snapshot snapshot = state.Database.CreateSnapshot();
        using var walk = new PointWalk(state.Table, snapshot, withVectors: vectorName is not null);
        while (walk.MoveNext(cancellationToken))
        {
            if (vectorName is not null && !walk.Stored.Vectors.Contains(vectorName))
                continue;
            if (!filter.IsEverything
                && !filter.Matches(walk.Stored.Payload, new CollectionFilters.GivenPoint(walk.Id, walk.Stored.Vectors)))
            {
                continue;
            }

            VectorValue? vector = vectorName is null ? null : walk.ReadVectors(vectorName).GetValueOrDefault(vectorName);
            if (vectorName is null || vector is not null)
                visit(walk.Id, walk.Stored.Version, vector);
        }
    }

    private sealed class WorstFirst : IComparer<(float Order, PointId Id)>
    {
        public static WorstFirst Instance { get; } = new();

        public int Compare((float Order, PointId Id) left, (float Order, PointId Id) right)
        {
            int order = left.Order.CompareTo(right.Order);
            return order != 0 ? order : right.Id.CompareTo(left.Id);
        }
    }
}
