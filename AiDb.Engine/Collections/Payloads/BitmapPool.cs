using AiDb.Engine.Vectors;

namespace AiDb.Engine.Collections.Payloads;

/// <summary>Keeps bitmaps between queries: one for a million points has 125 kB, too big for the short-lived heap.</summary>
/// <remarks>Thread safety: all members may be called concurrently.</remarks>
internal static class BitmapPool
{
    private const int Kept = 16;
    private const long MaxKeptOffsets = 1L << 30;
    private static readonly OffsetBitmap?[] Slots = new OffsetBitmap?[Kept];

    /// <summary>An empty set with room for offsets below <paramref name="capacity"/> at least.</summary>
    public static OffsetBitmap Rent(long capacity)
    {
        for (int slot = 0; slot < Slots.Length; slot++)
        {
            OffsetBitmap? kept = Slots[slot];
            if (kept is null || kept.Capacity < capacity || kept.Capacity > Math.Max(capacity, 4096) * 4
                || Interlocked.CompareExchange(ref Slots[slot], null, kept) != kept)
            {
                continue;
            }

            kept.Clear();
            return kept;
        }

        return new OffsetBitmap((uint)Math.Min(capacity, uint.MaxValue));
    }

    /// <summary>Gives back a set that nobody reads any more.</summary>
    public static void Return(OffsetBitmap bitmap)
    {
        if (bitmap.Capacity is 0 or > MaxKeptOffsets)
            return;
        for (int slot = 0; slot < Slots.Length; slot++)
        {
            if (Interlocked.CompareExchange(ref Slots[slot], bitmap, null) is null)
                return;
        }

        // All slots are full: one of them makes room, so that sizes that are not asked for any more do not stay for ever.
        Slots[(int)(bitmap.Capacity >> 6) & (Kept - 1)] = bitmap;
    }
}
