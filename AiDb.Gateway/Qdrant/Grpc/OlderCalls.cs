using AiDb.Cluster.Collections;
using AiDb.Contracts.QdrantApi;
using AiDb.Engine.Collections;
using Grpc.Core;

namespace AiDb.Gateway.Qdrant.Grpc;

/// <summary>The searches of clients before the query interface, as the queries that they are.</summary>
internal sealed class OlderCalls(ICollections collections, QueryCalls queries, GrpcCalls calls)
{
    public Task<SearchResponse> SearchAsync(SearchPoints request, ServerCallContext context) => calls.AnswerAsync(
        context, request.Timeout,
        async ct =>
        {
            SearchResponse answer = new();
            answer.Result.AddRange(QueryCalls.ToWire(
                await collections.QueryAsync(request.CollectionName, OlderQueries.FromWire(request), ct),
                PointForm.ForClient(request.WithPayload)));
            return answer;
        },
        static (answer, time) => answer.Time = time);

    public Task<SearchBatchResponse> SearchBatchAsync(SearchBatchPoints request, ServerCallContext context) =>
        calls.AnswerAsync(
            context, request.Timeout,
            async ct =>
            {
                QueryCalls.CheckBatch(request.SearchPoints.Count, "search_points");
                SearchBatchResponse answer = new();
                answer.Result.AddRange(await queries.QueryAllAsync(
                    request.CollectionName, request.SearchPoints,
                    static search =>
                        (search.CollectionName, OlderQueries.FromWire(search), PointForm.ForClient(search.WithPayload)),
                    ct));
                return answer;
            },
            static (answer, time) => answer.Time = time);

    public Task<SearchGroupsResponse> SearchGroupsAsync(SearchPointGroups request, ServerCallContext context) =>
        calls.AnswerAsync(
            context, request.Timeout,
            async ct => new SearchGroupsResponse
            {
                Result = QueryCalls.ToWire(
                    await collections.QueryGroupsAsync(request.CollectionName, OlderQueries.FromWire(request), ct),
                    PointForm.ForClient(request.WithPayload)),
            },
            static (answer, time) => answer.Time = time);

    public Task<RecommendResponse> RecommendAsync(RecommendPoints request, ServerCallContext context) =>
        calls.AnswerAsync(
            context, request.Timeout,
            async ct =>
            {
                RecommendResponse answer = new();
                answer.Result.AddRange(QueryCalls.ToWire(
                    await collections.QueryAsync(request.CollectionName, OlderQueries.FromWire(request), ct),
                    PointForm.ForClient(request.WithPayload)));
                return answer;
            },
            static (answer, time) => answer.Time = time);

    public Task<RecommendBatchResponse> RecommendBatchAsync(RecommendBatchPoints request, ServerCallContext context) =>
        calls.AnswerAsync(
            context, request.Timeout,
            async ct =>
            {
                QueryCalls.CheckBatch(request.RecommendPoints.Count, "recommend_points");
                RecommendBatchResponse answer = new();
                answer.Result.AddRange(await queries.QueryAllAsync(
                    request.CollectionName, request.RecommendPoints,
                    static search =>
                        (search.CollectionName, OlderQueries.FromWire(search), PointForm.ForClient(search.WithPayload)),
                    ct));
                return answer;
            },
            static (answer, time) => answer.Time = time);

    public Task<RecommendGroupsResponse> RecommendGroupsAsync(RecommendPointGroups request, ServerCallContext context) =>
        calls.AnswerAsync(
            context, request.Timeout,
            async ct => new RecommendGroupsResponse
            {
                Result = QueryCalls.ToWire(
                    await collections.QueryGroupsAsync(request.CollectionName, OlderQueries.FromWire(request), ct),
                    PointForm.ForClient(request.WithPayload)),
            },
            static (answer, time) => answer.Time = time);

    public Task<DiscoverResponse> DiscoverAsync(DiscoverPoints request, ServerCallContext context) => calls.AnswerAsync(
        context, request.Timeout,
        async ct =>
        {
            DiscoverResponse answer = new();
            answer.Result.AddRange(QueryCalls.ToWire(
                await collections.QueryAsync(request.CollectionName, OlderQueries.FromWire(request), ct),
                PointForm.ForClient(request.WithPayload)));
            return answer;
        },
        static (answer, time) => answer.Time = time);

    public Task<DiscoverBatchResponse> DiscoverBatchAsync(DiscoverBatchPoints request, ServerCallContext context) =>
        calls.AnswerAsync(
            context, request.Timeout,
            async ct =>
            {
                QueryCalls.CheckBatch(request.DiscoverPoints.Count, "discover_points");
                DiscoverBatchResponse answer = new();
                answer.Result.AddRange(await queries.QueryAllAsync(
                    request.CollectionName, request.DiscoverPoints,
                    static search =>
                        (search.CollectionName, OlderQueries.FromWire(search), PointForm.ForClient(search.WithPayload)),
                    ct));
                return answer;
            },
            static (answer, time) => answer.Time = time);
}
