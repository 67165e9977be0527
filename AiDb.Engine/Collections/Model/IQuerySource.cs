namespace AiDb.Engine.Collections;

/// <summary>One scoring over one collection, with everything resolved: vectors instead of ids, no prefetches. It
/// is what a shard carries out.</summary>
public sealed record LeafQuery
{
    /// <summary>How points are scored: nearest, recommend (not by average), discover, context, order by, sample or text, with
    /// <see cref="VectorValueInput"/> only; null: in the order of ids.</summary>
    public Query? Query { get; init; }

    /// <summary>Which vector.</summary>
    public string Using { get; init; } = NamedVectors.Unnamed;

    /// <summary>Which points count.</summary>
    public Filter? Filter { get; init; }

    /// <summary>Scores beyond this are left out.</summary>
    public float? ScoreThreshold { get; init; }

    /// <summary>How the search is done.</summary>
    public SearchParameters Parameters { get; init; } = SearchParameters.Default;

    /// <summary>How many at most.</summary>
    public required int Limit { get; init; }

    /// <summary>What comes of the payload.</summary>
    public PayloadSelector WithPayload { get; init; } = PayloadSelector.None;

    /// <summary>What comes of the vectors.</summary>
    public VectorSelector WithVectors { get; init; } = VectorSelector.None;
}

/// <summary>One collection, in this process or over shards: what the executor of whole queries needs of it. Fusion,
/// formulas, groups and recommendations are carried out above it, once for both.</summary>
/// <remarks>Thread safety: all members may be called concurrently.</remarks>
public interface IQuerySource
{
    /// <summary>The collection's name, not an alias of it.</summary>
    string Name { get; }

    /// <summary>The collection's settings.</summary>
    CollectionOptions Options { get; }

    /// <summary>Carries out one scoring; best first.</summary>
    ValueTask<IReadOnlyList<ScoredPoint>> SearchAsync(LeafQuery query, CancellationToken cancellationToken);

    /// <summary>Points by their ids, in the order of the ids; absent ones are left out.</summary>
    ValueTask<IReadOnlyList<PointRecord>> RetrieveAsync(
        IReadOnlyList<PointId> ids, PayloadSelector withPayload, VectorSelector withVectors,
        CancellationToken cancellationToken);

    /// <summary>Another collection, for look-ups.</summary>
    /// <exception cref="AiDbException"><see cref="AiDbErrorKind.NotFound"/>: there is none.</exception>
    ValueTask<IQuerySource> FindAsync(string collection, CancellationToken cancellationToken);
}
