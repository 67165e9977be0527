using System.Text.Json;
using AiDb.Engine.Collections;
using AiDb.Gateway.Front;
using AiDb.Gateway.Qdrant.Rest.Json;

namespace AiDb.Gateway.Qdrant.Rest.Reading;

/// <summary>Reads ids of points: unsigned 64-bit numbers, or UUIDs as strings.</summary>
internal static class IdReader
{
    private const string Rule = "an unsigned 64-bit integer or a UUID";

    /// <summary>Reads an id of a body.</summary>
    public static PointId Read(JsonField field)
    {
        if (field.Kind == JsonValueKind.Number && field.Value.TryGetUInt64(out ulong number))
            return new PointId(number);
        if (field.Kind == JsonValueKind.String && PointId.TryParseUuid(field.AsString(), out PointId id))
            return id;
        throw field.Wrong("a point id: " + Rule);
    }

    /// <summary>Reads an id of an address.</summary>
    public static PointId ReadText(string text) => PointId.TryParse(text, out PointId id)
        ? id
        : throw RequestLimits.Invalid($"id: a point id is {Rule}, not '{RequestLimits.Shown(text)}'.");
}
