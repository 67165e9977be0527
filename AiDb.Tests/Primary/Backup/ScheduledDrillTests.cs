using AiDb.Backup.Archiving;
using AiDb.Backup.Blobs;
using AiDb.Cluster.Metadata;
using AiDb.Engine;
using AiDb.Primary.Backup;
using AiDb.Tests.Engine;
using AiDb.Tests.Engine.Storage;
using Microsoft.Extensions.Logging.Abstractions;
using Microsoft.Extensions.Time.Testing;

namespace AiDb.Tests.Primary.Backup;

public sealed class ScheduledDrillTests
{
    private static readonly TimeSpan Interval = TimeSpan.FromDays(7);
    private readonly FakeTimeProvider _time = new(DateTimeOffset.UnixEpoch.AddDays(20_000));
    private readonly SimulatedFileSystem _disk = TestDatabase.NewDisk();

    private static CancellationToken Token => TestContext.Current.CancellationToken;

    [Fact]
    public async Task Drills_run_by_the_clock_prove_the_backup_leave_nothing_and_tell_when_it_is_damaged()
    {
        _disk.CreateDirectory("/archive");
        await using EmbeddedMetadataStore metadata = EmbeddedMetadataStore.Open(
            "/metadata", new DatabaseComponents { FileSystem = _disk, TimeProvider = _time });
        await using Database database = TestDatabase.Open(_disk, time: _time);
        database.BeginEpoch(1);
        Table table = database.GetOrCreateTable("t");
        for (int key = 0; key < 500; key++)
            table.Put(TestDatabase.Bytes($"key{key}"), TestDatabase.Bytes(new string('v', 100)));
        await database.FlushAsync(Token);
        await database.SyncAsync(Token);
        await using var host = new BackupHost(
            new BackupOptions
            {
                Store = new BlobStoreOptions { Location = "/archive" },
                Archive = new ArchiveOptions { LogInterval = TimeSpan.FromSeconds(1) },
                DrillInterval = Interval,
            },
            metadata, _disk, "/data", _time, NullLoggerFactory.Instance);
        await using ArchiveRunner runner = host.Start(1, database);
        await PassAsync(TimeSpan.FromSeconds(1), () => runner.Archiver.Archived.Lsn >= database.DurableLsn);
        Assert.Null(host.LastDrill);

        DateTimeOffset began = _time.GetUtcNow();
        await PassAsync(TimeSpan.FromHours(6), () => host.LastDrill is not null);

        // The clock goes on while the drill begins on a thread of its own, so only "not before" is exact.
        Assert.InRange(host.LastDrill!.StartedAt - began, Interval - TimeSpan.FromHours(12), 10 * Interval);
        Assert.True(host.LastDrill.Succeeded, host.LastDrill.Failure);
        Assert.Equal(database.AppliedPosition.Lsn, host.LastDrill.Position.Lsn);
        Assert.Empty(_disk.ListDirectories("/data/drill"));

        string folder = "/archive/data/00001/0000000000000001";
        string file = folder + "/" + _disk.ListFiles(folder)[0];
        _disk.FlipBits(file, _disk.ReadRaw(file).Length / 2);
        DateTimeOffset first = host.LastDrill.StartedAt;
        await PassAsync(TimeSpan.FromHours(6), () => host.LastDrill.StartedAt > first);
        Assert.False(host.LastDrill.Succeeded);
        Assert.Contains("checksum", host.LastDrill.Failure, StringComparison.Ordinal);
        Assert.Contains("FAILED", BackupHealth.Problem([], host)!.ToUpperInvariant(), StringComparison.Ordinal);
        Assert.Empty(_disk.ListDirectories("/data/drill"));
    }

    private async Task PassAsync(TimeSpan step, Func<bool> condition)
    {
        while (!condition())
        {
            _time.Advance(step);
            await Task.Delay(5, Token);
        }
    }
}
