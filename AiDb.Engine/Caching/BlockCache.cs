using System.Runtime.CompilerServices;
using System.Runtime.InteropServices;

namespace AiDb.Engine.Caching;

/// <summary>Uncompressed table blocks in native memory, shared by the databases that are given it.</summary>
/// <remarks>
/// A fixed table of slots in buckets of <see cref="Ways"/>; a key hashes to one bucket. A slot's state is one
/// 64-bit word (holds, recency, phase), so that lookup, insertion and eviction need no lock: a lookup adds a
/// hold, then checks that the slot is visible and has its key, and takes the hold back otherwise. Eviction is
/// CLOCK with a recency of up to 3: a block that scans bring in starts at 0 and leaves first unless it is
/// read again; one that a point read brings in starts at 1.
/// Invariants: only who moved a slot to Changing writes its key and block; a slot leaves Visible only with no
/// hold, or through Detached, after which the last hold to go frees the block. The slots are on the managed
/// heap, so a lookup that races with <see cref="Dispose"/> never touches freed memory.
/// Thread safety: all members may be called concurrently; leases outlive the cache.
/// </remarks>
public sealed unsafe class BlockCache : IDisposable
{
    private const int Ways = 8;

    /// <summary>One slot per so many bytes: smaller blocks fill the slots before the bytes. At 16 KiB blocks
    /// seven of eight slots are empty, so that buckets hardly ever overflow.</summary>
    private const long SlotEstimateBytes = 2048;

    private const long HoldMask = 0xffff_ffff;
    private const int RecencyShift = 32;
    private const long RecencyMask = 3L << RecencyShift;
    private const long PhaseMask = 3L << 60;
    private const long Empty = 0L << 60;
    private const long Changing = 1L << 60;
    private const long Visible = 2L << 60;
    private const long Detached = 3L << 60;

    private readonly Slot[] _slots;
    private readonly int _bucketMask;
    private readonly long _blockBudget;
    private readonly CacheCounters _counters = new();
    private long _usedBytes;
    private long _fileNumbers;
    private int _hand;
    private int _disposed;

    /// <summary>Makes a cache.</summary>
    /// <param name="capacityBytes">What it holds at most, its own bookkeeping included. 0 caches
    /// nothing.</param>
    public BlockCache(long capacityBytes)
    {
        ArgumentOutOfRangeException.ThrowIfNegative(capacityBytes);
        CapacityBytes = capacityBytes;
        long wanted = Math.Clamp(capacityBytes / SlotEstimateBytes, Ways, 1 << 26);
        int slots = (int)System.Numerics.BitOperations.RoundUpToPowerOf2((ulong)wanted);
        _slots = GC.AllocateArray<Slot>(slots, pinned: true);
        _bucketMask = slots / Ways - 1;
        _blockBudget = Math.Max(0, capacityBytes - (long)slots * sizeof(Slot));
    }

    /// <summary>What it holds at most.</summary>
    public long CapacityBytes { get; }

    /// <summary>Native memory of the blocks, cached and only leased, and of what table readers pin.</summary>
    internal NativeMemoryAccount Memory { get; } = new();

    /// <summary>Bytes of the cached blocks.</summary>
    internal long UsedBytes => Volatile.Read(ref _usedBytes);

    /// <summary>Lookups that found their block.</summary>
    internal long Hits => _counters.Hits;

    /// <summary>Lookups that did not.</summary>
    internal long Misses => _counters.Misses;

    /// <summary>The longest block that is cached; a longer one is served and freed after use.</summary>
    internal long MaxBlockBytes => _blockBudget / 8;

    /// <summary>A number by which an open file is known here; never used twice.</summary>
    internal ulong NextFileNumber() => (ulong)Interlocked.Increment(ref _fileNumbers);

    /// <summary>Finds a block and takes a hold on it.</summary>
    /// <param name="file">The number of the file.</param>
    /// <param name="offset">The block's place in it.</param>
    /// <param name="touch">Whether this read speaks for keeping the block.</param>
    /// <param name="lease">The hold.</param>
    internal bool TryGet(ulong file, ulong offset, bool touch, out BlockLease lease)
    {
        int first = BucketStart(file, offset);
        ref Slot start = ref MemoryMarshal.GetArrayDataReference(_slots);
        for (int way = 0; way < Ways; way++)
        {
            ref Slot slot = ref Unsafe.Add(ref start, first + way);
            if (slot.Offset != offset || slot.File != file
                || (Volatile.Read(ref slot.State) & PhaseMask) != Visible)
                continue;
            long state = Interlocked.Increment(ref slot.State);
            if ((state & PhaseMask) == Visible && slot.Offset == offset && slot.File == file)
            {
                if (touch && (state & RecencyMask) != RecencyMask)
                    Interlocked.Or(ref slot.State, NextRecency(state));
                _counters.CountHit();
                lease = new BlockLease(this, (BlockHeader*)slot.Block, first + way);
                return true;
            }

            ReleaseSlot(ref slot);
        }

        _counters.CountMiss();
        lease = default;
        return false;
    }

    /// <summary>Memory for a block of that length, to be filled and then given to <see cref="Insert"/>,
    /// <see cref="Lease"/> or <see cref="Discard"/>.</summary>
    internal BlockHeader* AllocateBlock(int length)
    {
        long bytes = (long)length + BlockHeader.Bytes;
        var block = (BlockHeader*)Memory.Allocate(bytes);
        block->Length = length;
        block->AllocatedBytes = bytes;
        return block;
    }

    /// <summary>Frees a block that was not handed on.</summary>
    internal void Discard(BlockHeader* block) => Memory.Free((byte*)block, block->AllocatedBytes);

    /// <summary>A hold on a block outside the cache; the block ends with it.</summary>
    internal BlockLease Lease(BlockHeader* block) => new(this, block, BlockLease.NoSlot);

    /// <summary>Caches a block where there is room for it and returns a hold on it in any case.</summary>
    /// <param name="file">The number of the file.</param>
    /// <param name="offset">The block's place in it.</param>
    /// <param name="block">The block, which the cache owns from here on.</param>
    /// <param name="fromScan">Whether a scan brought it in, so that it should leave soon.</param>
    internal BlockLease Insert(ulong file, ulong offset, BlockHeader* block, bool fromScan)
    {
        long charge = block->AllocatedBytes;
        if (charge > MaxBlockBytes || Volatile.Read(ref _disposed) != 0 || !Reserve(charge))
            return Lease(block);
        int index = ClaimSlot(BucketStart(file, offset));
        if (index < 0)
        {
            Interlocked.Add(ref _usedBytes, -charge);
            return Lease(block);
        }

        ref Slot slot = ref _slots[index];
        slot.File = file;
        slot.Offset = offset;
        slot.Block = (nint)block;
        long recency = fromScan ? 0 : 1L << RecencyShift;
        Interlocked.Add(ref slot.State, Visible - Changing + recency + 1);
        if (Volatile.Read(ref _disposed) != 0)
            Interlocked.Or(ref slot.State, Detached);
        return new BlockLease(this, block, index);
    }

    /// <summary>As <see cref="Insert"/>, with a copy of the content.</summary>
    internal BlockLease InsertCopy(ulong file, ulong offset, ReadOnlySpan<byte> content, bool fromScan)
    {
        BlockHeader* block = AllocateBlock(content.Length);
        content.CopyTo(BlockHeader.Content(block));
        return Insert(file, offset, block, fromScan);
    }

    /// <summary>Gives a hold back.</summary>
    internal void Release(BlockHeader* block, int slot)
    {
        if (slot == BlockLease.NoSlot)
            Discard(block);
        else
            ReleaseSlot(ref Unsafe.Add(ref MemoryMarshal.GetArrayDataReference(_slots), slot));
    }

    /// <summary>Frees every block that nobody holds; a held one goes with its last lease.</summary>
    public void Dispose()
    {
        if (Interlocked.Exchange(ref _disposed, 1) != 0)
            return;
        for (int index = 0; index < _slots.Length; index++)
        {
            ref Slot slot = ref _slots[index];
            long state = Volatile.Read(ref slot.State);
            while ((state & PhaseMask) == Visible)
            {
                long seen = Interlocked.CompareExchange(ref slot.State, state | Detached, state);
                if (seen == state)
                {
                    TryFreeDetached(ref slot);
                    break;
                }

                state = seen;
            }
        }
    }

    private static long NextRecency(long state) =>
        (state & RecencyMask) == 0 ? 1L << RecencyShift : RecencyMask;

    private int BucketStart(ulong file, ulong offset)
    {
        ulong mixed = (file * 0x9e37_79b9_7f4a_7c15UL) ^ (offset * 0xc2b2_ae3d_27d4_eb4fUL);
        mixed ^= mixed >> 32;
        mixed *= 0xd6e8_feb8_6659_fd93UL;
        return (int)((mixed >> 32) & (uint)_bucketMask) * Ways;
    }

    private void ReleaseSlot(ref Slot slot)
    {
        long state = Interlocked.Decrement(ref slot.State);
        if ((state & (PhaseMask | HoldMask)) == Detached)
            TryFreeDetached(ref slot);
    }

    private void TryFreeDetached(ref Slot slot)
    {
        long state = Volatile.Read(ref slot.State);
        if ((state & (PhaseMask | HoldMask)) == Detached
            && Interlocked.CompareExchange(ref slot.State, Changing, state) == state)
            FreeClaimed(ref slot);
    }

    /// <summary>Frees the block of a slot that the caller moved to Changing, and empties the slot. Holds that
    /// lookups add and take back in the meantime stay counted.</summary>
    private void FreeClaimed(ref Slot slot)
    {
        var block = (BlockHeader*)slot.Block;
        slot.Block = 0;
        slot.File = 0;
        Interlocked.Add(ref _usedBytes, -block->AllocatedBytes);
        Discard(block);
        Interlocked.And(ref slot.State, ~(PhaseMask | RecencyMask));
    }

    private bool Reserve(long charge)
    {
        if (Interlocked.Add(ref _usedBytes, charge) <= _blockBudget)
            return true;
        // Recency is at most 3, so that four rounds evict every block that nobody holds.
        long steps = 4L * _slots.Length;
        while (Volatile.Read(ref _usedBytes) > _blockBudget)
        {
            if (steps-- == 0)
            {
                Interlocked.Add(ref _usedBytes, -charge);
                return false;
            }

            uint next = (uint)Interlocked.Increment(ref _hand) & (uint)(_slots.Length - 1);
            TryEvict(ref _slots[next], age: true);
        }

        return true;
    }

    /// <summary>Evicts a block that nobody holds and that has no recency left; with <paramref name="age"/>,
    /// one that has some loses a step of it instead.</summary>
    private bool TryEvict(ref Slot slot, bool age)
    {
        long state = Volatile.Read(ref slot.State);
        if ((state & (PhaseMask | HoldMask)) != Visible)
            return false;
        if ((state & RecencyMask) != 0)
        {
            if (age)
                Interlocked.CompareExchange(ref slot.State, state - (1L << RecencyShift), state);
            return false;
        }

        if (Interlocked.CompareExchange(ref slot.State, Changing, state) != state)
            return false;
        FreeClaimed(ref slot);
        return true;
    }

    /// <summary>An empty slot of the bucket, moved to Changing; evicts one when all are taken; -1 when all
    /// are held.</summary>
    private int ClaimSlot(int first)
    {
        for (int round = 0; round < 5; round++)
        {
            for (int way = 0; way < Ways; way++)
            {
                ref Slot slot = ref _slots[first + way];
                long state = Volatile.Read(ref slot.State);
                while ((state & PhaseMask) == Empty)
                {
                    long seen = Interlocked.CompareExchange(ref slot.State, state | Changing, state);
                    if (seen == state)
                        return first + way;
                    state = seen;
                }
            }

            // What nobody read again leaves before anything else of the bucket grows older.
            bool evicted = false;
            for (int way = 0; way < Ways && !evicted; way++)
                evicted = TryEvict(ref _slots[first + way], age: false);
            for (int way = 0; way < Ways && !evicted; way++)
                TryEvict(ref _slots[first + way], age: true);
        }

        return -1;
    }

    [StructLayout(LayoutKind.Sequential)]
    private struct Slot
    {
        public long State;
        public ulong File;
        public ulong Offset;
        public nint Block;
    }
}
