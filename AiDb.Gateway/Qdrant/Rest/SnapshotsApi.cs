using System.Text.Json;
using AiDb.Engine.Collections;
using AiDb.Gateway.Front;
using AiDb.Gateway.OpenApi;
using AiDb.Gateway.Qdrant.Rest.Docs;
using AiDb.Gateway.Qdrant.Snapshots;
using Microsoft.AspNetCore.Http.Features;
using Microsoft.AspNetCore.WebUtilities;
using Microsoft.Net.Http.Headers;

namespace AiDb.Gateway.Qdrant.Rest;

/// <summary>Snapshots of one collection, and of all.</summary>
internal static class SnapshotsApi
{
    public static void Map(IEndpointRouteBuilder routes)
    {
        RouteGroupBuilder one = routes.MapGroup("/collections/{collection}/snapshots").WithTags("Snapshots");
        one.MapGet("", (HttpContext context, SnapshotStore store, string collection) => ListAsync(context, store, collection))
            .WithName("ListSnapshots").Describe(SnapshotDocs.List);
        one.MapPost("", CreateAsync).WithName("CreateSnapshot").Describe(SnapshotDocs.Create);
        one.MapGet("/{snapshot}", DownloadAsync).WithName("GetSnapshot").Describe(SnapshotDocs.Download);
        one.MapDelete("/{snapshot}", DeleteAsync).WithName("DeleteSnapshot").Describe(SnapshotDocs.Delete);
        one.MapPut("/recover", RecoverAsync).WithName("RecoverFromSnapshot").Describe(SnapshotDocs.Recover);
        one.MapPost("/upload", UploadAsync).WithName("RecoverFromUploadedSnapshot").Describe(SnapshotDocs.Upload);
        RouteGroupBuilder full = routes.MapGroup("/snapshots").WithTags("Snapshots");
        full.MapGet("", (HttpContext context, SnapshotStore store) => ListAsync(context, store, null))
            .WithName("ListFullSnapshots").Describe(SnapshotDocs.ListFull);
        full.MapPost("", CreateFullAsync).WithName("CreateFullSnapshot").Describe(SnapshotDocs.CreateFull);
        full.MapGet("/{snapshot}", DownloadFullAsync).WithName("GetFullSnapshot").Describe(SnapshotDocs.DownloadFull);
        full.MapDelete("/{snapshot}", DeleteFullAsync).WithName("DeleteFullSnapshot").Describe(SnapshotDocs.DeleteFull);
        full.MapPut("/recover", RecoverFullAsync).WithName("RecoverFromFullSnapshot").Describe(SnapshotDocs.RecoverFull);
    }

    private static Task ListAsync(HttpContext context, SnapshotStore store, string? collection) =>
        Envelope.WriteListAsync(context, store.List(collection), Write);

    private static async Task CreateAsync(HttpContext context, ICollections collections, SnapshotStore store, string collection)
    {
        SnapshotInfo info = await QdrantRequest.RunAsync(context, async ct =>
        {
            _ = await collections.GetInfoAsync(collection, ct);
            return await store.CreateAsync(
                collection, store.NewName(collection),
                (output, cancellation) => SnapshotWriter.WriteAsync(collections, collection, output, cancellation), ct);
        });
        await Envelope.WriteAsync(context, json => Write(json, info));
    }

    private static async Task CreateFullAsync(HttpContext context, ICollections collections, SnapshotStore store)
    {
        SnapshotInfo info = await QdrantRequest.RunAsync(context, async ct =>
        {
            IReadOnlyList<string> names = await collections.ListAsync(ct);
            return await store.CreateAsync(
                null,
                store.NewName(null),
                async (output, cancellation) =>
                {
                    foreach (string name in names)
                        await SnapshotWriter.WriteAsync(collections, name, output, cancellation);
                },
                ct);
        });
        await Envelope.WriteAsync(context, json => Write(json, info));
    }

    private static Task DownloadAsync(HttpContext context, SnapshotStore store, string collection, string snapshot) =>
        SendAsync(context, store, collection, snapshot);

    private static Task DownloadFullAsync(HttpContext context, SnapshotStore store, string snapshot) =>
        SendAsync(context, store, null, snapshot);

    private static Task SendAsync(HttpContext context, SnapshotStore store, string? collection, string snapshot)
    {
        string path = store.Find(collection, snapshot);
        return Results.File(path, "application/octet-stream", snapshot, enableRangeProcessing: true).ExecuteAsync(context);
    }

    private static Task DeleteAsync(HttpContext context, SnapshotStore store, string collection, string snapshot)
    {
        store.Delete(collection, snapshot);
        return Envelope.WriteAsync(context, result: true);
    }

    private static Task DeleteFullAsync(HttpContext context, SnapshotStore store, string snapshot)
    {
        store.Delete(null, snapshot);
        return Envelope.WriteAsync(context, result: true);
    }

    private static Task RecoverAsync(HttpContext context, ICollections collections, SnapshotStore store, string collection) =>
        RecoverFromAsync(context, collections, store, collection);

    private static Task RecoverFullAsync(HttpContext context, ICollections collections, SnapshotStore store) =>
        RecoverFromAsync(context, collections, store, null);

    private static async Task RecoverFromAsync(
        HttpContext context, ICollections collections, SnapshotStore store, string? collection)
    {
        (string location, string? checksum) = await QdrantBody.ReadAsync(
            context, static body => (body.Require("location").AsString(), body.Get("checksum")?.AsString()));
        string path = store.FindLocation(location);
        await RunAsync(context, collections, path, collection, checksum);
    }

    private static async Task UploadAsync(HttpContext context, ICollections collections, SnapshotStore store, string collection)
    {
        // A snapshot is as large as its collection; it goes to the disk as it comes.
        if (context.Features.Get<IHttpMaxRequestBodySizeFeature>() is { IsReadOnly: false } limit)
            limit.MaxRequestBodySize = null;
        if (!MediaTypeHeaderValue.TryParse(context.Request.ContentType, out MediaTypeHeaderValue? type)
            || HeaderUtilities.RemoveQuotes(type.Boundary).Value is not { Length: > 0 } boundary)
        {
            throw RequestLimits.Invalid("body: send multipart/form-data with a file named snapshot.");
        }

        MultipartReader reader = new(boundary, context.Request.Body);
        MultipartSection section = await reader.ReadNextSectionAsync(context.RequestAborted)
            ?? throw RequestLimits.Invalid("body: there is no file named snapshot in it.");
        string name = store.NewName(collection);
        await store.CreateAsync(collection, name, (output, ct) => section.Body.CopyToAsync(output, ct), context.RequestAborted);
        string? checksum = context.Request.Query["checksum"].ToString() is { Length: > 0 } given ? given : null;
        try
        {
            await RunAsync(context, collections, store.Find(collection, name), collection, checksum);
        }
        finally
        {
            store.Delete(collection, name);
        }
    }

    private static async Task RunAsync(
        HttpContext context, ICollections collections, string path, string? collection, string? checksum)
    {
        bool done = await QdrantRequest.RunAsync(context, async ct =>
        {
            await SnapshotStore.CheckAsync(path, checksum, ct);
            await SnapshotRecovery.RunAsync(collections, path, collection, ct);
            return true;
        });
        await Envelope.WriteAsync(context, done);
    }

    private static void Write(Utf8JsonWriter json, SnapshotInfo info)
    {
        json.WriteStartObject();
        json.WriteString("name"u8, info.Name);
        json.WriteString("creation_time"u8, info.CreatedAt.UtcDateTime.ToString("s", System.Globalization.CultureInfo.InvariantCulture));
        json.WriteNumber("size"u8, info.SizeBytes);
        if (info.Checksum is not null)
            json.WriteString("checksum"u8, info.Checksum);
        json.WriteEndObject();
    }
}
