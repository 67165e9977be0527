using System.Buffers.Binary;
using AiDb.Engine.Encoding;

namespace AiDb.Engine.Merging;

/// <summary>
/// The value of an entry of kind <see cref="EntryKind.Merge"/>: what the operands of one batch find (1 byte) | its
/// expiry (8 bytes, little-endian, only of a put with expiry) | its value (length and bytes, only of a put) | operands
/// (length and bytes each), oldest first, at least one. Lengths are varints.
/// </summary>
/// <remarks>What is found is a kind: <see cref="EntryKind.None"/> the entry below, <see cref="EntryKind.Put"/>,
/// <see cref="EntryKind.PutWithExpiry"/> or <see cref="EntryKind.Delete"/> what the same batch did to the key
/// before.</remarks>
internal readonly ref struct MergeEntry
{
    private MergeEntry(EntryKind baseKind, ulong baseExpiryUnixMs, ReadOnlySpan<byte> baseValue, ReadOnlySpan<byte> operands)
    {
        BaseKind = baseKind;
        BaseExpiryUnixMs = baseExpiryUnixMs;
        BaseValue = baseValue;
        Operands = operands;
    }

    /// <summary>What the operands find.</summary>
    public EntryKind BaseKind { get; }

    /// <summary>When what they find expires; 0: never.</summary>
    public ulong BaseExpiryUnixMs { get; }

    /// <summary>The value that they find.</summary>
    public ReadOnlySpan<byte> BaseValue { get; }

    /// <summary>The operands with their lengths, for <see cref="TryNext"/>.</summary>
    public ReadOnlySpan<byte> Operands { get; }

    /// <summary>Takes the parts of a well-formed value, without the kind in front.</summary>
    public static MergeEntry Read(ReadOnlySpan<byte> value)
    {
        var baseKind = (EntryKind)value[0];
        value = value[1..];
        ulong expiry = 0;
        ReadOnlySpan<byte> baseValue = default;
        if (baseKind == EntryKind.PutWithExpiry)
        {
            expiry = BinaryPrimitives.ReadUInt64LittleEndian(value);
            value = value[InternalValue.ExpiryBytes..];
        }

        if (baseKind is EntryKind.Put or EntryKind.PutWithExpiry)
            TryNext(ref value, out baseValue);
        return new MergeEntry(baseKind, expiry, baseValue, value);
    }

    /// <summary>Whether the bytes, without the kind in front, are a whole value.</summary>
    public static bool IsWellFormed(ReadOnlySpan<byte> value)
    {
        if (value.IsEmpty || value[0] > (byte)EntryKind.PutWithExpiry)
            return false;
        var baseKind = (EntryKind)value[0];
        value = value[1..];
        if (baseKind == EntryKind.PutWithExpiry)
        {
            if (value.Length < InternalValue.ExpiryBytes)
                return false;
            value = value[InternalValue.ExpiryBytes..];
        }

        if (baseKind is EntryKind.Put or EntryKind.PutWithExpiry && !TryNext(ref value, out _))
            return false;
        if (value.IsEmpty)
            return false;
        while (!value.IsEmpty)
        {
            if (!TryNext(ref value, out _))
                return false;
        }

        return true;
    }

    /// <summary>Takes length and bytes from the front; false when there are none, or fewer than the length
    /// says.</summary>
    public static bool TryNext(scoped ref ReadOnlySpan<byte> rest, out ReadOnlySpan<byte> bytes)
    {
        ulong length = 0;
        for (int index = 0; index < Math.Min(Varint.MaxBytes, rest.Length); index++)
        {
            length |= (ulong)(rest[index] & 0x7F) << (7 * index);
            if (rest[index] >= 0x80)
                continue;
            if (length > (ulong)(rest.Length - index - 1))
                break;
            bytes = rest.Slice(index + 1, (int)length);
            rest = rest[(index + 1 + (int)length)..];
            return true;
        }

        bytes = default;
        return false;
    }

    /// <summary>Writes the value of a batch's next operand on a key, without the kind in front.</summary>
    /// <param name="target">Is added to.</param>
    /// <param name="before">The internal value of what the batch did to the key before; empty: nothing.</param>
    /// <param name="operand">The operand.</param>
    public static void Write(GrowingBuffer target, ReadOnlySpan<byte> before, ReadOnlySpan<byte> operand)
    {
        EntryKind kind = InternalValue.Kind(before);
        if (kind == EntryKind.Merge)
        {
            target.Append(before[1..]);
        }
        else
        {
            // The version of a key that moved is gone with the first operand: the key has the operand's.
            if (InternalValue.IsMoved(kind))
                kind = InternalValue.PutOf(InternalValue.HasExpiry(kind), isMoved: false);
            target.Extend(1)[0] = (byte)kind;
            if (kind == EntryKind.PutWithExpiry)
                target.AppendUInt64(InternalValue.ExpiryUnixMs(before));
            if (kind is EntryKind.Put or EntryKind.PutWithExpiry)
                AppendBytes(target, InternalValue.UserValue(before));
        }

        AppendBytes(target, operand);
    }

    private static void AppendBytes(GrowingBuffer target, ReadOnlySpan<byte> bytes)
    {
        target.AppendVarint((uint)bytes.Length);
        target.Append(bytes);
    }
}
