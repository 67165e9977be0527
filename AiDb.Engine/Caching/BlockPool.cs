using System.Numerics;

namespace AiDb.Engine.Caching;

/// <summary>The memory of a block cache, and who may stay in it.</summary>
/// <remarks>
/// Admission follows S3-FIFO (J. Yang et al.: FIFO Queues are All You Need for Cache Eviction, SOSP 2023): while
/// there is room everything is kept. After that newcomers enter a small ring and move to the main one if they
/// are read again before the hand of the small ring comes by; those that left and are wanted again go to the
/// main ring at once. So neither a scan nor blocks that are read once push out what is read often. In the
/// main ring a block stays as many circles of the hand as its recency, up to 3.
/// What open tables pin is charged: the main ring gives up extents for it, down to an eighth of the capacity.
/// Thread safety: all members may be called concurrently; one lock, which hits never take.
/// </remarks>
internal sealed unsafe class BlockPool : LeaseOwner
{
    private const long HugePageBytes = 2 << 20;
    private const long EntryRingFrom = 1 << 20;
    private const long ManyExtentsFrom = 32 << 20;
    private const long GhostEstimateBytes = 8 << 10;

    private readonly Lock _gate = new();
    private readonly HashSet<TableBlocks> _tables = [];
    private readonly long _capacity;
    private readonly long _entryBytes;
    private readonly BlockRing _main;
    private readonly BlockRing _entry;
    private readonly GhostList _ghost;
    private long _pinnedBytes;
    private bool _hasShrunk;
    private bool _disposed;

    /// <summary>Makes a pool of so many bytes, of which nothing is taken yet.</summary>
    public BlockPool(long capacity)
    {
        _capacity = capacity;
        _entryBytes = capacity >= EntryRingFrom ? RoundExtent(capacity / 10) : 0;
        long extent = capacity >= ManyExtentsFrom
            ? (capacity / 32 + HugePageBytes - 1) / HugePageBytes * HugePageBytes
            : RoundExtent(capacity / 4);
        _main = new BlockRing(
            BlockPlace.Main, extent, block => TryEvict((BlockHeader*)block), block => LetGo((BlockHeader*)block));
        _entry = new BlockRing(
            BlockPlace.Entry, _entryBytes, block => TryPromoteOrEvict((BlockHeader*)block),
            block => LetGo((BlockHeader*)block));
        _ghost = new GhostList(capacity / GhostEstimateBytes);
    }

    /// <summary>Native memory of the blocks, cached and only leased, and of what table readers pin.</summary>
    public NativeMemoryAccount Memory { get; } = new();

    /// <summary>Bytes of the blocks in the rings.</summary>
    public long UsedBytes
    {
        get
        {
            lock (_gate)
                return _main.UsedBytes + _entry.UsedBytes;
        }
    }

    /// <summary>Bytes of the rings and of what is charged.</summary>
    public long ReservedBytes
    {
        get
        {
            lock (_gate)
                return _main.ReservedBytes + _entry.ReservedBytes + _pinnedBytes;
        }
    }

    /// <summary>Bytes that the rings keep whatever is charged.</summary>
    public long FloorBytes => _entryBytes + Math.Max(_capacity / 8, _main.ExtentBytes);

    /// <summary>Bytes that are charged.</summary>
    public long PinnedBytes
    {
        get
        {
            lock (_gate)
                return _pinnedBytes;
        }
    }

    /// <summary>The longest block that is cached, with its header; a longer one is served and freed after
    /// use.</summary>
    public long MaxBlockBytes => _main.ExtentBytes / 2;

    /// <summary>Whether the cache is given up.</summary>
    public bool IsDisposed => Volatile.Read(ref _disposed);

    /// <summary>Memory for a block that is not to be cached.</summary>
    public BlockHeader* AllocateAlone(int length)
    {
        long bytes = (long)length + BlockHeader.Bytes;
        var block = (BlockHeader*)Memory.Allocate(bytes);
        *block = default;
        block->AllocatedBytes = bytes;
        block->Length = length;
        return block;
    }

    /// <summary>Memory for a block that may be cached; alone where the rings have no room.</summary>
    /// <param name="length">Bytes of the block.</param>
    /// <param name="fingerprint">By what it is recognized when it comes back.</param>
    /// <param name="fromScan">Whether a scan brings it in.</param>
    public BlockHeader* Allocate(int length, uint fingerprint, bool fromScan)
    {
        long bytes = RoundChunk((long)length + BlockHeader.Bytes);
        if (bytes > MaxBlockBytes)
            return AllocateAlone(length);
        BlockHeader* block;
        lock (_gate)
            block = _disposed ? null : TryAllocate(bytes, fingerprint, fromScan);
        if (block is null)
            return AllocateAlone(length);
        Memory.Count(bytes);
        block->Length = length;
        block->Fingerprint = fingerprint;
        return block;
    }

    /// <summary>Frees a block that no slot leads to.</summary>
    public void Discard(BlockHeader* block)
    {
        if (block->Place == BlockPlace.Alone)
        {
            Memory.Free((byte*)block, block->AllocatedBytes);
            return;
        }

        Memory.Count(-block->AllocatedBytes);
        lock (_gate)
            (block->Place == BlockPlace.Main ? _main : _entry).Free(block);
    }

    /// <summary>A hold on a block that no slot leads to; the block ends with it.</summary>
    public BlockLease Lease(BlockHeader* block) =>
        new(this, (nint)block, (byte*)block + BlockHeader.Bytes, block->Length);

    /// <inheritdoc/>
    public override void Release(nint hold) => Discard((BlockHeader*)hold);

    /// <summary>Counts memory against the capacity that others hold, or gives it back.</summary>
    public void Charge(long bytes)
    {
        lock (_gate)
            ChargeLocked(bytes);
    }

    /// <summary>Knows a table's slots from here on.</summary>
    public void Register(TableBlocks table, long bytes)
    {
        lock (_gate)
        {
            _tables.Add(table);
            ChargeLocked(bytes);
        }
    }

    /// <summary>Drops a table's blocks and forgets its slots.</summary>
    public void Unregister(TableBlocks table, long bytes)
    {
        lock (_gate)
        {
            DetachAll(table);
            if (_tables.Remove(table))
                ChargeLocked(-bytes);
        }
    }

    /// <summary>Drops a visible block: it ends with its last hold.</summary>
    public void Detach(BlockSlot* slot)
    {
        lock (_gate)
        {
            long state = Volatile.Read(ref slot->State);
            while ((state & BlockSlot.PhaseMask) == BlockSlot.Visible)
            {
                // Visible slots are emptied under the lock only, so that this is the block until the exchange;
                // after it the last hold may clear the slot, while the block's memory waits for the lock.
                BlockHeader* block = slot->Block;
                long seen = Interlocked.CompareExchange(ref slot->State, state | BlockSlot.Detached, state);
                if (seen == state)
                {
                    // The slot may be forgotten before the last hold is gone: the hand must not look into it.
                    block->Slot = null;
                    FreeDetached(slot);
                    return;
                }

                state = seen;
            }
        }
    }

    /// <summary>Frees the block of a detached slot that nobody holds any more.</summary>
    public void FreeDetached(BlockSlot* slot)
    {
        long state = Volatile.Read(ref slot->State);
        if ((state & (BlockSlot.PhaseMask | BlockSlot.HoldMask)) != BlockSlot.Detached
            || Interlocked.CompareExchange(ref slot->State, BlockSlot.Changing, state) != state)
            return;
        BlockHeader* block = slot->Block;
        slot->Clear();
        Discard(block);
    }

    /// <summary>Drops every block; the memory goes back to the system with the last lease.</summary>
    public void Dispose()
    {
        lock (_gate)
        {
            if (_disposed)
                return;
            Volatile.Write(ref _disposed, true);
            foreach (TableBlocks table in _tables)
                DetachAll(table);
            while (_main.Bytes > 0)
                _main.RetireExtent();
            if (_entry.Bytes > 0)
                _entry.RetireExtent();
        }
    }

    /// <summary>Whole huge pages where there is at least one, else whole pages.</summary>
    private static long RoundExtent(long bytes) =>
        bytes >= HugePageBytes ? bytes / HugePageBytes * HugePageBytes : bytes / 4096 * 4096;

    /// <summary>Sizes come in steps of a thirty-second, so that blocks of about one size take each other's
    /// place.</summary>
    private static long RoundChunk(long bytes)
    {
        long step = Math.Max(BlockHeader.Bytes, (long)BitOperations.RoundUpToPowerOf2((ulong)bytes) / 64);
        return (bytes + step - 1) / step * step;
    }

    private BlockHeader* TryAllocate(long bytes, uint fingerprint, bool fromScan)
    {
        BlockHeader* block = _main.TryTakeAtHand(bytes);
        if (block is not null)
            return block;
        if (CanGrow())
        {
            _main.AddExtent();
            return _main.TryTakeAtHand(bytes);
        }

        bool known = !fromScan && _ghost.Remove(fingerprint);
        if (known || bytes > _entryBytes / 4)
            return _main.TryAllocate(bytes);
        if (_entry.Bytes == 0)
            _entry.AddExtent();
        return _entry.TryAllocate(bytes);
    }

    private long MainBudget => Math.Max(_capacity / 8, _capacity - _entryBytes - _pinnedBytes);

    /// <summary>Once it has given extents up it waits for half an extent more than it needs, so that a table
    /// that comes and goes does not empty an extent each time.</summary>
    private bool CanGrow()
    {
        long slack = _hasShrunk ? _main.ExtentBytes / 2 : 0;
        return _main.ExtentBytes > 0 && (_main.Bytes + _main.ExtentBytes + slack <= MainBudget || _main.Bytes == 0);
    }

    private void ChargeLocked(long bytes)
    {
        _pinnedBytes += bytes;
        while (_main.Bytes > Math.Max(MainBudget, _main.ExtentBytes))
        {
            _main.RetireExtent();
            _hasShrunk = true;
        }
    }

    private void DetachAll(TableBlocks table)
    {
        foreach (ref BlockSlot slot in table.Slots)
        {
            if ((Volatile.Read(ref slot.State) & BlockSlot.PhaseMask) == BlockSlot.Visible)
                Detach((BlockSlot*)System.Runtime.CompilerServices.Unsafe.AsPointer(ref slot));
        }
    }

    /// <summary>Moves the slot of a block that nobody holds and that has no recency left to Changing; one that
    /// has some loses a step of it instead.</summary>
    private static bool TryClaim(BlockHeader* block, bool age, out long claimed)
    {
        claimed = 0;
        BlockSlot* slot = block->Slot;
        if (slot is null)
            return false;
        long state = Volatile.Read(ref slot->State);
        if ((state & (BlockSlot.PhaseMask | BlockSlot.HoldMask)) != BlockSlot.Visible)
            return false;
        if (age && (state & BlockSlot.RecencyMask) != 0)
        {
            Interlocked.CompareExchange(ref slot->State, state - (1L << BlockSlot.RecencyShift), state);
            return false;
        }

        claimed = state;
        return Interlocked.CompareExchange(
            ref slot->State, (state & ~BlockSlot.PhaseMask) | BlockSlot.Changing, state) == state;
    }

    /// <summary>Has a block whose extent is given up leave the cache with its last hold.</summary>
    private void LetGo(BlockHeader* block)
    {
        // One that is being read has no slot yet: either this sees the slot, or who makes it visible sees the mark.
        Volatile.Write(ref block->IsLeaving, true);
        Interlocked.MemoryBarrier();
        var slot = (BlockSlot*)Volatile.Read(ref *(nint*)&block->Slot);
        if (slot is not null)
            Detach(slot);
    }

    private bool TryEvict(BlockHeader* block)
    {
        if (!TryClaim(block, age: true, out _))
            return false;
        Forget(block);
        return true;
    }

    private bool TryPromoteOrEvict(BlockHeader* block)
    {
        if (!TryClaim(block, age: false, out long claimed))
            return false;
        BlockHeader* place = (claimed & BlockSlot.RecencyMask) == 0 ? null : _main.TryAllocate(block->AllocatedBytes);
        if (place is null)
        {
            Forget(block);
            return true;
        }

        place->Length = block->Length;
        place->Fingerprint = block->Fingerprint;
        BlockHeader.Content(block).CopyTo(BlockHeader.Content(place));
        BlockSlot* slot = block->Slot;
        slot->Data = (byte*)place + BlockHeader.Bytes;
        place->Slot = slot;
        Interlocked.Add(
            ref slot->State, BlockSlot.Visible - BlockSlot.Changing - (claimed & BlockSlot.RecencyMask));
        return true;
    }

    private void Forget(BlockHeader* block)
    {
        _ghost.Add(block->Fingerprint);
        block->Slot->Clear();
        Memory.Count(-block->AllocatedBytes);
    }
}
