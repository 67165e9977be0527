using AiDb.Engine;
using AiDb.Engine.Inspection;
using AiDb.Engine.Scrubbing;
using AiDb.Tests.Engine.Inspection;
using AiDb.Tests.Engine.Storage;
using AiDb.Tests.TestSupport;
using Microsoft.Extensions.Time.Testing;
using static AiDb.Tests.Engine.TestDatabase;

namespace AiDb.Tests.Engine.Scrubbing;

public sealed class ScrubTests
{
    private static CancellationToken Cancellation => TestContext.Current.CancellationToken;

    [Fact]
    public async Task A_whole_database_is_read_whole_and_nothing_is_found()
    {
        SimulatedFileSystem disk = await InspectionTests.MakeAsync();
        using Database database = Open(disk);
        ScrubReport report = await database.ScrubAsync(cancellationToken: Cancellation);
        DatabaseStatistics figures = database.GetStatistics();
        Assert.Empty(report.Damage);
        Assert.True(report.Bytes >= figures.TableBytes);
        Assert.Empty(figures.Damage);
        Assert.NotNull(figures.LastScrub);
    }

    [Fact]
    public async Task Damage_below_a_warm_cache_is_found_named_and_noted_once()
    {
        SimulatedFileSystem disk = await InspectionTests.MakeAsync();
        var log = new RecordingLog();
        using Database database = Open(disk, Tiny with { BlockCacheBytes = 8 << 20 }, log: log);
        List<(string, string)> before = Walk(database.FindTable("t")!);
        string path = InspectionTests.FirstTable(disk);
        int offset = disk.ReadRaw(path).Length / 2;
        disk.FlipBits(path, offset);
        for (int round = 0; round < 2; round++)
        {
            FileDamage damage = Assert.Single((await database.ScrubAsync(cancellationToken: Cancellation)).Damage);
            Assert.Equal(path, damage.File);
            Assert.InRange(damage.Offset, offset - 1024, offset);
        }

        Assert.Single(database.GetStatistics().Damage);
        Assert.Single(log.Lines, line => line.StartsWith("Error:", StringComparison.Ordinal) && line.Contains(path, StringComparison.Ordinal));
        Assert.Equal(before.Count, Walk(database.FindTable("t")!).Count);
    }

    [Fact]
    public async Task Every_flipped_bit_of_every_table_is_found()
    {
        SimulatedFileSystem disk = await InspectionTests.MakeAsync();
        foreach (string name in disk.ListFiles(Folder).Where(static name => name.EndsWith(".table", StringComparison.Ordinal)))
        {
            int length = disk.ReadRaw($"{Folder}/{name}").Length;
            for (int offset = 0; offset < length; offset += 11)
            {
                SimulatedFileSystem copy = disk.Clone();
                copy.FlipBits($"{Folder}/{name}", offset, (byte)(1 << (offset % 8)));
                ScrubReport report = await DatabaseInspector.ScrubAsync(Folder, fileSystem: copy, cancellationToken: Cancellation);
                Assert.True(report.Damage.Count > 0, $"flip at {offset} of {name} was not found");
            }
        }
    }

    [Fact]
    public async Task A_closed_segment_of_the_log_is_read_too()
    {
        SimulatedFileSystem disk = NewDisk();
        using Database database = Open(disk, Tiny with { MemtableBytes = 8 << 20 });
        Table table = database.GetOrCreateTable("t");
        for (int index = 0; index < 20; index++)
            table.Put(Bytes($"key{index:d3}"), new byte[8000]);
        string segment = $"{Folder}/log/" + disk.ListFiles($"{Folder}/log").Where(static name => name.EndsWith(".log", StringComparison.Ordinal)).Min();
        Assert.Empty((await database.ScrubAsync(cancellationToken: Cancellation)).Damage);
        disk.FlipBits(segment, 10_000);
        FileDamage damage = Assert.Single((await database.ScrubAsync(cancellationToken: Cancellation)).Damage);
        Assert.Equal(segment, damage.File);
        Assert.InRange(damage.Offset, 72, 10_000);
    }

    [Fact]
    public async Task The_rate_holds()
    {
        SimulatedFileSystem disk = await InspectionTests.MakeAsync();
        var time = new FakeTimeProvider(DateTimeOffset.UnixEpoch.AddDays(20_000));
        using Database database = Open(disk, time: time);
        long bytes = database.GetStatistics().TableBytes;
        Task<ScrubReport> scrub = database.ScrubAsync(bytesPerSecond: bytes / 10, cancellationToken: Cancellation);
        DateTimeOffset began = time.GetUtcNow();
        Assert.True(SpinWait.SpinUntil(
            () =>
            {
                if (!scrub.IsCompleted)
                    time.Advance(TimeSpan.FromMilliseconds(50));
                return scrub.IsCompleted;
            },
            TimeSpan.FromSeconds(30)));
        Assert.True(time.GetUtcNow() - began >= TimeSpan.FromSeconds(9.5), $"{time.GetUtcNow() - began}");
    }

    [Fact]
    public async Task It_runs_by_itself_after_its_interval_and_not_when_it_is_off()
    {
        SimulatedFileSystem disk = await InspectionTests.MakeAsync();
        SimulatedFileSystem other = disk.Clone();
        var time = new FakeTimeProvider(DateTimeOffset.UnixEpoch.AddDays(20_000));
        using Database database = Open(disk, Tiny with { ScrubInterval = TimeSpan.FromHours(1), ScrubBytesPerSecond = 0 }, time);
        using Database off = Open(other, Tiny with { ScrubInterval = TimeSpan.Zero }, time);
        string path = InspectionTests.FirstTable(disk);
        disk.FlipBits(path, disk.ReadRaw(path).Length / 2);
        time.Advance(TimeSpan.FromMinutes(61));
        Assert.True(SpinWait.SpinUntil(() => database.GetStatistics().Damage.Count > 0, TimeSpan.FromSeconds(30)));
        Assert.Null(off.GetStatistics().LastScrub);
    }

    [Fact]
    public async Task Closing_ends_a_scrub()
    {
        SimulatedFileSystem disk = await InspectionTests.MakeAsync();
        var time = new FakeTimeProvider(DateTimeOffset.UnixEpoch.AddDays(20_000));
        Database database = Open(disk, time: time);
        Task<ScrubReport> scrub = database.ScrubAsync(bytesPerSecond: 1, cancellationToken: Cancellation);
        database.Dispose();
        await Assert.ThrowsAnyAsync<OperationCanceledException>(() => scrub);
    }
}
