using AiDb.Engine.Collections;
using AiDb.Gateway.Qdrant.Rest.Json;

namespace AiDb.Gateway.Qdrant.Rest.Reading;

/// <summary>Reads changes of points, alone or many of them in one request.</summary>
internal static class OperationReader
{
    /// <summary>Operations of one request at most.</summary>
    public const int MaxOperations = 10_000;

    /// <summary>Reads the operations of a batch.</summary>
    public static PointOperation[] ReadBatch(JsonField body)
    {
        JsonField operations = body.Require("operations");
        if (operations.IsArray && operations.Value.GetArrayLength() > MaxOperations)
            throw operations.Invalid($"a request has at most {MaxOperations} operations");
        return operations.Map(ReadOperation);
    }

    /// <summary>Reads a deletion.</summary>
    public static DeleteOperation ReadDelete(JsonField body) => new(SelectorReader.ReadPoints(body));

    /// <summary>Reads new payload keys.</summary>
    public static SetPayloadOperation ReadSetPayload(JsonField body) => new(
        SelectorReader.ReadPoints(body), PointReader.ReadPayload(body.Require("payload")), body.Get("key")?.AsString());

    /// <summary>Reads a new payload; with <c>key</c> only that object of it is replaced, which AiDb does not
    /// offer.</summary>
    public static OverwritePayloadOperation ReadOverwritePayload(JsonField body)
    {
        if (body.Get("key") is { } key)
            throw key.NotOffered("key here; set the keys by POST, or overwrite the whole payload");
        return new OverwritePayloadOperation(SelectorReader.ReadPoints(body), PointReader.ReadPayload(body.Require("payload")));
    }

    /// <summary>Reads payload fields to delete.</summary>
    public static DeletePayloadOperation ReadDeletePayload(JsonField body) =>
        new(SelectorReader.ReadPoints(body), SelectorReader.ReadStrings(body.Require("keys")));

    /// <summary>Reads which payloads are emptied.</summary>
    public static ClearPayloadOperation ReadClearPayload(JsonField body) => new(SelectorReader.ReadPoints(body));

    /// <summary>Reads vectors to delete.</summary>
    public static DeleteVectorsOperation ReadDeleteVectors(JsonField body)
    {
        JsonField names = body.Require("vector");
        string[] vectors = SelectorReader.ReadStrings(names);
        return vectors.Length > 0
            ? new DeleteVectorsOperation(SelectorReader.ReadPoints(body), vectors)
            : throw names.Invalid("name at least one vector");
    }

    private static PointOperation ReadOperation(JsonField field)
    {
        if (field.Members().Count() != 1)
            throw field.Invalid("give one operation, such as {\"upsert\": {...}}");
        (string name, JsonField body) = field.Members().First();
        return name switch
        {
            "upsert" => PointReader.ReadUpsert(body),
            "delete" or "delete_points" => ReadDelete(body),
            "set_payload" => ReadSetPayload(body),
            "overwrite_payload" => ReadOverwritePayload(body),
            "delete_payload" => ReadDeletePayload(body),
            "clear_payload" => ReadClearPayload(body),
            "update_vectors" => PointReader.ReadVectors(body),
            "delete_vectors" => ReadDeleteVectors(body),
            _ => throw body.Invalid("there is no such operation"),
        };
    }
}
