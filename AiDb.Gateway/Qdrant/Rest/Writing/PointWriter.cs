using System.Text.Json;
using AiDb.Engine.Collections;

namespace AiDb.Gateway.Qdrant.Rest.Writing;

/// <summary>Writes points as Qdrant does: what was not asked for is left out.</summary>
internal static class PointWriter
{
    /// <summary>Writes a point that was read.</summary>
    public static void Write(Utf8JsonWriter json, PointRecord point)
    {
        json.WriteStartObject();
        WriteId(json, "id"u8, point.Id);
        WriteContents(json, point.Payload, point.Vectors, point.OrderValue);
        json.WriteEndObject();
    }

    /// <summary>Writes a point that a query found.</summary>
    public static void Write(Utf8JsonWriter json, ScoredPoint point)
    {
        json.WriteStartObject();
        WriteId(json, "id"u8, point.Id);
        json.WriteNumber("version"u8, point.Version);
        WriteScore(json, "score"u8, point.Score);
        WriteContents(json, point.Payload, point.Vectors, point.OrderValue);
        json.WriteEndObject();
    }

    /// <summary>Writes a member that is an id.</summary>
    public static void WriteId(Utf8JsonWriter json, ReadOnlySpan<byte> name, PointId id)
    {
        json.WritePropertyName(name);
        WriteId(json, id);
    }

    /// <summary>Writes an id.</summary>
    public static void WriteId(Utf8JsonWriter json, PointId id)
    {
        if (id.IsUuid)
            json.WriteStringValue(id.Uuid);
        else
            json.WriteNumberValue(id.Number);
    }

    /// <summary>Writes a member that is a score; JSON has no infinity.</summary>
    public static void WriteScore(Utf8JsonWriter json, ReadOnlySpan<byte> name, float score)
    {
        if (float.IsFinite(score))
            json.WriteNumber(name, score);
        else
            json.WriteNull(name);
    }

    /// <summary>Writes the vectors of a point: the unnamed one alone, or an object of names.</summary>
    public static void WriteVectors(Utf8JsonWriter json, NamedVectors vectors)
    {
        if (vectors.Count == 1 && vectors.TryGetValue(NamedVectors.Unnamed, out VectorValue? only))
        {
            WriteVector(json, only);
            return;
        }

        json.WriteStartObject();
        foreach ((string name, VectorValue vector) in vectors)
        {
            json.WritePropertyName(name);
            WriteVector(json, vector);
        }

        json.WriteEndObject();
    }

    private static void WriteContents(Utf8JsonWriter json, Payload? payload, NamedVectors? vectors, OrderValue? order)
    {
        if (payload is not null)
        {
            json.WritePropertyName("payload"u8);
            WritePayload(json, payload);
        }

        if (vectors is not null)
        {
            json.WritePropertyName("vector"u8);
            WriteVectors(json, vectors);
        }

        if (order is not { } value)
            return;
        if (value.Integer is { } integer)
            json.WriteNumber("order_value"u8, integer);
        else
            json.WriteNumber("order_value"u8, value.Float);
    }

    /// <summary>Writes a payload, which was validated when it came.</summary>
    public static void WritePayload(Utf8JsonWriter json, Payload payload) =>
        json.WriteRawValue(payload.Utf8.Span, skipInputValidation: true);

    private static void WriteVector(Utf8JsonWriter json, VectorValue vector)
    {
        switch (vector)
        {
            case DenseVector dense:
                WriteNumbers(json, dense.Values.Span);
                break;
            case MultiVector multi:
                json.WriteStartArray();
                int dimensions = multi.Values.Length / multi.Count;
                for (int row = 0; row < multi.Count; row++)
                    WriteNumbers(json, multi.Values.Span.Slice(row * dimensions, dimensions));
                json.WriteEndArray();
                break;
            case SparseVector sparse:
                json.WriteStartObject();
                json.WriteStartArray("indices"u8);
                foreach (uint index in sparse.Indices.Span)
                    json.WriteNumberValue(index);
                json.WriteEndArray();
                json.WritePropertyName("values"u8);
                WriteNumbers(json, sparse.Values.Span);
                json.WriteEndObject();
                break;
        }
    }

    private static void WriteNumbers(Utf8JsonWriter json, ReadOnlySpan<float> values)
    {
        json.WriteStartArray();
        foreach (float value in values)
            json.WriteNumberValue(value);
        json.WriteEndArray();
    }
}
