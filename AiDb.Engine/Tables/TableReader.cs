using AiDb.Engine.Caching;
using AiDb.Engine.Encoding;
using AiDb.Engine.Ingest;
using AiDb.Engine.Storage;

namespace AiDb.Engine.Tables;

/// <summary>An open table file. Index and filter are pinned in native memory, data blocks pass through the
/// cache.</summary>
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
    private int _references = 1;

    private TableReader(
        TableFile file, BlockCache cache, TableProperties properties, BlockHeader* index, BlockHeader* filter)
    {
        _file = file;
        _cache = cache;
        Properties = properties;
        _indexMemory = index;
        _index = new IndexBlock((byte*)index + BlockHeader.Bytes);
        _blocks = cache.OpenTable(_index.Count);
        _filterMemory = filter;
        if (filter is not null)
        {
            _filter = (byte*)filter + BlockHeader.Bytes;
            _filterLines = filter->Length / BloomFilter.LineBytes;
        }

        cache.Charge(PinnedBytes);
    }

    /// <summary>What the file says of itself.</summary>
    public TableProperties Properties { get; }

    /// <summary>The version that all entries have, of an ingested table; 0: each has its own. Set before the first
    /// read.</summary>
    public ulong VersionOfAllEntries { get; set; }

    /// <summary>The path, for messages.</summary>
    public string Path => _file.Path;

    /// <summary>Native memory that the open table pins.</summary>
    public long PinnedBytes =>
        _indexMemory->AllocatedBytes + (_filterMemory is null ? 0 : _filterMemory->AllocatedBytes);

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
            index = file.ReadBlock(indexHandle, BlockType.Index);
            if (!IndexBlock.IsValid((byte*)index + BlockHeader.Bytes, index->Length, indexHandle.Offset))
                throw file.Damaged(indexHandle.Offset, "the index is malformed although its checksum holds");
            if (filterHandle.Length > 0)
            {
                filter = file.ReadBlock(filterHandle, BlockType.Filter);
                if (filter->Length == 0 || filter->Length % BloomFilter.LineBytes != 0)
                    throw file.Damaged(
                        filterHandle.Offset, "the filter is malformed although its checksum holds");
            }

            return new TableReader(file, cache, properties, index, filter);
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
        _blocks.Close();
        _cache.Charge(-PinnedBytes);
        _cache.Discard(_indexMemory);
        if (_filterMemory is not null)
            _cache.Discard(_filterMemory);
        _file.Dispose();
    }

    /// <inheritdoc/>
    public void Dispose() => Release();

    /// <summary>Whether the key may be in the table; false is certain.</summary>
    public bool MayContain(ulong keyHash) =>
        _filter is null || BloomFilter.MayContain(_filter, _filterLines, keyHash);

    /// <summary>Reads the newest entry of a key that is not newer than a version. Does not allocate on the
    /// heap.</summary>
    /// <param name="prefix">Table id and user key.</param>
    /// <param name="keyHash"><see cref="InternalKey.HashPrefix"/> of it.</param>
    /// <param name="maxVersion">The newest version of interest.</param>
    /// <param name="hit">The entry; dispose it when true is returned.</param>
    public bool TryGet(ReadOnlySpan<byte> prefix, ulong keyHash, ulong maxVersion, out TableHit hit)
    {
        hit = default;
        if (_filter is not null && !BloomFilter.MayContain(_filter, _filterLines, keyHash))
            return false;
        int blockNumber = _index.Find(prefix, ~maxVersion);
        if (blockNumber == _index.Count)
            return false;

        // What can throw comes before the hold.
        uint tableId = InternalKey.TableId(prefix);
        BlockLease lease = GetBlock(blockNumber, touch: true, out DataBlock block);
        if (block.TableId != tableId
            || block.Find(prefix[InternalKey.TableIdBytes..], keyHash, ~maxVersion, out DataBlockEntry entry) < 0)
        {
            lease.Dispose();
            return false;
        }

        hit = new TableHit(in lease, in entry);
        return true;
    }

    /// <summary>A cursor over the table, which holds a reference until it is disposed.</summary>
    /// <param name="fillCache">Whether the blocks that it reads enter the cache.</param>
    /// <param name="readaheadBytes">Bytes to read at once, for walks of the whole table; 0 reads block by
    /// block.</param>
    public TableIterator CreateIterator(bool fillCache, int readaheadBytes = 0)
    {
        ObjectDisposedException.ThrowIf(!TryAddReference(), this);
        var iterator = new TableIterator(fillCache, readaheadBytes);
        iterator.Open(this, in _index, ownsReference: true);
        return iterator;
    }

    /// <summary>Lets a cursor walk this table, which the cursor's owner keeps alive.</summary>
    public void Open(TableIterator iterator) => iterator.Open(this, in _index, ownsReference: false);

    /// <summary>Reads every block from the disk and checks checksums, structure, order and counts.</summary>
    /// <exception cref="AiDbException"><see cref="AiDbErrorKind.DataLoss"/>: damaged.</exception>
    public void VerifyChecksums(CancellationToken cancellationToken) =>
        TableVerifier.Verify(this, _index, _file, _cache, cancellationToken);

    /// <summary>Takes a data block from the cache or the disk.</summary>
    internal BlockLease GetBlock(int blockNumber, bool touch) => GetBlock(blockNumber, touch, out _);

    /// <summary>Takes a data block from the cache, else from the disk without caching it.</summary>
    internal BlockLease GetBlockUncached(int blockNumber, ReadaheadBuffer? readahead)
    {
        if (_blocks.TryGet(blockNumber, touch: false, out BlockLease lease, out _))
            return lease;
        return _cache.Lease(
            WithVersions(_file.ReadBlock(_index.Handle(blockNumber), BlockType.Data, default, readahead)));
    }

    private BlockLease GetBlock(int blockNumber, bool touch, out DataBlock block)
    {
        if (!_blocks.TryGet(blockNumber, touch, out BlockLease lease, out BlockShape shape))
            lease = LoadBlock(blockNumber, fromScan: !touch, out shape);
        block = new DataBlock(lease.Data, lease.Length, shape);
        return lease;
    }

    private BlockLease LoadBlock(int blockNumber, bool fromScan, out BlockShape shape)
    {
        var target = new BlockTarget(_blocks, blockNumber, fromScan);
        BlockHeader* block = WithVersions(_file.ReadBlock(_index.Handle(blockNumber), BlockType.Data, target));
        shape = DataBlock.ReadShape(BlockHeader.Content(block));
        return _blocks.Insert(blockNumber, block, shape);
    }

    private BlockHeader* WithVersions(BlockHeader* block)
    {
        if (VersionOfAllEntries != 0)
            EntryVersions.Set(block, VersionOfAllEntries);
        return block;
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
