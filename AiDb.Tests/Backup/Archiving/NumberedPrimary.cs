using AiDb.Backup.Archiving;
using AiDb.Backup.Format;
using AiDb.Backup.Restoring;
using AiDb.Engine;
using AiDb.Tests.Backup.Support;
using AiDb.Tests.Engine;
using AiDb.Tests.Engine.Storage;
using Microsoft.Extensions.Time.Testing;

namespace AiDb.Tests.Backup.Archiving;

/// <summary>A primary whose n-th write puts key n, so that a hole or an entry of another history shows.</summary>
internal sealed class NumberedPrimary : IDisposable
{
    public const string Folder = "/data/db";
    public const uint Shard = 3;
    public static readonly DatabaseOptions Options = TestDatabase.Tiny with { ArchiveLogBytes = 256 << 10 };

    public static readonly ArchiveOptions ArchiveOptions = new()
    {
        LogBytes = 64 << 10,
        Retention = TimeSpan.FromHours(24),
        LogCompression = LogCompression.Lz4,
    };

    private readonly string _author;

    private NumberedPrimary(SimulatedFileSystem disk, Database database, Archiver archiver, string author, int written)
    {
        Disk = disk;
        Database = database;
        Archiver = archiver;
        _author = author;
        Written = written;
    }

    public SimulatedFileSystem Disk { get; }

    public Database Database { get; }

    public Archiver Archiver { get; }

    /// <summary>Writes so far.</summary>
    public int Written { get; private set; }

    /// <summary>The entry of each write, from write 1 on.</summary>
    public Dictionary<int, (ulong Lsn, string Author)> Entries { get; init; } = [];

    public static NumberedPrimary Open(
        SimulatedFileSystem disk, MemoryBlobStore store, FakeTimeProvider time, ulong epoch, string author,
        Dictionary<int, (ulong Lsn, string Author)>? entries = null)
    {
        Database database = TestDatabase.Open(disk, Options, time);
        try
        {
            database.BeginEpoch(Math.Max(epoch, database.Epoch + 1));
            int written = Last(database);
            var archiver = new Archiver(
                database, Shard, store, ArchiveOptions,
                new ArchiveComponents { TimeProvider = time, FileSystem = disk });
            return new NumberedPrimary(disk, database, archiver, author, written)
            {
                Entries = (entries ?? []).Where(entry => entry.Key <= written).ToDictionary(),
            };
        }
        catch
        {
            database.Dispose();
            throw;
        }
    }

    /// <summary>Puts the next number.</summary>
    public void Write(int valueBytes, bool synced)
    {
        Table table = Database.GetOrCreateTable("numbers");
        int number = Written + 1;
        var batch = new WriteBatch();
        batch.Put(table, Key(number), TestDatabase.Bytes(_author + new string('.', valueBytes)));
        batch.Put(table, TestDatabase.Bytes("last"), TestDatabase.Bytes(number.ToString("d8")));
        WriteResult result = Database.Write(batch, synced ? WriteDurability.Synced : WriteDurability.Memory);
        Written = number;
        Entries[number] = (result.Lsn, _author);
    }

    /// <summary>The numbers in a database: all from 1 to the last, each by the author that is expected.</summary>
    public static int Check(Database database, Dictionary<int, (ulong Lsn, string Author)> entries)
    {
        int last = Last(database);
        if (last == 0)
            return 0;
        Table table = database.FindTable("numbers")!;
        int count = 0;
        using ScanCursor cursor = table.Scan();
        while (cursor.MoveNext())
        {
            if (cursor.Key.Length != 8)
                continue;
            count++;
            int number = int.Parse(System.Text.Encoding.UTF8.GetString(cursor.Key));
            Assert.True(number <= last, $"key {number} is beyond the last one, {last}");
            Assert.Equal(
                entries[number].Author, System.Text.Encoding.UTF8.GetString(cursor.Value).TrimEnd('.'));
        }

        Assert.Equal(last, count);
        return last;
    }

    public static int Last(Database database) =>
        database.FindTable("numbers") is { } table && table.TryGet(TestDatabase.Bytes("last"), out ValueLease lease)
            ? Read(lease)
            : 0;

    /// <summary>Restores into a disk of its own.</summary>
    public static async Task<(SimulatedFileSystem Disk, RestoreResult Result)> RestoreAsync(
        MemoryBlobStore store, FakeTimeProvider time, RestoreTarget target, int seed)
    {
        var disk = new SimulatedFileSystem(seed);
        disk.CreateDirectory("/data");
        var components = new DatabaseComponents { FileSystem = disk, TimeProvider = time, Random = new Random(seed) };
        RestoreResult result = await new Restorer(new ArchiveReader(store, Shard), Options, components)
            .RunAsync(target, Folder, null, CancellationToken.None);
        return (disk, result);
    }

    public void Dispose()
    {
        Archiver.Dispose();
        Database.Dispose();
    }

    private static int Read(ValueLease lease)
    {
        using (lease)
            return int.Parse(System.Text.Encoding.UTF8.GetString(lease.Span));
    }

    private static byte[] Key(int number) => TestDatabase.Bytes(number.ToString("d8"));
}
