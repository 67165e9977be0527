using System.Buffers.Binary;
using AiDb.Engine.Collections.Storage;
using AiDb.Engine.Storage;

namespace AiDb.Engine.Collections.Exchange;

/// <summary>Reads an exported collection, block by block; each is checked before anything of it is given out.</summary>
/// <remarks>Thread safety: none.</remarks>
internal sealed class ExportReader(Stream source, Func<ulong> nowMs)
{
    private long _blocks;
    private long _points;

    /// <summary>Reads the settings; the first call.</summary>
    /// <exception cref="AiDbException"><see cref="AiDbErrorKind.InvalidArgument"/>: it is no exported collection;
    /// <see cref="AiDbErrorKind.DataLoss"/>: it is damaged; <see cref="AiDbErrorKind.Unimplemented"/>: a newer program
    /// wrote it.</exception>
    public async ValueTask<CollectionOptions> ReadOptionsAsync(CancellationToken cancellationToken)
    {
        byte[] header = new byte[ExportFormat.HeaderBytes];
        int read = await source.ReadAtLeastAsync(header, header.Length, throwOnEndOfStream: false, cancellationToken)
            .ConfigureAwait(false);
        if (read < header.Length || !header.AsSpan(0, 8).SequenceEqual(ExportFormat.Magic))
            throw PointErrors.Invalid("snapshot is no exported collection of AiDb.");
        uint version = BinaryPrimitives.ReadUInt32LittleEndian(header.AsSpan(8));
        if (version > ExportFormat.Version)
        {
            throw new AiDbException(
                AiDbErrorKind.Unimplemented,
                $"The exported collection has the format {version}; this program reads {ExportFormat.Version}. Use a newer one.");
        }

        int length = BinaryPrimitives.ReadInt32LittleEndian(header.AsSpan(12));
        if (length is < 0 or > ExportFormat.MaxSettingsBytes)
            throw ExportFormat.Damaged("its header is malformed");
        byte[] settings = await ReadAsync(length, cancellationToken).ConfigureAwait(false);
        uint checksum = Crc32C.Append(Crc32C.Compute(header.AsSpan(0, 16)), settings);
        if (checksum != BinaryPrimitives.ReadUInt32LittleEndian(header.AsSpan(16)))
            throw ExportFormat.Damaged("its header does not match its checksum");
        return OptionsCodec.Read("exported", settings);
    }

    /// <summary>The points of the next block that have not expired; null: that was all, and all was there.</summary>
    public async ValueTask<List<Point>?> ReadBlockAsync(CancellationToken cancellationToken)
    {
        byte[] head = await ReadAsync(ExportFormat.BlockHeadBytes, cancellationToken).ConfigureAwait(false);
        int length = BinaryPrimitives.ReadInt32LittleEndian(head);
        if (head.AsSpan().IndexOfAnyExcept((byte)0) < 0)
        {
            await CheckFooterAsync(cancellationToken).ConfigureAwait(false);
            return null;
        }

        if (length is < 1 or > ExportFormat.MaxBlockBytes)
            throw ExportFormat.Damaged($"block {_blocks} says it has {length} bytes");
        byte[] block = await ReadAsync(length, cancellationToken).ConfigureAwait(false);
        if (CollectionExporter.BlockChecksum(_blocks, block) != BinaryPrimitives.ReadUInt32LittleEndian(head.AsSpan(4)))
            throw ExportFormat.Damaged($"block {_blocks} does not match its checksum");
        _blocks++;
        return ReadPoints(block);
    }

    private async ValueTask CheckFooterAsync(CancellationToken cancellationToken)
    {
        byte[] footer = await ReadAsync(ExportFormat.FooterBytes, cancellationToken).ConfigureAwait(false);
        if (Crc32C.Compute(footer.AsSpan(0, 16)) != BinaryPrimitives.ReadUInt32LittleEndian(footer.AsSpan(16))
            || BinaryPrimitives.ReadInt64LittleEndian(footer) != _points
            || BinaryPrimitives.ReadInt64LittleEndian(footer.AsSpan(8)) != _blocks)
        {
            throw ExportFormat.Damaged("points or blocks are missing");
        }
    }

    private List<Point> ReadPoints(byte[] block)
    {
        List<Point> points = [];
        var cursor = new ByteCursor(block);
        while (!cursor.Rest.IsEmpty)
        {
            _points++;
            if (ReadPoint(ref cursor) is { } point)
                points.Add(point);
        }

        return points;
    }

    private Point? ReadPoint(ref ByteCursor cursor)
    {
        if (!PointKeys.TryParse(TakeSized(ref cursor), out _, out PointId id, out _)
            || !cursor.TryTake(sizeof(ulong), out ReadOnlySpan<byte> expiry))
        {
            throw ExportFormat.Damaged($"block {_blocks - 1} is malformed");
        }

        ulong expiresAtMs = BinaryPrimitives.ReadUInt64LittleEndian(expiry);
        var stored = StoredPoint.Read(id, TakeSized(ref cursor), 0, expiresAtMs);
        NamedVectors vectors = [];
        foreach (string name in stored.Vectors)
            vectors.Add(name, StoredVector.Read(id, TakeSized(ref cursor)));
        ulong now = nowMs();
        if (expiresAtMs != 0 && expiresAtMs <= now)
            return null;
        return new Point
        {
            Id = id,
            Vectors = vectors,
            Payload = stored.Payload,
            TimeToLive = expiresAtMs == 0 ? null : TimeSpan.FromMilliseconds(expiresAtMs - now),
        };
    }

    private ReadOnlySpan<byte> TakeSized(ref ByteCursor cursor) =>
        cursor.TryTakeVarint(out int length) && cursor.TryTake(length, out ReadOnlySpan<byte> bytes)
            ? bytes
            : throw ExportFormat.Damaged($"block {_blocks - 1} is malformed");

    private async ValueTask<byte[]> ReadAsync(int length, CancellationToken cancellationToken)
    {
        byte[] bytes = new byte[length];
        int read = await source.ReadAtLeastAsync(bytes, length, throwOnEndOfStream: false, cancellationToken)
            .ConfigureAwait(false);
        return read == length ? bytes : throw ExportFormat.Damaged("it ends too early");
    }
}
