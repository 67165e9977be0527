using System.Buffers.Binary;
using AiDb.Engine.Storage;

namespace AiDb.Engine.Tables;

/// <summary>What a block holds; part of the format.</summary>
internal enum BlockType : byte
{
    Data = 1,
    Index = 2,
    Filter = 3,
    Properties = 4,
    RangeDeletions = 5,
}

/// <summary>Where a block is: the offset of its stored bytes and their length with the trailer.</summary>
internal readonly record struct BlockHandle(ulong Offset, uint Length);

/// <summary>The constants of the table format and its fixed parts; see docs/formats/table.md.</summary>
internal static class TableFormat
{
    public const uint Version = 1;
    public const int HeaderBytes = 64;
    public const int FooterBytes = 96;
    public const int TrailerBytes = 12;
    public const int FooterCrcAt = 84;
    public const int HeaderCrcAt = 60;

    /// <summary>Index levels in the footer.</summary>
    public const byte WholeIndex = 1;

    /// <summary>Index levels in the footer: a top index leads to partitions.</summary>
    public const byte PartitionedIndex = 2;

    /// <summary>Filter kind in the footer.</summary>
    public const byte NoFilter = 0;

    /// <summary>Filter kind in the footer.</summary>
    public const byte WholeFilter = 1;

    /// <summary>Filter kind in the footer: one filter for each partition of the index.</summary>
    public const byte PartitionedFilter = 2;

    /// <summary>Entries that share bytes with one head, as a power of two.</summary>
    public const int GroupShift = 4;

    /// <summary>Bytes of a block at most, with its trailer or expanded: what 31 bits count, less room for a
    /// header in memory.</summary>
    public const int MaxStoredBytes = int.MaxValue - 64;

    /// <summary>Entries of a block at most; the hash index numbers them with 16 bits.</summary>
    public const int MaxBlockEntries = 1 << 15;

    /// <summary>The part of the footer's byte 13 that is the filter kind; the rest are flags, which a reader that
    /// does not know them refuses.</summary>
    public const byte FilterKindMask = 0x0F;

    /// <summary>Flag of the footer's byte 13: the file has a block of range deletions.</summary>
    public const byte RangeDeletionsFlag = 0x80;

    /// <summary>Flag of the footer's byte 13: the file has merge operands.</summary>
    public const byte MergeOperandsFlag = 0x40;

    public static ReadOnlySpan<byte> HeaderMagic => "AIDBTABL"u8;

    public static ReadOnlySpan<byte> FooterMagic => "AIDBTBLF"u8;

    /// <summary>Writes the header.</summary>
    public static void WriteHeader(Span<byte> target, UInt128 fileId)
    {
        target[..HeaderBytes].Clear();
        HeaderMagic.CopyTo(target);
        BinaryPrimitives.WriteUInt32LittleEndian(target[8..], Version);
        BinaryPrimitives.WriteUInt128LittleEndian(target[16..], fileId);
        uint checksum = Crc32C.Compute(target[..HeaderCrcAt]);
        BinaryPrimitives.WriteUInt32LittleEndian(target[HeaderCrcAt..], checksum);
    }

    /// <summary>Writes a trailer behind stored bytes.</summary>
    public static void WriteTrailer(
        Span<byte> trailer,
        ReadOnlySpan<byte> stored,
        BlockType type,
        BlockCompression codec,
        int rawLength,
        UInt128 fileId,
        ulong offset)
    {
        trailer[0] = (byte)type;
        trailer[1] = (byte)codec;
        trailer[2] = 0;
        trailer[3] = 0;
        BinaryPrimitives.WriteUInt32LittleEndian(trailer[4..], (uint)rawLength);
        uint checksum = BlockChecksum(Crc32C.Compute(stored), trailer[..8], fileId, offset);
        BinaryPrimitives.WriteUInt32LittleEndian(trailer[8..], checksum);
    }

    /// <summary>The checksum of a block, going on from that of its stored bytes.</summary>
    public static uint BlockChecksum(
        uint storedChecksum, ReadOnlySpan<byte> trailerStart, UInt128 fileId, ulong offset)
    {
        Span<byte> location = stackalloc byte[24];
        BinaryPrimitives.WriteUInt128LittleEndian(location, fileId);
        BinaryPrimitives.WriteUInt64LittleEndian(location[16..], offset);
        return Crc32C.Append(Crc32C.Append(storedChecksum, trailerStart), location);
    }

    /// <summary>Writes the footer.</summary>
    public static void WriteFooter(
        Span<byte> target,
        BlockHandle index,
        BlockHandle filter,
        BlockHandle properties,
        byte flags,
        UInt128 fileId,
        long fileLength,
        TablePartitions? partitions = null)
    {
        target[..FooterBytes].Clear();
        WriteHandle(target, index);
        byte filterKind =
            filter.Length > 0 ? WholeFilter : partitions is { Filters.Length: > 0 } ? PartitionedFilter : NoFilter;
        target[12] = partitions is null ? WholeIndex : PartitionedIndex;
        target[13] = (byte)(filterKind | flags);
        WriteHandle(target[16..], filter);
        WriteHandle(target[32..], properties);
        BinaryPrimitives.WriteUInt32LittleEndian(target[44..], Version);
        BinaryPrimitives.WriteUInt128LittleEndian(target[48..], fileId);
        BinaryPrimitives.WriteInt64LittleEndian(target[64..], fileLength);
        uint checksum = Crc32C.Compute(target[..FooterCrcAt]);
        BinaryPrimitives.WriteUInt32LittleEndian(target[FooterCrcAt..], checksum);
        FooterMagic.CopyTo(target[88..]);
    }

    /// <summary>Reads a handle.</summary>
    public static BlockHandle ReadHandle(ReadOnlySpan<byte> source) => new(
        BinaryPrimitives.ReadUInt64LittleEndian(source),
        BinaryPrimitives.ReadUInt32LittleEndian(source[8..]));

    private static void WriteHandle(Span<byte> target, BlockHandle handle)
    {
        BinaryPrimitives.WriteUInt64LittleEndian(target, handle.Offset);
        BinaryPrimitives.WriteUInt32LittleEndian(target[8..], handle.Length);
    }
}
