using System.Buffers.Binary;
using System.Runtime.CompilerServices;

namespace AiDb.Engine.Encoding;

/// <summary>What an internal entry does to its key; the value is part of the log's and the tables'
/// formats.</summary>
internal enum EntryKind : byte
{
    /// <summary>No entry.</summary>
    None = 0,

    /// <summary>The key has this value.</summary>
    Put = 1,

    /// <summary>The key is absent.</summary>
    Delete = 2,

    /// <summary>The key has this value until a moment, and is absent from then on.</summary>
    PutWithExpiry = 3,

    /// <summary>The key has what its table's merge operator makes of operands and of what lies below; see
    /// <see cref="Merging.MergeEntry"/>.</summary>
    Merge = 4,

    /// <summary>As <see cref="Put"/>, the value being in a value file; in tables only.</summary>
    SeparatedPut = 5,

    /// <summary>As <see cref="PutWithExpiry"/>, the value being in a value file; in tables only.</summary>
    SeparatedPutWithExpiry = 6,
}

/// <summary>
/// The value under an internal key: kind (1 byte) | expiry (8 bytes, little-endian, Unix milliseconds, only
/// for
/// <see cref="EntryKind.PutWithExpiry"/>) | the caller's value.
/// </summary>
internal static class InternalValue
{
    /// <summary>Bytes of an expiry.</summary>
    public const int ExpiryBytes = 8;

    /// <summary>The longest internal value: merges of one batch on one key share an entry.</summary>
    public const int MaxBytes = DatabaseOptions.MaxBatchBytes + 64;

    /// <summary>Bytes of a pointer to a separated value, which stands in the place of the caller's
    /// value.</summary>
    public const int PointerBytes = 36;

    /// <summary>Bytes in front of the caller's value.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static int HeaderLength(EntryKind kind) => HasExpiry(kind) ? 1 + ExpiryBytes : 1;

    /// <summary>Whether an entry of the kind has an expiry.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static bool HasExpiry(EntryKind kind) =>
        kind is EntryKind.PutWithExpiry or EntryKind.SeparatedPutWithExpiry;

    /// <summary>Whether a pointer stands in the place of the value.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static bool IsSeparated(EntryKind kind) => kind >= EntryKind.SeparatedPut;

    /// <summary>The kind of a put whose value goes to a value file.</summary>
    public static EntryKind Separated(EntryKind kind) =>
        kind == EntryKind.PutWithExpiry ? EntryKind.SeparatedPutWithExpiry : EntryKind.SeparatedPut;

    /// <summary>The kind of a put whose value was taken from its value file.</summary>
    public static EntryKind Inline(EntryKind kind) =>
        kind == EntryKind.SeparatedPutWithExpiry ? EntryKind.PutWithExpiry : EntryKind.Put;

    /// <summary>The length of an internal value.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static int Length(EntryKind kind, int valueBytes) => HeaderLength(kind) + valueBytes;

    /// <summary>Writes an internal value and returns its length.</summary>
    /// <param name="target">At least <see cref="Length"/> bytes.</param>
    /// <param name="kind">The kind.</param>
    /// <param name="expiryUnixMs">Written for <see cref="EntryKind.PutWithExpiry"/> only.</param>
    /// <param name="value">The caller's value; empty for a delete.</param>
    public static int Write(Span<byte> target, EntryKind kind, ulong expiryUnixMs, ReadOnlySpan<byte> value)
    {
        int header = WriteHeader(target, kind, expiryUnixMs);
        value.CopyTo(target[header..]);
        return header + value.Length;
    }

    /// <summary>Writes what is in front of the caller's value and returns its length.</summary>
    public static int WriteHeader(Span<byte> target, EntryKind kind, ulong expiryUnixMs)
    {
        target[0] = (byte)kind;
        if (!HasExpiry(kind))
            return 1;
        BinaryPrimitives.WriteUInt64LittleEndian(target[1..], expiryUnixMs);
        return 1 + ExpiryBytes;
    }

    /// <summary>The kind; <see cref="EntryKind.None"/> for an empty span.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static EntryKind Kind(ReadOnlySpan<byte> internalValue) =>
        internalValue.IsEmpty ? EntryKind.None : (EntryKind)internalValue[0];

    /// <summary>The expiry in Unix milliseconds, 0 for an entry that has none.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static ulong ExpiryUnixMs(ReadOnlySpan<byte> internalValue) =>
        HasExpiry(Kind(internalValue))
            ? BinaryPrimitives.ReadUInt64LittleEndian(internalValue[1..])
            : 0;

    /// <summary>The caller's value.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static ReadOnlySpan<byte> UserValue(ReadOnlySpan<byte> internalValue) =>
        internalValue[HeaderLength(Kind(internalValue))..];

    /// <summary>Whether the bytes are a whole internal value of a known kind.</summary>
    public static bool IsWellFormed(ReadOnlySpan<byte> internalValue) => Kind(internalValue) switch
    {
        EntryKind.Put => true,
        EntryKind.Delete => internalValue.Length == 1,
        EntryKind.PutWithExpiry => internalValue.Length >= 1 + ExpiryBytes,
        EntryKind.Merge => Merging.MergeEntry.IsWellFormed(internalValue[1..]),
        EntryKind.SeparatedPut => internalValue.Length == 1 + PointerBytes,
        EntryKind.SeparatedPutWithExpiry => internalValue.Length == 1 + ExpiryBytes + PointerBytes,
        _ => false,
    };
}
