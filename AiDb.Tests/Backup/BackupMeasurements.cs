using System.Diagnostics;
using System.Globalization;
using AiDb.Backup.Archiving;
using AiDb.Backup.Blobs;
using AiDb.Backup.Format;
using AiDb.Backup.Restoring;
using AiDb.Backup.Verification;
using AiDb.Engine;
using AiDb.Tests.Backup.Support;

namespace AiDb.Tests.Backup;

/// <summary>The figures of docs/performance.md, section "Backup": with <c>AIDB_BACKUP_WRITES=400000</c>, by name, on a quiet machine.
/// Without it the same in small, which shows that archive, drill and restore agree.</summary>
public sealed class BackupMeasurements(Radosgw s3, Azurite azure, ITestOutputHelper output) : IDisposable
{
    private const int ValueBytes = 200;

    private static readonly int Writes =
        int.TryParse(
            Environment.GetEnvironmentVariable("AIDB_BACKUP_WRITES"), NumberStyles.None, CultureInfo.InvariantCulture, out int writes)
            ? writes
            : 4_000;

    private readonly string _folder = Directory.CreateTempSubdirectory("aidb-measure-").FullName;

    private static CancellationToken Token => TestContext.Current.CancellationToken;

    [Fact]
    public async Task What_an_archive_costs_and_how_fast_it_comes_back()
    {
        TimeSpan alone = await WriteAsync(null, "alone");
        foreach ((string name, IBlobStore store) in (List<(string, IBlobStore)>)
            [
                ("folder", new FolderBlobStore(Path.Combine(_folder, "blobs"))),
                ("radosgw", (await s3.NewBucketAsync()).Open()),
                ("azurite", (await azure.NewContainerAsync()).Open()),
            ])
        {
            await using (store)
            {
                TimeSpan archived = await WriteAsync(store, name);
                Say($"{name}: CPU time {archived.TotalSeconds:F2} s beside {alone.TotalSeconds:F2} s alone: {100 * ((archived / alone) - 1):F1} % more");
                await RestoreAsync(store, name);
            }
        }
    }

    public void Dispose() => Directory.Delete(_folder, recursive: true);

    /// <summary>The CPU time of this process for all writes and, with a store, their archive.</summary>
    private async Task<TimeSpan> WriteAsync(IBlobStore? store, string name)
    {
        string path = Path.Combine(_folder, name);
        var options = new DatabaseOptions { ArchiveLogBytes = store is null ? 0 : 4L << 30, MinFreeDiskBytes = 0 };
        await using Database database = Database.Open(path, options);
        database.BeginEpoch(1);
        ArchiveRunner? runner = store is null ? null : new ArchiveRunner(new Archiver(database, 1, store));
        if (runner is not null)
            await runner.Archiver.WaitArchivedAsync(1, Token);
        TimeSpan before = Process.GetCurrentProcess().TotalProcessorTime;
        long started = Stopwatch.GetTimestamp();
        await FillAsync(database);
        await database.SyncAsync(Token);
        TimeSpan wrote = Stopwatch.GetElapsedTime(started);
        TimeSpan lag = runner?.Archiver.Lag ?? TimeSpan.Zero;
        if (runner is not null)
        {
            await runner.Archiver.WaitArchivedAsync(database.DurableLsn, Token);
            TimeSpan caughtUp = Stopwatch.GetElapsedTime(started);
            ArchiveStatus status = runner.Archiver.GetStatus();
            Say($"{name}: {Writes / wrote.TotalSeconds:F0} writes/s, lag at the end {lag.TotalSeconds:F2} s, archived {(caughtUp - wrote).TotalSeconds:F2} s later; log {status.LogBytesRead} bytes, sent {status.LogBytesSent}, files {status.FileBytesSent}");
        }

        TimeSpan used = Process.GetCurrentProcess().TotalProcessorTime - before;
        if (runner is not null)
            await runner.DisposeAsync();
        return used;
    }

    private static async Task FillAsync(Database database)
    {
        Table table = database.GetOrCreateTable("t");
        byte[] value = new byte[ValueBytes];
        var random = new Random(1);
        var batch = new WriteBatch();
        for (int index = 0; index < Writes; index++)
        {
            random.NextBytes(value.AsSpan(0, ValueBytes / 2));
            batch.Clear();
            batch.Put(table, System.Text.Encoding.UTF8.GetBytes(random.Next(1 << 24).ToString("d10", CultureInfo.InvariantCulture)), value);
            await database.TryWriteAsync(batch, WriteDurability.Memory, Token);
        }
    }

    private async Task RestoreAsync(IBlobStore store, string name)
    {
        var reader = new ArchiveReader(store, 1);
        DrillReport log = await RestoreDrill.RunAsync(reader, RestoreTarget.Newest, Path.Combine(_folder, "drill"), null, Token);
        Assert.True(log.Succeeded, log.Failure);
        Assert.True(log.ChecksumsEqual);
        Say($"{name}: drill of {log.LogEntries} log entries, {log.FileBytes} file bytes: restore {log.RestoreTime.TotalSeconds:F2} s, open {log.OpenTime.TotalSeconds:F2} s = {log.LogEntries / (log.RestoreTime + log.OpenTime).TotalSeconds:F0} entries/s; verify {log.VerifyTime.TotalSeconds:F2} s; checksums equal {log.ChecksumsEqual}");

        // The same data as tables.
        await using (Database database = Database.Open(Path.Combine(_folder, name), new DatabaseOptions { MinFreeDiskBytes = 0 }))
        {
            await database.FlushAsync(Token);
            database.BeginEpoch(2);
            using var archiver = new Archiver(database, 1, store);
            await archiver.StartAsync(Token);
            await archiver.ShipAsync(isUrgent: true, Token);
            await archiver.SnapshotAsync(Token);
        }

        RestorePlan plan = await new RestorePlanner(reader).PlanAsync(RestoreTarget.Newest, Token);
        Assert.True(plan.FileBytes > 0);
        for (int round = 0; round < 3; round++)
        {
            long started = Stopwatch.GetTimestamp();
            await Parallel.ForEachAsync(
                plan.Manifest.Files, new ParallelOptions { MaxDegreeOfParallelism = 4, CancellationToken = Token },
                async (file, token) =>
                {
                    await using Stream content = await store.OpenReadAsync(ArchiveNames.File(1, file), cancellationToken: token);
                    await using FileStream target = File.Create(Path.Combine(_folder, "download-" + file.File.Name));
                    await content.CopyToAsync(target, token);
                });
            TimeSpan download = Stopwatch.GetElapsedTime(started);
            string restored = Path.Combine(_folder, "restored");
            started = Stopwatch.GetTimestamp();
            await new Restorer(reader).RunAsync(RestoreTarget.Newest, restored, null, Token);
            TimeSpan restore = Stopwatch.GetElapsedTime(started);
            Say($"{name}: {plan.FileBytes} bytes: download alone {download.TotalSeconds:F2} s, restore {restore.TotalSeconds:F2} s = {download / restore:F2} x its throughput");
            Directory.Delete(restored, recursive: true);
        }
    }

    private void Say(FormattableString text) => output.WriteLine(FormattableString.Invariant(text));
}
