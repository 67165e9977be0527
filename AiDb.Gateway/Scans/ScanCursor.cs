using System.Buffers.Binary;
using System.Buffers.Text;
using System.IO.Hashing;
using AiDb.Contracts.V1;
using AiDb.Gateway.Front;
using Google.Protobuf;

namespace AiDb.Gateway.Scans;

/// <summary>Where a scan stands between two pages: the snapshot of each shard, the last key that was given
/// out, and which shard it came from. Opaque to callers: base64url of a format byte (3), the fingerprint of
/// the query (8), the version of the slots that all shards go by (8), the index of the last key's shard (2), the number of
/// shards (2), for each its number (4) and snapshot (8), the last key, and an XxHash64 of all that (8); little-endian.</summary>
internal sealed record ScanCursor(
    ulong Fingerprint, ulong SlotsVersion, ByteString LastKey, int LastShardIndex, IReadOnlyList<(uint Shard, ulong Snapshot)> Shards)
{
    /// <summary>In place of a snapshot: the shard has given its snapshot up, and the rest is read at another one, by the same
    /// slots.</summary>
    public const ulong ReadAnew = 0;

    /// <summary>In place of a snapshot: nothing remains at the shard.</summary>
    public const ulong Done = ulong.MaxValue;

    private const byte Format = 3;
    private const int HeaderBytes = 21;
    private const int ShardBytes = 12;
    private const int ChecksumBytes = 8;

    // Keeps a cursor from being mistaken for another hash of the same bytes.
    private const long ChecksumSeed = 0x4169_4462_4375_7273;

    /// <summary>Tells queries apart, so that a cursor is used with its own only.</summary>
    public static ulong FingerprintOf(uint tableId, ScanRequest call)
    {
        XxHash64 hash = new();
        Span<byte> number = stackalloc byte[4];
        void Append(ReadOnlySpan<byte> bytes, Span<byte> scratch)
        {
            BinaryPrimitives.WriteInt32LittleEndian(scratch, bytes.Length);
            hash.Append(scratch);
            hash.Append(bytes);
        }

        BinaryPrimitives.WriteUInt32LittleEndian(number, tableId);
        hash.Append(number);
        Append(call.Prefix.Span, number);
        Append(call.Start.Span, number);
        Append(call.End.Span, number);
        hash.Append([call.Reverse ? (byte)1 : (byte)0, call.KeysOnly ? (byte)1 : (byte)0]);
        return hash.GetCurrentHashAsUInt64();
    }

    /// <inheritdoc/>
    public override string ToString()
    {
        byte[] bytes = new byte[HeaderBytes + (Shards.Count * ShardBytes) + LastKey.Length + ChecksumBytes];
        bytes[0] = Format;
        BinaryPrimitives.WriteUInt64LittleEndian(bytes.AsSpan(1), Fingerprint);
        BinaryPrimitives.WriteUInt64LittleEndian(bytes.AsSpan(9), SlotsVersion);
        BinaryPrimitives.WriteUInt16LittleEndian(bytes.AsSpan(17), checked((ushort)LastShardIndex));
        BinaryPrimitives.WriteUInt16LittleEndian(bytes.AsSpan(19), checked((ushort)Shards.Count));
        Span<byte> rest = bytes.AsSpan(HeaderBytes);
        foreach ((uint shard, ulong snapshot) in Shards)
        {
            BinaryPrimitives.WriteUInt32LittleEndian(rest, shard);
            BinaryPrimitives.WriteUInt64LittleEndian(rest[4..], snapshot);
            rest = rest[ShardBytes..];
        }

        LastKey.Span.CopyTo(rest);
        ulong checksum = XxHash64.HashToUInt64(bytes.AsSpan(..^ChecksumBytes), ChecksumSeed);
        BinaryPrimitives.WriteUInt64LittleEndian(bytes.AsSpan(^ChecksumBytes..), checksum);
        return Base64Url.EncodeToString(bytes);
    }

    /// <summary>Reads a cursor.</summary>
    /// <exception cref="AiDbException"><see cref="AiDbErrorKind.InvalidArgument"/>: it is not one, or of
    /// another query.</exception>
    public static ScanCursor Parse(string text, ulong fingerprint)
    {
        if (TryDecode(text) is not { } bytes || bytes.Length < HeaderBytes + ChecksumBytes || bytes[0] != Format
            || BinaryPrimitives.ReadUInt64LittleEndian(bytes.AsSpan(^ChecksumBytes..))
                != XxHash64.HashToUInt64(bytes.AsSpan(..^ChecksumBytes), ChecksumSeed))
        {
            throw Damaged();
        }

        if (BinaryPrimitives.ReadUInt64LittleEndian(bytes.AsSpan(1)) != fingerprint)
            throw OfAnother();

        int lastShard = BinaryPrimitives.ReadUInt16LittleEndian(bytes.AsSpan(17));
        int count = BinaryPrimitives.ReadUInt16LittleEndian(bytes.AsSpan(19));
        int keyStart = HeaderBytes + (count * ShardBytes);
        if (lastShard >= count || keyStart + ChecksumBytes >= bytes.Length)
            throw Damaged();
        (uint, ulong)[] shards = new (uint, ulong)[count];
        for (int i = 0; i < count; i++)
        {
            ReadOnlySpan<byte> entry = bytes.AsSpan(HeaderBytes + (i * ShardBytes));
            shards[i] = (BinaryPrimitives.ReadUInt32LittleEndian(entry), BinaryPrimitives.ReadUInt64LittleEndian(entry[4..]));
        }

        return new ScanCursor(
            fingerprint, BinaryPrimitives.ReadUInt64LittleEndian(bytes.AsSpan(9)), ByteString.CopyFrom(bytes.AsSpan(keyStart..^ChecksumBytes)), lastShard, shards);
    }

    /// <summary>What a caller is told who sends something else.</summary>
    public static AiDbException Damaged() =>
        RequestLimits.Invalid("cursor: this is not a cursor, or it is damaged; send it as the last page gave it.");

    /// <summary>What a caller is told who sends the cursor of another query.</summary>
    public static AiDbException OfAnother() => RequestLimits.Invalid(
        "cursor: it belongs to another scan; table, prefix, start, end, reverse and keysOnly must be as they were.");

    /// <summary>The bytes of a cursor; null: it is none.</summary>
    public static byte[]? TryDecode(string text)
    {
        try
        {
            return text.Length <= 1 << 20 ? Base64Url.DecodeFromChars(text) : null;
        }
        catch (FormatException)
        {
            return null;
        }
    }
}
