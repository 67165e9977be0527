using System.Globalization;
using System.Text;

namespace AiDb.Contracts;

/// <summary>One part of a session token: a read of the shard must have seen the position.</summary>
/// <param name="Shard">The shard.</param>
/// <param name="Epoch">The epoch of the position.</param>
/// <param name="Lsn">Its number in the log.</param>
public readonly record struct SessionPosition(uint Shard, ulong Epoch, ulong Lsn)
{
    /// <summary>Whether this position has seen more than another of the same shard.</summary>
    public bool IsAfter(SessionPosition other) =>
        Epoch != other.Epoch ? Epoch > other.Epoch : Lsn > other.Lsn;
}

/// <summary>The text of a session: <c>shard-epoch-lsn</c> in lower-case hexadecimal, parts joined by <c>_</c>. It is safe in
/// headers and URLs. Applications treat it as opaque.</summary>
public static class SessionToken
{
    /// <summary>The longest token that is read: more shards than any cluster has.</summary>
    public const int MaxLength = 1 << 20;

    /// <summary>Takes the next part off the front of a token.</summary>
    /// <returns>False at the end of the token.</returns>
    /// <exception cref="AiDbException"><see cref="AiDbErrorKind.InvalidArgument"/>: it is not a token.</exception>
    public static bool TryTake(ref ReadOnlySpan<char> rest, out SessionPosition position)
    {
        position = default;
        if (rest.IsEmpty)
            return false;
        if (rest.Length > MaxLength)
            throw Invalid();
        int length = rest.IndexOf('_');
        ReadOnlySpan<char> part = length < 0 ? rest : rest[..length];
        rest = length < 0 ? [] : rest[(length + 1)..];

        int first = part.IndexOf('-');
        int second = first < 0 ? -1 : part[(first + 1)..].IndexOf('-');
        if (second < 0
            || !TryParseHex(part[..first], out ulong shard) || shard > uint.MaxValue
            || !TryParseHex(part.Slice(first + 1, second), out ulong epoch)
            || !TryParseHex(part[(first + second + 2)..], out ulong lsn))
        {
            throw Invalid();
        }

        position = new SessionPosition((uint)shard, epoch, lsn);
        return true;
    }

    /// <summary>Writes a token.</summary>
    public static string Format(IEnumerable<SessionPosition> positions)
    {
        StringBuilder text = new();
        foreach (SessionPosition position in positions)
        {
            if (text.Length > 0)
                text.Append('_');
            text.Append(
                CultureInfo.InvariantCulture, $"{position.Shard:x}-{position.Epoch:x}-{position.Lsn:x}");
        }

        return text.ToString();
    }

    private static bool TryParseHex(ReadOnlySpan<char> text, out ulong value) =>
        ulong.TryParse(text, NumberStyles.AllowHexSpecifier, CultureInfo.InvariantCulture, out value);

    private static AiDbException Invalid() =>
        new(AiDbErrorKind.InvalidArgument, "session is not a token that an answer of AiDb carried.");
}
