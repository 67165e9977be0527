using System.Diagnostics;
using System.Globalization;
using AiDb.Backup.Archiving;
using AiDb.Backup.Blobs;
using AiDb.Backup.Format;
using AiDb.Backup.Restoring;
using AiDb.Backup.Restoring.Lazy;
using AiDb.Engine;
using AiDb.Tests.Backup.Support;

namespace AiDb.Tests.Backup;

/// <summary>The figures of docs/performance.md, "A restore that is served at once": with <c>AIDB_LAZY_MB=1200</c>, by name, on a
/// quiet machine. Without it the same in small, which shows that what is read is right.</summary>
public sealed class LazyRestoreMeasurements(Radosgw s3, ITestOutputHelper output) : IDisposable
{
    private const int ValueBytes = 1000;
    private const int Reads = 500;

    private static readonly int Megabytes =
        int.TryParse(
            Environment.GetEnvironmentVariable("AIDB_LAZY_MB"), NumberStyles.None, CultureInfo.InvariantCulture, out int megabytes)
            ? megabytes
            : 8;

    private readonly string _folder = Directory.CreateTempSubdirectory("aidb-lazy-").FullName;

    private static CancellationToken Token => TestContext.Current.CancellationToken;

    private static int Keys => Megabytes * (1 << 20) / ValueBytes;

    [Fact]
    public async Task How_soon_a_restored_database_answers_and_when_it_is_whole()
    {
        await MeasureAsync("folder", new FolderBlobStore(Path.Combine(_folder, "blobs")));
        await MeasureAsync("radosgw", (await s3.NewBucketAsync()).Open());
    }

    public void Dispose() => Directory.Delete(_folder, recursive: true);

    private async Task MeasureAsync(string name, IBlobStore store)
    {
        string original = Path.Combine(_folder, "original");
        await ArchiveAsync(store, original);
        Directory.Delete(original, recursive: true);
        string folder = Path.Combine(_folder, name);
        long started = Stopwatch.GetTimestamp();
        RestoreResult result = await new Restorer(new ArchiveReader(store, 1))
            .RunLazilyAsync(RestoreTarget.Newest, folder, new RestoreSource("measured", null, null), null, Token);
        TimeSpan log = Stopwatch.GetElapsedTime(started);
        await using LazyRestore restore = LazyRestore.TryOpen(folder, _ => store)!;
        await restore.PrepareAsync(Token);
        TimeSpan prepared = Stopwatch.GetElapsedTime(started);
        await using Database database = Database.Open(
            folder, new DatabaseOptions { MinFreeDiskBytes = 0 }, new DatabaseComponents { FileSystem = restore.FileSystem });
        Table table = database.FindTable("t")!;
        var random = new Random(3);
        Check(table, random.Next(Keys));
        TimeSpan first = Stopwatch.GetElapsedTime(started);
        long fetched = restore.FetchedBytes;
        restore.Start();
        List<double> latencies = [];
        for (int read = 0; read < Reads; read++)
        {
            long began = Stopwatch.GetTimestamp();
            Check(table, random.Next(Keys));
            latencies.Add(Stopwatch.GetElapsedTime(began).TotalMilliseconds);
        }

        await restore.Completion.WaitAsync(Token);
        TimeSpan whole = Stopwatch.GetElapsedTime(started);
        latencies.Sort();
        output.WriteLine(FormattableString.Invariant(
            $"{name}: {result.Files} files, {result.FileBytes} bytes: log {log.TotalSeconds:F2} s, ends of tables {prepared.TotalSeconds:F2} s, first read after {first.TotalSeconds:F2} s with {fetched} bytes; {Reads} random reads beside the download: median {latencies[Reads / 2]:F1} ms, p99 {latencies[Reads * 99 / 100]:F1} ms; whole after {whole.TotalSeconds:F1} s"));
    }

    private static async Task ArchiveAsync(IBlobStore store, string path)
    {
        await using Database database = Database.Open(path, new DatabaseOptions { MinFreeDiskBytes = 0, ArchiveLogBytes = 4L << 30 });
        database.BeginEpoch(1);
        using var archiver = new Archiver(database, 1, store);
        await archiver.StartAsync(Token);
        Table table = database.GetOrCreateTable("t");
        for (int key = 0; key < Keys; key++)
        {
            table.Put(Key(key), Value(key));
            if (key % 100_000 == 99_999)
                await archiver.ShipAsync(isUrgent: true, Token);
        }

        await database.FlushAsync(Token);
        await archiver.ShipAsync(isUrgent: true, Token);
        await archiver.SnapshotAsync(Token);
    }

    private static void Check(Table table, int key) => Assert.True(Value(key).AsSpan().SequenceEqual(table.Get(Key(key))), $"key {key}");

    private static byte[] Key(int key) => System.Text.Encoding.UTF8.GetBytes(key.ToString("d10", CultureInfo.InvariantCulture));

    private static byte[] Value(int key)
    {
        byte[] value = new byte[ValueBytes];
        new Random(key).NextBytes(value);
        return value;
    }
}
