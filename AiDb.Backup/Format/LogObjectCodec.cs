using System.Buffers;
using System.Buffers.Binary;
using System.IO.Compression;
using System.IO.Hashing;
using AiDb.Engine;
using AiDb.Engine.Log;
using K4os.Compression.LZ4;

namespace AiDb.Backup.Format;

/// <summary>How the entries of a log object are compressed; the value is part of the format.</summary>
public enum LogCompression : byte
{
    /// <summary>Not at all.</summary>
    None = 0,

    /// <summary>LZ4: little processor time.</summary>
    Lz4 = 1,

    /// <summary>Brotli, quality 1: fewer bytes for two to four times the processor time.</summary>
    Brotli = 2,
}

/// <summary>Collects log entries for an object. Thread safety: none.</summary>
internal sealed class LogObjectBuilder
{
    /// <summary>What an entry takes besides its payload: length, type, epoch, timestamp.</summary>
    public const int EntryBytes = 4 + 1 + 8 + 8;

    private readonly ArrayBufferWriter<byte> _entries = new(1 << 16);

    public LogPosition First { get; private set; }

    public LogPosition Last { get; private set; }

    public int Count { get; private set; }

    public long SizeBytes => _entries.WrittenCount;

    public ReadOnlySpan<byte> Entries => _entries.WrittenSpan;

    /// <summary>Adds the entry that comes next.</summary>
    public void Add(in LogEntry entry)
    {
        Span<byte> head = _entries.GetSpan(EntryBytes);
        BinaryPrimitives.WriteInt32LittleEndian(head, entry.Payload.Length);
        head[4] = (byte)entry.Type;
        BinaryPrimitives.WriteUInt64LittleEndian(head[5..], entry.Position.Epoch);
        BinaryPrimitives.WriteUInt64LittleEndian(head[13..], entry.Position.Timestamp);
        _entries.Advance(EntryBytes);
        _entries.Write(entry.Payload.Span);
        if (Count++ == 0)
            First = entry.Position;
        Last = entry.Position;
    }
}

/// <summary>A log object, read and checked.</summary>
internal sealed class LogObject
{
    public required uint Shard { get; init; }

    public required ulong Epoch { get; init; }

    public required UInt128 DatabaseId { get; init; }

    /// <summary>The entry before the first one.</summary>
    public required LogPosition Previous { get; init; }

    public required ulong FirstLsn { get; init; }

    public required LogPosition Last { get; init; }

    public required int Count { get; init; }

    /// <summary>The catalogue of the host after the last entry; empty: unchanged since the object before.</summary>
    public required byte[] HostState { get; init; }

    public required byte[] Entries { get; init; }

    /// <summary>Hands out the entries up to a position.</summary>
    /// <returns>Whether all were handed out.</returns>
    public bool ForEach(Func<LogPosition, LogRecordType, ReadOnlyMemory<byte>, bool> take)
    {
        ReadOnlyMemory<byte> rest = Entries;
        for (int index = 0; index < Count; index++)
        {
            ReadOnlySpan<byte> head = rest.Span;
            int length = BinaryPrimitives.ReadInt32LittleEndian(head);
            var position = new LogPosition(
                BinaryPrimitives.ReadUInt64LittleEndian(head[5..]), FirstLsn + (ulong)index,
                BinaryPrimitives.ReadUInt64LittleEndian(head[13..]));
            if (!take(position, (LogRecordType)head[4], rest.Slice(LogObjectBuilder.EntryBytes, length)))
                return false;
            rest = rest[(LogObjectBuilder.EntryBytes + length)..];
        }

        return true;
    }
}

/// <summary>The bytes of a log object; see docs/formats/archive.md.</summary>
internal static class LogObjectCodec
{
    public const ushort FormatVersion = 1;

    /// <summary>One entry of the greatest size and a full object before it.</summary>
    public const long MaxBytes = 512L << 20;

    private const int MaxEntries = 1 << 26;

    private static ReadOnlySpan<byte> Magic => "AiDbArcL"u8;

    public static byte[] Encode(
        LogObjectBuilder entries, uint shard, ulong epoch, UInt128 databaseId, LogPosition previous,
        ReadOnlySpan<byte> hostState, LogCompression compression)
    {
        byte[]? packed = Compress(entries.Entries, compression, out int packedBytes);
        try
        {
            var writer = new ByteWriter();
            writer.Bytes(Magic);
            writer.UInt16(FormatVersion);
            writer.UInt16(0);
            writer.UInt32(shard);
            writer.UInt64(epoch);
            writer.UInt128(databaseId);
            writer.UInt64(previous.Epoch);
            writer.UInt64(previous.Lsn);
            writer.UInt64(previous.Timestamp);
            writer.UInt64(entries.Last.Epoch);
            writer.UInt64(entries.Last.Lsn);
            writer.UInt64(entries.Last.Timestamp);
            writer.UInt32((uint)entries.Count);
            writer.Byte((byte)(packed is null ? LogCompression.None : compression));
            writer.UInt64((ulong)entries.SizeBytes);
            writer.Block(hostState);
            writer.Block(packed is null ? entries.Entries : packed.AsSpan(0, packedBytes));
            writer.UInt64(XxHash3.HashToUInt64(writer.Written));
            return writer.Written.ToArray();
        }
        finally
        {
            if (packed is not null)
                ArrayPool<byte>.Shared.Return(packed);
        }
    }

    /// <summary>Reads one.</summary>
    /// <exception cref="AiDbException"><see cref="AiDbErrorKind.DataLoss"/>: damaged;
    /// <see cref="AiDbErrorKind.Unimplemented"/>: of a newer program.</exception>
    public static LogObject Decode(ReadOnlySpan<byte> bytes, string name)
    {
        ArchiveFormat.Check(bytes, Magic, FormatVersion, name);
        var reader = new ByteReader(bytes[12..^sizeof(ulong)]);
        uint shard = reader.UInt32();
        ulong epoch = reader.UInt64();
        UInt128 databaseId = reader.UInt128();
        var previous = new LogPosition(reader.UInt64(), reader.UInt64(), reader.UInt64());
        var last = new LogPosition(reader.UInt64(), reader.UInt64(), reader.UInt64());
        uint count = reader.UInt32();
        var compression = (LogCompression)reader.Byte();
        ulong entryBytes = reader.UInt64();
        byte[] hostState = reader.Block().ToArray();
        ReadOnlySpan<byte> stored = reader.Block();
        if (reader.Failed || reader.Remaining > 0 || count is 0 or > MaxEntries || entryBytes > (ulong)MaxBytes
            || !Enum.IsDefined(compression) || last.Lsn - previous.Lsn != count)
        {
            throw ArchiveFormat.Damaged(name, "its fields are malformed");
        }

        byte[] entries = Decompress(stored, compression, (int)entryBytes, name);
        var result = new LogObject
        {
            Shard = shard,
            Epoch = epoch,
            DatabaseId = databaseId,
            Previous = previous,
            FirstLsn = previous.Lsn + 1,
            Last = last,
            Count = (int)count,
            HostState = hostState,
            Entries = entries,
        };
        CheckEntries(result, name);
        return result;
    }

    /// <summary>Entries lie end to end, their epochs never fall and their timestamps rise.</summary>
    private static void CheckEntries(LogObject read, string name)
    {
        ReadOnlySpan<byte> rest = read.Entries;
        LogPosition before = read.Previous;
        for (int index = 0; index < read.Count; index++)
        {
            int length = rest.Length < LogObjectBuilder.EntryBytes ? -1 : BinaryPrimitives.ReadInt32LittleEndian(rest);
            if (length < 0 || length > rest.Length - LogObjectBuilder.EntryBytes)
                throw ArchiveFormat.Damaged(name, $"entry {before.Lsn + 1} does not end in it");
            var position = new LogPosition(
                BinaryPrimitives.ReadUInt64LittleEndian(rest[5..]), before.Lsn + 1,
                BinaryPrimitives.ReadUInt64LittleEndian(rest[13..]));
            if (position.Epoch < before.Epoch || position.Timestamp <= before.Timestamp)
                throw ArchiveFormat.Damaged(name, $"entry {position.Lsn} does not follow the one before");
            rest = rest[(LogObjectBuilder.EntryBytes + length)..];
            before = position;
        }

        if (!rest.IsEmpty || before != read.Last)
            throw ArchiveFormat.Damaged(name, "its last entry is not the one that its head states");
    }

    private static byte[]? Compress(ReadOnlySpan<byte> source, LogCompression compression, out int bytes)
    {
        bytes = 0;
        if (compression == LogCompression.None || source.Length > (int.MaxValue / 2))
            return null;
        int bound = compression == LogCompression.Lz4
            ? LZ4Codec.MaximumOutputSize(source.Length)
            : BrotliEncoder.GetMaxCompressedLength(source.Length);
        byte[] target = ArrayPool<byte>.Shared.Rent(bound);
        bool isDone = compression == LogCompression.Lz4
            ? (bytes = LZ4Codec.Encode(source, target)) > 0
            : BrotliEncoder.TryCompress(source, target, out bytes, quality: 1, window: 22);
        if (isDone && bytes < source.Length)
            return target;
        ArrayPool<byte>.Shared.Return(target);
        return null;
    }

    private static byte[] Decompress(ReadOnlySpan<byte> stored, LogCompression compression, int bytes, string name)
    {
        if (compression == LogCompression.None)
            return stored.Length == bytes ? stored.ToArray() : throw ArchiveFormat.Damaged(name, "its length is wrong");
        byte[] target = new byte[bytes];
        bool isWhole = compression == LogCompression.Lz4
            ? LZ4Codec.Decode(stored, target) == bytes
            : BrotliDecoder.TryDecompress(stored, target, out int written) && written == bytes;
        return isWhole ? target : throw ArchiveFormat.Damaged(name, "its entries cannot be decompressed");
    }
}
