using AiDb.Engine;
using AiDb.Engine.Caching;
using AiDb.Engine.Iteration;
using AiDb.Engine.Storage;
using AiDb.Engine.Tables;
using AiDb.Tests.Engine.Storage;

namespace AiDb.Tests.Engine.Tables;

/// <summary>Tables on disks that refuse.</summary>
public sealed class TableFaultTests
{
    private const string Path = "tables/000001.table";

    [Theory]
    [InlineData(SimulatedFault.IoError, AiDbErrorKind.Unavailable)]
    [InlineData(SimulatedFault.NoSpace, AiDbErrorKind.ResourceExhausted)]
    public void Building_on_a_disk_that_fails_or_is_full_names_the_file_at_whichever_write_it_happens(
        SimulatedFault fault, AiDbErrorKind kind)
    {
        long writes = CountWrites();
        Assert.True(writes > 3);
        for (long at = 1; at < writes; at++)
        {
            SimulatedFileSystem disk = MakeDisk();
            disk.FailAt(at, fault);
            using IStorageFile file = disk.Open(Path, FileOpenMode.CreateNew);
            using var builder = new TableBuilder(file, Options());
            AiDbException error = Assert.Throws<AiDbException>(() => AddAll(builder));
            Assert.Equal(kind, error.Kind);
            Assert.Contains(Path, error.Message, StringComparison.Ordinal);
        }
    }

    [Fact]
    public void A_builder_that_lost_a_write_does_not_go_on_although_the_disk_recovers()
    {
        SimulatedFileSystem disk = MakeDisk();
        using IStorageFile file = disk.Open(Path, FileOpenMode.CreateNew);
        using var builder = new TableBuilder(file, Options());
        disk.FailAt(disk.OperationCount, SimulatedFault.NoSpace);
        Assert.Throws<AiDbException>(() => AddAll(builder));
        AiDbException error = Assert.Throws<AiDbException>(() => builder.Finish());
        Assert.Equal(AiDbErrorKind.ResourceExhausted, error.Kind);
    }

    [Fact]
    public void Opening_where_any_read_fails_names_the_file_and_frees_everything()
    {
        byte[] bytes = Build();
        using var cache = new BlockCache(1 << 20);
        int reads = CountOpeningReads(bytes, cache);
        Assert.True(reads >= 5);
        for (int at = 0; at < reads; at++)
        {
            var file = new MemoryFile(bytes) { FailRead = at };
            AssertRefused(file.Path, () => TableReader.Open(file, cache));
            Assert.True(file.IsDisposed);
            Assert.Equal(0, cache.Memory.AllocatedBytes);
        }

        var lengthless = new MemoryFile(bytes) { FailLength = true };
        AssertRefused(lengthless.Path, () => TableReader.Open(lengthless, cache));
        Assert.True(lengthless.IsDisposed);
    }

    [Fact]
    public void A_missing_file_is_data_loss()
    {
        using var cache = new BlockCache(0);
        AiDbException error = Assert.Throws<AiDbException>(
            () => TableReader.Open(new SimulatedFileSystem(), Path, cache));
        Assert.Equal(AiDbErrorKind.DataLoss, error.Kind);
        Assert.Contains(Path, error.Message, StringComparison.Ordinal);
    }

    [Fact]
    public void A_point_read_that_fails_leaves_nothing_behind_and_works_when_tried_again()
    {
        using var cache = new BlockCache(1 << 20);
        var file = new MemoryFile(Build());
        using TableReader table = TableReader.Open(file, cache);
        long pinned = cache.Memory.AllocatedBytes;
        Assert.Equal(table.PinnedBytes, pinned);
        byte[] key = TableModel.Key(1, Key(40), 7);
        file.FailRead = file.Reads;
        AssertRefused(file.Path, () => TableRoundTripTests.TryGet(table, key, out _));
        Assert.Equal(pinned, cache.Memory.AllocatedBytes);
        Assert.True(TableRoundTripTests.TryGet(table, key, out TableHit hit));
        hit.Dispose();
    }

    [Theory]
    [InlineData(true, 0)]
    [InlineData(false, 0)]
    [InlineData(false, 64 << 10)]
    public void A_walk_that_fails_is_not_valid_and_goes_on_where_it_is_positioned_again(
        bool fillCache, int readahead)
    {
        var cache = new BlockCache(1 << 20);
        var file = new MemoryFile(Build());
        using (TableReader table = TableReader.Open(file, cache))
        {
            using InternalIterator iterator = table.CreateIterator(fillCache, readahead);
            iterator.SeekToFirst();
            file.FailRead = file.Reads;
            AssertRefused(file.Path, () =>
            {
                while (iterator.Valid)
                    iterator.Next();
            });
            Assert.False(iterator.Valid);
            iterator.Next();
            iterator.Previous();
            Assert.False(iterator.Valid);
            iterator.SeekToLast();
            Assert.True(iterator.Key.SequenceEqual(TableModel.Key(1, Key(Keys - 1), 7)));
        }

        cache.Dispose();
        Assert.Equal(0, cache.Memory.AllocatedBytes);
    }

    [Fact]
    public void A_cursor_does_not_touch_the_table_after_it_was_disposed()
    {
        using var cache = new BlockCache(1 << 20);
        TableReader table = TableReader.Open(new MemoryFile(Build()), cache);
        InternalIterator iterator = table.CreateIterator(fillCache: true);
        iterator.SeekToFirst();
        iterator.Dispose();
        table.Dispose();
        Assert.Throws<ObjectDisposedException>(() => iterator.Seek(TableModel.Key(1, Key(3), 7)));
        Assert.Throws<ObjectDisposedException>(iterator.SeekToFirst);
        Assert.Throws<ObjectDisposedException>(iterator.SeekToLast);
        iterator.Next();
        Assert.False(iterator.Valid);
    }

    private const int Keys = 6000;

    private static byte[] Key(int number) =>
        System.Text.Encoding.ASCII.GetBytes(
            number.ToString("D8", System.Globalization.CultureInfo.InvariantCulture));

    private static TableOptions Options() => TableRoundTripTests.Options(4096, BlockCompression.None, 10);

    private static void AddAll(TableBuilder builder)
    {
        byte[] value = TableModel.Put(new byte[150]);
        for (int i = 0; i < Keys; i++)
            builder.Add(TableModel.Key(1, Key(i), 7), value);
        builder.Finish();
    }

    private static byte[] Build()
    {
        var file = new MemoryFile();
        using var builder = new TableBuilder(file, Options());
        AddAll(builder);
        return file.ToArray();
    }

    private static SimulatedFileSystem MakeDisk()
    {
        var disk = new SimulatedFileSystem(TableModel.Seed);
        disk.CreateDirectory("tables");
        return disk;
    }

    private static long CountWrites()
    {
        SimulatedFileSystem disk = MakeDisk();
        using IStorageFile file = disk.Open(Path, FileOpenMode.CreateNew);
        using var builder = new TableBuilder(file, Options());
        AddAll(builder);
        return disk.OperationCount;
    }

    private static int CountOpeningReads(byte[] bytes, BlockCache cache)
    {
        var file = new MemoryFile(bytes);
        TableReader.Open(file, cache).Dispose();
        return file.Reads;
    }

    private static void AssertRefused(string path, Action action)
    {
        AiDbException error = Assert.Throws<AiDbException>(action);
        Assert.Equal(AiDbErrorKind.Unavailable, error.Kind);
        Assert.Contains(path, error.Message, StringComparison.Ordinal);
    }
}
