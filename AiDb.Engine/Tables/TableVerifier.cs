using AiDb.Engine.Caching;
using AiDb.Engine.Encoding;

namespace AiDb.Engine.Tables;

/// <summary>What the verifier works with.</summary>
/// <param name="Table">The table.</param>
/// <param name="File">Its file.</param>
/// <param name="Cache">Where memory comes from.</param>
/// <param name="Top">The index, or the index of the partitions.</param>
/// <param name="Partitions">The partitions; null when there are none.</param>
internal readonly record struct VerifiedTable(
    TableReader Table, TableFile File, BlockCache Cache, IndexBlock Top, PartitionedIndex? Partitions);

/// <summary>Checks a whole table against itself, from the disk. Thread safety: none.</summary>
internal sealed unsafe class TableVerifier : IDisposable
{
    private const int ReadaheadBytes = 1 << 20;

    private readonly VerifiedTable _table;
    private readonly CancellationToken _cancellationToken;
    private readonly ReadaheadBuffer _readahead = new(ReadaheadBytes);
    private readonly GrowingBuffer _key = new(256);
    private readonly GrowingBuffer _last = new(256);
    private long _entries;
    private long _blocks;

    private TableVerifier(in VerifiedTable table, CancellationToken cancellationToken)
    {
        _table = table;
        _cancellationToken = cancellationToken;
    }

    /// <summary>Reads every block past the cache: checksum, structure, order of the keys, filter, counts.</summary>
    public static void Verify(in VerifiedTable table, CancellationToken cancellationToken)
    {
        using var verifier = new TableVerifier(in table, cancellationToken);
        if (table.Partitions is null)
        {
            verifier.CheckBlocks(table.Top, partition: 0, default);
        }
        else
        {
            for (int partition = 0; partition < table.Top.Count; partition++)
                verifier.CheckPartition(table.Partitions, partition);
        }

        verifier.CheckCounts();
    }

    /// <inheritdoc/>
    public void Dispose()
    {
        _readahead.Dispose();
        _key.Dispose();
        _last.Dispose();
    }

    private void CheckPartition(PartitionedIndex partitions, int partition)
    {
        BlockHeader* index = null;
        BlockHeader* filter = null;
        try
        {
            index = partitions.ReadIndex(partition);
            filter = partitions.ReadFilter(partition);
            var block = new IndexBlock((byte*)index + BlockHeader.Bytes);
            CheckBlocks(block, partition, filter is null ? default : BlockHeader.Content(filter));
        }
        finally
        {
            if (index is not null)
                _table.Cache.Discard(index);
            if (filter is not null)
                _table.Cache.Discard(filter);
        }
    }

    private void CheckBlocks(in IndexBlock index, int partition, ReadOnlySpan<byte> filter)
    {
        for (int number = 0; number < index.Count; number++, _blocks++)
        {
            _cancellationToken.ThrowIfCancellationRequested();
            BlockHandle handle = index.Handle(number);
            BlockLease lease = _table.Cache.Lease(
                _table.File.ReadBlock(handle, BlockType.Data, default, _readahead));
            try
            {
                var block = new DataBlock(in lease);
                for (int i = 0; i < block.Count; i++, _entries++)
                {
                    TableIterator.WriteKey(in block, i, _key, out _);
                    if (_entries > 0 && InternalKey.Compare(_last.Span, _key.Span) >= 0)
                        throw _table.File.Damaged(handle.Offset, "keys are out of order");
                    if (!IsFound(in index, partition, number, in block, i, filter))
                    {
                        throw _table.File.Damaged(
                            handle.Offset, "filter, index and hash index do not lead to every entry");
                    }

                    _last.Set(_key.Span);
                }
            }
            finally
            {
                lease.Dispose();
            }
        }
    }

    private bool IsFound(
        in IndexBlock index, int partition, int number, in DataBlock block, int entry, ReadOnlySpan<byte> filter)
    {
        ReadOnlySpan<byte> prefix = InternalKey.Prefix(_key.Span);
        ulong hash = InternalKey.HashPrefix(prefix);
        ulong inverted = InternalKey.InvertedVersion(_key.Span);
        if (index.Find(prefix, inverted) != number
            || block.Find(InternalKey.UserKey(_key.Span), hash, inverted, out _) != entry)
            return false;
        if (_table.Partitions is not null && _table.Top.Find(prefix, inverted) != partition)
            return false;
        return IsInFilter(hash, filter) && IsPrefixInFilter(prefix, filter);
    }

    private bool IsInFilter(ulong hash, ReadOnlySpan<byte> filter) => _table.Partitions is null
        ? _table.Table.MayContain(hash)
        : filter.IsEmpty || BloomFilter.MayContain(filter, hash);

    private bool IsPrefixInFilter(ReadOnlySpan<byte> prefix, ReadOnlySpan<byte> filter)
    {
        int length = _table.Table.Properties.FilterPrefix?.LengthIn(prefix[InternalKey.TableIdBytes..]) ?? 0;
        return length == 0
            || IsInFilter(InternalKey.HashPrefix(prefix[..(InternalKey.TableIdBytes + length)]), filter);
    }

    private void CheckCounts()
    {
        TableProperties properties = _table.Table.Properties;
        if (_entries != properties.Entries)
            throw _table.File.Damaged(0, $"it holds {_entries} entries and should hold {properties.Entries}");
        if (_blocks != properties.DataBlocks)
            throw _table.File.Damaged(0, $"it holds {_blocks} data blocks and should hold {properties.DataBlocks}");
    }
}
