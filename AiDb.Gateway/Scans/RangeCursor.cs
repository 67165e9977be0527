using System.Buffers.Binary;
using System.Buffers.Text;
using System.IO.Hashing;
using Google.Protobuf;

namespace AiDb.Gateway.Scans;

/// <summary>Where a scan of ranges stands between two pages: the last key that was given out, and - where a run of ranges of one
/// shard is not at its end - the shard, its snapshot and the end of the run. Opaque to callers: base64url of a format byte (2),
/// the fingerprint of the query (8), the shard (4), the snapshot (8), the length of the last key (4), the last key, the end of
/// the run, and an XxHash64 of all that (8); little-endian.</summary>
/// <param name="Fingerprint">Of the query.</param>
/// <param name="LastKey">The last key.</param>
/// <param name="Shard">The shard of the run; 0: the next run is still to begin.</param>
/// <param name="Snapshot">Its snapshot.</param>
/// <param name="RunEnd">Where the run ends: the bound of the scan that moves no more - its end, or its start in reverse.</param>
internal sealed record RangeCursor(ulong Fingerprint, ByteString LastKey, uint Shard, ulong Snapshot, ByteString RunEnd)
{
    private const byte Format = 2;
    private const int HeaderBytes = 25;
    private const int ChecksumBytes = 8;

    // Keeps a cursor from being mistaken for another hash of the same bytes.
    private const long ChecksumSeed = 0x4169_4462_5261_6e67;

    /// <inheritdoc/>
    public override string ToString()
    {
        byte[] bytes = new byte[HeaderBytes + LastKey.Length + RunEnd.Length + ChecksumBytes];
        bytes[0] = Format;
        BinaryPrimitives.WriteUInt64LittleEndian(bytes.AsSpan(1), Fingerprint);
        BinaryPrimitives.WriteUInt32LittleEndian(bytes.AsSpan(9), Shard);
        BinaryPrimitives.WriteUInt64LittleEndian(bytes.AsSpan(13), Snapshot);
        BinaryPrimitives.WriteInt32LittleEndian(bytes.AsSpan(21), LastKey.Length);
        LastKey.Span.CopyTo(bytes.AsSpan(HeaderBytes));
        RunEnd.Span.CopyTo(bytes.AsSpan(HeaderBytes + LastKey.Length));
        ulong checksum = XxHash64.HashToUInt64(bytes.AsSpan(..^ChecksumBytes), ChecksumSeed);
        BinaryPrimitives.WriteUInt64LittleEndian(bytes.AsSpan(^ChecksumBytes..), checksum);
        return Base64Url.EncodeToString(bytes);
    }

    /// <summary>Reads a cursor.</summary>
    /// <exception cref="AiDbException"><see cref="AiDbErrorKind.InvalidArgument"/>: it is not one, or of another
    /// query.</exception>
    public static RangeCursor Parse(string text, ulong fingerprint)
    {
        if (ScanCursor.TryDecode(text) is not { } bytes || bytes.Length < HeaderBytes + ChecksumBytes || bytes[0] != Format
            || BinaryPrimitives.ReadUInt64LittleEndian(bytes.AsSpan(^ChecksumBytes..))
                != XxHash64.HashToUInt64(bytes.AsSpan(..^ChecksumBytes), ChecksumSeed))
        {
            throw ScanCursor.Damaged();
        }

        if (BinaryPrimitives.ReadUInt64LittleEndian(bytes.AsSpan(1)) != fingerprint)
            throw ScanCursor.OfAnother();
        int keyBytes = BinaryPrimitives.ReadInt32LittleEndian(bytes.AsSpan(21));
        int keyEnd = HeaderBytes + keyBytes;
        if (keyBytes < 1 || keyEnd > bytes.Length - ChecksumBytes)
            throw ScanCursor.Damaged();
        return new RangeCursor(
            fingerprint,
            ByteString.CopyFrom(bytes.AsSpan(HeaderBytes..keyEnd)),
            BinaryPrimitives.ReadUInt32LittleEndian(bytes.AsSpan(9)),
            BinaryPrimitives.ReadUInt64LittleEndian(bytes.AsSpan(13)),
            ByteString.CopyFrom(bytes.AsSpan(keyEnd..^ChecksumBytes)));
    }
}
