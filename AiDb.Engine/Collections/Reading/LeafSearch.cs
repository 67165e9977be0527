using AiDb.Engine.Collections.Indexing;
using AiDb.Engine.Collections.Payloads;
using AiDb.Engine.Collections.Queries;
using AiDb.Engine.Collections.Storage;
using AiDb.Engine.Collections.Text;
using AiDb.Engine.Vectors;

namespace AiDb.Engine.Collections.Reading;

/// <summary>Carries out one scoring over the indexes and completes what it found from the keys.</summary>
/// <remarks>Thread safety: all members may be called concurrently.</remarks>
internal sealed class LeafSearch(CollectionState state)
{
    private const int CancellationStride = 256;
    private readonly PayloadQueries _payloads = new(state.Indexes.Payloads);

    /// <summary>The best points, best first.</summary>
    public IReadOnlyList<ScoredPoint> Search(LeafQuery query, CancellationToken cancellationToken)
    {
        QueryErrors.RequireRange("limit", query.Limit, 1, QueryLimits.MaxPoints);
        var selection = new PointSelection(state, query.WithPayload, query.WithVectors);
        if (query.Query is null)
            return state.Scroll.ReadAsHits(query, cancellationToken);
        BoundFilter bound = state.Filters.Bind(query.Filter);
        List<Hit> hits;
        long generation = state.Indexes.Readers.Enter();
        try
        {
            using ResolvedFilter filter = state.Filters.Resolve(bound, cancellationToken);
            hits = query.Query switch
            {
                NearestQuery nearest => Nearest(nearest, query, filter, cancellationToken),
                RecommendQuery or DiscoverQuery or ContextQuery => ByExamples(query, filter, cancellationToken),
                OrderByQuery order => ToHits(Ordered(order.OrderBy, filter, query.Limit)),
                SampleQuery => Sample(query.Limit, filter.Filter),
                TextQuery text => ByWords(text, query, filter.Filter, cancellationToken),
                _ => throw QueryErrors.Invalid("query", $"{query.Query.GetType().Name} cannot be carried out by a shard"),
            };
        }
        finally
        {
            state.Indexes.Readers.Leave(generation);
        }

        return Complete(hits, selection, query, cancellationToken);
    }

    /// <summary>How many points meet a filter.</summary>
    public long Count(BoundFilter bound, CancellationToken cancellationToken)
    {
        long generation = state.Indexes.Readers.Enter();
        try
        {
            using ResolvedFilter filter = state.Filters.Resolve(bound, cancellationToken);
            if (filter.Filter.Predicate is null)
                return filter.Matches;
            long count = 0;
            foreach (uint offset in filter.Filter.Bitmap ?? state.Indexes.Live)
            {
                if ((offset & 0xFFFF) == 0)
                    cancellationToken.ThrowIfCancellationRequested();
                count += filter.Filter.Matches(offset) ? 1 : 0;
            }

            return count;
        }
        finally
        {
            state.Indexes.Readers.Leave(generation);
        }
    }

    /// <summary>How many points have each value of a field.</summary>
    public IReadOnlyList<FacetHit> Facet(FacetRequest request, CancellationToken cancellationToken)
    {
        QueryErrors.RequireRange("limit", request.Limit, 1, QueryLimits.MaxPoints);
        BoundFilter bound = state.Filters.Bind(request.Filter);
        long generation = state.Indexes.Readers.Enter();
        try
        {
            using ResolvedFilter filter = state.Filters.Resolve(bound, cancellationToken);
            return _payloads.Facet(request.Path, WithoutExpired(filter.Filter), request.Limit);
        }
        finally
        {
            state.Indexes.Readers.Leave(generation);
        }
    }

    /// <summary>Points in the order of a field, each once; the caller is among the readers.</summary>
    public List<OrderedOffset> Ordered(OrderBy order, ResolvedFilter filter, int limit)
    {
        OffsetBitmap? matches = WithoutExpired(filter.Filter);
        long count = matches?.Count() ?? filter.Matches;
        long wanted = limit;
        while (true)
        {
            int asked = (int)Math.Min(wanted, int.MaxValue);
            List<OrderedOffset> walked = _payloads.Walk(order, matches, count, state.Indexes, asked);
            List<OrderedOffset> distinct = [.. walked.DistinctBy(static item => item.Offset).Take(limit)];

            // Points with several values come several times.
            if (distinct.Count == limit || walked.Count < asked)
                return distinct;
            wanted *= 2;
        }
    }

    private static OffsetBitmap? WithoutExpired(OffsetFilter filter, OffsetBitmap live)
    {
        if (filter.Predicate is null)
            return filter.Bitmap;
        OffsetBitmap kept = (filter.Bitmap ?? live).Clone();
        foreach (uint offset in kept)
        {
            if (!filter.Predicate.Matches(offset))
                kept.Clear(offset);
        }

        return kept;
    }

    private OffsetBitmap? WithoutExpired(OffsetFilter filter) => WithoutExpired(filter, state.Indexes.Live);

    private List<Hit> Nearest(
        NearestQuery nearest, LeafQuery query, ResolvedFilter filter, CancellationToken cancellationToken)
    {
        if (nearest.Vector is not VectorValueInput input)
            throw PointErrors.Invalid("query must be a vector.");
        VectorField field = FieldOf(query.Using);
        VectorValue vector = VectorChecks.Normalize(state.Options, query.Using, input.Vector, "query");
        var search = new DenseSearch
        {
            Ef = query.Parameters.HnswEf ?? 0,
            Exact = query.Parameters.Exact,
            Filter = filter.Filter,
            EstimatedMatches = filter.Matches,
            ScoreThreshold = query.ScoreThreshold,
            IgnoreQuantization = query.Parameters.IgnoreQuantization,
            Rescore = query.Parameters.Rescore,
            Oversampling = query.Parameters.Oversampling ?? 0,
            IndexedOnly = query.Parameters.IndexedOnly,
            CancellationToken = cancellationToken,
        };
        var best = new ScoredOffset[(int)Math.Min(query.Limit, Math.Max(1L, state.Indexes.Points.Count))];
        return ToHits(best.AsSpan(0, field.Search(vector, search, best)));
    }

    private List<Hit> ByExamples(LeafQuery query, ResolvedFilter filter, CancellationToken cancellationToken)
    {
        VectorField field = FieldOf(query.Using);
        PointScorer scorer = PointScorer.For(state, query);
        var room = new ScoredOffset[(int)Math.Min(query.Limit, Math.Max(1L, state.Indexes.Points.Count))];
        var best = new BestOffsets(room);
        float[] similarities = new float[scorer.Vectors.Count];
        int seen = 0;
        foreach (uint offset in filter.Filter.Bitmap ?? field.Present)
        {
            if (++seen % CancellationStride == 0)
                cancellationToken.ThrowIfCancellationRequested();
            if (!field.Present.Test(offset) || !filter.Filter.Matches(offset)
                || !TryCompare(field, scorer, offset, similarities))
            {
                continue;
            }

            float score = scorer.ToScore(scorer.Combine(similarities));
            if (best.Takes(score) && !(score < query.ScoreThreshold))
                best.Offer(offset, score);
        }

        return ToHits(room.AsSpan(0, best.Sort()));
    }

    private List<Hit> ByWords(TextQuery text, LeafQuery query, OffsetFilter filter, CancellationToken cancellationToken)
    {
        JsonPath path = JsonPath.Parse(text.Path, "query.bm25.field");
        if (state.Indexes.Payloads.Find(path) is not TextFieldIndex { Words: TextIndex words })
            throw QueryErrors.Invalid("query.bm25.field", $"is '{text.Path}', which has no text index");
        var best = new ScoredOffset[(int)Math.Min(query.Limit, Math.Max(1L, words.Count))];
        int found = words.Search(
            text.Text, text.K1, text.B, filter, query.ScoreThreshold, best, cancellationToken);
        return ToHits(best.AsSpan(0, found));
    }

    private static bool TryCompare(VectorField field, PointScorer scorer, uint offset, float[] similarities)
    {
        for (int at = 0; at < similarities.Length; at++)
        {
            similarities[at] = field.Similarity(scorer.Vectors[at], offset);
            if (float.IsNaN(similarities[at]))
                return false;
        }

        return true;
    }

    private List<Hit> Sample(int limit, OffsetFilter filter)
    {
        // Reservoir sampling: each match is among the drawn ones with the same probability.
        var random = new Random((int)state.Database.Context.NewId());
        List<uint> drawn = [];
        long seen = 0;
        foreach (uint offset in filter.Bitmap ?? state.Indexes.Live)
        {
            if (!state.Indexes.Live.Test(offset) || !filter.Matches(offset))
                continue;
            seen++;
            if (drawn.Count < limit)
                drawn.Add(offset);
            else if (random.NextInt64(seen) is var at && at < limit)
                drawn[(int)at] = offset;
        }

        uint[] shuffled = [.. drawn];
        random.Shuffle(shuffled);
        return [.. shuffled.Select(offset => HitOf(offset, 0))];
    }

    private VectorField FieldOf(string name) => state.Indexes.Fields.TryGetValue(name, out VectorField? field)
        ? field
        : throw VectorChecks.UnknownName(state.Options, name, "using");

    private List<Hit> ToHits(ReadOnlySpan<ScoredOffset> scored)
    {
        List<Hit> hits = new(scored.Length);
        foreach (ScoredOffset item in scored)
        {
            // A point that was deleted since is gone from the live ones before its offset could mean another.
            if (state.Indexes.Live.Test(item.Offset))
                hits.Add(HitOf(item.Offset, item.Score));
        }

        return hits;
    }

    private List<Hit> ToHits(List<OrderedOffset> ordered)
    {
        List<Hit> hits = new(ordered.Count);
        foreach (OrderedOffset item in ordered)
        {
            if (state.Indexes.Live.Test(item.Offset))
                hits.Add(HitOf(item.Offset, 0) with { Order = item.Value });
        }

        return hits;
    }

    private Hit HitOf(uint offset, float score) =>
        new(state.Indexes.IdAt(offset), score, state.Indexes.Points.VersionAt(offset), null);

    private List<ScoredPoint> Complete(
        List<Hit> hits, PointSelection selection, LeafQuery query, CancellationToken cancellationToken)
    {
        List<ScoredPoint> points = new(hits.Count);
        PointRecord?[]? records = selection.NeedsKeys
            ? state.Reader.Read(
                [.. hits.Select(static hit => hit.Id)], query.WithPayload, query.WithVectors, cancellationToken)
            : null;
        for (int index = 0; index < hits.Count; index++)
        {
            Hit hit = hits[index];
            PointRecord? record = records?[index];
            if (records is not null && record is null)
                continue;
            points.Add(new ScoredPoint
            {
                Id = hit.Id,
                Score = hit.Score,
                Version = record?.Version ?? hit.Version,
                Payload = record?.Payload,
                Vectors = record?.Vectors,
                OrderValue = hit.Order,
            });
        }

        return points;
    }

    private readonly record struct Hit(PointId Id, float Score, ulong Version, OrderValue? Order);
}
