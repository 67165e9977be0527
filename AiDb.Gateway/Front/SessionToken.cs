using System.Buffers.Text;
using System.Runtime.InteropServices;
using AiDb.Cluster;
using AiDb.Contracts;

namespace AiDb.Gateway.Front;

/// <summary>What a session has seen: a position per shard. Its text is of
/// <see cref="SessionTokenFormat"/>.</summary>
/// <remarks>Thread safety: none; a token belongs to one request.</remarks>
internal struct SessionToken
{
    // Nearly every token names one shard or a few, so that a list beats a map.
    private List<(uint Shard, ShardPosition Position)>? _entries;

    /// <summary>Reads a token.</summary>
    /// <exception cref="AiDbException"><see cref="AiDbErrorKind.InvalidArgument"/>: it is not one of
    /// ours.</exception>
    public static SessionToken Parse(string text)
    {
        if (text.Length == 0)
            return default;
        byte[] buffer = [];
        List<(uint, ShardPosition)> entries = [];
        for (ReadOnlySpan<byte> rest = SessionTokenFormat.Decode(text, ref buffer);
            !rest.IsEmpty;
            rest = rest[SessionTokenFormat.PartBytes..])
        {
            SessionPosition part = SessionTokenFormat.Read(rest);
            entries.Add((part.Shard, new ShardPosition(part.Epoch, part.Lsn)));
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
        int length = 1 + (entries.Length * SessionTokenFormat.PartBytes);
        Span<byte> bytes = length <= 512 ? stackalloc byte[512] : new byte[length];
        bytes[0] = SessionTokenFormat.Format;
        Span<byte> rest = bytes[1..];
        foreach ((uint shard, ShardPosition position) in entries)
        {
            SessionTokenFormat.Write(rest, new SessionPosition(shard, position.Epoch, position.Lsn));
            rest = rest[SessionTokenFormat.PartBytes..];
        }

        return Base64Url.EncodeToString(bytes[..length]);
    }
}
