using System.Buffers.Binary;
using AiDb.Engine.Storage;

namespace AiDb.Engine.Log;

/// <summary>The numbers of the log's format; see docs/formats/log.md.</summary>
internal static class LogFormat
{
    public const int FormatVersion = 1;
    public const int SegmentHeaderBytes = 72;
    public const int RecordHeaderBytes = 44;
    public const int ChecksumBytes = sizeof(uint);
    public const int RecordOverheadBytes = RecordHeaderBytes + ChecksumBytes;
    public const int SealPayloadBytes = 16;
    public const int SealBytes = RecordOverheadBytes + SealPayloadBytes;

    /// <summary>Above what a batch may hold, so that its operations' heads fit too.</summary>
    public const int MaxPayloadBytes = 160 << 20;

    /// <summary>The type of the record that ends a segment.</summary>
    public const LogRecordType Seal = (LogRecordType)255;

    /// <summary>Whether this build knows what to do with a record of the type.</summary>
    public static bool IsKnown(LogRecordType type) => type is LogRecordType.Batch or LogRecordType.EpochStart or Seal;
}

/// <summary>What the next record must continue.</summary>
/// <param name="NextLsn">Its LSN.</param>
/// <param name="Epoch">The least epoch it may have.</param>
/// <param name="Timestamp">What its timestamp must exceed.</param>
/// <param name="Checksum">The checksum of the record before.</param>
internal readonly record struct LogChain(ulong NextLsn, ulong Epoch, ulong Timestamp, uint Checksum);

/// <summary>The first bytes of a segment.</summary>
/// <param name="FileId">Random; part of every record's checksum.</param>
/// <param name="Number">As in the file's name.</param>
/// <param name="Chain">What the first record continues.</param>
internal readonly record struct LogSegmentHeader(UInt128 FileId, ulong Number, LogChain Chain)
{
    private static ReadOnlySpan<byte> Magic => "AiDbLog\0"u8;

    /// <summary>The checksum that a record's bytes are appended to.</summary>
    public uint ChecksumSeed
    {
        get
        {
            Span<byte> id = stackalloc byte[16];
            BinaryPrimitives.WriteUInt128LittleEndian(id, FileId);
            return Crc32C.Compute(id);
        }
    }

    public void Write(Span<byte> target)
    {
        target[..LogFormat.SegmentHeaderBytes].Clear();
        Magic.CopyTo(target);
        BinaryPrimitives.WriteUInt16LittleEndian(target[8..], LogFormat.FormatVersion);
        BinaryPrimitives.WriteUInt128LittleEndian(target[16..], FileId);
        BinaryPrimitives.WriteUInt64LittleEndian(target[32..], Number);
        BinaryPrimitives.WriteUInt64LittleEndian(target[40..], Chain.NextLsn);
        BinaryPrimitives.WriteUInt64LittleEndian(target[48..], Chain.Epoch);
        BinaryPrimitives.WriteUInt64LittleEndian(target[56..], Chain.Timestamp);
        BinaryPrimitives.WriteUInt32LittleEndian(target[64..], Chain.Checksum);
        BinaryPrimitives.WriteUInt32LittleEndian(target[68..], Crc32C.Compute(target[..68]));
    }

    /// <summary>Reads a header that must be valid: a segment gets its name only after its header is
    /// durable.</summary>
    public static LogSegmentHeader Read(ReadOnlySpan<byte> bytes, string path, ulong number)
    {
        if (bytes.Length < LogFormat.SegmentHeaderBytes)
            throw LogErrors.Corrupt(path, bytes.Length, "the segment's header is cut off");
        if (BinaryPrimitives.ReadUInt32LittleEndian(bytes[68..]) != Crc32C.Compute(bytes[..68]) ||
            !bytes[..8].SequenceEqual(Magic))
            throw LogErrors.Corrupt(path, 0, "the segment's header does not match its checksum");
        int version = BinaryPrimitives.ReadUInt16LittleEndian(bytes[8..]);
        int encryption = BinaryPrimitives.ReadUInt16LittleEndian(bytes[10..]);
        if (version != LogFormat.FormatVersion || encryption != 0)
            throw LogErrors.TooNew(path, 0, $"format version {version}, encryption descriptor {encryption}");
        var header = new LogSegmentHeader(
            BinaryPrimitives.ReadUInt128LittleEndian(bytes[16..]),
            BinaryPrimitives.ReadUInt64LittleEndian(bytes[32..]),
            new LogChain(
                BinaryPrimitives.ReadUInt64LittleEndian(bytes[40..]),
                BinaryPrimitives.ReadUInt64LittleEndian(bytes[48..]),
                BinaryPrimitives.ReadUInt64LittleEndian(bytes[56..]),
                BinaryPrimitives.ReadUInt32LittleEndian(bytes[64..])));
        if (header.Number != number)
            throw LogErrors.Corrupt(path, 32, $"the file is segment {header.Number}, its name says {number}");
        return header;
    }
}

/// <summary>What stands before a record's payload.</summary>
internal readonly record struct LogRecordHeader(
    int PayloadLength,
    LogRecordType Type,
    int Version,
    int KeyId,
    ulong Epoch,
    ulong Lsn,
    ulong Timestamp,
    ulong DurableLsn,
    uint PreviousChecksum)
{
    /// <summary>Bytes of the whole record.</summary>
    public int RecordBytes => LogFormat.RecordOverheadBytes + PayloadLength;

    /// <summary>Writes what is known when the record joins a group; <see cref="Complete"/> adds the
    /// rest.</summary>
    public static void Write(
        Span<byte> target, int payloadLength, LogRecordType type, ulong epoch, ulong lsn, ulong timestamp)
    {
        BinaryPrimitives.WriteInt32LittleEndian(target, payloadLength);
        target[4] = (byte)type;
        target[5] = LogFormat.FormatVersion;
        target[6] = 0;
        target[7] = 0;
        BinaryPrimitives.WriteUInt64LittleEndian(target[8..], epoch);
        BinaryPrimitives.WriteUInt64LittleEndian(target[16..], lsn);
        BinaryPrimitives.WriteUInt64LittleEndian(target[24..], timestamp);
    }

    /// <summary>Adds the durable LSN, the chain and the checksum to a record whose payload is in
    /// place.</summary>
    /// <returns>The record's checksum.</returns>
    public static uint Complete(Span<byte> record, uint seed, ulong durableLsn, uint previousChecksum)
    {
        BinaryPrimitives.WriteUInt64LittleEndian(record[32..], durableLsn);
        BinaryPrimitives.WriteUInt32LittleEndian(record[40..], previousChecksum);
        int covered = record.Length - LogFormat.ChecksumBytes;
        uint checksum = Crc32C.Append(seed, record[..covered]);
        BinaryPrimitives.WriteUInt32LittleEndian(record[covered..], checksum);
        return checksum;
    }

    /// <summary>Reads the fields as they stand, checked by nothing. Needs
    /// <see cref="LogFormat.RecordHeaderBytes"/>.</summary>
    public static LogRecordHeader Read(ReadOnlySpan<byte> bytes) => new(
        BinaryPrimitives.ReadInt32LittleEndian(bytes),
        (LogRecordType)bytes[4],
        bytes[5],
        BinaryPrimitives.ReadUInt16LittleEndian(bytes[6..]),
        BinaryPrimitives.ReadUInt64LittleEndian(bytes[8..]),
        BinaryPrimitives.ReadUInt64LittleEndian(bytes[16..]),
        BinaryPrimitives.ReadUInt64LittleEndian(bytes[24..]),
        BinaryPrimitives.ReadUInt64LittleEndian(bytes[32..]),
        BinaryPrimitives.ReadUInt32LittleEndian(bytes[40..]));

    /// <summary>Whether the record is the one that comes next, apart from its checksum.</summary>
    public bool Continues(in LogChain chain) =>
        Lsn == chain.NextLsn && Epoch >= chain.Epoch && PreviousChecksum == chain.Checksum &&
        (Type == LogFormat.Seal
            ? Timestamp == chain.Timestamp && PayloadLength == LogFormat.SealPayloadBytes
            : Timestamp > chain.Timestamp);

    /// <summary>The chain after this record.</summary>
    public LogChain Follow(uint checksum) =>
        new(Type == LogFormat.Seal ? Lsn : Lsn + 1, Epoch, Timestamp, checksum);
}
