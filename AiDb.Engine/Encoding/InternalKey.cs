using System.Buffers.Binary;
using System.IO.Hashing;
using System.Runtime.CompilerServices;

namespace AiDb.Engine.Encoding;

/// <summary>
/// The key under which memtables and tables hold an entry: table id (4 bytes, big-endian) | user key |
/// inverted version (8 bytes, big-endian). The order is that of the prefix (table id and user key, by bytes,
/// a shorter one first), then of the last 8 bytes, so that the newest version of a key comes first.
/// </summary>
/// <remarks>The whole key must not be compared by bytes at once: user keys vary in length, and a version's
/// bytes would be compared with key bytes.</remarks>
internal static class InternalKey
{
    /// <summary>Bytes of the table id in front.</summary>
    public const int TableIdBytes = 4;

    /// <summary>Bytes of the inverted version at the end.</summary>
    public const int VersionBytes = 8;

    /// <summary>Bytes added to a user key.</summary>
    public const int OverheadBytes = TableIdBytes + VersionBytes;

    /// <summary>The longest internal key.</summary>
    public const int MaxBytes = DatabaseOptions.MaxKeyBytes + OverheadBytes;

    /// <summary>The length of the internal key of a user key.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static int Length(int userKeyBytes) => userKeyBytes + OverheadBytes;

    /// <summary>The length of the prefix (table id and user key) of a user key.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static int PrefixLength(int userKeyBytes) => userKeyBytes + TableIdBytes;

    /// <summary>Writes an internal key and returns its length.</summary>
    public static int Write(Span<byte> target, uint tableId, ReadOnlySpan<byte> userKey, ulong version)
    {
        int prefixLength = WritePrefix(target, tableId, userKey);
        BinaryPrimitives.WriteUInt64BigEndian(target.Slice(prefixLength, VersionBytes), ~version);
        return prefixLength + VersionBytes;
    }

    /// <summary>Writes table id and user key, which filters and point reads work with, and returns the
    /// length.</summary>
    public static int WritePrefix(Span<byte> target, uint tableId, ReadOnlySpan<byte> userKey)
    {
        BinaryPrimitives.WriteUInt32BigEndian(target, tableId);
        userKey.CopyTo(target[TableIdBytes..]);
        return TableIdBytes + userKey.Length;
    }

    /// <summary>Puts another version at the end of an internal key.</summary>
    public static void SetVersion(Span<byte> internalKey, ulong version) =>
        BinaryPrimitives.WriteUInt64BigEndian(internalKey[^VersionBytes..], ~version);

    /// <summary>Table id and user key.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static ReadOnlySpan<byte> Prefix(ReadOnlySpan<byte> internalKey) => internalKey[..^VersionBytes];

    /// <summary>The user key.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static ReadOnlySpan<byte> UserKey(ReadOnlySpan<byte> internalKey) =>
        internalKey[TableIdBytes..^VersionBytes];

    /// <summary>The table id.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static uint TableId(ReadOnlySpan<byte> internalKey) =>
        BinaryPrimitives.ReadUInt32BigEndian(internalKey);

    /// <summary>The version.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static ulong Version(ReadOnlySpan<byte> internalKey) => ~InvertedVersion(internalKey);

    /// <summary>The last 8 bytes as a number: smaller is newer.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static ulong InvertedVersion(ReadOnlySpan<byte> internalKey) =>
        BinaryPrimitives.ReadUInt64BigEndian(internalKey[^VersionBytes..]);

    /// <summary>The order of two internal keys: negative, zero or positive.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static int Compare(ReadOnlySpan<byte> left, ReadOnlySpan<byte> right)
    {
        int order = Prefix(left).SequenceCompareTo(Prefix(right));
        return order != 0 ? order : InvertedVersion(left).CompareTo(InvertedVersion(right));
    }

    /// <summary>Whether two internal keys are versions of one key.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static bool SamePrefix(ReadOnlySpan<byte> left, ReadOnlySpan<byte> right) =>
        Prefix(left).SequenceEqual(Prefix(right));

    /// <summary>The hash by which filters and the blocks' hash indexes know a key; part of the table
    /// format.</summary>
    /// <param name="prefix">Table id and user key.</param>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static ulong HashPrefix(ReadOnlySpan<byte> prefix) => XxHash3.HashToUInt64(prefix);
}
