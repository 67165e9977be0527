using AiDb.Engine.Caching;
using AiDb.Engine.Encoding;
using AiDb.Engine.Ingest;
using AiDb.Engine.RangeDeletes;
using AiDb.Engine.Storage;

namespace AiDb.Engine.Tables;

/// <summary>An open table file. Index and filter, or the top of a partitioned index, are pinned in native memory;
/// data blocks and partitions pass through the cache.</summary>
/// <remarks>
/// Reference-counted: opening gives one reference, <see cref="Dispose"/> (or <see cref="Release"/>) takes one
/// back, and the last one closes the file and frees the pinned memory. Whoever reads holds a reference for as
/// long; a <see cref="TableHit"/> needs none. Thread safety: all members may be called concurrently.
/// </remarks>
internal sealed unsafe class TableReader : IDisposable
{
    private readonly TableFile _file;
    private readonly BlockCache _cache;
    private readonly TableBlocks _blocks;
    private readonly BlockHeader* _indexMemory;
    private readonly BlockHeader* _filterMemory;
    private readonly byte* _filter;
    private readonly int _filterLines;
    private readonly IndexBlock _index;
    private readonly PartitionedIndex? _partitions;
    private int _references = 1;

    private TableReader(
        TableFile file, BlockCache cache, TableProperties properties, RangeTombstones? rangeDeletes, BlockHeader* index,
        BlockHeader* filter)
    {
        RangeDeletes = rangeDeletes;
        _file = file;
        _cache = cache;
        Properties = properties;
        _indexMemory = index;
        _index = new IndexBlock((byte*)index + BlockHeader.Bytes);
        int places = properties.Partitions is { } parts
            ? PartitionedIndex.PlacesFor(checked((int)properties.DataBlocks), parts)
            : _index.Count;
        _blocks = cache.OpenTable(places);
        if (properties.Partitions is not null)
            _partitions = OpenPartitions();
        BlockCount = properties.Partitions is null ? _index.Count : (int)properties.DataBlocks;
        _filterMemory = filter;
        if (filter is not null)
        {
            _filter = (byte*)filter + BlockHeader.Bytes;
            _filterLines = filter->Length / BloomFilter.LineBytes;
        }

        cache.Charge(PinnedBytes);
    }

    /// <summary>The range tombstones; null when there are none.</summary>
    public RangeTombstones? RangeDeletes { get; }

    /// <summary>What the file says of itself.</summary>
    public TableProperties Properties { get; }

    /// <summary>The version that all entries have, of an ingested table; 0: each has its own. Set before the first
    /// read.</summary>
    public ulong VersionOfAllEntries { get; set; }

    /// <summary>The path, for messages.</summary>
    public string Path => _file.Path;

    /// <summary>Native memory that the open table pins.</summary>
    public long PinnedBytes => _indexMemory->AllocatedBytes
        + (_filterMemory is null ? 0 : _filterMemory->AllocatedBytes) + (_partitions?.ResidentBytes ?? 0);

    /// <summary>How many data blocks it has.</summary>
    internal int BlockCount { get; }

    /// <summary>Opens a table and checks header, footer, properties, index and filter.</summary>
    /// <exception cref="AiDbException"><see cref="AiDbErrorKind.DataLoss"/>: damaged;
    /// <see cref="AiDbErrorKind.Unimplemented"/>: written by a newer build;
    /// <see cref="AiDbErrorKind.Unavailable"/>: the disk refused.</exception>
    public static TableReader Open(IFileSystem fileSystem, string path, BlockCache cache)
    {
        IStorageFile file;
        try
        {
            file = fileSystem.Open(path, FileOpenMode.Read);
        }
        catch (IOException e) when (e is FileNotFoundException or DirectoryNotFoundException)
        {
            throw new AiDbException(
                AiDbErrorKind.DataLoss,
                $"Table file '{path}' is missing. Restore the database from a checkpoint or a backup.", e);
        }
        catch (IOException e)
        {
            throw TableErrors.Disk(path, "open", e);
        }

        return Open(file, cache);
    }

    /// <summary>As the other, on a file that is open for reading; the table owns it from here on, also when
    /// this fails.</summary>
    public static TableReader Open(IStorageFile storageFile, BlockCache cache)
    {
        BlockHeader* index = null;
        BlockHeader* filter = null;
        try
        {
            var file = new TableFile(storageFile, cache);
            (BlockHandle indexHandle, BlockHandle filterHandle, BlockHandle about) = file.ReadFixedParts();
            TableProperties properties = ReadProperties(file, cache, about);
            RangeTombstones? rangeDeletes = ReadRangeDeletes(file, cache, properties);
            index = file.ReadBlock(indexHandle, BlockType.Index);
            if (!IndexBlock.IsValid((byte*)index + BlockHeader.Bytes, index->Length, indexHandle.Offset))
                throw file.Damaged(indexHandle.Offset, "the index is malformed although its checksum holds");
            if (!file.AgreesWith(properties) || (properties.Partitions is { } parts
                && new IndexBlock((byte*)index + BlockHeader.Bytes).Count != parts.Count))
                throw file.Damaged(about.Offset, "properties, footer and index say different things");
            if (filterHandle.Length > 0)
            {
                filter = file.ReadBlock(filterHandle, BlockType.Filter);
                if (!TableFile.IsFilter(filter))
                    throw file.Damaged(
                        filterHandle.Offset, "the filter is malformed although its checksum holds");
            }

            return new TableReader(file, cache, properties, rangeDeletes, index, filter);
        }
        catch (Exception e)
        {
            if (index is not null)
                cache.Discard(index);
            if (filter is not null)
                cache.Discard(filter);
            storageFile.Dispose();
            if (e is IOException refused)
                throw TableErrors.Disk(storageFile.Path, "open", refused);
            throw;
        }
    }

    /// <summary>Takes another reference; false when the last one is gone.</summary>
    public bool TryAddReference()
    {
        int references = Volatile.Read(ref _references);
        while (references > 0)
        {
            int seen = Interlocked.CompareExchange(ref _references, references + 1, references);
            if (seen == references)
                return true;
            references = seen;
        }

        return false;
    }

    /// <summary>Gives a reference back.</summary>
    public void Release()
    {
        if (Interlocked.Decrement(ref _references) != 0)
            return;
        _cache.Charge(-PinnedBytes);
        _partitions?.Release();
        _blocks.Close();
        _cache.Discard(_indexMemory);
        if (_filterMemory is not null)
            _cache.Discard(_filterMemory);
        _file.Dispose();
    }

    /// <inheritdoc/>
    public void Dispose() => Release();

    /// <summary>Whether the whole filter, if there is one, may know a key; false is certain.</summary>
    public bool MayContain(ulong keyHash) =>
        _filter is null || BloomFilter.MayContain(_filter, _filterLines, keyHash);

    /// <summary>Whether a key of a range may be in the table, all of which begin with one prefix of a rule; false is
    /// certain.</summary>
    /// <param name="rule">The rule; a table that was written under another one is not asked.</param>
    /// <param name="prefixHash"><see cref="InternalKey.HashPrefix"/> of table id and prefix.</param>
    /// <param name="start">Table id and user key of the range's start.</param>
    /// <param name="end">The same of its end, exclusive; empty: to the end of the table.</param>
    public bool MayContainPrefix(
        FilterPrefix rule, ulong prefixHash, ReadOnlySpan<byte> start, ReadOnlySpan<byte> end)
    {
        if (Properties.FilterPrefix != rule)
            return true;
        if (_partitions is not null)
            return _partitions.MayContainWithin(start, end, prefixHash);
        return _filter is null || BloomFilter.MayContain(_filter, _filterLines, prefixHash);
    }

    /// <summary>Keeps index and filter in memory, as tables of level 0 should; those without partitions always
    /// do.</summary>
    public void PinPartitions() => _partitions?.Pin();

    /// <summary>Lets the cache decide about the partitions again.</summary>
    public void UnpinPartitions() => _partitions?.Unpin();

    /// <summary>Reads the newest entry of a key that is not newer than a version. Does not allocate on the
    /// heap.</summary>
    /// <param name="prefix">Table id and user key.</param>
    /// <param name="keyHash"><see cref="InternalKey.HashPrefix"/> of it.</param>
    /// <param name="maxVersion">The newest version of interest.</param>
    /// <param name="hit">The entry; dispose it when true is returned.</param>
    public bool TryGet(ReadOnlySpan<byte> prefix, ulong keyHash, ulong maxVersion, out TableHit hit)
    {
        hit = default;
        if (!TryFindBlock(prefix, keyHash, maxVersion, out int blockNumber))
            return false;
        BlockLease lease = GetBlock(blockNumber, touch: true, out DataBlock block);
        return TryRead(ref lease, in block, prefix, keyHash, maxVersion, out hit);
    }

    /// <summary>Asks for the line of the filter that a key touches.</summary>
    public void PrefetchFilter(ulong keyHash)
    {
        if (_filter is not null)
            BloomFilter.Prefetch(_filter, _filterLines, keyHash);
    }

    /// <summary>The first step of <see cref="TryGet"/>: the number of the only block that may hold the entry;
    /// false when none does.</summary>
    public bool TryFindBlock(ReadOnlySpan<byte> prefix, ulong keyHash, ulong maxVersion, out int blockNumber)
    {
        blockNumber = 0;
        if (_partitions is not null)
            return TryFindPartitioned(_partitions, prefix, keyHash, maxVersion, out blockNumber);
        if (!MayContain(keyHash))
            return false;
        blockNumber = _index.Find(prefix, ~maxVersion);
        if (blockNumber == _index.Count)
            return false;
        _blocks.Prefetch(blockNumber);
        return true;
    }

    private bool TryFindPartitioned(
        PartitionedIndex partitions, ReadOnlySpan<byte> prefix, ulong keyHash, ulong maxVersion, out int blockNumber)
    {
        blockNumber = 0;
        int partition = partitions.FindPartition(prefix, ~maxVersion);
        if (partition == _index.Count || !partitions.MayContain(partition, keyHash))
            return false;
        PartitionHold hold = default;
        try
        {
            blockNumber = partitions.FindWithin(partition, prefix, ~maxVersion, ref hold);
        }
        finally
        {
            hold.Release();
        }

        return blockNumber < BlockCount;
    }

    /// <summary>The last step: finds the entry in the block. The hold goes over to the hit or is given
    /// back.</summary>
    public static bool TryRead(
        ref BlockLease lease, in DataBlock block, ReadOnlySpan<byte> prefix, ulong keyHash, ulong maxVersion,
        out TableHit hit)
    {
        if (block.TableId == InternalKey.TableId(prefix)
            && block.Find(prefix[InternalKey.TableIdBytes..], keyHash, ~maxVersion, out DataBlockEntry entry) >= 0)
        {
            hit = new TableHit(in lease, in entry);
            return true;
        }

        lease.Dispose();
        hit = default;
        return false;
    }

    /// <summary>Takes a data block from the cache or the disk.</summary>
    public BlockLease GetBlock(int blockNumber, bool touch, out DataBlock block)
    {
        if (!_blocks.TryGet(blockNumber, touch, out BlockLease lease, out BlockShape shape))
            lease = LoadBlock(blockNumber, fromScan: !touch, Handle(blockNumber), out shape);
        block = new DataBlock(lease.Data, lease.Length, shape);
        return lease;
    }

    /// <summary>A cursor over the table, which holds a reference until it is disposed.</summary>
    /// <param name="fillCache">Whether the blocks that it reads enter the cache.</param>
    /// <param name="readaheadBytes">Bytes to read at once, for walks of the whole table; 0 reads block by
    /// block.</param>
    public TableIterator CreateIterator(bool fillCache, int readaheadBytes = 0)
    {
        ObjectDisposedException.ThrowIf(!TryAddReference(), this);
        var iterator = new TableIterator(fillCache, readaheadBytes);
        iterator.Open(this, ownsReference: true);
        return iterator;
    }

    /// <summary>Table id and user key of the first entries of some blocks, spread evenly over the table.</summary>
    public List<byte[]> SamplePrefixes(int count) => SamplePrefixes(0, BlockCount, count);

    /// <summary>Table id and user key of the first entries of some of <paramref name="blocks"/> blocks, spread evenly over
    /// them.</summary>
    public List<byte[]> SamplePrefixes(int first, int blocks, int count)
    {
        List<byte[]> prefixes = [];
        using var key = new GrowingBuffer(256);
        count = Math.Min(count, blocks);
        var hold = default(PartitionHold);
        try
        {
            for (int sample = 0; sample < count; sample++)
            {
                using BlockLease lease = GetBlockUncached(first + (int)((long)sample * blocks / count), readahead: null, ref hold);
                TableIterator.WriteKey(new DataBlock(in lease), 0, key, out _);
                prefixes.Add(InternalKey.Prefix(key.Span).ToArray());
            }
        }
        finally
        {
            hold.Release();
        }

        return prefixes;
    }

    /// <summary>Lets a cursor walk this table, which the cursor's owner keeps alive.</summary>
    public void Open(TableIterator iterator) => iterator.Open(this, ownsReference: false);

    /// <summary>Reads every block from the disk and checks checksums, structure, order and counts.</summary>
    /// <exception cref="AiDbException"><see cref="AiDbErrorKind.DataLoss"/>: damaged.</exception>
    public void VerifyChecksums(CancellationToken cancellationToken) =>
        TableVerifier.Verify(new VerifiedTable(this, _file, _cache, _index, _partitions), cancellationToken);

    /// <summary>Takes a data block from the cache or the disk.</summary>
    internal BlockLease GetBlock(int blockNumber, bool touch, ref PartitionHold hold)
    {
        return _blocks.TryGet(blockNumber, touch, out BlockLease lease, out _)
            ? lease
            : LoadBlock(blockNumber, fromScan: !touch, Handle(blockNumber, ref hold), out _);
    }

    /// <summary>The number of the first data block whose separator is at or after a key and version;
    /// <see cref="BlockCount"/> when there is none.</summary>
    internal int FindBlock(ReadOnlySpan<byte> prefix, ulong invertedVersion, ref PartitionHold hold) =>
        _partitions is null
            ? _index.Find(prefix, invertedVersion)
            : _partitions.Find(prefix, invertedVersion, ref hold);

    /// <summary>Takes a data block from the cache, else from the disk without caching it.</summary>
    internal BlockLease GetBlockUncached(int blockNumber, ReadaheadBuffer? readahead, ref PartitionHold hold)
    {
        if (_blocks.TryGet(blockNumber, touch: false, out BlockLease lease, out _))
            return lease;
        return _cache.Lease(
            WithVersions(_file.ReadBlock(Handle(blockNumber, ref hold), BlockType.Data, default, readahead)));
    }

    private BlockHandle Handle(int blockNumber, ref PartitionHold hold) =>
        _partitions is null ? _index.Handle(blockNumber) : _partitions.DataBlockHandle(blockNumber, ref hold);

    private BlockHandle Handle(int blockNumber)
    {
        if (_partitions is null)
            return _index.Handle(blockNumber);
        PartitionHold hold = default;
        try
        {
            return _partitions.DataBlockHandle(blockNumber, ref hold);
        }
        finally
        {
            hold.Release();
        }
    }

    private PartitionedIndex OpenPartitions()
    {
        try
        {
            return PartitionedIndex.Open(_file, _cache, _blocks, _index, Properties);
        }
        catch
        {
            _blocks.Close();
            throw;
        }
    }

    private BlockLease LoadBlock(int blockNumber, bool fromScan, BlockHandle handle, out BlockShape shape)
    {
        var target = new BlockTarget(_blocks, blockNumber, fromScan);
        BlockHeader* block = WithVersions(_file.ReadBlock(handle, BlockType.Data, target));
        shape = DataBlock.ReadShape(BlockHeader.Content(block));
        return _blocks.Insert(blockNumber, block, shape);
    }

    private BlockHeader* WithVersions(BlockHeader* block)
    {
        if (VersionOfAllEntries != 0)
            EntryVersions.Set(block, VersionOfAllEntries);
        return block;
    }

    private static RangeTombstones? ReadRangeDeletes(TableFile file, BlockCache cache, TableProperties properties)
    {
        BlockHandle handle = properties.RangeDeletionsBlock;
        if (file.HasRangeDeletions != (handle.Length > 0))
            throw file.Damaged(handle.Offset, "footer and properties disagree about range deletions");
        if (handle.Length == 0)
            return null;
        BlockHeader* block = file.ReadBlock(file.CheckHandle(handle), BlockType.RangeDeletions);
        try
        {
            if (RangeTombstonesCodec.TryRead(BlockHeader.Content(block), out RangeTombstones? tombstones)
                && tombstones.Count == properties.RangeDeletions)
                return tombstones;
            throw file.Damaged(handle.Offset, "the range deletions are malformed although their checksum holds");
        }
        finally
        {
            cache.Discard(block);
        }
    }

    private static TableProperties ReadProperties(TableFile file, BlockCache cache, BlockHandle handle)
    {
        BlockHeader* block = file.ReadBlock(handle, BlockType.Properties);
        try
        {
            if (TablePropertiesCodec.TryRead(
                BlockHeader.Content(block), file.FileId, file.Length, out TableProperties? properties))
                return properties;
            throw file.Damaged(handle.Offset, "the properties are malformed although their checksum holds");
        }
        finally
        {
            cache.Discard(block);
        }
    }
}
