using AiDb.Engine.Collections.Indexing;
using AiDb.Engine.Collections.Storage;
using AiDb.Engine.Vectors;

namespace AiDb.Engine.Collections.Reading;

/// <summary>Carries out one scoring over the indexes and completes what it found from the keys.</summary>
/// <remarks>Thread safety: all members may be called concurrently.</remarks>
internal sealed class LeafSearch(CollectionState state)
{
    /// <summary>Points of a result at most.</summary>
    public const int MaxLimit = 1_000_000;

    /// <summary>The best points, best first.</summary>
    public IReadOnlyList<ScoredPoint> Search(LeafQuery query, CancellationToken cancellationToken)
    {
        if (query.Limit is < 1 or > MaxLimit)
            throw PointErrors.Invalid($"limit is {query.Limit}; it must be 1 to {MaxLimit}.");
        var selection = new PointSelection(state, query.WithPayload, query.WithVectors);
        if (query.Query is null)
            return ById(query, cancellationToken);
        List<Hit> hits;
        long generation = state.Indexes.Readers.Enter();
        try
        {
            OffsetFilter filter = state.Filters.Resolve(query.Filter, out long matches);
            hits = query.Query switch
            {
                NearestQuery nearest => Nearest(nearest, query, filter, matches, cancellationToken),
                SampleQuery => Sample(query.Limit, filter),
                _ => throw new AiDbException(
                    AiDbErrorKind.Unimplemented, $"{query.Query.GetType().Name} cannot be carried out by this program."),
            };
        }
        finally
        {
            state.Indexes.Readers.Leave(generation);
        }

        return Complete(hits, selection, query, cancellationToken);
    }

    /// <summary>How many points meet a filter; null: all.</summary>
    public long Count(Filter? filter, CancellationToken cancellationToken)
    {
        long generation = state.Indexes.Readers.Enter();
        try
        {
            OffsetFilter resolved = state.Filters.Resolve(filter, out long matches);
            if (resolved.IsEmpty)
                return matches;
            long count = 0;
            foreach (uint offset in resolved.Bitmap ?? state.Indexes.Live)
            {
                if ((offset & 0xFFFF) == 0)
                    cancellationToken.ThrowIfCancellationRequested();
                count += state.Indexes.Live.Test(offset) && resolved.Matches(offset) ? 1 : 0;
            }

            return count;
        }
        finally
        {
            state.Indexes.Readers.Leave(generation);
        }
    }

    private List<Hit> Nearest(
        NearestQuery nearest, LeafQuery query, OffsetFilter filter, long matches, CancellationToken cancellationToken)
    {
        if (nearest.Vector is not VectorValueInput input)
            throw PointErrors.Invalid("query must be a vector.");
        if (!state.Indexes.Fields.TryGetValue(query.Using, out VectorField? field))
            throw VectorChecks.UnknownName(state.Options, query.Using, "using");
        VectorValue vector = VectorChecks.Normalize(state.Options, query.Using, input.Vector, "query");
        var search = new DenseSearch
        {
            Ef = query.Parameters.HnswEf ?? 0,
            Exact = query.Parameters.Exact,
            Filter = filter,
            EstimatedMatches = matches,
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

    private Hit HitOf(uint offset, float score) =>
        new(state.Indexes.IdAt(offset), score, state.Indexes.Points.VersionAt(offset));

    private List<ScoredPoint> ById(LeafQuery query, CancellationToken cancellationToken)
    {
        ScrollPage page = state.Scroll.Read(
            new ScrollRequest
            {
                Limit = query.Limit,
                Filter = query.Filter,
                WithPayload = query.WithPayload,
                WithVectors = query.WithVectors,
            },
            cancellationToken);
        return
        [
            .. page.Points.Select(static point => new ScoredPoint
            {
                Id = point.Id,
                Version = point.Version,
                Payload = point.Payload,
                Vectors = point.Vectors,
            }),
        ];
    }

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
            });
        }

        return points;
    }

    private readonly record struct Hit(PointId Id, float Score, ulong Version);
}
