using System.Buffers.Binary;
using AiDb.Engine.Storage;

namespace AiDb.Engine.ValueFiles;

/// <summary>The fixed parts of a value file; see docs/formats/values.md.</summary>
internal static class ValueFileFormat
{
    public const uint Version = 1;
    public const int HeaderBytes = 64;
    public const int HeaderChecksumAt = 60;
    public const int RecordHeaderBytes = 8;
    public const int FooterBytes = 64;
    public const int FooterChecksumAt = 52;

    public static ReadOnlySpan<byte> HeaderMagic => "AIDBVALS"u8;

    public static ReadOnlySpan<byte> FooterMagic => "AIDBVALF"u8;

    /// <summary>Writes the header.</summary>
    public static void WriteHeader(Span<byte> target, UInt128 fileId)
    {
        target[..HeaderBytes].Clear();
        HeaderMagic.CopyTo(target);
        BinaryPrimitives.WriteUInt32LittleEndian(target[8..], Version);
        BinaryPrimitives.WriteUInt128LittleEndian(target[16..], fileId);
        BinaryPrimitives.WriteUInt32LittleEndian(
            target[HeaderChecksumAt..], Crc32C.Compute(target[..HeaderChecksumAt]));
    }

    /// <summary>Writes what stands before a value and returns the record's checksum.</summary>
    public static uint WriteRecordHeader(Span<byte> target, ReadOnlySpan<byte> value, UInt128 fileId, ulong offset)
    {
        uint checksum = RecordChecksum(value, fileId, offset);
        BinaryPrimitives.WriteInt32LittleEndian(target, value.Length);
        BinaryPrimitives.WriteUInt32LittleEndian(target[4..], checksum);
        return checksum;
    }

    /// <summary>The checksum of a record.</summary>
    public static uint RecordChecksum(ReadOnlySpan<byte> value, UInt128 fileId, ulong offset)
    {
        Span<byte> location = stackalloc byte[28];
        BinaryPrimitives.WriteInt32LittleEndian(location, value.Length);
        BinaryPrimitives.WriteUInt128LittleEndian(location[4..], fileId);
        BinaryPrimitives.WriteUInt64LittleEndian(location[20..], offset);
        return Crc32C.Append(Crc32C.Compute(value), location);
    }

    /// <summary>Writes the footer.</summary>
    public static void WriteFooter(Span<byte> target, UInt128 fileId, long fileBytes, long values, long valueBytes)
    {
        target[..FooterBytes].Clear();
        BinaryPrimitives.WriteUInt128LittleEndian(target, fileId);
        BinaryPrimitives.WriteInt64LittleEndian(target[16..], fileBytes);
        BinaryPrimitives.WriteInt64LittleEndian(target[24..], values);
        BinaryPrimitives.WriteInt64LittleEndian(target[32..], valueBytes);
        BinaryPrimitives.WriteUInt32LittleEndian(target[40..], Version);
        BinaryPrimitives.WriteUInt32LittleEndian(
            target[FooterChecksumAt..], Crc32C.Compute(target[..FooterChecksumAt]));
        FooterMagic.CopyTo(target[56..]);
    }

    /// <summary>Damaged bytes.</summary>
    public static AiDbException Damaged(string path, ulong offset, string what) => new(
        AiDbErrorKind.DataLoss,
        $"Value file '{path}' is damaged at offset {offset}: {what}. Restore the database from a checkpoint or a " +
        "backup, or rebuild this node from a replica; the other values are not affected.");

    /// <summary>The disk refused, or is full.</summary>
    public static AiDbException Disk(string path, string action, IOException cause) => new(
        DiskErrors.IsOutOfSpace(cause) ? AiDbErrorKind.ResourceExhausted : AiDbErrorKind.Unavailable,
        DiskErrors.IsOutOfSpace(cause)
            ? $"The disk is full: could not {action} value file '{path}' ({cause.Message}). Free space."
            : $"The disk failed: could not {action} value file '{path}' ({cause.Message}).",
        cause);
}
