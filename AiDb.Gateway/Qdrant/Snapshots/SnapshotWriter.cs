using System.Buffers;
using System.Text.Encodings.Web;
using System.Text.Json;
using AiDb.Engine.Collections;
using AiDb.Gateway.Qdrant.Rest.Writing;

namespace AiDb.Gateway.Qdrant.Snapshots;

/// <summary>Writes collections as lines of JSON: a head with the settings, a line per point, and a tail with their number.
/// docs/formats/snapshots.md describes them.</summary>
internal static class SnapshotWriter
{
    private const int PageSize = 256;

    private static readonly JsonWriterOptions Options = new()
    {
        Encoder = JavaScriptEncoder.UnsafeRelaxedJsonEscaping,
        SkipValidation = true,
    };

    /// <summary>Writes a collection, page by page. A point that is written meanwhile may be in it or not.</summary>
    public static async Task WriteAsync(
        ICollections collections, string collection, Stream output, CancellationToken cancellationToken)
    {
        CollectionInfo info = await collections.GetInfoAsync(collection, cancellationToken);
        ArrayBufferWriter<byte> lines = new(1 << 20);
        Line(lines, json => WriteHead(json, collection, info));
        long points = 0;
        PointId? offset = null;
        do
        {
            ScrollRequest request = new() { Offset = offset, Limit = PageSize, WithVectors = VectorSelector.All };
            ScrollPage page = await collections.ScrollAsync(collection, request, cancellationToken);
            foreach (PointRecord point in page.Points)
                Line(lines, json => PointWriter.Write(json, point with { Vectors = point.Vectors ?? [] }));
            points += page.Points.Count;
            offset = page.Next;
            await output.WriteAsync(lines.WrittenMemory, cancellationToken);
            lines.ResetWrittenCount();
        }
        while (offset is not null);
        Line(lines, json =>
        {
            json.WriteStartObject();
            json.WriteNumber(SnapshotReader.PointCount, points);
            json.WriteEndObject();
        });
        await output.WriteAsync(lines.WrittenMemory, cancellationToken);
    }

    private static void WriteHead(Utf8JsonWriter json, string collection, CollectionInfo info)
    {
        json.WriteStartObject();
        json.WriteNumber(SnapshotReader.Format, SnapshotReader.Version);
        json.WriteString(SnapshotReader.Collection, collection);
        json.WritePropertyName(SnapshotReader.Settings);
        SettingsWriter.Write(json, info.Options);
        json.WriteStartArray(SnapshotReader.Indexes);
        foreach ((string path, PayloadIndexInfo index) in info.PayloadIndexes)
        {
            json.WriteStartObject();
            json.WriteString("field_name"u8, path);
            json.WritePropertyName("field_schema"u8);
            OptionsWriter.WriteIndexParameters(json, index.Options);
            json.WriteEndObject();
        }

        json.WriteEndArray();
        json.WriteEndObject();
    }

    private static void Line(ArrayBufferWriter<byte> lines, Action<Utf8JsonWriter> write)
    {
        using (Utf8JsonWriter json = new(lines, Options))
            write(json);
        lines.Write("\n"u8);
    }
}
