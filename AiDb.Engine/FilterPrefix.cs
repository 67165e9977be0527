namespace AiDb.Engine;

/// <summary>Which part of a key the filters of tables know besides the whole key, so that a scan within one such
/// prefix skips the tables that have no key of it.</summary>
/// <remarks>Immutable. It may differ from one opening of a database to the next: tables that were written under
/// another rule are not asked, and are written under the new one by later compactions.</remarks>
public sealed record FilterPrefix
{
    /// <summary>The longest fixed prefix, in bytes.</summary>
    public const int MaxBytes = 1024;

    private FilterPrefix(FilterPrefixKind kind, byte separator, int bytes)
    {
        Kind = kind;
        Separator = separator;
        Bytes = bytes;
    }

    /// <summary>How the prefix ends.</summary>
    internal FilterPrefixKind Kind { get; }

    /// <summary>The byte after which it ends, of <see cref="FilterPrefixKind.Separator"/>.</summary>
    internal byte Separator { get; }

    /// <summary>Its length, of <see cref="FilterPrefixKind.Length"/>.</summary>
    internal int Bytes { get; }

    /// <summary>The first bytes of a key; a shorter key has no prefix.</summary>
    /// <param name="bytes">How many: 1 to <see cref="MaxBytes"/>.</param>
    /// <exception cref="AiDbException"><see cref="AiDbErrorKind.InvalidArgument"/>: another number.</exception>
    public static FilterPrefix FixedLength(int bytes)
    {
        if (bytes is < 1 or > MaxBytes)
        {
            throw new AiDbException(
                AiDbErrorKind.InvalidArgument, $"A filter prefix of {bytes} bytes is not possible; take 1 to {MaxBytes}.");
        }

        return new FilterPrefix(FilterPrefixKind.Length, 0, bytes);
    }

    /// <summary>A key's bytes up to and including the first separator; a key without one has no
    /// prefix.</summary>
    public static FilterPrefix UpTo(byte separator) => new(FilterPrefixKind.Separator, separator, 0);

    /// <summary>The rule with these fields; null when this build knows none of that kind.</summary>
    internal static FilterPrefix? TryMake(byte kind, byte separator, int bytes) => (FilterPrefixKind)kind switch
    {
        FilterPrefixKind.Length when bytes is >= 1 and <= MaxBytes => new FilterPrefix(FilterPrefixKind.Length, 0, bytes),
        FilterPrefixKind.Separator => UpTo(separator),
        _ => null,
    };

    /// <summary>Bytes of a user key's prefix; 0 when it has none.</summary>
    internal int LengthIn(ReadOnlySpan<byte> userKey) => Kind == FilterPrefixKind.Separator
        ? userKey.IndexOf(Separator) + 1
        : userKey.Length < Bytes ? 0 : Bytes;

    /// <summary>Bytes of the prefix that every key of a range has; 0 when they may have several or none.</summary>
    /// <param name="start">The first key, inclusive.</param>
    /// <param name="end">The end, exclusive; empty: open.</param>
    internal int LengthIn(ReadOnlySpan<byte> start, ReadOnlySpan<byte> end)
    {
        int length = LengthIn(start);
        if (length == 0)
            return 0;
        ReadOnlySpan<byte> prefix = start[..length];
        int withSuccessor = prefix.LastIndexOfAnyExcept((byte)0xFF) + 1;
        if (end.IsEmpty)
            return withSuccessor == 0 ? length : 0;
        if (end.StartsWith(prefix))
            return length;

        // Of the keys after the prefix that do not begin with it, only the first may be the end.
        bool isSuccessor = withSuccessor > 0 && end.Length == withSuccessor
            && end[..^1].SequenceEqual(prefix[..(withSuccessor - 1)])
            && end[^1] == prefix[withSuccessor - 1] + 1;
        return isSuccessor || end.SequenceCompareTo(start) <= 0 ? length : 0;
    }
}

/// <summary>How a filter prefix ends; part of the table format.</summary>
internal enum FilterPrefixKind : byte
{
    /// <summary>After so many bytes.</summary>
    Length = 1,

    /// <summary>After the first byte of a value.</summary>
    Separator = 2,
}
