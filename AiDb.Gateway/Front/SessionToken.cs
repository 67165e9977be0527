using System.Buffers.Binary;
using System.Buffers.Text;
using System.Runtime.InteropServices;
using AiDb.Cluster;

namespace AiDb.Gateway.Front;

/// <summary>What a session has seen: a position per shard. Opaque to callers; base64url of a format byte (1) and, for
/// each shard, its number (4 bytes), epoch (8) and LSN (8), little-endian.</summary>
/// <remarks>Thread safety: none; a token belongs to one request.</remarks>
internal struct SessionToken
{
    private const byte Format = 1;
    private const int EntryBytes = 20;

    /// <summary>As many as a cluster may have shards; a longer token is not ours.</summary>
    private const int MaxShards = 16_384;

    // Nearly every token names one shard or a few, so that a list beats a map.
    private List<(uint Shard, ShardPosition Position)>? _entries;

    /// <summary>Reads a token.</summary>
    /// <exception cref="AiDbException"><see cref="AiDbErrorKind.InvalidArgument"/>: it is not one of ours.</exception>
    public static SessionToken Parse(string text)
    {
        if (text.Length == 0)
            return default;
        byte[]? bytes = text.Length <= Base64Url.GetEncodedLength(1 + (MaxShards * EntryBytes)) ? TryDecode(text) : null;
        if (bytes is not [Format, ..] || (bytes.Length - 1) % EntryBytes != 0)
            throw RequestLimits.Invalid("session: this is not a session token; send what AiDb-Session or `session` gave.");
        List<(uint, ShardPosition)> entries = [];
        for (ReadOnlySpan<byte> rest = bytes.AsSpan(1); !rest.IsEmpty; rest = rest[EntryBytes..])
        {
            entries.Add((
                BinaryPrimitives.ReadUInt32LittleEndian(rest),
                new ShardPosition(
                    BinaryPrimitives.ReadUInt64LittleEndian(rest[4..]),
                    BinaryPrimitives.ReadUInt64LittleEndian(rest[12..]))));
        }

        return new SessionToken { _entries = entries };
    }

    /// <summary>What the session has seen of a shard.</summary>
    public readonly ShardPosition Of(uint shard)
    {
        foreach ((uint known, ShardPosition position) in CollectionsMarshal.AsSpan(_entries))
        {
            if (known == shard)
                return position;
        }

        return default;
    }

    /// <summary>Notes what it saw; a position that is behind what is known changes nothing.</summary>
    public void Advance(uint shard, ShardPosition position)
    {
        if (position == default)
            return;
        Span<(uint Shard, ShardPosition Position)> known = CollectionsMarshal.AsSpan(_entries);
        for (int i = 0; i < known.Length; i++)
        {
            if (known[i].Shard != shard)
                continue;
            known[i].Position = ShardPosition.Max(known[i].Position, position);
            return;
        }

        (_entries ??= new(1)).Add((shard, position));
    }

    /// <inheritdoc/>
    public override readonly string ToString()
    {
        Span<(uint Shard, ShardPosition Position)> entries = CollectionsMarshal.AsSpan(_entries);
        if (entries.IsEmpty)
            return "";
        int length = 1 + (entries.Length * EntryBytes);
        Span<byte> bytes = length <= 512 ? stackalloc byte[512] : new byte[length];
        bytes[0] = Format;
        Span<byte> rest = bytes[1..];
        foreach ((uint shard, ShardPosition position) in entries)
        {
            BinaryPrimitives.WriteUInt32LittleEndian(rest, shard);
            BinaryPrimitives.WriteUInt64LittleEndian(rest[4..], position.Epoch);
            BinaryPrimitives.WriteUInt64LittleEndian(rest[12..], position.Lsn);
            rest = rest[EntryBytes..];
        }

        return Base64Url.EncodeToString(bytes[..length]);
    }

    private static byte[]? TryDecode(string text)
    {
        try
        {
            return Base64Url.DecodeFromChars(text);
        }
        catch (FormatException)
        {
            return null;
        }
    }
}
