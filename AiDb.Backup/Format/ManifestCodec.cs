using System.Buffers.Binary;
using System.IO.Hashing;
using AiDb.Engine;
using AiDb.Engine.Images;

namespace AiDb.Backup.Format;

/// <summary>The bytes of a manifest object; see docs/formats/archive.md.</summary>
internal static class ManifestCodec
{
    public const ushort FormatVersion = 1;
    public const int MaxBytes = 256 << 20;
    private const int HashBytes = sizeof(ulong);

    private static ReadOnlySpan<byte> Magic => "AiDbArcM"u8;

    public static byte[] Encode(ArchiveManifest manifest)
    {
        var writer = new ByteWriter();
        writer.Bytes(Magic);
        writer.UInt16(FormatVersion);
        writer.UInt16(0);
        writer.UInt32(manifest.Shard);
        writer.UInt64(manifest.Id.Epoch);
        writer.UInt64(manifest.Id.Number);
        writer.UInt128(manifest.DatabaseId);
        writer.UInt64((ulong)manifest.CreatedAtMs);
        writer.UInt64(manifest.Nonce);
        Position(writer, manifest.Flushed);
        Position(writer, manifest.Archived);
        writer.UInt64(manifest.LogFloor);
        writer.UInt32((uint)manifest.History.Count);
        foreach (EpochCut cut in manifest.History)
        {
            writer.UInt64(cut.Epoch);
            writer.UInt64(cut.ThroughLsn);
        }

        writer.UInt32((uint)manifest.Kept.Count);
        foreach (KeptManifest kept in manifest.Kept)
        {
            writer.UInt64(kept.Id.Epoch);
            writer.UInt64(kept.Id.Number);
            Position(writer, kept.Flushed);
        }

        writer.UInt32((uint)manifest.Files.Count);
        foreach (ArchivedFile file in manifest.Files)
        {
            writer.Byte((byte)file.File.Kind);
            writer.UInt64(file.Epoch);
            writer.UInt128(file.File.Id);
            writer.UInt64((ulong)file.File.SizeBytes);
            writer.UInt64(file.File.Checksum);
        }

        writer.Block(manifest.Statement.Span);
        writer.Block(manifest.HostState.Span);
        writer.UInt64(XxHash3.HashToUInt64(writer.Written));
        return writer.Written.ToArray();
    }

    /// <summary>Reads one.</summary>
    /// <param name="bytes">The object.</param>
    /// <param name="name">Its name, for errors.</param>
    /// <exception cref="AiDbException"><see cref="AiDbErrorKind.DataLoss"/>: damaged;
    /// <see cref="AiDbErrorKind.Unimplemented"/>: of a newer program.</exception>
    public static ArchiveManifest Decode(ReadOnlySpan<byte> bytes, string name)
    {
        ArchiveFormat.Check(bytes, Magic, FormatVersion, name);
        var reader = new ByteReader(bytes[12..^HashBytes]);
        uint shard = reader.UInt32();
        var id = new ManifestId(reader.UInt64(), reader.UInt64());
        UInt128 databaseId = reader.UInt128();
        long createdAtMs = (long)reader.UInt64();
        ulong nonce = reader.UInt64();
        LogPosition flushed = Position(ref reader);
        LogPosition archived = Position(ref reader);
        ulong logFloor = reader.UInt64();
        EpochCut[] history = new EpochCut[reader.Count(16)];
        for (int index = 0; index < history.Length; index++)
            history[index] = new EpochCut(reader.UInt64(), reader.UInt64());
        KeptManifest[] kept = new KeptManifest[reader.Count(40)];
        for (int index = 0; index < kept.Length; index++)
            kept[index] = new KeptManifest(new ManifestId(reader.UInt64(), reader.UInt64()), Position(ref reader));
        ArchivedFile[] files = new ArchivedFile[reader.Count(41)];
        for (int index = 0; index < files.Length; index++)
            files[index] = File(ref reader);
        byte[] statement = reader.Block().ToArray();
        byte[] hostState = reader.Block().ToArray();
        if (reader.Failed || reader.Remaining > 0
            || Array.Exists(files, static file => !Enum.IsDefined(file.File.Kind) || file.File.SizeBytes < 0))
        {
            throw ArchiveFormat.Damaged(name, "its fields are malformed");
        }

        return new ArchiveManifest
        {
            Shard = shard,
            Id = id,
            DatabaseId = databaseId,
            CreatedAtMs = createdAtMs,
            Nonce = nonce,
            Flushed = flushed,
            Archived = archived,
            LogFloor = logFloor,
            History = history,
            Kept = kept,
            Files = files,
            Statement = statement,
            HostState = hostState,
        };
    }

    private static ArchivedFile File(ref ByteReader reader)
    {
        var kind = (ImageFileKind)reader.Byte();
        ulong epoch = reader.UInt64();
        UInt128 id = reader.UInt128();
        long sizeBytes = (long)reader.UInt64();
        return new ArchivedFile(epoch, new ImageFile(kind, id, sizeBytes, reader.UInt64()));
    }

    private static void Position(ByteWriter writer, LogPosition position)
    {
        writer.UInt64(position.Epoch);
        writer.UInt64(position.Lsn);
        writer.UInt64(position.Timestamp);
    }

    private static LogPosition Position(ref ByteReader reader) =>
        new(reader.UInt64(), reader.UInt64(), reader.UInt64());
}

/// <summary>What the objects of an archive have in common.</summary>
internal static class ArchiveFormat
{
    public const int MinBytes = 8 + 4 + sizeof(ulong);

    /// <summary>Checks magic, hash and version, in an order that tells a newer format from damage.</summary>
    public static void Check(ReadOnlySpan<byte> bytes, ReadOnlySpan<byte> magic, ushort version, string name)
    {
        if (bytes.Length < MinBytes || !bytes.StartsWith(magic))
            throw Damaged(name, $"it does not begin as one ({bytes.Length} bytes)");
        if (XxHash3.HashToUInt64(bytes[..^sizeof(ulong)]) != BinaryPrimitives.ReadUInt64LittleEndian(bytes[^sizeof(ulong)..]))
            throw Damaged(name, $"its {bytes.Length} bytes do not match their checksum");
        ushort written = BinaryPrimitives.ReadUInt16LittleEndian(bytes[8..]);
        ushort flags = BinaryPrimitives.ReadUInt16LittleEndian(bytes[10..]);
        if (written != version || flags != 0)
        {
            throw new AiDbException(
                AiDbErrorKind.Unimplemented,
                $"Archive object '{name}' has format version {written} (encryption descriptor {flags}); this program knows "
                + $"version {version}. Restore with the program that wrote it, or a newer one.");
        }
    }

    public static AiDbException Damaged(string name, string what) => new(
        AiDbErrorKind.DataLoss,
        $"Archive object '{name}' is damaged: {what}. Restore a point that does not need it ('aidb backup list' shows them).");
}
