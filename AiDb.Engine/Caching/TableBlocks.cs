using System.Runtime.CompilerServices;

namespace AiDb.Engine.Caching;

/// <summary>The data blocks of one open table in the cache, by their number in the table.</summary>
/// <remarks>
/// A lookup is one array access: nothing is hashed or compared. The slots are on the pinned heap and the pool
/// knows every table that is registered, so that neither a lease nor the pool ever leads to freed slots.
/// Thread safety: all members may be called concurrently, but <see cref="Close"/> after the last lookup.
/// </remarks>
internal sealed unsafe class TableBlocks : LeaseOwner
{
    private readonly BlockPool _pool;
    private readonly CacheCounters _counters;
    private readonly BlockSlot[] _slots;
    private readonly BlockSlot* _first;
    private readonly uint _number;

    /// <summary>Makes the slots of a table with so many blocks and registers them.</summary>
    public TableBlocks(BlockPool pool, CacheCounters counters, int blocks, uint number)
    {
        _pool = pool;
        _counters = counters;
        _number = number;
        _slots = GC.AllocateArray<BlockSlot>(blocks, pinned: true);
        _first = (BlockSlot*)Unsafe.AsPointer(ref _slots[0]);
        pool.Register(this, SlotBytes);
    }

    /// <summary>Bytes of the slots.</summary>
    public long SlotBytes => _slots.Length * (long)sizeof(BlockSlot);

    /// <summary>The slots.</summary>
    public Span<BlockSlot> Slots => _slots;

    /// <summary>Asks the processor to fetch a block's slot.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public void Prefetch(int number) => CpuPrefetch.Read(_first + number);

    /// <summary>Finds a block and takes a hold on it.</summary>
    /// <param name="number">The block's number in the table.</param>
    /// <param name="touch">Whether this read speaks for keeping the block.</param>
    /// <param name="lease">The hold.</param>
    /// <param name="shape">What the block's footer says.</param>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public bool TryGet(int number, bool touch, out BlockLease lease, out BlockShape shape)
    {
        BlockSlot* slot = _first + number;
        if (!slot->TryHold(touch, out bool late))
            return Missed(slot, late, out lease, out shape);
        _counters.CountHit();
        lease = new BlockLease(this, number, slot->Data, slot->Length);
        shape = slot->Shape;
        return true;
    }

    /// <summary>Memory for a block, to be filled and then given to <see cref="Insert"/>, or to
    /// <see cref="BlockPool.Discard"/>.</summary>
    /// <param name="number">The block's number in the table.</param>
    /// <param name="length">Its length.</param>
    /// <param name="fromScan">Whether a scan brings it in, so that it should leave soon.</param>
    public BlockHeader* Allocate(int number, int length, bool fromScan)
    {
        ulong mixed = (((ulong)_number << 32) | (uint)number) * 0x9e37_79b9_7f4a_7c15UL;
        return _pool.Allocate(length, (uint)((mixed ^ (mixed >> 29)) * 0xbf58_476d_1ce4_e5b9UL >> 32), fromScan);
    }

    /// <summary>Caches a block, if its memory is the cache's, and returns a hold on it in any case.</summary>
    public BlockLease Insert(int number, BlockHeader* block, BlockShape shape)
    {
        BlockSlot* slot = _first + number;
        if (block->Place == BlockPlace.Alone || _pool.IsDisposed || !slot->TryClaimEmpty())
            return _pool.Lease(block);
        slot->Data = (byte*)block + BlockHeader.Bytes;
        slot->Length = block->Length;
        slot->Shape = shape;
        block->Slot = slot;
        Interlocked.Add(ref slot->State, BlockSlot.Visible - BlockSlot.Changing + 1);
        if (_pool.IsDisposed || Volatile.Read(ref block->IsLeaving))
            _pool.Detach(slot);
        return new BlockLease(this, number, slot->Data, slot->Length);
    }

    /// <summary>As <see cref="Insert"/>, with a copy of the content.</summary>
    public BlockLease InsertCopy(int number, ReadOnlySpan<byte> content, BlockShape shape, bool fromScan)
    {
        BlockHeader* block = Allocate(number, content.Length, fromScan);
        content.CopyTo(BlockHeader.Content(block));
        return Insert(number, block, shape);
    }

    /// <inheritdoc/>
    public override void Release(nint hold) => Release(_first + hold);

    /// <summary>Frees every block that nobody holds; a held one goes with its last lease.</summary>
    public void Close() => _pool.Unregister(this, SlotBytes);

    [MethodImpl(MethodImplOptions.NoInlining)]
    private bool Missed(BlockSlot* slot, bool late, out BlockLease lease, out BlockShape shape)
    {
        if (late)
            Release(slot);
        _counters.CountMiss();
        lease = default;
        shape = default;
        return false;
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private void Release(BlockSlot* slot)
    {
        long state = Interlocked.Decrement(ref slot->State);
        if ((state & (BlockSlot.PhaseMask | BlockSlot.HoldMask)) == BlockSlot.Detached)
            _pool.FreeDetached(slot);
    }
}
