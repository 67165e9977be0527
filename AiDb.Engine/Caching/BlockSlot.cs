using System.Runtime.CompilerServices;
using System.Runtime.InteropServices;

namespace AiDb.Engine.Caching;

/// <summary>Where a block of an open table is, if it is cached, and who holds it.</summary>
/// <remarks>
/// <see cref="State"/> is one 64-bit word (holds, recency, phase), so that lookup, insertion and eviction need
/// no lock: a lookup adds a hold, then checks that the slot is visible, and takes the hold back otherwise.
/// Invariants: only who moved a slot to Changing writes its other fields; a slot leaves Visible only with no
/// hold, or to Detached, after which the last hold to go frees the block.
/// </remarks>
[StructLayout(LayoutKind.Sequential, Size = 32)]
internal unsafe struct BlockSlot
{
    public const long HoldMask = 0xffff_ffff;
    public const int RecencyShift = 32;
    public const long RecencyMask = 3L << RecencyShift;
    public const long PhaseMask = 3L << 60;
    public const long Empty = 0L << 60;
    public const long Changing = 1L << 60;
    public const long Visible = 2L << 60;
    public const long Detached = 3L << 60;

    /// <summary>Holds, recency, phase.</summary>
    public long State;

    /// <summary>The block; its header is in front.</summary>
    public byte* Data;

    /// <summary>Its length.</summary>
    public int Length;

    /// <summary>What the block's footer says, so that a lookup does not wait for that cache line.</summary>
    public BlockShape Shape;

    /// <summary>The memory in front of the block.</summary>
    public readonly BlockHeader* Block => (BlockHeader*)(Data - BlockHeader.Bytes);

    /// <summary>Takes a hold, if there is a block to be held.</summary>
    /// <param name="touch">Whether this read speaks for keeping the block.</param>
    /// <param name="late">Whether a hold was added although there was none: the caller takes it back.</param>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public bool TryHold(bool touch, out bool late)
    {
        late = false;
        if ((Volatile.Read(ref State) & PhaseMask) != Visible)
            return false;
        long state = Interlocked.Increment(ref State);
        if ((state & PhaseMask) != Visible)
        {
            late = true;
            return false;
        }

        if (touch && (state & RecencyMask) != RecencyMask)
            Interlocked.Or(ref State, (state & RecencyMask) == 0 ? 1L << RecencyShift : RecencyMask);
        return true;
    }

    /// <summary>Moves an empty slot to Changing.</summary>
    public bool TryClaimEmpty()
    {
        long state = Volatile.Read(ref State);
        while ((state & PhaseMask) == Empty)
        {
            long seen = Interlocked.CompareExchange(ref State, state | Changing, state);
            if (seen == state)
                return true;
            state = seen;
        }

        return false;
    }

    /// <summary>Empties a slot that the caller moved to Changing. Holds that lookups add and take back in the
    /// meantime stay counted.</summary>
    public void Clear()
    {
        Data = null;
        Length = 0;
        Interlocked.And(ref State, ~(PhaseMask | RecencyMask));
    }
}

/// <summary>What a data block's footer says.</summary>
/// <param name="TableId">The table id of all entries.</param>
/// <param name="Entries">How many entries.</param>
/// <param name="HashSlots">Slots of the hash index; negative: complemented, and the directory is wide.</param>
internal readonly record struct BlockShape(uint TableId, int Entries, int HashSlots);
