using Google.Protobuf;

namespace AiDb.Contracts;

/// <summary>How the partition of a key - the unit of atomicity and of placement - is found.</summary>
public enum PartitionKind
{
    /// <summary>The whole key.</summary>
    WholeKey = 1,

    /// <summary>The first bytes of the key, or the whole key where it is shorter.</summary>
    PrefixLength = 2,

    /// <summary>The key up to the first occurrence of a delimiter, or the whole key where there is
    /// none.</summary>
    Delimiter = 3,

    /// <summary>The range of the sorted keys that it is in: the table's split points tell, and they become
    /// more.</summary>
    Range = 4,
}

/// <summary>A table's rule for the partition of its keys. A partition that the caller names wins over a
/// <c>{tag}</c> in the key, and a tag wins over the rule.</summary>
/// <remarks>A tag is what stands between the first <c>{</c> and the next <c>}</c> after it, when that is not
/// empty.</remarks>
public sealed record PartitionRule
{
    /// <summary>The longest prefix and the longest delimiter.</summary>
    public const int MaxLength = 1024;

    /// <summary>Ranges of a table: one more than its split points.</summary>
    public const int MaxRanges = 1024;

    /// <summary>Bytes of a split point.</summary>
    public const int MaxSplitPointBytes = 1024;

    /// <summary>Bytes of all split points of a table: they stand in one record of the metadata store.</summary>
    public const int MaxSplitPointsBytes = 256 << 10;

    /// <summary>The partition is the whole key: the default.</summary>
    public static PartitionRule WholeKey { get; } = new();

    private readonly byte[] _delimiter = [];

    /// <summary>What the rule goes by.</summary>
    public PartitionKind Kind { get; private init; } = PartitionKind.WholeKey;

    /// <summary>Bytes of the prefix; 0 for the other kinds.</summary>
    public int Length { get; private init; }

    /// <summary>The delimiter; empty for the other kinds.</summary>
    public ReadOnlyMemory<byte> Delimiter => _delimiter;

    /// <summary>Where ranges begin, ascending, but for the first one; empty for the other kinds.</summary>
    public IReadOnlyList<ReadOnlyMemory<byte>> SplitPoints { get; private init; } = [];

    private PartitionRule(byte[]? delimiter = null) => _delimiter = delimiter ?? [];

    /// <summary>The first <paramref name="length"/> bytes of the key.</summary>
    /// <exception cref="AiDbException"><see cref="AiDbErrorKind.InvalidArgument"/>: not 1 to
    /// 1024.</exception>
    public static PartitionRule Prefix(int length)
    {
        if (length is < 1 or > MaxLength)
            throw Invalid($"prefix_length must be 1 to {MaxLength} bytes, not {length}");
        return new PartitionRule { Kind = PartitionKind.PrefixLength, Length = length };
    }

    /// <summary>The key up to the first <paramref name="delimiter"/>.</summary>
    /// <exception cref="AiDbException"><see cref="AiDbErrorKind.InvalidArgument"/>: not 1 to 1024
    /// bytes.</exception>
    public static PartitionRule UpTo(ReadOnlySpan<byte> delimiter)
    {
        if (delimiter.Length is < 1 or > MaxLength)
            throw Invalid($"delimiter must have 1 to {MaxLength} bytes, not {delimiter.Length}");
        return new PartitionRule(delimiter.ToArray()) { Kind = PartitionKind.Delimiter };
    }

    /// <summary>Ranges of the sorted keys. A split point is the first key of its range.</summary>
    /// <exception cref="AiDbException"><see cref="AiDbErrorKind.InvalidArgument"/>, naming the split point: one is empty or
    /// too long, they are not ascending, or there are too many.</exception>
    public static PartitionRule Ranges(IReadOnlyList<ReadOnlyMemory<byte>> splitPoints)
    {
        if (splitPoints.Count >= MaxRanges)
            throw Invalid($"a table has at most {MaxRanges} ranges, and so {MaxRanges - 1} split points, not {splitPoints.Count}");
        long bytes = 0;
        for (int i = 0; i < splitPoints.Count; i++)
        {
            int length = splitPoints[i].Length;
            bytes += length;
            if (length is 0 or > MaxSplitPointBytes)
                throw Invalid($"split_points[{i}] must have 1 to {MaxSplitPointBytes} bytes, not {length}");
            if (i == 0)
                continue;
            int order = splitPoints[i].Span.SequenceCompareTo(splitPoints[i - 1].Span);
            if (order == 0)
                throw Invalid($"split_points[{i}] is there twice");
            if (order < 0)
                throw Invalid($"split_points[{i}] sorts before the one in front of it; they must ascend in unsigned byte order");
        }

        if (bytes > MaxSplitPointsBytes)
            throw Invalid($"all split points together have at most {MaxSplitPointsBytes} bytes, not {bytes}");
        return new PartitionRule { Kind = PartitionKind.Range, SplitPoints = [.. splitPoints] };
    }

    /// <summary>Whether a table that has this rule is what a request for <paramref name="wanted"/> asks for: the same rule, or
    /// ranges that are split at least where it wants.</summary>
    public bool Fulfils(PartitionRule wanted)
    {
        if (Kind != PartitionKind.Range || wanted.Kind != PartitionKind.Range)
            return Equals(wanted);
        int found = 0;
        foreach (ReadOnlyMemory<byte> point in SplitPoints)
        {
            if (found < wanted.SplitPoints.Count && point.Span.SequenceEqual(wanted.SplitPoints[found].Span))
                found++;
        }

        return found == wanted.SplitPoints.Count;
    }

    /// <summary>The partition of a key. Of ranges only their table knows it.</summary>
    /// <param name="key">The key.</param>
    /// <param name="named">The partition that the caller names; empty: none.</param>
    /// <returns>A part of <paramref name="key"/>, or <paramref name="named"/>.</returns>
    public ReadOnlySpan<byte> PartitionOf(ReadOnlySpan<byte> key, ReadOnlySpan<byte> named = default)
    {
        if (Kind == PartitionKind.Range)
            throw new InvalidOperationException("The ranges of a table tell the slots of its keys.");
        if (!named.IsEmpty)
            return named;
        if (TryGetTag(key, out ReadOnlySpan<byte> tag))
            return tag;
        switch (Kind)
        {
            case PartitionKind.PrefixLength:
                return key[..Math.Min(Length, key.Length)];
            case PartitionKind.Delimiter:
                int end = key.IndexOf(_delimiter);
                return end < 0 ? key : key[..end];
            default:
                return key;
        }
    }

    /// <summary>The slot of a key; see <see cref="PartitionOf"/>.</summary>
    public int SlotOf(ReadOnlySpan<byte> key, ReadOnlySpan<byte> named = default) =>
        SlotHash.Of(PartitionOf(key, named));

    /// <summary>Reads the rule of a request; unset is the whole key.</summary>
    /// <exception cref="AiDbException"><see cref="AiDbErrorKind.InvalidArgument"/>: a rule that does not
    /// exist.</exception>
    public static PartitionRule From(V1.Partitioning? message)
    {
        if (message is { SplitPoints.Count: > 0, Kind: not V1.Partitioning.Types.Kind.Range })
            throw Invalid("split_points go with the kind range only");
        return Read(message);
    }

    private static PartitionRule Read(V1.Partitioning? message) => message?.Kind switch
    {
        null or V1.Partitioning.Types.Kind.Unspecified or V1.Partitioning.Types.Kind.WholeKey => WholeKey,
        V1.Partitioning.Types.Kind.PrefixLength => Prefix((int)Math.Min(message.PrefixLength, int.MaxValue)),
        V1.Partitioning.Types.Kind.Delimiter => UpTo(message.Delimiter.Span),
        V1.Partitioning.Types.Kind.Range => Ranges([.. message.SplitPoints.Select(point => (ReadOnlyMemory<byte>)point.ToByteArray())]),
        _ => throw Invalid($"partitioning.kind {(int)message.Kind} is unknown"),
    };

    /// <summary>The rule as a message.</summary>
    public V1.Partitioning ToMessage()
    {
        V1.Partitioning message = new()
        {
            Kind = (V1.Partitioning.Types.Kind)Kind,
            PrefixLength = (uint)Length,
            Delimiter = ByteString.CopyFrom(_delimiter),
        };
        message.SplitPoints.AddRange(SplitPoints.Select(point => ByteString.CopyFrom(point.Span)));
        return message;
    }

    /// <inheritdoc/>
    public bool Equals(PartitionRule? other) =>
        other is not null && Kind == other.Kind && Length == other.Length && _delimiter.AsSpan().SequenceEqual(other._delimiter)
        && SplitPoints.Count == other.SplitPoints.Count
        && SplitPoints.Zip(other.SplitPoints).All(pair => pair.First.Span.SequenceEqual(pair.Second.Span));

    /// <inheritdoc/>
    public override int GetHashCode()
    {
        HashCode hash = default;
        hash.Add(Kind);
        hash.Add(Length);
        hash.AddBytes(_delimiter);
        hash.Add(SplitPoints.Count);
        return hash.ToHashCode();
    }

    private static bool TryGetTag(ReadOnlySpan<byte> key, out ReadOnlySpan<byte> tag)
    {
        tag = default;
        int open = key.IndexOf((byte)'{');
        if (open < 0)
            return false;
        ReadOnlySpan<byte> rest = key[(open + 1)..];
        int close = rest.IndexOf((byte)'}');
        if (close <= 0)
            return false;
        tag = rest[..close];
        return true;
    }

    private static AiDbException Invalid(string message) =>
        new(AiDbErrorKind.InvalidArgument, "Invalid partitioning: " + message + ".");
}
