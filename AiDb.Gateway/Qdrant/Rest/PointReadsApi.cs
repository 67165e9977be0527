using AiDb.Engine.Collections;
using AiDb.Gateway.OpenApi;
using AiDb.Gateway.Qdrant.Rest.Docs;
using AiDb.Gateway.Qdrant.Rest.Reading;
using AiDb.Gateway.Qdrant.Rest.Writing;

namespace AiDb.Gateway.Qdrant.Rest;

/// <summary>Points by id, page by page, and counted.</summary>
internal static class PointReadsApi
{
    public static void Map(IEndpointRouteBuilder routes)
    {
        RouteGroupBuilder group = routes.MapGroup("/collections/{collection}").WithTags("Points");
        group.MapPost("/points", RetrieveAsync).WithName("GetPoints").Describe(PointDocs.Retrieve);
        group.MapGet("/points/{id}", GetAsync).WithName("GetPoint").Describe(PointDocs.Get);
        group.MapPost("/points/scroll", ScrollAsync).WithName("ScrollPoints").Describe(PointDocs.Scroll);
        group.MapPost("/points/count", CountAsync).WithName("CountPoints").Describe(PointDocs.Count);
        group.MapPost("/facet", FacetAsync).WithName("Facet").Describe(PointDocs.Facet);
        group.MapPost("/points/search/matrix/pairs", PairsAsync).WithName("SearchMatrixPairs").Describe(PointDocs.MatrixPairs);
        group.MapPost("/points/search/matrix/offsets", OffsetsAsync)
            .WithName("SearchMatrixOffsets").Describe(PointDocs.MatrixOffsets);
    }

    private static async Task RetrieveAsync(HttpContext context, ICollections collections, string collection)
    {
        (PointId[] ids, PayloadSelector payload, VectorSelector vectors) = await QdrantBody.ReadAsync(context, static body =>
        {
            SelectorReader.RefuseShardKey(body);
            return (
                body.Require("ids").Map(IdReader.Read), SelectorReader.ReadPayload(body, PayloadSelector.All),
                SelectorReader.ReadVectors(body));
        });
        IReadOnlyList<PointRecord> points = await QdrantRequest.RunAsync(
            context, ct => collections.RetrieveAsync(collection, ids, payload, vectors, ct));
        await Envelope.WriteListAsync(context, points, PointWriter.Write);
    }

    private static async Task GetAsync(HttpContext context, ICollections collections, string collection, string id)
    {
        PointId point = IdReader.ReadText(id);
        IReadOnlyList<PointRecord> points = await QdrantRequest.RunAsync(
            context, ct => collections.RetrieveAsync(collection, [point], PayloadSelector.All, VectorSelector.All, ct));
        if (points.Count == 0)
            throw new AiDbException(AiDbErrorKind.NotFound, $"Point with id {point} does not exists!");
        await Envelope.WriteAsync(context, json => PointWriter.Write(json, points[0]));
    }

    private static async Task ScrollAsync(HttpContext context, ICollections collections, string collection)
    {
        ScrollRequest request = await QdrantBody.ReadAsync(context, QueryRequestReader.ReadScroll, isOptional: true);
        ScrollPage page = await QdrantRequest.RunAsync(context, ct => collections.ScrollAsync(collection, request, ct));
        await Envelope.WriteListAsync(context, page.Points, PointWriter.Write, "points", json =>
        {
            if (page.Next is { } next)
                PointWriter.WriteId(json, "next_page_offset"u8, next);
            else
                json.WriteNull("next_page_offset"u8);
        });
    }

    private static async Task CountAsync(HttpContext context, ICollections collections, string collection)
    {
        (Filter? filter, bool exact) = await QdrantBody.ReadAsync(
            context,
            static body =>
            {
                SelectorReader.RefuseShardKey(body);
                return (FilterReader.ReadOptional(body), body.Get("exact")?.AsBoolean() ?? true);
            },
            isOptional: true);
        long count = await QdrantRequest.RunAsync(context, ct => collections.CountAsync(collection, filter, exact, ct));
        await Envelope.WriteAsync(context, json =>
        {
            json.WriteStartObject();
            json.WriteNumber("count"u8, count);
            json.WriteEndObject();
        });
    }

    private static async Task FacetAsync(HttpContext context, ICollections collections, string collection)
    {
        FacetRequest request = await QdrantBody.ReadAsync(context, QueryRequestReader.ReadFacet);
        IReadOnlyList<FacetHit> hits =
            await QdrantRequest.RunAsync(context, ct => collections.FacetAsync(collection, request, ct));
        await Envelope.WriteAsync(context, json => ResultWriter.WriteFacet(json, hits));
    }

    private static async Task PairsAsync(HttpContext context, ICollections collections, string collection)
    {
        MatrixResult matrix = await MatrixAsync(context, collections, collection);
        await Envelope.WriteAsync(context, json => ResultWriter.WritePairs(json, matrix));
    }

    private static async Task OffsetsAsync(HttpContext context, ICollections collections, string collection)
    {
        MatrixResult matrix = await MatrixAsync(context, collections, collection);
        await Envelope.WriteAsync(context, json => ResultWriter.WriteOffsets(json, matrix));
    }

    private static async Task<MatrixResult> MatrixAsync(HttpContext context, ICollections collections, string collection)
    {
        MatrixRequest request = await QdrantBody.ReadAsync(context, QueryRequestReader.ReadMatrix, isOptional: true);
        return await QdrantRequest.RunAsync(context, ct => collections.MatrixAsync(collection, request, ct));
    }
}
