using AiDb.Engine.Caching;

namespace AiDb.Engine.Tables;

/// <summary>A hold on the index partition that was used last, so that its neighbours are found without another
/// lookup.</summary>
/// <remarks>One owner, who gives it back with <see cref="Release"/> before the table is closed.</remarks>
internal unsafe struct PartitionHold
{
    private BlockLease _lease;
    private int _numberPlusOne;

    /// <summary>The partition; -1 when there is none.</summary>
    public readonly int Number => _numberPlusOne - 1;

    /// <summary>Its index.</summary>
    public IndexBlock Index { get; private set; }

    /// <summary>Holds another partition.</summary>
    public void Set(int number, in BlockLease lease, byte* data)
    {
        Release();
        _lease = lease;
        _numberPlusOne = number + 1;
        Index = new IndexBlock(data);
    }

    /// <summary>Gives the hold back.</summary>
    public void Release()
    {
        _numberPlusOne = 0;
        Index = default;
        _lease.Dispose();
        _lease = default;
    }
}

/// <summary>The index and filter partitions of one open table, which the cache holds as they are
/// needed.</summary>
/// <remarks>
/// In the cache they are numbered after the table's data blocks: first the index, then the filter partitions. A
/// partition that the cache can never hold stays in memory with the table, since else every read would read it from
/// the disk. Invariant: no partition is used before its checksum and structure were checked. Thread safety: all
/// members may be called concurrently, but <see cref="Release"/> after all others.
/// </remarks>
internal sealed unsafe class PartitionedIndex
{
    private readonly Lock _gate = new();
    private readonly TableFile _file;
    private readonly BlockCache _cache;
    private readonly TableBlocks _blocks;
    private readonly TablePartitions _parts;
    private readonly IndexBlock _top;
    private readonly int _dataBlocks;
    private readonly BlockHeader*[] _resident;
    private List<BlockLease>? _pins;
    private long _pinnedBytes;

    private PartitionedIndex(
        TableFile file, BlockCache cache, TableBlocks blocks, IndexBlock top, TablePartitions parts, int dataBlocks)
    {
        _file = file;
        _cache = cache;
        _blocks = blocks;
        _top = top;
        _parts = parts;
        _dataBlocks = dataBlocks;
        _resident = new BlockHeader*[parts.Count + parts.Filters.Length];
    }

    /// <summary>Native memory of the partitions that stay with the table.</summary>
    public long ResidentBytes { get; private set; }

    /// <summary>Places in the cache for a table's data blocks and partitions.</summary>
    public static int PlacesFor(int dataBlocks, TablePartitions parts) =>
        checked(dataBlocks + parts.Count + parts.Filters.Length);

    /// <summary>Opens the partitions of a table, and reads those that the cache can never hold.</summary>
    public static PartitionedIndex Open(
        TableFile file, BlockCache cache, TableBlocks blocks, IndexBlock top, TableProperties properties)
    {
        var opened = new PartitionedIndex(
            file, cache, blocks, top, properties.Partitions!, checked((int)properties.DataBlocks));
        try
        {
            for (int slot = 0; slot < opened._resident.Length; slot++)
            {
                if (opened.Handle(slot).Length + BlockHeader.Bytes > cache.Pool.MaxBlockBytes)
                    opened.MakeResident(slot);
            }
        }
        catch
        {
            opened.Release();
            throw;
        }

        return opened;
    }

    /// <summary>The partition that may hold a key and version; the number of partitions when none does.</summary>
    public int FindPartition(ReadOnlySpan<byte> prefix, ulong invertedVersion) => _top.Find(prefix, invertedVersion);

    /// <summary>Whether a key, or a key prefix of the table's rule, may be in a partition; false is
    /// certain.</summary>
    public bool MayContain(int partition, ulong hash)
    {
        if (_parts.Filters.Length == 0)
            return true;
        int slot = _parts.Count + partition;
        if (_resident[slot] is not null)
            return BloomFilter.MayContain(BlockHeader.Content(_resident[slot]), hash);
        BlockLease lease = Get(slot);
        bool may = BloomFilter.MayContain(lease.Data, lease.Length / BloomFilter.LineBytes, hash);
        lease.Dispose();
        return may;
    }

    /// <summary>Whether a key prefix may be in a partition that a range touches; false is certain.</summary>
    /// <param name="start">The range's first table id and user key.</param>
    /// <param name="end">Its end, exclusive; empty: the end of the table.</param>
    /// <param name="hash">The hash of the key prefix.</param>
    public bool MayContainWithin(ReadOnlySpan<byte> start, ReadOnlySpan<byte> end, ulong hash)
    {
        int last = end.IsEmpty ? _parts.Count - 1 : Math.Min(_parts.Count - 1, _top.Find(end, ulong.MaxValue));
        for (int partition = _top.Find(start, 0); partition <= last; partition++)
        {
            if (MayContain(partition, hash))
                return true;
        }

        return false;
    }

    /// <summary>The number of the first data block whose separator is at or after a key and version; the number of
    /// data blocks when there is none.</summary>
    public int Find(ReadOnlySpan<byte> prefix, ulong invertedVersion, ref PartitionHold hold)
    {
        int partition = _top.Find(prefix, invertedVersion);
        return partition == _parts.Count ? _dataBlocks : FindWithin(partition, prefix, invertedVersion, ref hold);
    }

    /// <summary>As <see cref="Find"/>, when the partition is known.</summary>
    public int FindWithin(int partition, ReadOnlySpan<byte> prefix, ulong invertedVersion, ref PartitionHold hold)
    {
        Take(partition, ref hold);
        return _parts.FirstBlocks[partition] + hold.Index.Find(prefix, invertedVersion);
    }

    /// <summary>Where a data block is.</summary>
    public BlockHandle DataBlockHandle(int number, ref PartitionHold hold)
    {
        int held = hold.Number;
        if (held < 0 || number < _parts.FirstBlocks[held] || number - _parts.FirstBlocks[held] >= hold.Index.Count)
            Take(_parts.Of(number), ref hold);
        return hold.Index.Handle(number - _parts.FirstBlocks[hold.Number]);
    }

    /// <summary>Keeps all partitions in the cache until <see cref="Unpin"/>, as long as all pins together take no more
    /// than a quarter of it. A wish: a partition that cannot be read now is read, and its damage reported, when it is
    /// needed.</summary>
    public void Pin()
    {
        lock (_gate)
        {
            if (_pins is not null)
                return;
            long bytes = 0;
            for (int slot = 0; slot < _resident.Length; slot++)
                bytes += _resident[slot] is null ? Handle(slot).Length + BlockHeader.Bytes : 0;
            if (bytes == 0 || !_cache.TryReservePins(bytes))
                return;
            _pinnedBytes = bytes;
            _pins = new List<BlockLease>(_resident.Length);
            try
            {
                for (int slot = 0; slot < _resident.Length; slot++)
                {
                    if (_resident[slot] is null)
                        PinSlot(_pins, slot);
                }
            }
            catch (AiDbException)
            {
                UnpinLocked();
            }
        }
    }

    /// <summary>Lets the cache give the partitions up again.</summary>
    public void Unpin()
    {
        if (Volatile.Read(ref _pins) is null)
            return;
        lock (_gate)
            UnpinLocked();
    }

    /// <summary>Reads a partition's index from the disk; the caller frees it.</summary>
    public BlockHeader* ReadIndex(int partition) => Read(partition, default);

    /// <summary>Reads a partition's filter from the disk; the caller frees it. Null when there is none.</summary>
    public BlockHeader* ReadFilter(int partition) =>
        _parts.Filters.Length == 0 ? null : Read(_parts.Count + partition, default);

    /// <summary>Gives everything back, before the table's blocks are closed.</summary>
    public void Release()
    {
        Unpin();
        for (int slot = 0; slot < _resident.Length; slot++)
        {
            if (_resident[slot] is not null)
                _cache.Discard(_resident[slot]);
            _resident[slot] = null;
        }
    }

    /// <summary>A block that found no place in the cache is of no use to readers.</summary>
    private void PinSlot(List<BlockLease> pins, int slot)
    {
        BlockLease lease = Get(slot);
        if (lease.Owner == _blocks)
            pins.Add(lease);
        else
            lease.Dispose();
    }

    private void UnpinLocked()
    {
        if (_pins is null)
            return;
        foreach (BlockLease pin in _pins)
        {
            BlockLease lease = pin;
            lease.Dispose();
        }

        _pins = null;
        _cache.ReleasePins(_pinnedBytes);
    }

    private void MakeResident(int slot)
    {
        _resident[slot] = Read(slot, default);
        ResidentBytes += _resident[slot]->AllocatedBytes;
    }

    private void Take(int partition, ref PartitionHold hold)
    {
        if (hold.Number == partition)
            return;
        BlockHeader* resident = _resident[partition];
        if (resident is not null)
        {
            hold.Set(partition, default, (byte*)resident + BlockHeader.Bytes);
            return;
        }

        BlockLease lease = Get(partition);
        hold.Set(partition, in lease, lease.Data);
    }

    private BlockLease Get(int slot)
    {
        int place = _dataBlocks + slot;
        if (_blocks.TryGet(place, touch: true, out BlockLease lease, out _))
            return lease;
        return _blocks.Insert(place, Read(slot, new BlockTarget(_blocks, place, FromScan: false)), default);
    }

    private BlockHandle Handle(int slot) =>
        slot < _parts.Count ? _top.Handle(slot) : _parts.Filters[slot - _parts.Count];

    private BlockHeader* Read(int slot, BlockTarget target)
    {
        BlockHandle handle = Handle(slot);
        bool isIndex = slot < _parts.Count;
        BlockHeader* block = _file.ReadBlock(handle, isIndex ? BlockType.Index : BlockType.Filter, target);
        if (isIndex ? IsIndex(block, slot, handle.Offset) : TableFile.IsFilter(block))
            return block;
        _cache.Discard(block);
        throw _file.Damaged(
            handle.Offset, $"a partition of the {(isIndex ? "index" : "filter")} is malformed although its checksum holds");
    }

    private bool IsIndex(BlockHeader* block, int partition, ulong offset)
    {
        byte* data = (byte*)block + BlockHeader.Bytes;
        int end = partition + 1 == _parts.Count ? _dataBlocks : _parts.FirstBlocks[partition + 1];
        return IndexBlock.IsValid(data, block->Length, offset)
            && new IndexBlock(data).Count == end - _parts.FirstBlocks[partition];
    }
}
