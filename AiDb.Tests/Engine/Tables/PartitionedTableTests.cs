using AiDb.Engine;
using AiDb.Engine.Caching;
using AiDb.Engine.Tables;

namespace AiDb.Tests.Engine.Tables;

public sealed class PartitionedTableTests
{
    private const ulong GoldenChecksum = 17266231948564590132;

    [Fact]
    public void A_file_with_two_partitions_has_the_documented_bytes()
    {
        var model = new TableModel();
        model.Entries.Add((TableModel.Key(7, "ka"u8, 5), TableModel.Put(new byte[600])));
        model.Entries.Add((TableModel.Key(7, "kb"u8, 5), TableModel.Put("v"u8)));
        byte[] bytes = model.Build(
            TableRoundTripTests.Options(512, BlockCompression.None, 10) with
            {
                IndexPartitionBytes = 1,
                FilterPrefix = FilterPrefix.UpTo((byte)'/'),
            },
            out _);
        Assert.Equal((byte)2, bytes[^84]);
        Assert.Equal((byte)2, bytes[^83]);
        Assert.Equal(new byte[12], bytes[^80..^68]);
        Assert.Contains("0F0004000000022F0000", Convert.ToHexString(bytes), StringComparison.Ordinal);
        Assert.Contains("10002000000000000000", Convert.ToHexString(bytes), StringComparison.Ordinal);
        Assert.Equal(GoldenChecksum, System.IO.Hashing.XxHash3.HashToUInt64(bytes));
    }

    [Fact]
    public void Partitions_are_no_pinned_memory_and_leave_the_cache_under_pressure()
    {
        TableModel model = TableModel.Random(new Random(TableModel.Seed), 4000, 1);
        TableOptions whole = TableRoundTripTests.Options(512, BlockCompression.None, 10);
        using var cache = new BlockCache(128 << 10);
        using (TableReader single = TableReader.Open(new MemoryFile(model.Build(whole, out _)), cache))
        using (TableReader table = TableReader.Open(
            new MemoryFile(model.Build(whole with { IndexPartitionBytes = 1024 }, out _)), cache))
        {
            Assert.True(table.PinnedBytes * 5 < single.PinnedBytes);
            foreach ((byte[] key, _) in model.Entries)
            {
                Assert.True(TableRoundTripTests.TryGet(table, key, out TableHit hit));
                hit.Dispose();
            }

            Assert.True(cache.Memory.AllocatedBytes <= cache.CapacityBytes + single.PinnedBytes + table.PinnedBytes);
        }
    }

    [Theory]
    [InlineData(0)]
    [InlineData(8 << 20)]
    public void Pinned_and_uncacheable_partitions_are_read_once(long cacheBytes)
    {
        TableModel model = TableModel.Random(new Random(TableModel.Seed), 400, 1);
        var file = new MemoryFile(model.Build(
            TableRoundTripTests.Options(512, BlockCompression.None, 10) with { IndexPartitionBytes = 256 }, out _));
        using var cache = new BlockCache(cacheBytes);
        TableReader table = TableReader.Open(file, cache);
        table.PinPartitions();
        int before = file.Reads;
        foreach ((byte[] key, _) in model.Entries)
        {
            Assert.True(TableRoundTripTests.TryGet(table, key, out TableHit hit));
            hit.Dispose();
        }

        // With a cache each block is read once, without one by each read; the partitions by none.
        long expected = cacheBytes == 0 ? model.Entries.Count : table.Properties.DataBlocks;
        Assert.Equal(expected, file.Reads - before);
        table.UnpinPartitions();
        table.Dispose();
        Assert.True(file.IsDisposed);
        cache.Dispose();
        Assert.Equal(0, cache.Memory.AllocatedBytes);
    }

    [Fact]
    public void Properties_and_footer_that_disagree_are_damage()
    {
        TableModel model = TableModel.Random(new Random(TableModel.Seed), 400, 1);
        TableOptions options = TableRoundTripTests.Options(512, BlockCompression.None, 10);
        byte[] bytes = model.Build(options with { IndexPartitionBytes = 256 }, out _);
        Span<byte> footer = bytes.AsSpan(^TableFormat.FooterBytes..);
        footer[13] = TableFormat.NoFilter;
        System.Buffers.Binary.BinaryPrimitives.WriteUInt32LittleEndian(
            footer[TableFormat.FooterCrcAt..], AiDb.Engine.Storage.Crc32C.Compute(footer[..TableFormat.FooterCrcAt]));
        using var cache = new BlockCache(1 << 20);
        AiDbException error = Assert.Throws<AiDbException>(() => TableReader.Open(new MemoryFile(bytes), cache));
        Assert.Equal(AiDbErrorKind.DataLoss, error.Kind);
        Assert.Contains("different things", error.Message, StringComparison.Ordinal);
        Assert.Equal(0, cache.Memory.AllocatedBytes);
    }
}
