using System.Buffers;
using System.IO.Pipelines;
using System.Text.Json;
using AiDb.Engine.Collections;
using AiDb.Gateway.Qdrant.Rest.Json;
using AiDb.Gateway.Qdrant.Rest.Reading;

namespace AiDb.Gateway.Qdrant.Snapshots;

/// <summary>A collection as a snapshot's head describes it.</summary>
/// <param name="Name">The name that it had.</param>
/// <param name="Options">Its settings.</param>
/// <param name="Indexes">Its payload indexes.</param>
internal sealed record SnapshotHead(
    string Name, CollectionOptions Options, IReadOnlyList<(string Path, PayloadIndexOptions Options)> Indexes);

/// <summary>Reads what <see cref="SnapshotWriter"/> wrote, and tells a file that is cut short from a whole one.</summary>
internal static class SnapshotReader
{
    /// <summary>The version of the format.</summary>
    public const int Version = 1;

    public const string Format = "aidb_snapshot";
    public const string Collection = "collection";
    public const string Settings = "settings";
    public const string Indexes = "indexes";
    public const string PointCount = "points";

    private const int MaxLineBytes = 64 << 20;

    private static readonly JsonDocumentOptions Options = new() { MaxDepth = 96 };

    /// <summary>Reads a file from its beginning to its end.</summary>
    /// <param name="path">The file.</param>
    /// <param name="onHead">Takes each collection's head.</param>
    /// <param name="onPoint">Takes each of its points.</param>
    /// <param name="onTail">Is told that a collection is complete.</param>
    /// <param name="cancellationToken">Stops the reading.</param>
    /// <exception cref="AiDbException"><see cref="AiDbErrorKind.InvalidArgument"/>: the file is no snapshot, or not a whole
    /// one; the message names the line.</exception>
    public static async Task ReadAsync(
        string path, Func<SnapshotHead, ValueTask> onHead, Func<Point, ValueTask> onPoint, Func<ValueTask> onTail,
        CancellationToken cancellationToken)
    {
        await using FileStream file = new(path, FileMode.Open, FileAccess.Read, FileShare.Read, 128 << 10, useAsync: true);
        PipeReader lines = PipeReader.Create(file);
        long line = 0;
        long points = -1;
        while (await ReadLineAsync(lines, cancellationToken) is { } bytes)
        {
            line++;
            using JsonDocument document = Parse(bytes, line);
            JsonField root = JsonField.Root(document.RootElement);
            try
            {
                if (points < 0)
                {
                    await onHead(ReadHead(root));
                    points = 0;
                }
                else if (root.Get(PointCount) is { } count)
                {
                    if (count.AsLong(0) != points)
                        throw count.Invalid($"it says {count.AsLong()} points, and {points} came before it");
                    points = -1;
                    await onTail();
                }
                else
                {
                    await onPoint(PointReader.ReadPoint(root));
                    points++;
                }
            }
            catch (AiDbException error) when (error.Kind == AiDbErrorKind.InvalidArgument)
            {
                throw new AiDbException(error.Kind, $"snapshot: line {line}: {error.Message}", error);
            }
        }

        if (line == 0 || points >= 0)
            throw new AiDbException(AiDbErrorKind.InvalidArgument, "snapshot: the file is cut short: its end is missing.");
    }

    private static SnapshotHead ReadHead(JsonField root)
    {
        if (root.Get(Format) is not { } format)
            throw root.Invalid("this is not a snapshot of AiDb; Qdrant's own snapshots cannot be read, scroll its points instead");
        if (format.AsInteger(1) > Version)
            throw format.Invalid($"a newer AiDb wrote this; {Version} is the newest that is known here");
        return new SnapshotHead(
            root.Require(Collection).AsString(), CollectionReader.ReadCreate(root.Require(Settings)),
            root.Require(Indexes).Map(IndexReader.Read));
    }

    private static JsonDocument Parse(byte[] line, long number)
    {
        try
        {
            return JsonDocument.Parse(line, Options);
        }
        catch (JsonException error)
        {
            throw new AiDbException(
                AiDbErrorKind.InvalidArgument, $"snapshot: line {number} is not JSON, so this is not a snapshot of AiDb.", error);
        }
    }

    private static async ValueTask<byte[]?> ReadLineAsync(PipeReader reader, CancellationToken cancellationToken)
    {
        while (true)
        {
            ReadResult read = await reader.ReadAsync(cancellationToken);
            ReadOnlySequence<byte> buffer = read.Buffer;
            if (buffer.PositionOf((byte)'\n') is { } end)
            {
                byte[] line = buffer.Slice(0, end).ToArray();
                reader.AdvanceTo(buffer.GetPosition(1, end));
                return line;
            }

            if (buffer.Length > MaxLineBytes)
                throw new AiDbException(AiDbErrorKind.InvalidArgument, $"snapshot: a line has at most {MaxLineBytes} bytes.");
            if (read.IsCompleted)
            {
                byte[] rest = buffer.ToArray();
                reader.AdvanceTo(buffer.End);
                return rest.Length > 0 ? rest : null;
            }

            reader.AdvanceTo(buffer.Start, buffer.End);
        }
    }
}
