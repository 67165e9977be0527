using System.Runtime.CompilerServices;
using AiDb.Client.Transport;
using AiDb.Contracts.QdrantApi;
using Google.Protobuf;
using Vectors = AiDb.Contracts.V1.Vectors;

namespace AiDb.Client;

/// <summary>A handle on a collection: points with vectors and payloads. It costs nothing and holds nothing.</summary>
/// <remarks>Thread safety: all members may be called concurrently. A write is durable, and found by searches, when its call
/// returns; attempts whose outcome is unknown are repeated, which does no harm. Errors are
/// <see cref="AiDbException"/>s; <see cref="AiDbErrorKind.NotFound"/>: there is no such collection.</remarks>
public sealed class AiDbCollection
{
    private const int PageSize = 1000;
    private static readonly SearchOptions DefaultSearch = new();
    private readonly CallExecutor _calls;

    internal AiDbCollection(CallExecutor calls, string name)
    {
        _calls = calls;
        Name = name;
    }

    /// <summary>The name, or an alias.</summary>
    public string Name { get; }

    /// <summary>Writes points; those with the same ids are replaced.</summary>
    /// <exception cref="AiDbException"><see cref="AiDbErrorKind.InvalidArgument"/>: a point is not valid, and none was
    /// written.</exception>
    public ValueTask UpsertAsync(IEnumerable<AiDbPoint> points, CancellationToken cancellationToken = default)
    {
        ArgumentNullException.ThrowIfNull(points);
        UpsertPoints request = new() { CollectionName = Name, Wait = true };
        request.Points.AddRange(points.Select(CollectionMapping.ToWire));
        return WriteAsync(
            request, static (invoker, message, options) => new Points.PointsClient(invoker).UpsertAsync(message, options),
            cancellationToken);
    }

    /// <summary>Deletes points; absent ones are no error.</summary>
    public ValueTask DeleteAsync(IEnumerable<AiDbPointId> ids, CancellationToken cancellationToken = default) =>
        DeleteAsync(CollectionMapping.ToWire(ids), cancellationToken);

    /// <summary>Deletes the points that meet a filter.</summary>
    public ValueTask DeleteAsync(AiDbFilter filter, CancellationToken cancellationToken = default) =>
        DeleteAsync(new PointsSelector { Filter = filter.Wire }, cancellationToken);

    /// <summary>Sets payload keys of points; other keys stay.</summary>
    /// <param name="ids">The points.</param>
    /// <param name="payloadJson">The text of a JSON object.</param>
    /// <param name="cancellationToken">Gives up waiting.</param>
    public ValueTask SetPayloadAsync(
        IEnumerable<AiDbPointId> ids, string payloadJson, CancellationToken cancellationToken = default)
    {
        SetPayloadPoints request = new()
        {
            CollectionName = Name,
            Wait = true,
            PointsSelector = CollectionMapping.ToWire(ids),
            PayloadJson = ByteString.CopyFromUtf8(payloadJson),
        };
        return WriteAsync(
            request,
            static (invoker, message, options) => new Points.PointsClient(invoker).SetPayloadAsync(message, options),
            cancellationToken);
    }

    /// <summary>Points by their ids, in the order of the ids; absent ones are left out.</summary>
    public async ValueTask<IReadOnlyList<AiDbFoundPoint>> GetAsync(
        IEnumerable<AiDbPointId> ids, bool withVectors = false, CancellationToken cancellationToken = default)
    {
        GetPoints request = new()
        {
            CollectionName = Name,
            WithPayload = CollectionMapping.WithPayload(true),
            WithVectors = CollectionMapping.WithVectors(withVectors),
        };
        request.Ids.AddRange(ids.Select(CollectionMapping.ToWire));
        GetResponse response = await ReadAsync(
            request, null, static (invoker, message, options) => new Points.PointsClient(invoker).GetAsync(message, options),
            cancellationToken).ConfigureAwait(false);
        return [.. response.Result.Select(CollectionMapping.FromWire)];
    }

    /// <summary>The points nearest to a vector, best first.</summary>
    public ValueTask<IReadOnlyList<AiDbFoundPoint>> SearchAsync(
        AiDbVector vector, SearchOptions? options = null, CancellationToken cancellationToken = default)
    {
        ArgumentNullException.ThrowIfNull(vector);
        return QueryAsync(new Query { Nearest = CollectionMapping.ToInput(vector) }, options, cancellationToken);
    }

    /// <summary>The points nearest to another point, without it, best first.</summary>
    public ValueTask<IReadOnlyList<AiDbFoundPoint>> SearchLikeAsync(
        AiDbPointId point, SearchOptions? options = null, CancellationToken cancellationToken = default) =>
        QueryAsync(
            new Query { Nearest = new VectorInput { Id = CollectionMapping.ToWire(point) } }, options, cancellationToken);

    /// <summary>The points whose text matches best by BM25, best first.</summary>
    /// <param name="path">A field with a text index.</param>
    /// <param name="text">What is looked for.</param>
    /// <param name="options">Filter, limit, what comes.</param>
    /// <param name="cancellationToken">Gives up waiting.</param>
    public ValueTask<IReadOnlyList<AiDbFoundPoint>> SearchTextAsync(
        string path, string text, SearchOptions? options = null, CancellationToken cancellationToken = default) =>
        QueryAsync(new Query { Text = new TextInput { Key = path, Text = text } }, options, cancellationToken);

    /// <summary>The best of a vector and of a text search, fused by reciprocal ranks.</summary>
    /// <param name="vector">The vector.</param>
    /// <param name="path">A field with a text index.</param>
    /// <param name="text">What is looked for.</param>
    /// <param name="options">Filter, limit, what comes.</param>
    /// <param name="cancellationToken">Gives up waiting.</param>
    public ValueTask<IReadOnlyList<AiDbFoundPoint>> SearchHybridAsync(
        AiDbVector vector, string path, string text, SearchOptions? options = null,
        CancellationToken cancellationToken = default)
    {
        SearchOptions search = options ?? DefaultSearch;
        QueryPoints request = NewQuery(new Query { Fusion = Fusion.Rrf }, search);
        ulong candidates = 4UL * ((ulong)search.Limit + (ulong)search.Offset);
        foreach (Query query in (Query[])
            [
                new Query { Nearest = CollectionMapping.ToInput(vector) },
                new Query { Text = new TextInput { Key = path, Text = text } },
            ])
        {
            PrefetchQuery prefetch = new() { Query = query, Filter = request.Filter, Limit = candidates };
            if (query.VariantCase == Query.VariantOneofCase.Nearest && search.Using.Length > 0)
                prefetch.Using = search.Using;
            request.Prefetch.Add(prefetch);
        }

        request.Filter = null;
        request.ClearUsing();
        return QueryAsync(request, search, cancellationToken);
    }

    /// <summary>Says how a search would be carried out, and what would make it faster.</summary>
    public async ValueTask<QueryExplanation> ExplainAsync(
        AiDbVector vector, SearchOptions? options = null, CancellationToken cancellationToken = default)
    {
        SearchOptions search = options ?? DefaultSearch;
        Contracts.V1.Explanation response = await ReadAsync(
            NewQuery(new Query { Nearest = CollectionMapping.ToInput(vector) }, search), search.Timeout,
            static (invoker, message, call) => new Vectors.VectorsClient(invoker).ExplainAsync(message, call),
            cancellationToken).ConfigureAwait(false);
        return new QueryExplanation([.. response.Steps], [.. response.Warnings]);
    }

    /// <summary>Walks all points that meet a filter, in the order of their ids. Pages are fetched as they are
    /// consumed.</summary>
    public async IAsyncEnumerable<AiDbFoundPoint> ScrollAsync(
        AiDbFilter? filter = null, bool withVectors = false, bool withPayload = true,
        [EnumeratorCancellation] CancellationToken cancellationToken = default)
    {
        ScrollPoints request = new()
        {
            CollectionName = Name,
            Limit = PageSize,
            Filter = filter?.Wire,
            WithPayload = CollectionMapping.WithPayload(withPayload),
            WithVectors = CollectionMapping.WithVectors(withVectors),
        };
        do
        {
            ScrollResponse page = await ReadAsync(
                request, null,
                static (invoker, message, options) => new Points.PointsClient(invoker).ScrollAsync(message, options),
                cancellationToken).ConfigureAwait(false);
            foreach (RetrievedPoint point in page.Result)
                yield return CollectionMapping.FromWire(point);
            request.Offset = page.NextPageOffset;
        }
        while (request.Offset is not null);
    }

    /// <summary>How many points meet a filter; null: how many there are.</summary>
    public async ValueTask<long> CountAsync(AiDbFilter? filter = null, CancellationToken cancellationToken = default)
    {
        CountResponse response = await ReadAsync(
            new CountPoints { CollectionName = Name, Filter = filter?.Wire, Exact = true }, null,
            static (invoker, message, options) => new Points.PointsClient(invoker).CountAsync(message, options),
            cancellationToken).ConfigureAwait(false);
        return (long)response.Result.Count;
    }

    /// <summary>How many points have each value of a field; most first.</summary>
    /// <param name="path">A field with a keyword, integer, bool or uuid index.</param>
    /// <param name="limit">How many values at most.</param>
    /// <param name="filter">Which points count; null: all.</param>
    /// <param name="cancellationToken">Gives up waiting.</param>
    public async ValueTask<IReadOnlyList<AiDbFacet>> FacetAsync(
        string path, int limit = 10, AiDbFilter? filter = null, CancellationToken cancellationToken = default)
    {
        FacetResponse response = await ReadAsync(
            new FacetCounts
            {
                CollectionName = Name,
                Key = path,
                Limit = (ulong)Math.Max(0, limit),
                Filter = filter?.Wire,
                Exact = true,
            },
            null, static (invoker, message, options) => new Points.PointsClient(invoker).FacetAsync(message, options),
            cancellationToken).ConfigureAwait(false);
        return
        [
            .. response.Hits.Select(static hit => new AiDbFacet(
                hit.Value.VariantCase switch
                {
                    FacetValue.VariantOneofCase.StringValue => hit.Value.StringValue,
                    FacetValue.VariantOneofCase.BoolValue => hit.Value.BoolValue,
                    _ => hit.Value.IntegerValue,
                },
                (long)hit.Count)),
        ];
    }

    /// <summary>Makes an index over a payload field; it is complete on return.</summary>
    public ValueTask CreateIndexAsync(string path, PayloadIndex kind, CancellationToken cancellationToken = default) =>
        WriteAsync(
            new CreateFieldIndexCollection
            {
                CollectionName = Name,
                FieldName = path,
                FieldType = (FieldType)kind,
                Wait = true,
            },
            static (invoker, message, options) => new Points.PointsClient(invoker).CreateFieldIndexAsync(message, options),
            cancellationToken);

    /// <summary>Removes an index; an absent one is no error.</summary>
    public ValueTask DropIndexAsync(string path, CancellationToken cancellationToken = default) => WriteAsync(
        new DeleteFieldIndexCollection { CollectionName = Name, FieldName = path, Wait = true },
        static (invoker, message, options) => new Points.PointsClient(invoker).DeleteFieldIndexAsync(message, options),
        cancellationToken);

    private ValueTask<IReadOnlyList<AiDbFoundPoint>> QueryAsync(
        Query query, SearchOptions? options, CancellationToken cancellationToken)
    {
        SearchOptions search = options ?? DefaultSearch;
        return QueryAsync(NewQuery(query, search), search, cancellationToken);
    }

    private async ValueTask<IReadOnlyList<AiDbFoundPoint>> QueryAsync(
        QueryPoints request, SearchOptions options, CancellationToken cancellationToken)
    {
        QueryResponse response = await ReadAsync(
            request, options.Timeout,
            static (invoker, message, call) => new Points.PointsClient(invoker).QueryAsync(message, call),
            cancellationToken).ConfigureAwait(false);
        return [.. response.Result.Select(CollectionMapping.FromWire)];
    }

    private QueryPoints NewQuery(Query query, SearchOptions options)
    {
        options.Validate();
        QueryPoints request = new()
        {
            CollectionName = Name,
            Query = query,
            Filter = options.Filter?.Wire,
            Limit = (ulong)options.Limit,
            Offset = (ulong)options.Offset,
            WithPayload = CollectionMapping.WithPayload(options.WithPayload),
            WithVectors = CollectionMapping.WithVectors(options.WithVectors),
            Params = new SearchParams { Exact = options.Exact },
        };
        if (options.Ef is { } ef)
            request.Params.HnswEf = (ulong)ef;
        if (options.Using.Length > 0)
            request.Using = options.Using;
        if (options.ScoreThreshold is { } threshold)
            request.ScoreThreshold = threshold;
        return request;
    }

    private ValueTask DeleteAsync(PointsSelector points, CancellationToken cancellationToken) => WriteAsync(
        new DeletePoints { CollectionName = Name, Points = points, Wait = true },
        static (invoker, message, options) => new Points.PointsClient(invoker).DeleteAsync(message, options),
        cancellationToken);

    private async ValueTask WriteAsync<TRequest>(
        TRequest request,
        Func<Grpc.Core.CallInvoker, TRequest, Grpc.Core.CallOptions, Grpc.Core.AsyncUnaryCall<PointsOperationResponse>> send,
        CancellationToken cancellationToken)
        where TRequest : IMessage =>
        await _calls.CallAsync(CallKind.WritePoints, Name, request, null, send, cancellationToken).ConfigureAwait(false);

    private ValueTask<TResult> ReadAsync<TRequest, TResult>(
        TRequest request, TimeSpan? timeout,
        Func<Grpc.Core.CallInvoker, TRequest, Grpc.Core.CallOptions, Grpc.Core.AsyncUnaryCall<TResult>> send,
        CancellationToken cancellationToken)
        where TRequest : IMessage =>
        _calls.CallAsync(CallKind.ReadPoints, Name, request, timeout, send, cancellationToken);
}
