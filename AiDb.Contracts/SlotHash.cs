using System.IO.Hashing;

namespace AiDb.Contracts;

/// <summary>Where a partition lives: one of 16,384 slots. Fixed for ever, since clients in other languages
/// compute it too.</summary>
public static class SlotHash
{
    /// <summary>Slots of a cluster.</summary>
    public const int SlotCount = 16_384;

    /// <summary>The slot of a partition: the low 14 bits of XxHash64 (seed 0) of its bytes.</summary>
    public static int Of(ReadOnlySpan<byte> partition) => (int)(XxHash64.HashToUInt64(partition) & (SlotCount - 1));
}
