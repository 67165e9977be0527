using AiDb.Engine;
using AiDb.Engine.Caching;
using AiDb.Engine.Iteration;
using AiDb.Engine.Storage;
using AiDb.Engine.Tables;
using AiDb.Tests.Engine.Storage;

namespace AiDb.Tests.Engine.Tables;

/// <summary>Tables on the disks that they live on, the machine's and the simulated one.</summary>
public sealed class TableDiskTests : IDisposable
{
    private readonly string _folder = Directory.CreateTempSubdirectory("aidb-tables-").FullName;

    public void Dispose() => Directory.Delete(_folder, recursive: true);

    [Theory]
    [InlineData(true, BlockCompression.Lz4)]
    [InlineData(true, BlockCompression.None)]
    [InlineData(false, BlockCompression.Lz4)]
    [InlineData(false, BlockCompression.None)]
    public void A_table_on_a_disk_gives_back_its_entries(bool physical, BlockCompression compression)
    {
        IFileSystem disk = physical ? PhysicalFileSystem.Instance : new SimulatedFileSystem(TableModel.Seed);
        string path = $"{_folder}/000001.table";
        disk.CreateDirectory(_folder);
        TableModel model = TableModel.Random(new Random(TableModel.Seed), 3000, 3, maxValue: 300);
        TableProperties properties = Write(disk, path, model, compression);
        var cache = new BlockCache(1 << 20);
        using (TableReader table = TableReader.Open(disk, path, cache))
        {
            Assert.Equal(properties.FileBytes, table.Properties.FileBytes);
            table.VerifyChecksums(CancellationToken.None);
            foreach ((byte[] key, byte[] _) in model.Entries)
            {
                Assert.True(TableRoundTripTests.TryGet(table, key, out TableHit hit));
                hit.Dispose();
            }

            using InternalIterator iterator = table.CreateIterator(fillCache: false, 64 << 10);
            iterator.SeekToFirst();
            foreach ((byte[] key, byte[] value) in model.Entries)
            {
                Assert.True(iterator.Key.SequenceEqual(key));
                Assert.True(iterator.Value.SequenceEqual(value));
                iterator.Next();
            }

            Assert.False(iterator.Valid);
        }

        cache.Dispose();
        Assert.Equal(0, cache.Memory.AllocatedBytes);
    }

    [Fact]
    public void A_table_that_was_deleted_while_open_is_read_to_its_end()
    {
        var disk = PhysicalFileSystem.Instance;
        string path = $"{_folder}/000002.table";
        TableModel model = TableModel.Random(new Random(TableModel.Seed), 500, 1);
        Write(disk, path, model, BlockCompression.Lz4);
        using var cache = new BlockCache(0);
        using TableReader table = TableReader.Open(disk, path, cache);
        disk.DeleteFile(path);
        table.VerifyChecksums(CancellationToken.None);
    }

    [Fact]
    public void A_synced_table_survives_a_crash_and_one_that_was_not_synced_never_answers_wrongly()
    {
        TableModel model = TableModel.Random(new Random(TableModel.Seed), 3000, 2, maxValue: 300);
        using var cache = new BlockCache(0);
        for (int round = 0; round < 20; round++)
        {
            int seed = TableModel.Seed + round;
            var disk = new SimulatedFileSystem(seed);
            disk.CreateDirectory("folder");
            Write(disk, "folder/synced.table", model, BlockCompression.None);
            using (IStorageFile file = disk.Open("folder/torn.table", FileOpenMode.CreateNew))
            {
                disk.SyncDirectory("folder");
                using var builder = new TableBuilder(
                    file, TableRoundTripTests.Options(4096, BlockCompression.None, 10));
                Fill(builder, model);
            }

            SimulatedFileSystem after = disk.Crash();
            using (TableReader table = TableReader.Open(after, "folder/synced.table", cache))
                table.VerifyChecksums(CancellationToken.None);
            Assert.True(IsWholeOrRefused(after, "folder/torn.table", cache), $"seed {seed}");
        }

        Assert.Equal(0, cache.Memory.AllocatedBytes);
    }

    private static bool IsWholeOrRefused(SimulatedFileSystem disk, string path, BlockCache cache)
    {
        try
        {
            using TableReader table = TableReader.Open(disk, path, cache);
            table.VerifyChecksums(CancellationToken.None);
            return true;
        }
        catch (AiDbException error)
        {
            return error.Kind == AiDbErrorKind.DataLoss;
        }
    }

    private static TableProperties Write(
        IFileSystem disk, string path, TableModel model, BlockCompression compression)
    {
        using IStorageFile file = disk.Open(path, FileOpenMode.CreateNew);
        using var builder = new TableBuilder(file, TableRoundTripTests.Options(4096, compression, 10));
        TableProperties properties = Fill(builder, model);
        file.Sync();
        disk.SyncDirectory(path[..path.LastIndexOf('/')]);
        return properties;
    }

    private static TableProperties Fill(TableBuilder builder, TableModel model)
    {
        foreach ((byte[] key, byte[] value) in model.Entries)
            builder.Add(key, value);
        return builder.Finish();
    }
}
