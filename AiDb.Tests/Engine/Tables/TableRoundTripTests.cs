using AiDb.Engine;
using AiDb.Engine.Caching;
using AiDb.Engine.Encoding;
using AiDb.Engine.Iteration;
using AiDb.Engine.Tables;

namespace AiDb.Tests.Engine.Tables;

public sealed class TableRoundTripTests
{
    [Theory]
    [InlineData(512, BlockCompression.None, 10, 1, 0)]
    [InlineData(512, BlockCompression.Lz4, 10, 5, 0)]
    [InlineData(1024, BlockCompression.Lz4, 0, 40, 0)]
    [InlineData(4096, BlockCompression.None, 4, 3, 0)]
    [InlineData(16384, BlockCompression.Lz4, 10, 3, 0)]
    [InlineData(1 << 20, BlockCompression.None, 32, 8, 0)]
    [InlineData(512, BlockCompression.None, 10, 1, 1)]
    [InlineData(512, BlockCompression.Lz4, 10, 5, 256)]
    [InlineData(1024, BlockCompression.Lz4, 0, 40, 256)]
    [InlineData(512, BlockCompression.None, 4, 3, 1024)]
    public void Reads_seeks_and_walks_agree_with_a_sorted_list(
        int blockBytes, BlockCompression compression, int filterBits, int versions, int partitionBytes)
    {
        int seed = TableModel.Seed + blockBytes + versions;
        var random = new Random(seed);
        TableModel model = TableModel.Random(random, 700, versions);
        TableOptions options = Options(blockBytes, compression, filterBits) with
        {
            IndexPartitionBytes = partitionBytes,
            FilterPrefix = FilterPrefix.FixedLength(2),
        };
        byte[] bytes = model.Build(options, out TableProperties properties);
        Assert.Equal(partitionBytes > 0, properties.Partitions is { Count: > 2 });
        using var cache = new BlockCache(1 << 20);
        using (TableReader table = TableReader.Open(new MemoryFile(bytes), cache))
        {
            table.VerifyChecksums(CancellationToken.None);
            Assert.Equal(model.Entries.Count, properties.Entries);
            Assert.Equal(properties.SmallestKey, table.Properties.SmallestKey);
            Assert.Equal(properties.TableIds, table.Properties.TableIds);
            Assert.Equal(filterBits > 0 ? options.FilterPrefix : null, table.Properties.FilterPrefix);
            Assert.Equal(bytes.Length, properties.FileBytes);
            Assert.Equal(System.IO.Hashing.XxHash3.HashToUInt64(bytes), properties.FileChecksum);
            CheckReads(model, table, random, seed);
            CheckWalks(model, table, fillCache: true, 0);
            CheckWalks(model, table, fillCache: false, 64 << 10);
            CheckSeeks(model, table, random, seed);
        }

        cache.Dispose();
        Assert.Equal(0, cache.Memory.AllocatedBytes);
    }

    [Fact]
    public void Huge_values_long_keys_and_empty_values_come_back()
    {
        var model = new TableModel();
        byte[] longKey = new byte[DatabaseOptions.MaxKeyBytes];
        longKey.AsSpan().Fill(7);
        byte[] huge = new byte[DatabaseOptions.MaxValueBytes];
        new Random(TableModel.Seed).NextBytes(huge.AsSpan(0, 1 << 20));
        model.Entries.Add((TableModel.Key(1, "a"u8, 3), TableModel.Put([])));
        model.Entries.Add((TableModel.Key(1, longKey.AsSpan(1), 3), TableModel.Put("x"u8)));
        model.Entries.Add((TableModel.Key(1, longKey, 3), TableModel.Put(huge)));
        model.Entries.Add((TableModel.Key(1, "z"u8, 3), TableModel.Put("y"u8)));
        model.Entries.Sort((a, b) => InternalKey.Compare(a.Key, b.Key));
        byte[] bytes = model.Build(Options(16 << 10, BlockCompression.Lz4, 10), out _);
        using var cache = new BlockCache(1 << 20);
        using TableReader table = TableReader.Open(new MemoryFile(bytes), cache);
        foreach ((byte[] key, byte[] value) in model.Entries)
        {
            Assert.True(TryGet(table, key, out TableHit hit));
            Assert.True(hit.Value.SequenceEqual(value.AsSpan(1)));
            hit.Dispose();
        }
    }

    [Fact]
    public void A_point_read_of_a_cached_block_does_not_allocate()
    {
        TableModel model = TableModel.Random(new Random(5), 2000, 1);
        byte[] bytes = model.Build(Options(4096, BlockCompression.Lz4, 10), out _);
        using var cache = new BlockCache(8 << 20);
        using TableReader table = TableReader.Open(new MemoryFile(bytes), cache);
        long found = ReadAll(model, table);
        long before = GC.GetAllocatedBytesForCurrentThread();
        found += ReadAll(model, table);
        Assert.Equal(0, GC.GetAllocatedBytesForCurrentThread() - before);
        Assert.Equal(2 * model.Entries.Count, found);
    }

    [Fact]
    public void Entries_out_of_order_are_refused()
    {
        using var builder = new TableBuilder(new MemoryFile(), Options(4096, BlockCompression.None, 10));
        builder.Add(TableModel.Key(1, "b"u8, 5), TableModel.Put("v"u8));
        Assert.Throws<AiDbException>(() => builder.Add(TableModel.Key(1, "b"u8, 5), TableModel.Put("v"u8)));
        Assert.Throws<AiDbException>(() => builder.Add(TableModel.Key(1, "b"u8, 6), TableModel.Put("v"u8)));
        Assert.Throws<AiDbException>(() => builder.Add(TableModel.Key(1, "a"u8, 1), TableModel.Put("v"u8)));
    }

    [Fact]
    public void A_file_with_one_entry_has_the_documented_bytes()
    {
        var model = new TableModel();
        model.Entries.Add((TableModel.Key(7, "k"u8, 5), TableModel.Put("v"u8)));
        byte[] bytes = model.Build(Options(16 << 10, BlockCompression.None, 0), out _);
        Assert.Equal(
            "0001026BFFFFFFFFFFFFFFFA01760000", Convert.ToHexString(bytes.AsSpan(64, 16)));
        Assert.Equal("07000000010000000200000004000000", Convert.ToHexString(bytes.AsSpan(88, 16)));
        Assert.Equal("AIDBTABL"u8.ToArray(), bytes[..8]);
        Assert.Equal("AIDBTBLF"u8.ToArray(), bytes[^8..]);
        Assert.Equal(GoldenChecksum, System.IO.Hashing.XxHash3.HashToUInt64(bytes));
    }

    [Fact]
    public void The_last_reference_closes_the_file_and_a_hit_outlives_it()
    {
        TableModel model = TableModel.Random(new Random(6), 50, 1);
        var file = new MemoryFile(model.Build(Options(512, BlockCompression.Lz4, 10), out _));
        var cache = new BlockCache(1 << 20);
        TableReader table = TableReader.Open(file, cache);
        Assert.True(table.TryAddReference());
        Assert.True(TryGet(table, model.Entries[0].Key, out TableHit hit));
        table.Release();
        Assert.False(file.IsDisposed);
        table.Dispose();
        Assert.True(file.IsDisposed);
        Assert.False(table.TryAddReference());
        cache.Dispose();
        Assert.True(hit.Value.SequenceEqual(InternalValue.UserValue(model.Entries[0].Value)));
        hit.Dispose();
        Assert.Equal(0, cache.Memory.AllocatedBytes);
    }

    internal const ulong GoldenChecksum = 12844126715038245206;

    internal static TableOptions Options(int blockBytes, BlockCompression compression, int filterBits) =>
        new()
        {
            FileId = new UInt128(0x0123456789abcdef, 0xfedcba9876543210),
            BlockBytes = blockBytes,
            Compression = compression,
            FilterBitsPerKey = filterBits,
        };

    internal static bool TryGet(TableReader table, ReadOnlySpan<byte> internalKey, out TableHit hit)
    {
        ReadOnlySpan<byte> prefix = InternalKey.Prefix(internalKey);
        ulong version = InternalKey.Version(internalKey);
        return table.TryGet(prefix, InternalKey.HashPrefix(prefix), version, out hit);
    }

    private static long ReadAll(TableModel model, TableReader table)
    {
        long found = 0;
        foreach ((byte[] key, byte[] _) in model.Entries)
        {
            if (TryGet(table, key, out TableHit hit))
                found++;
            hit.Dispose();
        }

        return found;
    }

    private static void CheckReads(TableModel model, TableReader table, Random random, int seed)
    {
        for (int i = 0; i < 4000; i++)
        {
            byte[] key = (byte[])model.Entries[random.Next(model.Entries.Count)].Key.Clone();
            InternalKey.SetVersion(key, random.Next(3) == 0 ? ulong.MaxValue : (ulong)random.Next(0, 1100));
            if (random.Next(3) == 0)
                key[random.Next(key.Length - 8)]++;
            int expected = model.LowerBound(key);
            bool exists = expected < model.Entries.Count
                && InternalKey.SamePrefix(model.Entries[expected].Key, key);
            bool found = TryGet(table, key, out TableHit hit);
            Assert.True(exists == found, $"seed {seed}, read {i}, key {Convert.ToHexString(key)}");
            if (!found)
                continue;
            (byte[] entryKey, byte[] value) = model.Entries[expected];
            Assert.Equal(InternalKey.Version(entryKey), hit.Version);
            Assert.Equal(InternalValue.Kind(value), hit.Kind);
            Assert.Equal(InternalValue.ExpiryUnixMs(value), hit.ExpiryUnixMs);
            Assert.True(hit.Value.SequenceEqual(InternalValue.UserValue(value)));
            hit.Dispose();
        }
    }

    private static void CheckWalks(TableModel model, TableReader table, bool fillCache, int readahead)
    {
        using InternalIterator iterator = table.CreateIterator(fillCache, readahead);
        Assert.False(iterator.Valid);
        iterator.SeekToFirst();
        foreach ((byte[] key, byte[] value) in model.Entries)
        {
            AssertAt(iterator, key, value);
            iterator.Next();
        }

        Assert.False(iterator.Valid);
        iterator.SeekToLast();
        for (int i = model.Entries.Count - 1; i >= 0; i--)
        {
            AssertAt(iterator, model.Entries[i].Key, model.Entries[i].Value);
            iterator.Previous();
        }

        Assert.False(iterator.Valid);
    }

    private static void CheckSeeks(TableModel model, TableReader table, Random random, int seed)
    {
        using InternalIterator iterator = table.CreateIterator(fillCache: true);
        for (int i = 0; i < 2000; i++)
        {
            byte[] key = (byte[])model.Entries[random.Next(model.Entries.Count)].Key.Clone();
            if (random.Next(2) == 0)
                key[random.Next(key.Length)] ^= (byte)(1 << random.Next(8));
            int expected = model.LowerBound(key);
            bool exact = expected < model.Entries.Count
                && InternalKey.Compare(model.Entries[expected].Key, key) == 0;
            iterator.Seek(key);
            Assert.True(iterator.Valid == expected < model.Entries.Count, $"seed {seed}, seek {i}");
            if (iterator.Valid)
                AssertAt(iterator, model.Entries[expected].Key, model.Entries[expected].Value);

            int before = exact ? expected : expected - 1;
            iterator.SeekForPrevious(key);
            Assert.True(iterator.Valid == before >= 0, $"seed {seed}, seek {i} back");
            if (!iterator.Valid)
                continue;
            AssertAt(iterator, model.Entries[before].Key, model.Entries[before].Value);
            bool forward = random.Next(2) == 0;
            int next = forward ? before + 1 : before - 1;
            if (forward)
                iterator.Next();
            else
                iterator.Previous();
            Assert.Equal(next >= 0 && next < model.Entries.Count, iterator.Valid);
            if (iterator.Valid)
                AssertAt(iterator, model.Entries[next].Key, model.Entries[next].Value);
        }
    }

    private static void AssertAt(InternalIterator iterator, byte[] key, byte[] value)
    {
        Assert.True(iterator.Valid);
        Assert.Equal(Convert.ToHexString(key), Convert.ToHexString(iterator.Key));
        Assert.True(iterator.Value.SequenceEqual(value));
    }
}
