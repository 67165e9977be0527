using AiDb.Engine.Collections;
using AiDb.Gateway.OpenApi;
using AiDb.Gateway.Qdrant.Rest.Docs;
using AiDb.Gateway.Qdrant.Rest.Json;
using AiDb.Gateway.Qdrant.Rest.Reading;
using AiDb.Gateway.Qdrant.Rest.Writing;

namespace AiDb.Gateway.Qdrant.Rest;

/// <summary>Queries, and the routes of clients up to 1.18, which ask the same in other words.</summary>
internal static class QueryApi
{
    private const string Points = "points";

    private delegate Task ReadHandler(HttpContext context, ICollections collections, string collection);

    public static void Map(IEndpointRouteBuilder routes)
    {
        RouteGroupBuilder group = routes.MapGroup("/collections/{collection}/points").WithTags("Queries");
        group.MapPost("/query", One(QueryRequestReader.Read, Points)).WithName("QueryPoints").Describe(QueryDocs.Query);
        group.MapPost("/query/batch", Batch(QueryRequestReader.Read, Points)).WithName("QueryBatch").Describe(QueryDocs.QueryBatch);
        group.MapPost("/query/groups", Groups(static body => QueryRequestReader.ReadGroups(body)))
            .WithName("QueryGroups").Describe(QueryDocs.QueryGroups);
        group.MapPost("/query/explain", (ReadHandler)ExplainAsync).WithName("ExplainQuery").Describe(QueryDocs.Explain);

        group.MapPost("/search", One(OlderRequestReader.ReadSearch, null)).WithName("SearchPoints").Describe(QueryDocs.Search);
        group.MapPost("/search/batch", Batch(OlderRequestReader.ReadSearch, null))
            .WithName("SearchBatch").Describe(QueryDocs.SearchBatch);
        group.MapPost("/search/groups", Groups(OlderGroups(OlderRequestReader.ReadSearch)))
            .WithName("SearchGroups").Describe(QueryDocs.SearchGroups);
        group.MapPost("/recommend", One(OlderRequestReader.ReadRecommend, null))
            .WithName("RecommendPoints").Describe(QueryDocs.Recommend);
        group.MapPost("/recommend/batch", Batch(OlderRequestReader.ReadRecommend, null))
            .WithName("RecommendBatch").Describe(QueryDocs.RecommendBatch);
        group.MapPost("/recommend/groups", Groups(OlderGroups(OlderRequestReader.ReadRecommend)))
            .WithName("RecommendGroups").Describe(QueryDocs.RecommendGroups);
        group.MapPost("/discover", One(OlderRequestReader.ReadDiscover, null))
            .WithName("DiscoverPoints").Describe(QueryDocs.Discover);
        group.MapPost("/discover/batch", Batch(OlderRequestReader.ReadDiscover, null))
            .WithName("DiscoverBatch").Describe(QueryDocs.DiscoverBatch);
    }

    // The member of the result that the points are in: none on the older routes.
    private static ReadHandler One(Func<JsonField, QueryRequest> read, string? member) => async (context, collections, collection) =>
    {
        QueryRequest request = await QdrantBody.ReadAsync(context, read, isOptional: member is not null);
        IReadOnlyList<ScoredPoint> points =
            await QdrantRequest.RunAsync(context, ct => collections.QueryAsync(collection, request, ct));
        await Envelope.WriteListAsync(context, points, PointWriter.Write, member);
    };

    private static ReadHandler Batch(Func<JsonField, QueryRequest> read, string? member) => async (context, collections, collection) =>
    {
        QueryRequest[] requests =
            await QdrantBody.ReadAsync(context, body => QueryRequestReader.ReadBatch(body, read));
        IReadOnlyList<ScoredPoint>[] results = await QdrantRequest.RunAsync(context, async ct =>
        {
            var answers = new IReadOnlyList<ScoredPoint>[requests.Length];
            for (int i = 0; i < requests.Length; i++)
                answers[i] = await collections.QueryAsync(collection, requests[i], ct);
            return answers;
        });
        await Envelope.WriteListsAsync(context, results, PointWriter.Write, member);
    };

    private static ReadHandler Groups(Func<JsonField, QueryGroupsRequest> read) => async (context, collections, collection) =>
    {
        QueryGroupsRequest request = await QdrantBody.ReadAsync(context, read);
        IReadOnlyList<PointGroup> groups =
            await QdrantRequest.RunAsync(context, ct => collections.QueryGroupsAsync(collection, request, ct));
        await Envelope.WriteListAsync(context, groups, ResultWriter.WriteGroup, "groups");
    };

    private static Func<JsonField, QueryGroupsRequest> OlderGroups(Func<JsonField, QueryRequest> read) =>
        body => QueryRequestReader.ReadGroups(body, read(body));

    private static async Task ExplainAsync(HttpContext context, ICollections collections, string collection)
    {
        QueryRequest request = await QdrantBody.ReadAsync(context, QueryRequestReader.Read, isOptional: true);
        QueryExplanation explanation =
            await QdrantRequest.RunAsync(context, ct => collections.ExplainAsync(collection, request, ct));
        await Envelope.WriteAsync(context, json => ResultWriter.WriteExplanation(json, explanation));
    }
}
