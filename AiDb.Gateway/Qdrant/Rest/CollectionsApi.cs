using AiDb.Engine.Collections;
using AiDb.Gateway.OpenApi;
using AiDb.Gateway.Qdrant.Rest.Docs;
using AiDb.Gateway.Qdrant.Rest.Reading;
using AiDb.Gateway.Qdrant.Rest.Writing;
using AiDb.Gateway.Routing;

namespace AiDb.Gateway.Qdrant.Rest;

/// <summary>Collections, payload indexes and aliases.</summary>
internal static class CollectionsApi
{
    public static void Map(IEndpointRouteBuilder routes)
    {
        RouteGroupBuilder all = routes.MapGroup("").WithTags("Collections");
        all.MapGet("/collections", ListAsync).WithName("GetCollections").Describe(CollectionDocs.List);
        all.MapPost("/collections/aliases", ChangeAliasesAsync).WithName("UpdateAliases").Describe(CollectionDocs.ChangeAliases);
        all.MapGet("/aliases", ListAllAliasesAsync).WithName("GetAliases").Describe(CollectionDocs.ListAllAliases);
        RouteGroupBuilder one = all.MapGroup("/collections/{collection}");
        one.MapGet("", GetAsync).WithName("GetCollection").Describe(CollectionDocs.Get);
        one.MapPut("", CreateAsync).WithName("CreateCollection").Describe(CollectionDocs.Create);
        one.MapPatch("", UpdateAsync).WithName("UpdateCollection").Describe(CollectionDocs.Update);
        one.MapDelete("", DeleteAsync).WithName("DeleteCollection").Describe(CollectionDocs.Delete);
        one.MapGet("/exists", ExistsAsync).WithName("CollectionExists").Describe(CollectionDocs.Exists);
        one.MapGet("/aliases", ListAliasesAsync).WithName("GetCollectionAliases").Describe(CollectionDocs.ListAliases);
        one.MapPut("/index", CreateIndexAsync).WithName("CreateFieldIndex").Describe(CollectionDocs.CreateIndex);
        one.MapDelete("/index/{field}", DropIndexAsync).WithName("DeleteFieldIndex").Describe(CollectionDocs.DropIndex);
    }

    private static async Task ListAsync(HttpContext context, ICollections collections)
    {
        IReadOnlyList<string> names = await QdrantRequest.RunAsync(context, collections.ListAsync);
        await Envelope.WriteListAsync(
            context,
            names,
            static (json, name) =>
            {
                json.WriteStartObject();
                json.WriteString("name"u8, name);
                json.WriteEndObject();
            },
            "collections");
    }

    private static async Task GetAsync(HttpContext context, ICollections collections, IShardRouter router, string collection)
    {
        CollectionInfo info = await QdrantRequest.RunAsync(context, ct => collections.GetInfoAsync(collection, ct));
        await Envelope.WriteAsync(context, json => CollectionWriter.Write(json, info, router.Map.Shards.Count));
    }

    private static async Task ExistsAsync(HttpContext context, ICollections collections, string collection)
    {
        bool exists = await QdrantRequest.RunAsync(context, ct => collections.ExistsAsync(collection, ct));
        await Envelope.WriteAsync(context, json =>
        {
            json.WriteStartObject();
            json.WriteBoolean("exists"u8, exists);
            json.WriteEndObject();
        });
    }

    private static async Task CreateAsync(HttpContext context, ICollections collections, string collection)
    {
        CollectionOptions options = await QdrantBody.ReadAsync(context, CollectionReader.ReadCreate);
        await RunAsync(context, ct => collections.CreateAsync(collection, options, ct));
    }

    private static async Task UpdateAsync(HttpContext context, ICollections collections, string collection)
    {
        CollectionUpdate update = await QdrantBody.ReadAsync(context, CollectionReader.ReadUpdate);
        await RunAsync(context, ct => collections.UpdateAsync(collection, update, ct));
    }

    private static async Task DeleteAsync(HttpContext context, ICollections collections, string collection)
    {
        bool existed = await QdrantRequest.RunAsync(context, ct => collections.DeleteAsync(collection, ct));
        await Envelope.WriteAsync(context, existed);
    }

    private static async Task ChangeAliasesAsync(HttpContext context, ICollections collections)
    {
        AliasChange[] changes = await QdrantBody.ReadAsync(context, IndexReader.ReadAliases);
        await RunAsync(context, ct => collections.ChangeAliasesAsync(changes, ct));
    }

    private static Task ListAllAliasesAsync(HttpContext context, ICollections collections) =>
        WriteAliasesAsync(context, collections, collection: null);

    private static Task ListAliasesAsync(HttpContext context, ICollections collections, string collection) =>
        WriteAliasesAsync(context, collections, collection);

    private static async Task WriteAliasesAsync(HttpContext context, ICollections collections, string? collection)
    {
        IReadOnlyList<AliasDescription> aliases =
            await QdrantRequest.RunAsync(context, ct => collections.ListAliasesAsync(collection, ct));
        await Envelope.WriteListAsync(
            context,
            aliases,
            static (json, alias) =>
            {
                json.WriteStartObject();
                json.WriteString("alias_name"u8, alias.Alias);
                json.WriteString("collection_name"u8, alias.Collection);
                json.WriteEndObject();
            },
            "aliases");
    }

    private static async Task CreateIndexAsync(HttpContext context, ICollections collections, string collection)
    {
        (string path, PayloadIndexOptions options) = await QdrantBody.ReadAsync(context, IndexReader.Read);
        PointWriteResult result =
            await QdrantRequest.RunAsync(context, ct => collections.CreateIndexAsync(collection, path, options, ct));
        await PointWritesApi.WriteResultAsync(context, result);
    }

    private static async Task DropIndexAsync(HttpContext context, ICollections collections, string collection, string field)
    {
        PointWriteResult result =
            await QdrantRequest.RunAsync(
                context, ct => collections.DropIndexAsync(collection, QdrantRequest.WithSlashes(field), ct));
        await PointWritesApi.WriteResultAsync(context, result);
    }

    private static async Task RunAsync(HttpContext context, Func<CancellationToken, ValueTask> action)
    {
        bool done = await QdrantRequest.RunAsync(context, async ct =>
        {
            await action(ct);
            return true;
        });
        await Envelope.WriteAsync(context, done);
    }
}
