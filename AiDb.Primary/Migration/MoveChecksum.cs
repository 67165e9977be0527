using System.Buffers.Binary;
using System.IO.Hashing;

namespace AiDb.Primary.Migration;

/// <summary>What some slots hold, whatever the order: the number of keys, and the sum of a hash of each. Keys that
/// expire before a horizon are left out, since either side may see them gone.</summary>
internal struct MoveChecksum(ulong horizonMs)
{
    /// <summary>Keys.</summary>
    public ulong Count { get; private set; }

    /// <summary>The sum of their hashes.</summary>
    public ulong Sum { get; private set; }

    /// <summary>The hash of a key's state; 0: it does not count.</summary>
    public readonly ulong Of(
        uint tableId, ReadOnlySpan<byte> key, ReadOnlySpan<byte> value, ulong version, ulong expiresAtMs)
    {
        if (expiresAtMs != 0 && expiresAtMs <= horizonMs)
            return 0;
        Span<byte> head = stackalloc byte[24];
        BinaryPrimitives.WriteUInt32LittleEndian(head, tableId);
        BinaryPrimitives.WriteInt32LittleEndian(head[4..], key.Length);
        BinaryPrimitives.WriteUInt64LittleEndian(head[8..], version);
        BinaryPrimitives.WriteUInt64LittleEndian(head[16..], expiresAtMs);
        XxHash64 hash = new();
        hash.Append(head);
        hash.Append(key);
        hash.Append(value);
        return Math.Max(1, hash.GetCurrentHashAsUInt64());
    }

    /// <summary>Puts one state in the place of another; 0: none.</summary>
    public void Replace(ulong before, ulong after)
    {
        unchecked
        {
            Sum += after - before;
        }

        Count = Count + (after != 0 ? 1UL : 0) - (before != 0 ? 1UL : 0);
    }
}
