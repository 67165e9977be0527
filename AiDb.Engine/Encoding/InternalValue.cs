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

    /// <summary>As <see cref="Put"/>, of a key that came from another shard and keeps the version it had
    /// there.</summary>
    MovedPut = 7,

    /// <summary>As <see cref="MovedPut"/>, with an expiry.</summary>
    MovedPutWithExpiry = 8,

    /// <summary>As <see cref="MovedPut"/>, the value being in a value file; in tables only.</summary>
    SeparatedMovedPut = 9,

    /// <summary>As <see cref="MovedPutWithExpiry"/>, the value being in a value file; in tables only.</summary>
    SeparatedMovedPutWithExpiry = 10,
}

/// <summary>
/// The value under an internal key: kind (1 byte) | expiry (8 bytes, little-endian, Unix milliseconds, only of
/// kinds with one) | moved version (8 bytes, little-endian, only of kinds with one) | the caller's value.
/// </summary>
/// <remarks>The version in the internal key orders entries, for moved keys as for all; the moved version, which
/// is smaller, is what callers see and what conditions compare.</remarks>
internal static class InternalValue
{
    /// <summary>Bytes of an expiry.</summary>
    public const int ExpiryBytes = 8;

    /// <summary>Bytes of a moved version.</summary>
    public const int MovedVersionBytes = 8;

    /// <summary>The most bytes in front of the caller's value.</summary>
    public const int MaxHeaderBytes = 1 + ExpiryBytes + MovedVersionBytes;

    private const uint ExpiryKinds = (1u << (int)EntryKind.PutWithExpiry) | (1u << (int)EntryKind.SeparatedPutWithExpiry)
        | (1u << (int)EntryKind.MovedPutWithExpiry) | (1u << (int)EntryKind.SeparatedMovedPutWithExpiry);

    private const uint SeparatedKinds = (1u << (int)EntryKind.SeparatedPut)
        | (1u << (int)EntryKind.SeparatedPutWithExpiry) | (1u << (int)EntryKind.SeparatedMovedPut)
        | (1u << (int)EntryKind.SeparatedMovedPutWithExpiry);

    /// <summary>The longest internal value: merges of one batch on one key share an entry.</summary>
    public const int MaxBytes = DatabaseOptions.MaxBatchBytes + 64;

    /// <summary>Bytes of a pointer to a separated value, which stands in the place of the caller's
    /// value.</summary>
    public const int PointerBytes = 36;

    /// <summary>Bytes in front of the caller's value.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static int HeaderLength(EntryKind kind) =>
        1 + (HasExpiry(kind) ? ExpiryBytes : 0) + (IsMoved(kind) ? MovedVersionBytes : 0);

    /// <summary>Whether an entry of the kind has an expiry.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static bool HasExpiry(EntryKind kind) => ((ExpiryKinds >> (int)kind) & 1) != 0;

    /// <summary>Whether an entry of the kind has the version that its key had in another shard.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static bool IsMoved(EntryKind kind) => kind >= EntryKind.MovedPut;

    /// <summary>Whether a pointer stands in the place of the value.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static bool IsSeparated(EntryKind kind) => ((SeparatedKinds >> (int)kind) & 1) != 0;

    /// <summary>The kind of a put that has a value of its own.</summary>
    public static EntryKind PutOf(bool hasExpiry, bool isMoved) => isMoved
        ? hasExpiry ? EntryKind.MovedPutWithExpiry : EntryKind.MovedPut
        : hasExpiry ? EntryKind.PutWithExpiry : EntryKind.Put;

    /// <summary>The kind of a put whose value goes to a value file.</summary>
    public static EntryKind Separated(EntryKind kind) => kind switch
    {
        EntryKind.MovedPut => EntryKind.SeparatedMovedPut,
        EntryKind.MovedPutWithExpiry => EntryKind.SeparatedMovedPutWithExpiry,
        EntryKind.PutWithExpiry => EntryKind.SeparatedPutWithExpiry,
        _ => EntryKind.SeparatedPut,
    };

    /// <summary>The kind of a put whose value was taken from its value file.</summary>
    public static EntryKind Inline(EntryKind kind) => PutOf(HasExpiry(kind), IsMoved(kind));

    /// <summary>The length of an internal value.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static int Length(EntryKind kind, int valueBytes) => HeaderLength(kind) + valueBytes;

    /// <summary>Writes an internal value and returns its length.</summary>
    /// <param name="target">At least <see cref="Length"/> bytes.</param>
    /// <param name="kind">The kind.</param>
    /// <param name="expiryUnixMs">Written for kinds with an expiry only.</param>
    /// <param name="value">The caller's value; empty for a delete.</param>
    /// <param name="movedVersion">Written for kinds with one only.</param>
    public static int Write(
        Span<byte> target, EntryKind kind, ulong expiryUnixMs, ReadOnlySpan<byte> value, ulong movedVersion = 0)
    {
        int header = WriteHeader(target, kind, expiryUnixMs, movedVersion);
        value.CopyTo(target[header..]);
        return header + value.Length;
    }

    /// <summary>Writes what is in front of the caller's value and returns its length.</summary>
    public static int WriteHeader(Span<byte> target, EntryKind kind, ulong expiryUnixMs, ulong movedVersion = 0)
    {
        target[0] = (byte)kind;
        int length = 1;
        if (HasExpiry(kind))
        {
            BinaryPrimitives.WriteUInt64LittleEndian(target[1..], expiryUnixMs);
            length += ExpiryBytes;
        }

        if (!IsMoved(kind))
            return length;
        BinaryPrimitives.WriteUInt64LittleEndian(target[length..], movedVersion);
        return length + MovedVersionBytes;
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

    /// <summary>The version that the key had where it came from; 0 for an entry of a key that did not
    /// move.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static ulong MovedVersion(ReadOnlySpan<byte> internalValue) =>
        IsMoved(Kind(internalValue))
            ? BinaryPrimitives.ReadUInt64LittleEndian(
                internalValue[(HeaderLength(Kind(internalValue)) - MovedVersionBytes)..])
            : 0;

    /// <summary>The version that callers see.</summary>
    /// <param name="version">The internal key's.</param>
    /// <param name="internalValue">What is under it.</param>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static ulong ShownVersion(ulong version, ReadOnlySpan<byte> internalValue) =>
        IsMoved(Kind(internalValue)) ? MovedVersion(internalValue) : version;

    /// <summary>The caller's value.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static ReadOnlySpan<byte> UserValue(ReadOnlySpan<byte> internalValue) =>
        internalValue[HeaderLength(Kind(internalValue))..];

    /// <summary>Whether the bytes are a whole internal value of a known kind.</summary>
    public static bool IsWellFormed(ReadOnlySpan<byte> internalValue) => Kind(internalValue) switch
    {
        EntryKind.Put => true,
        EntryKind.Delete => internalValue.Length == 1,
        EntryKind.PutWithExpiry or EntryKind.MovedPut or EntryKind.MovedPutWithExpiry =>
            internalValue.Length >= HeaderLength(Kind(internalValue)),
        EntryKind.Merge => Merging.MergeEntry.IsWellFormed(internalValue[1..]),
        EntryKind.SeparatedPut or EntryKind.SeparatedPutWithExpiry or EntryKind.SeparatedMovedPut
            or EntryKind.SeparatedMovedPutWithExpiry =>
            internalValue.Length == HeaderLength(Kind(internalValue)) + PointerBytes,
        _ => false,
    };
}
