using System.Buffers;
using System.Buffers.Binary;
using AiDb.Engine.Storage;

namespace AiDb.Engine.Manifest;

/// <summary>A manifest on disk: a header, then edits one after the other. Format:
/// docs/formats/manifest.md.</summary>
internal static class ManifestFile
{
    /// <summary>The newest format version that this build reads and the one that it writes.</summary>
    public const ushort FormatVersion = 1;

    /// <summary>Bytes of the header.</summary>
    public const int HeaderBytes = 44;

    /// <summary>Bytes in front of a record's payload: length, sequence, checksum.</summary>
    public const int RecordHeaderBytes = 16;

    private const int MaxRecordBytes = 1 << 30;

    private static ReadOnlySpan<byte> Magic => "AiDbMani"u8;

    /// <summary>The header of a new manifest.</summary>
    public static byte[] Header(UInt128 fileId, ulong number)
    {
        byte[] header = new byte[HeaderBytes];
        Magic.CopyTo(header);
        BinaryPrimitives.WriteUInt16LittleEndian(header.AsSpan(8), FormatVersion);
        BinaryPrimitives.WriteUInt128LittleEndian(header.AsSpan(16), fileId);
        BinaryPrimitives.WriteUInt64LittleEndian(header.AsSpan(32), number);
        BinaryPrimitives.WriteUInt32LittleEndian(header.AsSpan(40), Crc32C.Compute(header.AsSpan(0, 40)));
        return header;
    }

    /// <summary>The bytes of a record.</summary>
    public static byte[] Record(UInt128 fileId, ulong sequence, VersionEdit edit)
    {
        var payload = new ArrayBufferWriter<byte>(256);
        edit.Encode(payload);
        byte[] record = new byte[RecordHeaderBytes + payload.WrittenCount];
        BinaryPrimitives.WriteInt32LittleEndian(record, payload.WrittenCount);
        BinaryPrimitives.WriteUInt64LittleEndian(record.AsSpan(4), sequence);
        payload.WrittenSpan.CopyTo(record.AsSpan(RecordHeaderBytes));
        BinaryPrimitives.WriteUInt32LittleEndian(record.AsSpan(12), Checksum(fileId, record));
        return record;
    }

    /// <summary>Reads a manifest whole.</summary>
    /// <exception cref="AiDbException"><see cref="AiDbErrorKind.DataLoss"/>: it is damaged;
    /// <see cref="AiDbErrorKind.Unimplemented"/>: a newer program wrote it.</exception>
    public static ManifestState Read(IFileSystem fileSystem, string path)
    {
        ManifestScan scan = Scan(fileSystem, path);
        return scan.Damage is null ? scan.State : throw Damaged(path, scan.EndOffset, scan.Damage);
    }

    /// <summary>Reads a manifest up to its end or its first damage.</summary>
    /// <exception cref="AiDbException"><see cref="AiDbErrorKind.Unimplemented"/>: a newer program wrote
    /// it.</exception>
    public static ManifestScan Scan(IFileSystem fileSystem, string path)
    {
        byte[] bytes = ReadAll(fileSystem, path);
        var scan = new ManifestScan { Bytes = bytes.Length };
        if (bytes.Length < HeaderBytes
            || !bytes.AsSpan(0, Magic.Length).SequenceEqual(Magic)
            || BinaryPrimitives.ReadUInt32LittleEndian(bytes.AsSpan(40)) != Crc32C.Compute(bytes.AsSpan(0, 40)))
        {
            return scan with { Damage = "its header is not valid" };
        }

        ushort version = BinaryPrimitives.ReadUInt16LittleEndian(bytes.AsSpan(8));
        ushort encryption = BinaryPrimitives.ReadUInt16LittleEndian(bytes.AsSpan(10));
        if (version > FormatVersion || encryption != 0)
        {
            throw new AiDbException(
                AiDbErrorKind.Unimplemented,
                $"{path} has format version {version} (encryption {encryption}); this build reads up to {FormatVersion} " +
                "(not encrypted). Open it with the version that wrote it, or a newer one.");
        }

        scan = scan with
        {
            FileId = BinaryPrimitives.ReadUInt128LittleEndian(bytes.AsSpan(16)),
            Number = BinaryPrimitives.ReadUInt64LittleEndian(bytes.AsSpan(32)),
            FormatVersion = version,
        };
        return ScanEdits(bytes, scan);
    }

    private static ManifestScan ScanEdits(byte[] bytes, ManifestScan scan)
    {
        int offset = HeaderBytes;
        ulong sequence = 0;
        string? damage = null;
        while (TryReadRecord(bytes, offset, scan.FileId, out ulong found, out ReadOnlySpan<byte> payload) && found == sequence)
        {
            if (VersionEdit.TryDecode(payload) is not { } edit || !scan.State.TryApply(edit))
            {
                damage = "an edit is malformed or contradicts those before it";
                break;
            }

            offset += RecordHeaderBytes + payload.Length;
            sequence++;
        }

        // The first record was durable before CURRENT named the file, and what follows a torn record was
        // never written.
        if (sequence == 0)
            damage ??= "its first edit is not valid";
        for (int later = offset + 1; damage is null && later < bytes.Length; later++)
        {
            if (TryReadRecord(bytes, later, scan.FileId, out ulong found, out _) && found > sequence)
                damage = "an edit is not valid, but a later one is";
        }

        return scan with { EndOffset = offset, Edits = sequence, Damage = damage };
    }

    /// <summary>The bytes of a whole small file.</summary>
    public static byte[] ReadAll(IFileSystem fileSystem, string path)
    {
        using IStorageFile file = fileSystem.Open(path, FileOpenMode.Read);
        byte[] bytes = new byte[file.Length];
        int read = file.Read(0, bytes);
        return read == bytes.Length ? bytes : bytes[..read];
    }

    /// <summary>The error for damage in a manifest.</summary>
    public static AiDbException Damaged(string path, long offset, string what) => new(
        AiDbErrorKind.DataLoss,
        $"{path} is damaged at byte {offset}: {what}. Nothing was changed; restore the folder from a checkpoint or a " +
        "replica.");

    private static bool TryReadRecord(
        byte[] bytes, int offset, UInt128 fileId, out ulong sequence, out ReadOnlySpan<byte> payload)
    {
        sequence = 0;
        payload = default;
        if (bytes.Length - offset < RecordHeaderBytes)
            return false;
        int length = BinaryPrimitives.ReadInt32LittleEndian(bytes.AsSpan(offset));
        if (length is <= 0 or > MaxRecordBytes || length > bytes.Length - offset - RecordHeaderBytes)
            return false;
        ReadOnlySpan<byte> record = bytes.AsSpan(offset, RecordHeaderBytes + length);
        if (BinaryPrimitives.ReadUInt32LittleEndian(record[12..]) != Checksum(fileId, record))
            return false;
        sequence = BinaryPrimitives.ReadUInt64LittleEndian(record[4..]);
        payload = record[RecordHeaderBytes..];
        return true;
    }

    /// <summary>Of file id, length, sequence and payload.</summary>
    private static uint Checksum(UInt128 fileId, ReadOnlySpan<byte> record)
    {
        Span<byte> id = stackalloc byte[16];
        BinaryPrimitives.WriteUInt128LittleEndian(id, fileId);
        uint checksum = Crc32C.Append(Crc32C.Compute(id), record[..12]);
        return Crc32C.Append(checksum, record[RecordHeaderBytes..]);
    }
}
