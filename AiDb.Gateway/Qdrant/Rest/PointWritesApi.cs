using AiDb.Contracts.V1;
using AiDb.Engine;
using AiDb.Engine.Collections;
using AiDb.Gateway.OpenApi;
using AiDb.Gateway.Qdrant.Rest.Docs;
using AiDb.Gateway.Qdrant.Rest.Json;
using AiDb.Gateway.Qdrant.Rest.Reading;

namespace AiDb.Gateway.Qdrant.Rest;

/// <summary>Changes of points.</summary>
internal static class PointWritesApi
{
    private delegate Task WriteHandler(HttpContext context, ICollections collections, string collection);

    public static void Map(IEndpointRouteBuilder routes)
    {
        RouteGroupBuilder points = routes.MapGroup("/collections/{collection}/points").WithTags("Points");
        points.MapPut("", Write(PointReader.ReadUpsert)).WithName("UpsertPoints").Describe(PointDocs.Upsert);
        points.MapPost("/delete", Write(OperationReader.ReadDelete)).WithName("DeletePoints").Describe(PointDocs.Delete);
        points.MapPost("/batch", (WriteHandler)BatchAsync).WithName("BatchUpdate").Describe(PointDocs.Batch);
        points.MapPost("/payload", Write(OperationReader.ReadSetPayload)).WithName("SetPayload").Describe(PointDocs.SetPayload);
        points.MapPut("/payload", Write(OperationReader.ReadOverwritePayload))
            .WithName("OverwritePayload").Describe(PointDocs.OverwritePayload);
        points.MapPost("/payload/delete", Write(OperationReader.ReadDeletePayload))
            .WithName("DeletePayload").Describe(PointDocs.DeletePayload);
        points.MapPost("/payload/clear", Write(OperationReader.ReadClearPayload))
            .WithName("ClearPayload").Describe(PointDocs.ClearPayload);
        points.MapPut("/vectors", Write(PointReader.ReadVectors)).WithName("UpdateVectors").Describe(PointDocs.UpdateVectors);
        points.MapPost("/vectors/delete", Write(OperationReader.ReadDeleteVectors))
            .WithName("DeleteVectors").Describe(PointDocs.DeleteVectors);
    }

    /// <summary>Writes what a change did. It is done and durable in either case; who did not wait is told
    /// "acknowledged", as Qdrant tells them.</summary>
    public static Task WriteResultAsync(HttpContext context, PointWriteResult result)
    {
        bool waits = QdrantRequest.Waits(context);
        return Envelope.WriteAsync(context, json => WriteResult(json, result, waits));
    }

    /// <summary>What a write is to reach, in the engine's terms; null: what is usual.</summary>
    public static PointWriteOptions? WriteOptionsOf(Durability durability) => durability switch
    {
        Durability.Memory => new PointWriteOptions { Durability = WriteDurability.Memory },
        Durability.Archived => new PointWriteOptions { Archived = true },
        _ => null,
    };

    private static WriteHandler Write<T>(Func<JsonField, T> read)
        where T : PointOperation => async (context, collections, collection) =>
    {
        PointOperation operation = await QdrantBody.ReadAsync(context, read);
        bool waits = QdrantRequest.Waits(context);
        PointWriteOptions? options = WriteOptionsOf(QdrantRequest.Durability(context));
        PointWriteResult result =
            await QdrantRequest.RunAsync(context, ct => collections.WriteAsync(collection, [operation], options, ct));
        await Envelope.WriteAsync(context, json => WriteResult(json, result, waits));
    };

    private static async Task BatchAsync(HttpContext context, ICollections collections, string collection)
    {
        PointOperation[] operations = await QdrantBody.ReadAsync(context, OperationReader.ReadBatch);
        bool waits = QdrantRequest.Waits(context);
        PointWriteOptions? options = WriteOptionsOf(QdrantRequest.Durability(context));
        PointWriteResult result =
            await QdrantRequest.RunAsync(context, ct => collections.WriteAsync(collection, operations, options, ct));
        await Envelope.WriteAsync(context, json =>
        {
            json.WriteStartArray();
            for (int i = 0; i < operations.Length; i++)
                WriteResult(json, result, waits);
            json.WriteEndArray();
        });
    }

    private static void WriteResult(System.Text.Json.Utf8JsonWriter json, PointWriteResult result, bool waits)
    {
        json.WriteStartObject();
        json.WriteNumber("operation_id"u8, result.Lsn);
        json.WriteString("status"u8, waits ? "completed"u8 : "acknowledged"u8);
        json.WriteEndObject();
    }
}
