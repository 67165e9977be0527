using System.Text.Json;
using AiDb.Engine.Collections;
using AiDb.Gateway.Qdrant.Rest.Json;

namespace AiDb.Gateway.Qdrant.Rest.Reading;

/// <summary>Reads points to write, in both of their forms: a list of points, or columns.</summary>
internal static class PointReader
{
    /// <summary>Points of one request at most.</summary>
    public const int MaxPoints = 100_000;

    private const double MaxTimeToLiveSeconds = 1000d * 366 * 24 * 3600;

    /// <summary>Reads an upsert: <c>points</c>, or <c>batch</c> of ids, vectors and payloads.</summary>
    public static UpsertOperation ReadUpsert(JsonField body)
    {
        SelectorReader.RefuseShardKey(body);
        Filter? updateFilter = FilterReader.ReadOptional(body, "update_filter");
        UpsertMode mode = body.Get("update_mode")?.AsChoice(
            ("upsert", UpsertMode.Upsert), ("insert_only", UpsertMode.InsertOnly), ("update_only", UpsertMode.UpdateOnly))
            ?? UpsertMode.Upsert;
        if (body.Get("batch") is { } batch)
            return new UpsertOperation(ReadColumns(batch), updateFilter, mode);
        JsonField points = body.Require("points");
        CheckCount(points);
        return new UpsertOperation(points.Map(ReadPoint), updateFilter, mode);
    }

    /// <summary>Reads one point.</summary>
    public static Point ReadPoint(JsonField field) => new()
    {
        Id = IdReader.Read(field.Require("id")),
        Vectors = field.Get("vector", "vectors") is { } vector
            ? VectorReader.ReadAll(vector)
            : throw field.Invalid("the field 'vector' is missing; a point without vectors has \"vector\": {}"),
        Payload = field.Get("payload") is { } payload ? ReadPayload(payload) : null,
        TimeToLive = ReadTimeToLive(field.Get("ttl")),
    };

    /// <summary>Reads new vectors of points.</summary>
    public static UpdateVectorsOperation ReadVectors(JsonField body)
    {
        SelectorReader.RefuseShardKey(body);
        JsonField points = body.Require("points");
        CheckCount(points);
        return new UpdateVectorsOperation(
            points.Map(static point =>
                new PointVectors(IdReader.Read(point.Require("id")), VectorReader.ReadAll(point.Require("vector")))),
            FilterReader.ReadOptional(body, "update_filter"));
    }

    /// <summary>Reads a payload.</summary>
    public static Payload ReadPayload(JsonField field)
    {
        try
        {
            return Payload.FromElement(field.Value);
        }
        catch (AiDbException error)
        {
            throw field.Invalid(error.Message.TrimEnd('.'));
        }
    }

    /// <summary>Reads a time to live in seconds; null: there is none.</summary>
    public static TimeSpan? ReadTimeToLive(JsonField? field)
    {
        if (field is null)
            return null;
        return field.AsDouble() is var seconds and >= 0.001 and <= MaxTimeToLiveSeconds
            ? TimeSpan.FromMilliseconds(Math.Ceiling(seconds * 1000))
            : throw field.Wrong($"seconds from 0.001 to {MaxTimeToLiveSeconds}");
    }

    private static Point[] ReadColumns(JsonField batch)
    {
        JsonField ids = batch.Require("ids");
        CheckCount(ids);
        PointId[] keys = ids.Map(IdReader.Read);
        NamedVectors[] vectors = ReadVectorColumns(batch.Require("vectors"), keys.Length);
        TimeSpan? timeToLive = ReadTimeToLive(batch.Get("ttl"));
        JsonField? payloads = batch.Get("payloads");
        if (payloads is not null)
            CheckLength(payloads, keys.Length);
        var points = new Point[keys.Length];
        for (int i = 0; i < keys.Length; i++)
        {
            JsonField? payload = payloads?.Item(i);
            points[i] = new Point
            {
                Id = keys[i],
                Vectors = vectors[i],
                Payload = payload is null || payload.Kind == JsonValueKind.Null ? null : ReadPayload(payload),
                TimeToLive = timeToLive,
            };
        }

        return points;
    }

    private static NamedVectors[] ReadVectorColumns(JsonField field, int count)
    {
        if (!field.IsObject)
        {
            CheckLength(field, count);
            return field.Map(static vector => new NamedVectors { [NamedVectors.Unnamed] = VectorReader.Read(vector) });
        }

        var vectors = new NamedVectors[count];
        for (int i = 0; i < count; i++)
            vectors[i] = [];
        foreach ((string name, JsonField column) in field.Members())
        {
            CheckLength(column, count);
            int row = 0;
            foreach (JsonField vector in column.Items())
                vectors[row++][name] = VectorReader.Read(vector);
        }

        return vectors;
    }

    private static void CheckLength(JsonField field, int count)
    {
        if (!field.IsArray || field.Value.GetArrayLength() != count)
            throw field.Wrong($"an array of {count}, as many as ids");
    }

    private static void CheckCount(JsonField points)
    {
        if (points.IsArray && points.Value.GetArrayLength() is 0 or > MaxPoints)
            throw points.Invalid($"a request has 1 to {MaxPoints} points, not {points.Value.GetArrayLength()}");
    }
}
