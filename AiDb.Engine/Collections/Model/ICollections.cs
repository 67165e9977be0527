namespace AiDb.Engine.Collections;

/// <summary>What can be asked of collections, wherever their points are: in one database, or over the shards of a
/// cluster. Collections are named by their name or an alias.</summary>
/// <remarks>
/// Thread safety: all members may be called concurrently.
/// Errors (<see cref="AiDbException"/>): <see cref="AiDbErrorKind.NotFound"/>: there is no such collection;
/// <see cref="AiDbErrorKind.InvalidArgument"/>: the request is not valid, with the field's name and the limit; nothing
/// was changed.
/// </remarks>
public interface ICollections
{
    /// <summary>The names, sorted.</summary>
    ValueTask<IReadOnlyList<string>> ListAsync(CancellationToken cancellationToken = default);

    /// <summary>Whether a collection of this name or alias exists.</summary>
    ValueTask<bool> ExistsAsync(string collection, CancellationToken cancellationToken = default);

    /// <summary>What is known of a collection.</summary>
    ValueTask<CollectionInfo> GetInfoAsync(string collection, CancellationToken cancellationToken = default);

    /// <summary>Makes a collection; <see cref="AiDbErrorKind.AlreadyExists"/> where there is one of this name or
    /// alias.</summary>
    ValueTask CreateAsync(string collection, CollectionOptions options, CancellationToken cancellationToken = default);

    /// <summary>Changes a collection's settings.</summary>
    ValueTask UpdateAsync(string collection, CollectionUpdate update, CancellationToken cancellationToken = default);

    /// <summary>Deletes a collection, its points and aliases; false where there is none.</summary>
    ValueTask<bool> DeleteAsync(string collection, CancellationToken cancellationToken = default);

    /// <summary>Changes aliases, all or none.</summary>
    ValueTask ChangeAliasesAsync(IReadOnlyList<AliasChange> changes, CancellationToken cancellationToken = default);

    /// <summary>The aliases, of one collection or (null) of all.</summary>
    ValueTask<IReadOnlyList<AliasDescription>> ListAliasesAsync(
        string? collection, CancellationToken cancellationToken = default);

    /// <summary>Makes an index over a payload field, or replaces it; it is complete on return.</summary>
    ValueTask<PointWriteResult> CreateIndexAsync(
        string collection, string path, PayloadIndexOptions options, CancellationToken cancellationToken = default);

    /// <summary>Removes an index; an absent one is no error.</summary>
    ValueTask<PointWriteResult> DropIndexAsync(
        string collection, string path, CancellationToken cancellationToken = default);

    /// <summary>Changes points, in the order of the operations. Each operation is checked whole before anything is
    /// written and is atomic for each point; on one shard it is atomic as a whole.</summary>
    ValueTask<PointWriteResult> WriteAsync(
        string collection, IReadOnlyList<PointOperation> operations, PointWriteOptions? options = null,
        CancellationToken cancellationToken = default);

    /// <summary>Points by their ids, in the order of the ids; absent ones are left out.</summary>
    ValueTask<IReadOnlyList<PointRecord>> RetrieveAsync(
        string collection, IReadOnlyList<PointId> ids, PayloadSelector withPayload, VectorSelector withVectors,
        CancellationToken cancellationToken = default);

    /// <summary>A page of points.</summary>
    ValueTask<ScrollPage> ScrollAsync(
        string collection, ScrollRequest request, CancellationToken cancellationToken = default);

    /// <summary>How many points meet a filter.</summary>
    /// <param name="collection">The collection.</param>
    /// <param name="filter">The filter; null: all points.</param>
    /// <param name="exact">Whether the number must be exact. It always is; false is there for hosts whose counts cost
    /// more.</param>
    /// <param name="cancellationToken">Ends it.</param>
    ValueTask<long> CountAsync(
        string collection, Filter? filter, bool exact = true, CancellationToken cancellationToken = default);

    /// <summary>The best points, best first.</summary>
    ValueTask<IReadOnlyList<ScoredPoint>> QueryAsync(
        string collection, QueryRequest request, CancellationToken cancellationToken = default);

    /// <summary>The best points, in groups.</summary>
    ValueTask<IReadOnlyList<PointGroup>> QueryGroupsAsync(
        string collection, QueryGroupsRequest request, CancellationToken cancellationToken = default);

    /// <summary>How many points have each value of a field; most first, then by value.</summary>
    ValueTask<IReadOnlyList<FacetHit>> FacetAsync(
        string collection, FacetRequest request, CancellationToken cancellationToken = default);

    /// <summary>The neighbours among a random sample.</summary>
    ValueTask<MatrixResult> MatrixAsync(
        string collection, MatrixRequest request, CancellationToken cancellationToken = default);

    /// <summary>How a query is carried out.</summary>
    ValueTask<QueryExplanation> ExplainAsync(
        string collection, QueryRequest request, CancellationToken cancellationToken = default);
}
