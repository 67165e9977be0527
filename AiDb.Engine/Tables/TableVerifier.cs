using AiDb.Engine.Caching;
using AiDb.Engine.Encoding;

namespace AiDb.Engine.Tables;

/// <summary>Checks a whole table against itself, from the disk.</summary>
internal static unsafe class TableVerifier
{
    private const int ReadaheadBytes = 1 << 20;

    /// <summary>Reads every data block past the cache: checksum, structure, order of the keys, filter,
    /// counts.</summary>
    public static void Verify(
        TableReader table,
        IndexBlock index,
        TableFile file,
        BlockCache cache,
        CancellationToken cancellationToken)
    {
        using var readahead = new ReadaheadBuffer(ReadaheadBytes);
        using var key = new GrowingBuffer(256);
        using var last = new GrowingBuffer(256);
        long entries = 0;
        for (int number = 0; number < index.Count; number++)
        {
            cancellationToken.ThrowIfCancellationRequested();
            BlockHandle handle = index.Handle(number);
            BlockLease lease = cache.Lease(file.ReadBlock(handle, BlockType.Data, default, readahead));
            try
            {
                var block = new DataBlock(in lease);
                for (int i = 0; i < block.Count; i++, entries++)
                {
                    TableIterator.WriteKey(in block, i, key, out _);
                    if (entries > 0 && InternalKey.Compare(last.Span, key.Span) >= 0)
                        throw file.Damaged(handle.Offset, "keys are out of order");
                    CheckFound(table, index, number, in block, i, key.Span, file, handle);
                    last.Set(key.Span);
                }
            }
            finally
            {
                lease.Dispose();
            }
        }

        if (entries != table.Properties.Entries)
            throw file.Damaged(0, $"it holds {entries} entries and should hold {table.Properties.Entries}");
    }

    private static void CheckFound(
        TableReader table,
        IndexBlock index,
        int number,
        in DataBlock block,
        int i,
        ReadOnlySpan<byte> key,
        TableFile file,
        BlockHandle handle)
    {
        ulong hash = InternalKey.HashPrefix(InternalKey.Prefix(key));
        ulong inverted = InternalKey.InvertedVersion(key);
        if (!table.MayContain(hash) || index.Find(InternalKey.Prefix(key), inverted) != number
            || block.Find(InternalKey.UserKey(key), hash, inverted, out _) != i)
            throw file.Damaged(handle.Offset, "filter, index and hash index do not lead to every entry");
    }
}
