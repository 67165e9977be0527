using System.Buffers.Binary;
using AiDb.Engine.Collections.Storage;
using AiDb.Engine.Encoding;
using AiDb.Engine.Storage;

namespace AiDb.Engine.Collections.Exchange;

/// <summary>Writes a collection as of one moment to a stream.</summary>
internal static class CollectionExporter
{
    /// <summary>Writes it.</summary>
    /// <returns>How many points it has.</returns>
    public static async ValueTask<long> WriteAsync(CollectionState state, Stream target, CancellationToken cancellationToken)
    {
        await target.WriteAsync(Header(OptionsCodec.Write(state.Options)), cancellationToken).ConfigureAwait(false);
        using var block = new GrowingBuffer(ExportFormat.BlockBytes);
        using Snapshot snapshot = state.Database.CreateSnapshot();
        using var walk = new PointWalk(state.Table, snapshot, withVectors: true);
        long points = 0;
        long blocks = 0;
        while (walk.MoveNext(cancellationToken))
        {
            NamedVectors vectors = walk.ReadVectors();
            if (vectors.Count != walk.Stored.Vectors.Count)
                continue; // Its time ran out between the two keys.
            AppendPoint(block, state, walk.Id, walk.Stored, vectors);
            points++;
            if (block.Length >= ExportFormat.BlockBytes)
                await FlushAsync(target, block, blocks++, cancellationToken).ConfigureAwait(false);
        }

        if (block.Length > 0)
            await FlushAsync(target, block, blocks++, cancellationToken).ConfigureAwait(false);
        await target.WriteAsync(Footer(points, blocks), cancellationToken).ConfigureAwait(false);
        await target.FlushAsync(cancellationToken).ConfigureAwait(false);
        return points;
    }

    /// <summary>The checksum of a block, which depends on its place.</summary>
    public static uint BlockChecksum(long number, ReadOnlySpan<byte> block)
    {
        Span<byte> place = stackalloc byte[sizeof(long)];
        BinaryPrimitives.WriteInt64LittleEndian(place, number);
        return Crc32C.Append(Crc32C.Compute(block), place);
    }

    private static byte[] Header(byte[] settings)
    {
        byte[] header = new byte[ExportFormat.HeaderBytes + settings.Length];
        ExportFormat.Magic.CopyTo(header);
        BinaryPrimitives.WriteUInt32LittleEndian(header.AsSpan(8), ExportFormat.Version);
        BinaryPrimitives.WriteInt32LittleEndian(header.AsSpan(12), settings.Length);
        settings.CopyTo(header.AsSpan(ExportFormat.HeaderBytes));
        uint checksum = Crc32C.Append(Crc32C.Compute(header.AsSpan(0, 16)), settings);
        BinaryPrimitives.WriteUInt32LittleEndian(header.AsSpan(16), checksum);
        return header;
    }

    private static byte[] Footer(long points, long blocks)
    {
        byte[] footer = new byte[ExportFormat.BlockHeadBytes + ExportFormat.FooterBytes];
        Span<byte> content = footer.AsSpan(ExportFormat.BlockHeadBytes);
        BinaryPrimitives.WriteInt64LittleEndian(content, points);
        BinaryPrimitives.WriteInt64LittleEndian(content[8..], blocks);
        BinaryPrimitives.WriteUInt32LittleEndian(content[16..], Crc32C.Compute(content[..16]));
        return footer;
    }

    private static void AppendPoint(
        GrowingBuffer block, CollectionState state, PointId id, StoredPoint stored, NamedVectors vectors)
    {
        Span<byte> key = stackalloc byte[PointKeys.MaxPointBytes];
        AppendSized(block, key[..PointKeys.WritePoint(key, id)]);
        block.AppendUInt64(stored.ExpiresAtMs);
        using var value = new GrowingBuffer(1024);
        StoredPoint.Write(value, stored.Vectors, stored.Payload);
        AppendSized(block, value.Span);
        foreach (string name in stored.Vectors)
        {
            value.Clear();
            StoredVector.Write(value, vectors[name], state.ElementOf(name));
            AppendSized(block, value.Span);
        }
    }

    private static void AppendSized(GrowingBuffer block, ReadOnlySpan<byte> bytes)
    {
        block.AppendVarint((uint)bytes.Length);
        block.Append(bytes);
    }

    private static async ValueTask FlushAsync(
        Stream target, GrowingBuffer block, long number, CancellationToken cancellationToken)
    {
        byte[] bytes = new byte[ExportFormat.BlockHeadBytes + block.Length];
        BinaryPrimitives.WriteInt32LittleEndian(bytes, block.Length);
        BinaryPrimitives.WriteUInt32LittleEndian(bytes.AsSpan(4), BlockChecksum(number, block.Span));
        block.Span.CopyTo(bytes.AsSpan(ExportFormat.BlockHeadBytes));
        block.Clear();
        await target.WriteAsync(bytes, cancellationToken).ConfigureAwait(false);
    }
}
