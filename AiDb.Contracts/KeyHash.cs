using System.Buffers;
using System.Buffers.Binary;
using System.IO.Hashing;

namespace AiDb.Contracts;

/// <summary>The name that a key has in cache invalidations.</summary>
public static class KeyHash
{
    private const int MaxStackBytes = 512;

    /// <summary>XxHash64 (seed 0) of the table id (4 bytes little-endian) followed by the key.</summary>
    public static ulong Of(uint tableId, ReadOnlySpan<byte> key)
    {
        int length = sizeof(uint) + key.Length;
        byte[]? rented = null;
        Span<byte> buffer = length <= MaxStackBytes
            ? stackalloc byte[MaxStackBytes]
            : rented = ArrayPool<byte>.Shared.Rent(length);
        BinaryPrimitives.WriteUInt32LittleEndian(buffer, tableId);
        key.CopyTo(buffer[sizeof(uint)..]);
        ulong hash = XxHash64.HashToUInt64(buffer[..length]);
        if (rented is not null)
            ArrayPool<byte>.Shared.Return(rented);
        return hash;
    }
}
