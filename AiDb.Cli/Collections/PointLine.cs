using System.Text;
using System.Text.Json;
using AiDb.Client;

namespace AiDb.Cli.Collections;

/// <summary>A point as a line of JSON: <c>{"id": 1, "vector": [...], "payload": {...}}</c>. The vector of a collection with
/// names is an object; a sparse one is <c>{"indices": [...], "values": [...]}</c>, a multi-vector an array of
/// arrays.</summary>
internal static class PointLine
{
    /// <summary>Reads a point.</summary>
    /// <exception cref="AiDbException"><see cref="AiDbErrorKind.InvalidArgument"/>: it is malformed.</exception>
    public static AiDbPoint Parse(ReadOnlyMemory<byte> line)
    {
        try
        {
            using JsonDocument document = JsonDocument.Parse(line);
            JsonElement root = document.RootElement;
            if (root.ValueKind != JsonValueKind.Object || !root.TryGetProperty("id", out JsonElement id))
                throw Invalid("a point is an object with an id");
            AiDbPoint point = new()
            {
                Id = AiDbPointId.Parse(id.ValueKind == JsonValueKind.String ? id.GetString()! : id.GetRawText()),
                PayloadJson = root.TryGetProperty("payload", out JsonElement payload) && payload.ValueKind != JsonValueKind.Null
                    ? payload.GetRawText()
                    : null,
            };
            if (!root.TryGetProperty("vector", out JsonElement vector) || vector.ValueKind == JsonValueKind.Null)
                return point;
            return vector.ValueKind == JsonValueKind.Object && !vector.TryGetProperty("indices", out _)
                ? point with { Vectors = ReadNamed(vector) }
                : point with { Vector = ReadVector(vector) };
        }
        catch (Exception error) when (error is JsonException or InvalidOperationException or FormatException)
        {
            throw new AiDbException(AiDbErrorKind.InvalidArgument, $"The point is malformed: {error.Message}", error);
        }
    }

    /// <summary>Reads a vector that is typed.</summary>
    /// <exception cref="AiDbException"><see cref="AiDbErrorKind.InvalidArgument"/>: it is malformed.</exception>
    public static AiDbVector ParseVector(string text)
    {
        try
        {
            using JsonDocument document = JsonDocument.Parse(text);
            return ReadVector(document.RootElement);
        }
        catch (Exception error) when (error is JsonException or InvalidOperationException or FormatException)
        {
            throw new AiDbException(
                AiDbErrorKind.InvalidArgument, $"The vector is malformed; write for example [0.1,0.2]: {error.Message}", error);
        }
    }

    /// <summary>A point as a line.</summary>
    public static string Write(AiDbFoundPoint point, bool withScore)
    {
        using MemoryStream text = new();
        using (Utf8JsonWriter json = new(text))
        {
            json.WriteStartObject();
            if (point.Id.Uuid is { } uuid)
                json.WriteString("id"u8, uuid);
            else
                json.WriteNumber("id"u8, point.Id.Number);
            if (withScore)
                json.WriteNumber("score"u8, point.Score);
            WriteVectors(json, point.Vectors);
            if (point.PayloadJson is { } payload)
            {
                json.WritePropertyName("payload"u8);
                json.WriteRawValue(payload);
            }

            json.WriteEndObject();
        }

        return Encoding.UTF8.GetString(text.ToArray());
    }

    private static void WriteVectors(Utf8JsonWriter json, IReadOnlyDictionary<string, AiDbVector> vectors)
    {
        if (vectors.Count == 0)
            return;
        json.WritePropertyName("vector"u8);
        if (vectors.Count == 1 && vectors.TryGetValue("", out AiDbVector? only))
        {
            Write(json, only);
            return;
        }

        json.WriteStartObject();
        foreach ((string name, AiDbVector vector) in vectors)
        {
            json.WritePropertyName(name);
            Write(json, vector);
        }

        json.WriteEndObject();
    }

    private static void Write(Utf8JsonWriter json, AiDbVector vector)
    {
        if (vector.Vectors is { } several)
        {
            json.WriteStartArray();
            foreach (ReadOnlyMemory<float> values in several)
                Write(json, values);
            json.WriteEndArray();
        }
        else if (vector.Indices is { } indices)
        {
            json.WriteStartObject();
            json.WriteStartArray("indices"u8);
            foreach (uint index in indices.Span)
                json.WriteNumberValue(index);
            json.WriteEndArray();
            json.WritePropertyName("values"u8);
            Write(json, vector.Values);
            json.WriteEndObject();
        }
        else
        {
            Write(json, vector.Values);
        }
    }

    private static void Write(Utf8JsonWriter json, ReadOnlyMemory<float> values)
    {
        json.WriteStartArray();
        foreach (float value in values.Span)
            json.WriteNumberValue(value);
        json.WriteEndArray();
    }

    private static Dictionary<string, AiDbVector> ReadNamed(JsonElement vectors)
    {
        Dictionary<string, AiDbVector> result = new(StringComparer.Ordinal);
        foreach (JsonProperty property in vectors.EnumerateObject())
            result[property.Name] = ReadVector(property.Value);
        return result;
    }

    private static AiDbVector ReadVector(JsonElement vector)
    {
        if (vector.ValueKind == JsonValueKind.Object)
        {
            return AiDbVector.Sparse(
                vector.GetProperty("indices"u8).EnumerateArray().Select(static item => item.GetUInt32()).ToArray(),
                Numbers(vector.GetProperty("values"u8)));
        }

        return vector.EnumerateArray().FirstOrDefault().ValueKind == JsonValueKind.Array
            ? AiDbVector.Multi([.. vector.EnumerateArray().Select(static item => (ReadOnlyMemory<float>)Numbers(item))])
            : AiDbVector.Dense(Numbers(vector));
    }

    private static float[] Numbers(JsonElement array) => [.. array.EnumerateArray().Select(static item => item.GetSingle())];

    private static AiDbException Invalid(string message) => new(AiDbErrorKind.InvalidArgument, message + ".");
}
