namespace AiDb.Engine.Collections.Queries;

/// <summary>Carries out whole queries over a collection, wherever its points are: resolves points that a query names, runs
/// prefetches, fuses, scores again, groups, and fetches payloads and vectors of the results alone. A database runs it
/// over its own collection, a gateway over the shards of one.</summary>
/// <remarks>
/// Results are the same in every run: of equal scores, the lower id comes first. Thread safety: all members may be called
/// concurrently. Errors (<see cref="AiDbException"/>): <see cref="AiDbErrorKind.InvalidArgument"/> names the field and
/// the limit (<see cref="QueryLimits"/>); <see cref="AiDbErrorKind.NotFound"/> names the point or collection.
/// </remarks>
public static class QueryExecutor
{
    /// <summary>The best points, best first.</summary>
    public static async ValueTask<IReadOnlyList<ScoredPoint>> QueryAsync(
        IQuerySource source, QueryRequest request, CancellationToken cancellationToken = default)
    {
        ArgumentNullException.ThrowIfNull(source);
        ArgumentNullException.ThrowIfNull(request);
        QueryStage stage = await PrepareAsync(source, request, cancellationToken).ConfigureAwait(false);
        QueryRun run = new(source, cancellationToken);
        int offset = stage.Limit - request.Limit;
        if (offset == 0)
            return await run.RunAsync(stage, request.WithPayload, request.WithVectors).ConfigureAwait(false);
        IReadOnlyList<ScoredPoint> points =
            await run.RunAsync(stage, PayloadSelector.None, VectorSelector.None).ConfigureAwait(false);
        ScoredPoint[] page = [.. points.Skip(offset)];
        return await ResultFiller.FillAsync(
            source, page, request.WithPayload, request.WithVectors, cancellationToken).ConfigureAwait(false);
    }

    /// <summary>The results of several queries, in their order; one that fails fails all.</summary>
    public static async ValueTask<IReadOnlyList<IReadOnlyList<ScoredPoint>>> QueryBatchAsync(
        IQuerySource source, IReadOnlyList<QueryRequest> requests, CancellationToken cancellationToken = default)
    {
        ArgumentNullException.ThrowIfNull(source);
        ArgumentNullException.ThrowIfNull(requests);
        QueryErrors.RequireRange("searches (queries)", requests.Count, 0, QueryLimits.MaxBatch);
        var results = new IReadOnlyList<ScoredPoint>[requests.Count];
        for (int at = 0; at < results.Length; at++)
            results[at] = await QueryAsync(source, requests[at], cancellationToken).ConfigureAwait(false);
        return results;
    }

    /// <summary>The best points in groups, the group of the best point first. A point whose field has several values is in
    /// the group of each; points without the field are left out.</summary>
    public static ValueTask<IReadOnlyList<PointGroup>> QueryGroupsAsync(
        IQuerySource source, QueryGroupsRequest request, CancellationToken cancellationToken = default)
    {
        ArgumentNullException.ThrowIfNull(source);
        ArgumentNullException.ThrowIfNull(request);
        return GroupQuery.RunAsync(source, request, cancellationToken);
    }

    /// <summary>The nearest neighbours among points drawn at random.</summary>
    public static ValueTask<MatrixResult> MatrixAsync(
        IQuerySource source, MatrixRequest request, CancellationToken cancellationToken = default)
    {
        ArgumentNullException.ThrowIfNull(source);
        ArgumentNullException.ThrowIfNull(request);
        return MatrixQuery.RunAsync(source, request, cancellationToken);
    }

    /// <summary>The stages of a request, checked and resolved.</summary>
    internal static ValueTask<QueryStage> PrepareAsync(
        IQuerySource source, QueryRequest request, CancellationToken cancellationToken)
    {
        QueryStage stage = QueryStage.From(request);
        QueryCheck.Check(source.Options, stage);
        return ReferenceResolver.ResolveAsync(source, stage, cancellationToken);
    }
}
