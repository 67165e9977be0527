using AiDb.Engine;
using AiDb.Engine.Caching;
using AiDb.Engine.Compression;
using AiDb.Engine.Encoding;
using AiDb.Engine.Tables;

namespace AiDb.Tests.Engine.Tables;

public sealed class TableCorruptionTests
{
    [Theory]
    [InlineData(BlockCompression.None, 0)]
    [InlineData(BlockCompression.Lz4, 0)]
    [InlineData(BlockCompression.Lz4, 1)]
    public void A_flipped_bit_anywhere_is_reported_and_never_answers_wrongly(BlockCompression compression, int partitionBytes)
    {
        TableModel model = TableModel.Random(new Random(TableModel.Seed), 40, 2);
        TableOptions options = TableRoundTripTests.Options(512, compression, 10) with { IndexPartitionBytes = partitionBytes };
        byte[] bytes = model.Build(options, out TableProperties properties);
        Assert.Equal(partitionBytes > 0, properties.Partitions is not null);
        using var cache = new BlockCache(1 << 20);
        int reported = 0;
        for (int at = 0; at < bytes.Length; at++)
        {
            byte[] damaged = (byte[])bytes.Clone();
            damaged[at] ^= (byte)(1 << (at % 8));
            if (Verify(damaged, model, cache))
                reported++;
        }

        Assert.Equal(bytes.Length, reported);
        cache.Dispose();
        Assert.Equal(0, cache.Memory.AllocatedBytes);
    }

    [Fact]
    public void A_file_cut_anywhere_does_not_open()
    {
        TableModel model = TableModel.Random(new Random(TableModel.Seed), 40, 2);
        byte[] bytes = model.Build(TableRoundTripTests.Options(512, BlockCompression.Lz4, 10), out _);
        using var cache = new BlockCache(0);
        for (int length = 0; length < bytes.Length; length++)
        {
            var file = new MemoryFile(bytes[..length]);
            AiDbException error = Assert.Throws<AiDbException>(() => TableReader.Open(file, cache));
            Assert.Equal(AiDbErrorKind.DataLoss, error.Kind);
            Assert.Contains(file.Path, error.Message, StringComparison.Ordinal);
            Assert.True(file.IsDisposed);
        }

        Assert.Equal(0, cache.Memory.AllocatedBytes);
    }

    [Fact]
    public void Arbitrary_bytes_never_lead_a_block_reader_outside_the_block()
    {
        var random = new Random(TableModel.Seed);
        TableModel model = TableModel.Random(random, 60, 2);
        using var builder = new DataBlockBuilder();
        foreach ((byte[] key, byte[] value) in model.Entries.Where(e => InternalKey.TableId(e.Key) == 100))
            builder.Add(key, value, true, InternalKey.HashPrefix(InternalKey.Prefix(key)));
        byte[] good = builder.Finish(100).ToArray();
        using var cache = new BlockCache(0);
        int accepted = 0;
        for (int round = 0; round < 20_000; round++)
        {
            byte[] bytes = (byte[])good.Clone();
            int changes = random.Next(0, 4);
            for (int i = 0; i < changes; i++)
                bytes[random.Next(bytes.Length)] = (byte)random.Next(256);
            if (!DataBlock.IsValid(bytes))
                continue;
            accepted++;
            using BlockLease lease = cache.LeaseCopy(bytes);
            ReadEverything(in lease, random);
        }

        Assert.True(accepted > 1000);
    }

    [Fact]
    public void Expanding_arbitrary_bytes_writes_only_the_target()
    {
        var random = new Random(TableModel.Seed);
        byte[] source = new byte[300];
        byte[] target = new byte[1024 + 64];
        for (int round = 0; round < 20_000; round++)
        {
            random.NextBytes(source);
            target.AsSpan().Fill(0xa5);
            BlockCodec.TryExpand(source.AsSpan(0, random.Next(1, source.Length)), target.AsSpan(0, 1024));
            Assert.Equal(-1, target.AsSpan(1024).IndexOfAnyExcept((byte)0xa5));
        }
    }

    [Fact]
    public void A_block_that_claims_more_than_its_bytes_can_hold_takes_no_memory_for_it()
    {
        var model = new TableModel();
        model.Entries.Add((TableModel.Key(1, "a"u8, 3), TableModel.Put(new byte[4000])));
        TableOptions options = TableRoundTripTests.Options(16 << 10, BlockCompression.Lz4, 0);
        byte[] bytes = model.Build(options, out _);
        int end = (int)TableFormat.ReadHandle(bytes.AsSpan(bytes.Length - TableFormat.FooterBytes)).Offset;
        Span<byte> block = bytes.AsSpan(TableFormat.HeaderBytes..end);
        Span<byte> stored = block[..^TableFormat.TrailerBytes];
        TableFormat.WriteTrailer(
            block[stored.Length..], stored, BlockType.Data, BlockCompression.Lz4, 2_000_000_000,
            options.FileId, TableFormat.HeaderBytes);
        using var cache = new BlockCache(1 << 20);
        using TableReader table = TableReader.Open(new MemoryFile(bytes), cache);
        AiDbException error = Assert.Throws<AiDbException>(
            () => TableRoundTripTests.TryGet(table, model.Entries[0].Key, out _));
        Assert.Equal(AiDbErrorKind.DataLoss, error.Kind);
        Assert.Contains("impossible length", error.Message, StringComparison.Ordinal);
        Assert.Equal(table.PinnedBytes, cache.Memory.AllocatedBytes);
    }

    [Fact]
    public void Properties_that_cannot_be_true_are_malformed()
    {
        TableModel model = TableModel.Random(new Random(TableModel.Seed), 40, 2);
        model.Build(TableRoundTripTests.Options(512, BlockCompression.Lz4, 10), out TableProperties good);
        Assert.True(IsRead(good));
        Assert.False(IsRead(good with { Entries = 0 }));
        Assert.False(IsRead(good with { Entries = -1 }));
        Assert.False(IsRead(good with { Deletions = good.Entries + 1 }));
        Assert.False(IsRead(good with { ExpirableEntries = -1 }));
        Assert.False(IsRead(good with { MinVersion = good.MaxVersion + 1 }));
        Assert.False(IsRead(good with { RawKeyBytes = -1 }));
        Assert.False(IsRead(good with { RawValueBytes = -1 }));
        Assert.False(IsRead(good with { DataBlocks = good.Entries + 1 }));
        Assert.False(IsRead(good with { SmallestKey = good.LargestKey, LargestKey = good.SmallestKey }));
        Assert.False(IsRead(good with { LargestKey = new byte[InternalKey.MaxBytes + 1] }));
        Assert.False(IsRead(good with { TableIds = [] }));
    }

    private static bool IsRead(TableProperties properties)
    {
        using var buffer = new GrowingBuffer(1024);
        TablePropertiesCodec.Write(buffer, properties);
        return TablePropertiesCodec.TryRead(buffer.Span, properties.FileId, 1, out _);
    }

    /// <summary>Whether opening or verifying reported the damage; reads may only fail or answer
    /// rightly.</summary>
    private static bool Verify(byte[] bytes, TableModel model, BlockCache cache)
    {
        try
        {
            using TableReader table = TableReader.Open(new MemoryFile(bytes), cache);
            foreach ((byte[] key, byte[] value) in model.Entries)
            {
                try
                {
                    Assert.True(TableRoundTripTests.TryGet(table, key, out TableHit hit));
                    Assert.True(hit.Value.SequenceEqual(InternalValue.UserValue(value)));
                    hit.Dispose();
                }
                catch (AiDbException e) when (e.Kind == AiDbErrorKind.DataLoss)
                {
                    continue;
                }
            }

            table.VerifyChecksums(CancellationToken.None);
            return false;
        }
        catch (AiDbException e)
        {
            Assert.Equal(AiDbErrorKind.DataLoss, e.Kind);
            return true;
        }
    }

    private static void ReadEverything(in BlockLease lease, Random random)
    {
        var block = new DataBlock(in lease);
        using var key = new GrowingBuffer(64);
        for (int i = 0; i < block.Count; i++)
        {
            TableIterator.WriteKey(in block, i, key, out DataBlockEntry entry);
            AssertWithin(lease.Span, entry.SuffixBytes);
            AssertWithin(lease.Span, entry.ValueBytes);
            ReadOnlySpan<byte> userKey = InternalKey.UserKey(key.Span);
            int found = block.Find(userKey, (ulong)random.NextInt64(), 0, out _);
            Assert.InRange(found, -1, block.Count - 1);
            Assert.InRange(block.LowerBound(userKey, 0), 0, block.Count);
        }
    }

    private static void AssertWithin(ReadOnlySpan<byte> block, ReadOnlySpan<byte> part)
    {
        Assert.True(block.Overlaps(part, out int offset));
        Assert.InRange(offset, 0, block.Length - part.Length);
    }
}
