using System.IO.Hashing;

namespace AiDb.Backup.Format;

/// <summary>Says that a manifest and the files that it names are still being read by a restore.</summary>
/// <param name="Shard">The shard.</param>
/// <param name="Id">Its identity.</param>
/// <param name="Manifest">The manifest.</param>
internal sealed record ArchivePin(uint Shard, UInt128 Id, ManifestId Manifest);

/// <summary>The bytes of a pin object; see docs/formats/archive.md.</summary>
internal static class PinCodec
{
    public const ushort FormatVersion = 1;
    public const int Bytes = 8 + 4 + 4 + 16 + 8 + 8 + 8;

    private static ReadOnlySpan<byte> Magic => "AiDbArcP"u8;

    public static byte[] Encode(ArchivePin pin)
    {
        var writer = new ByteWriter();
        writer.Bytes(Magic);
        writer.UInt16(FormatVersion);
        writer.UInt16(0);
        writer.UInt32(pin.Shard);
        writer.UInt128(pin.Id);
        writer.UInt64(pin.Manifest.Epoch);
        writer.UInt64(pin.Manifest.Number);
        writer.UInt64(XxHash3.HashToUInt64(writer.Written));
        return writer.Written.ToArray();
    }

    /// <summary>Reads one.</summary>
    /// <param name="bytes">The object.</param>
    /// <param name="name">Its name, for errors.</param>
    /// <exception cref="AiDbException"><see cref="AiDbErrorKind.DataLoss"/>: damaged;
    /// <see cref="AiDbErrorKind.Unimplemented"/>: of a newer program.</exception>
    public static ArchivePin Decode(ReadOnlySpan<byte> bytes, string name)
    {
        ArchiveFormat.Check(bytes, Magic, FormatVersion, name);
        var reader = new ByteReader(bytes[12..^sizeof(ulong)]);
        var pin = new ArchivePin(reader.UInt32(), reader.UInt128(), new ManifestId(reader.UInt64(), reader.UInt64()));
        return reader.Failed || reader.Remaining != 0 ? throw ArchiveFormat.Damaged(name, "it has another length") : pin;
    }
}
