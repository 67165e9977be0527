using AiDb.Engine.Vectors;

namespace AiDb.Engine.Collections.Reading;

/// <summary>Which points of a collection meet a filter.</summary>
internal sealed class CollectionFilters(CollectionState state)
{
    /// <summary>The offsets that meet a filter; the caller is in <see cref="Offsets.Generations"/>.</summary>
    /// <param name="filter">The filter; null: all.</param>
    /// <param name="matches">How many there are.</param>
    public OffsetFilter Resolve(Filter? filter, out long matches)
    {
        matches = state.Indexes.Points.Count;
        if (filter is null)
            return ForExpiry(null);
        var bitmap = new OffsetBitmap(state.Indexes.Points.End);
        foreach (uint offset in state.Indexes.Live)
        {
            if (MeetsAt(filter, offset))
                bitmap.Set(offset);
        }

        matches = bitmap.Count();
        return ForExpiry(bitmap);
    }

    /// <summary>The ids of the points that meet a filter.</summary>
    public List<PointId> FindIds(Filter filter)
    {
        long generation = state.Indexes.Readers.Enter();
        try
        {
            List<PointId> ids = [];
            OffsetFilter resolved = Resolve(filter, out _);
            foreach (uint offset in resolved.Bitmap ?? state.Indexes.Live)
            {
                if (resolved.Matches(offset))
                    ids.Add(state.Indexes.IdAt(offset));
            }

            return ids;
        }
        finally
        {
            state.Indexes.Readers.Leave(generation);
        }
    }

    /// <summary>Whether one point, as given, meets a filter.</summary>
    public bool Matches(Filter filter, PointId id, Payload payload, IReadOnlyCollection<string> vectors) =>
        Meets(filter, id, vectors.Contains, payload);

    /// <summary>Leaves out points whose time is up and that are still in the indexes.</summary>
    private OffsetFilter ForExpiry(OffsetBitmap? bitmap) => state.Indexes.Points.HasExpiries
        ? new OffsetFilter(bitmap, new NotExpired(state))
        : new OffsetFilter(bitmap);

    private bool MeetsAt(Filter filter, uint offset) => Meets(
        filter, state.Indexes.IdAt(offset), name => state.Indexes.HasVector(name, offset),
        null);

    private static bool Meets(Filter filter, PointId id, Func<string, bool> hasVector, Payload? payload)
    {
        bool Holds(Condition condition) => condition switch
        {
            FilterCondition inner => Meets(inner.Filter, id, hasVector, payload),
            HasIdCondition ids => ids.Ids.Contains(id),
            HasVectorCondition vector => hasVector(vector.Vector),
            _ => throw new AiDbException(
                AiDbErrorKind.Unimplemented, $"{condition.GetType().Name} cannot be evaluated by this program."),
        };
        return filter.Must.All(Holds)
            && (filter.Should.Count == 0 || filter.Should.Any(Holds))
            && !filter.MustNot.Any(Holds)
            && (filter.MinShould is not { } least || least.Conditions.Count(Holds) >= least.MinCount);
    }

    private sealed class NotExpired(CollectionState state) : IOffsetPredicate
    {
        private readonly ulong _nowMs = state.Database.Clock.NowMs();

        public bool Matches(uint offset)
        {
            ulong expiresAtMs = state.Indexes.Points.ExpiryAt(offset);
            return expiresAtMs == 0 || expiresAtMs > _nowMs;
        }
    }
}
