using AiDb.Engine.Collections.Payloads;
using AiDb.Engine.Collections.Storage;
using AiDb.Engine.Vectors;

namespace AiDb.Engine.Collections.Reading;

/// <summary>Which points of a collection meet a filter.</summary>
/// <remarks>Thread safety: all members may be called concurrently.</remarks>
internal sealed class CollectionFilters(CollectionState state)
{
    private readonly FilterEvaluator _evaluator = new(state.Indexes.Payloads);

    /// <summary>Checks a filter against the limits of the collection.</summary>
    /// <param name="filter">The filter; null: all points.</param>
    /// <param name="isWrite">Whether it says what is written.</param>
    /// <exception cref="AiDbException"><see cref="AiDbErrorKind.InvalidArgument"/>: it is not valid, or strict mode forbids
    /// it.</exception>
    public BoundFilter Bind(Filter? filter, bool isWrite = false)
    {
        var bound = BoundFilter.Bind(filter);
        if (filter is null || state.Options.StrictMode is not { Enabled: true } strict)
            return bound;
        bool mayScan = (isWrite ? strict.UnindexedFilteringUpdate : strict.UnindexedFilteringRetrieve) ?? true;
        if (!mayScan && _evaluator.UnindexedFields(bound) is [var first, ..])
        {
            throw new AiDbException(
                AiDbErrorKind.InvalidArgument,
                $"filter: the field '{first}' has no index that answers, and the collection's strict mode allows no scans. " +
                "Create an index over it.");
        }

        return bound;
    }

    /// <summary>The offsets that meet a filter; the caller is in <see cref="Indexing.CollectionIndexes.Readers"/> until it
    /// disposed what is returned.</summary>
    public ResolvedFilter Resolve(BoundFilter filter, CancellationToken cancellationToken)
    {
        IOffsetPredicate? expiry = state.Indexes.Points.HasExpiries ? new NotExpired(state) : null;
        if (filter.IsEverything)
            return new ResolvedFilter(null, state.Indexes.Points.Count, expiry);
        FilterResult result = _evaluator.Evaluate(filter, state.Indexes, cancellationToken);
        return new ResolvedFilter(result, result.Count, expiry);
    }

    /// <summary>The ids of the points that meet a filter.</summary>
    /// <param name="filter">The filter.</param>
    /// <param name="most">The most ids.</param>
    /// <param name="cancellationToken">Ends it.</param>
    /// <exception cref="AiDbException"><see cref="AiDbErrorKind.InvalidArgument"/>: there are more.</exception>
    public List<PointId> FindIds(Filter filter, int most, CancellationToken cancellationToken)
    {
        const int CancellationStride = 4096;
        BoundFilter bound = Bind(filter, isWrite: true);
        long generation = state.Indexes.Readers.Enter();
        try
        {
            List<PointId> ids = [];
            using ResolvedFilter resolved = Resolve(bound, cancellationToken);
            foreach (uint offset in resolved.Filter.Bitmap ?? state.Indexes.Live)
            {
                if (offset % CancellationStride == 0)
                    cancellationToken.ThrowIfCancellationRequested();
                if (!resolved.Filter.Matches(offset))
                    continue;
                if (ids.Count == most)
                {
                    throw PointErrors.Invalid(
                        $"filter: more than {most} points meet it, and all operations of a write are one. " +
                        "Give this operation alone: it is then carried out in several writes.");
                }

                ids.Add(state.Indexes.IdAt(offset));
            }

            return ids;
        }
        finally
        {
            state.Indexes.Readers.Leave(generation);
        }
    }

    /// <summary>A point as it is given, for filters.</summary>
    internal sealed class GivenPoint(PointId id, IReadOnlyCollection<string> vectors) : IPointFacts
    {
        /// <inheritdoc/>
        public PointId Id => id;

        /// <inheritdoc/>
        public bool HasVector(string name) => vectors.Contains(name);
    }

    /// <summary>Leaves out points whose time is up and that are still in the indexes.</summary>
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

/// <summary>The offsets that meet a filter and are not expired.</summary>
internal sealed class ResolvedFilter(FilterResult? result, long matches, IOffsetPredicate? expiry) : IDisposable
{
    /// <summary>For searches.</summary>
    public OffsetFilter Filter { get; } = new(result?.Matches, expiry);

    /// <summary>How many meet the filter, expired ones included.</summary>
    public long Matches { get; } = matches;

    /// <summary>How the filter was evaluated; null: there was none.</summary>
    public FilterResult? Result { get; } = result;

    /// <inheritdoc/>
    public void Dispose() => Result?.Dispose();
}
