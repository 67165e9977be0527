using System.Text.Json;
using AiDb.Engine.Collections;

namespace AiDb.Gateway.Qdrant.Rest.Writing;

/// <summary>Writes the results of reads other than lists of points.</summary>
internal static class ResultWriter
{
    /// <summary>Writes a value of a payload that was grouped or counted by.</summary>
    public static void WriteValue(Utf8JsonWriter json, ReadOnlySpan<byte> name, MatchValue value)
    {
        if (value.Text is { } text)
            json.WriteString(name, text);
        else if (value.Boolean is { } boolean)
            json.WriteBoolean(name, boolean);
        else
            json.WriteNumber(name, value.Integer);
    }

    /// <summary>Writes a group.</summary>
    public static void WriteGroup(Utf8JsonWriter json, PointGroup group)
    {
        json.WriteStartObject();
        json.WriteStartArray("hits"u8);
        foreach (ScoredPoint hit in group.Hits)
            PointWriter.Write(json, hit);
        json.WriteEndArray();
        WriteValue(json, "id"u8, group.Key);
        if (group.Lookup is { } lookup)
        {
            json.WritePropertyName("lookup"u8);
            PointWriter.Write(json, lookup);
        }

        json.WriteEndObject();
    }

    /// <summary>Writes a facet.</summary>
    public static void WriteFacet(Utf8JsonWriter json, IReadOnlyList<FacetHit> hits)
    {
        json.WriteStartObject();
        json.WriteStartArray("hits"u8);
        foreach (FacetHit hit in hits)
        {
            json.WriteStartObject();
            WriteValue(json, "value"u8, hit.Value);
            json.WriteNumber("count"u8, hit.Count);
            json.WriteEndObject();
        }

        json.WriteEndArray();
        json.WriteEndObject();
    }

    /// <summary>Writes a matrix as pairs.</summary>
    public static void WritePairs(Utf8JsonWriter json, MatrixResult matrix)
    {
        json.WriteStartObject();
        json.WriteStartArray("pairs"u8);
        foreach (MatrixPair pair in matrix.Pairs)
        {
            json.WriteStartObject();
            PointWriter.WriteId(json, "a"u8, pair.A);
            PointWriter.WriteId(json, "b"u8, pair.B);
            PointWriter.WriteScore(json, "score"u8, pair.Score);
            json.WriteEndObject();
        }

        json.WriteEndArray();
        json.WriteEndObject();
    }

    /// <summary>Writes a matrix as rows, columns and scores.</summary>
    public static void WriteOffsets(Utf8JsonWriter json, MatrixResult matrix)
    {
        Dictionary<PointId, int> offsets = [];
        foreach (PointId id in matrix.Ids)
            offsets.Add(id, offsets.Count);
        json.WriteStartObject();
        json.WriteStartArray("offsets_row"u8);
        foreach (MatrixPair pair in matrix.Pairs)
            json.WriteNumberValue(offsets[pair.A]);
        json.WriteEndArray();
        json.WriteStartArray("offsets_col"u8);
        foreach (MatrixPair pair in matrix.Pairs)
            json.WriteNumberValue(offsets[pair.B]);
        json.WriteEndArray();
        json.WriteStartArray("scores"u8);
        foreach (MatrixPair pair in matrix.Pairs)
            json.WriteNumberValue(pair.Score);
        json.WriteEndArray();
        json.WriteStartArray("ids"u8);
        foreach (PointId id in matrix.Ids)
            PointWriter.WriteId(json, id);
        json.WriteEndArray();
        json.WriteEndObject();
    }

    /// <summary>Writes how a query is carried out.</summary>
    public static void WriteExplanation(Utf8JsonWriter json, QueryExplanation explanation)
    {
        json.WriteStartObject();
        json.WriteStartArray("steps"u8);
        foreach (string step in explanation.Steps)
            json.WriteStringValue(step);
        json.WriteEndArray();
        json.WriteStartArray("warnings"u8);
        foreach (string warning in explanation.Warnings)
            json.WriteStringValue(warning);
        json.WriteEndArray();
        json.WriteEndObject();
    }
}
