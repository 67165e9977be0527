using System.Buffers.Binary;
using System.Buffers.Text;

namespace AiDb.Contracts;

/// <summary>One part of a session token: a read of the shard must have seen the position.</summary>
public readonly record struct SessionPosition(uint Shard, ulong Epoch, ulong Lsn)
{
    /// <summary>Whether this position has seen more than another of the same shard.</summary>
    public bool IsAfter(SessionPosition other) => Epoch != other.Epoch ? Epoch > other.Epoch : Lsn > other.Lsn;
}

/// <summary>The text of a session: base64url of a format byte (1) and, for each shard, its number (4 bytes),
/// epoch (8) and LSN (8), little-endian. Opaque to
/// applications; the gateway makes it, and the client reads it to join the tokens of several
/// answers.</summary>
public static class SessionTokenFormat
{
    /// <summary>Bytes of one part.</summary>
    public const int PartBytes = 20;

    /// <summary>The first byte; the parts follow.</summary>
    public const byte Format = 1;

    // As many as a cluster may have shards; a longer token is not ours.
    private const int MaxShards = 16_384;

    /// <summary>Decodes a token into <paramref name="buffer"/>, enlarging it where needed.</summary>
    /// <returns>Its parts, to be read with <see cref="Read"/>.</returns>
    /// <exception cref="AiDbException"><see cref="AiDbErrorKind.InvalidArgument"/>: it is not a
    /// token.</exception>
    public static ReadOnlySpan<byte> Decode(ReadOnlySpan<char> token, ref byte[] buffer)
    {
        if (token.Length > Base64Url.GetEncodedLength(1 + (MaxShards * PartBytes)))
            throw Invalid();
        int bound = Base64Url.GetMaxDecodedLength(token.Length);
        if (buffer.Length < bound)
            buffer = new byte[bound];
        try
        {
            if (!Base64Url.TryDecodeFromChars(token, buffer, out int written)
                || written == 0 || buffer[0] != Format || (written - 1) % PartBytes != 0)
            {
                throw Invalid();
            }

            return buffer.AsSpan(1, written - 1);
        }
        catch (FormatException)
        {
            throw Invalid();
        }
    }

    /// <summary>Reads a part.</summary>
    public static SessionPosition Read(ReadOnlySpan<byte> part) => new(
        BinaryPrimitives.ReadUInt32LittleEndian(part),
        BinaryPrimitives.ReadUInt64LittleEndian(part[4..]),
        BinaryPrimitives.ReadUInt64LittleEndian(part[12..]));

    /// <summary>Writes a part.</summary>
    public static void Write(Span<byte> part, SessionPosition position)
    {
        BinaryPrimitives.WriteUInt32LittleEndian(part, position.Shard);
        BinaryPrimitives.WriteUInt64LittleEndian(part[4..], position.Epoch);
        BinaryPrimitives.WriteUInt64LittleEndian(part[12..], position.Lsn);
    }

    /// <summary>The token of some positions; empty for none.</summary>
    public static string Encode(IReadOnlyCollection<SessionPosition> positions)
    {
        if (positions.Count == 0)
            return "";
        byte[] bytes = new byte[1 + (positions.Count * PartBytes)];
        bytes[0] = Format;
        Span<byte> rest = bytes.AsSpan(1);
        foreach (SessionPosition position in positions)
        {
            Write(rest, position);
            rest = rest[PartBytes..];
        }

        return Base64Url.EncodeToString(bytes);
    }

    private static AiDbException Invalid() =>
        new(AiDbErrorKind.InvalidArgument, "session: this is not a session token; send what AiDb-Session or `session` gave.");
}
