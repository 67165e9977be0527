using AiDb.Contracts;
using AiDb.Contracts.V1;
using AiDb.Gateway.Front;
using Google.Protobuf;

namespace AiDb.Gateway.Scans;

/// <summary>The keys of a scan: from <see cref="Start"/> inclusive to <see cref="End"/> exclusive; an empty
/// bound is open.</summary>
internal readonly record struct ScanBounds(ByteString Start, ByteString End)
{
    /// <summary>No key at all.</summary>
    public static ScanBounds None { get; } = new(ByteString.CopyFrom(0), ByteString.CopyFrom(0));

    /// <summary>Checks the fields of a request.</summary>
    public static void Check(ScanRequest call)
    {
        CheckLength(call.Prefix, "prefix");
        CheckLength(call.Start, "start");
        CheckLength(call.End, "end");
    }

    /// <summary>The keys that a request asks for: those of the prefix that are also between start and
    /// end.</summary>
    public static ScanBounds Of(ScanRequest call)
    {
        ByteString start = Compare(call.Prefix, call.Start) >= 0 ? call.Prefix : call.Start;
        ByteString afterPrefix = AfterPrefix(call.Prefix);
        ByteString end = call.End;
        if (end.IsEmpty || (!afterPrefix.IsEmpty && Compare(afterPrefix, end) < 0))
            end = afterPrefix;
        return new ScanBounds(start, end);
    }

    /// <summary>Whether no key can be in it.</summary>
    public bool IsEmpty => !End.IsEmpty && Compare(Start, End) >= 0;

    /// <summary>What remains of the range after a key was given out.</summary>
    /// <param name="key">The key.</param>
    /// <param name="inclusive">Whether the key itself remains (another shard may have one of the same
    /// name).</param>
    /// <param name="reverse">The direction.</param>
    public ScanBounds After(ByteString key, bool inclusive, bool reverse)
    {
        if (reverse)
            return this with { End = inclusive ? Successor(key) : key };
        return this with { Start = inclusive ? key : Successor(key) };
    }

    /// <summary>Unsigned byte order.</summary>
    public static int Compare(ByteString a, ByteString b) => a.Span.SequenceCompareTo(b.Span);

    /// <summary>The first key after a key.</summary>
    private static ByteString Successor(ByteString key)
    {
        byte[] next = new byte[key.Length + 1];
        key.Span.CopyTo(next);
        return UnsafeByteOperations.UnsafeWrap(next);
    }

    /// <summary>The first key after all that begin with a prefix; empty: there is none.</summary>
    private static ByteString AfterPrefix(ByteString prefix)
    {
        int length = prefix.Length;
        while (length > 0 && prefix[length - 1] == 0xFF)
            length--;
        if (length == 0)
            return ByteString.Empty;
        byte[] end = prefix.Span[..length].ToArray();
        end[^1]++;
        return UnsafeByteOperations.UnsafeWrap(end);
    }

    private static void CheckLength(ByteString bound, string field)
    {
        // One byte more than a key: the successor of the longest key is a bound, too.
        if (bound.Length > WireLimits.MaxKeyBytes + 1)
            throw RequestLimits.Invalid($"{field}: it has at most {WireLimits.MaxKeyBytes} bytes, not {bound.Length}.");
    }
}
