using AiDb.Engine;
using AiDb.Tests.TestSupport;
using Microsoft.Extensions.Time.Testing;
using static AiDb.Tests.Engine.TestDatabase;

namespace AiDb.Tests.Engine.Storage;

public sealed class DiskWatchTests
{
    [Theory]
    [InlineData("sync ", DiskOperation.Sync)]
    [InlineData("write ", DiskOperation.Write)]
    public async Task An_operation_that_hangs_is_told_while_it_hangs_and_is_over_when_it_returns(
        string hangs, DiskOperation expected)
    {
        SimulatedFileSystem disk = NewDisk();
        var time = new FakeTimeProvider(DateTimeOffset.UnixEpoch.AddDays(20_000));
        var log = new RecordingLog();
        List<DiskStall> told = [];
        using Database database = Database.Open(
            Folder,
            Tiny with { DefaultDurability = WriteDurability.Synced, DiskStallThreshold = TimeSpan.FromSeconds(10) },
            new DatabaseComponents
            {
                FileSystem = disk,
                TimeProvider = time,
                BackgroundExecutor = new SynchronousExecutor(),
                LoggerFactory = log,
                OnDiskStall = stall =>
                {
                    lock (told)
                        told.Add(stall);
                },
            });
        Table table = database.GetOrCreateTable("t");
        using var gate = new ManualResetEventSlim();
        using var reached = new ManualResetEventSlim();
        disk.OnOperation = (_, what) =>
        {
            if (!what.StartsWith(hangs, StringComparison.Ordinal))
                return;
            reached.Set();
            gate.Wait(TestContext.Current.CancellationToken);
        };
        Task write = Task.Run(() => table.Put("k"u8, "v"u8), TestContext.Current.CancellationToken);
        Assert.True(reached.Wait(TimeSpan.FromSeconds(30), TestContext.Current.CancellationToken));
        time.Advance(TimeSpan.FromSeconds(9));
        Assert.Empty(told);
        Assert.Equal(WriteStallKind.None, database.GetStatistics().Stall);

        time.Advance(TimeSpan.FromSeconds(4));
        DiskStall stall = Assert.Single(told);
        Assert.Equal(expected, stall.Operation);
        Assert.Contains("/log/", stall.File, StringComparison.Ordinal);
        DatabaseStatistics during = database.GetStatistics();
        Assert.Equal(WriteStallKind.DiskStalled, during.Stall);
        Assert.Contains(stall.File, during.StallCause, StringComparison.Ordinal);
        Assert.Contains(log.Lines, static line => line.StartsWith("Error", StringComparison.Ordinal) && line.Contains("the disk hangs", StringComparison.Ordinal));
        time.Advance(TimeSpan.FromMinutes(1));
        Assert.Single(told);

        disk.OnOperation = null;
        gate.Set();
        await write;
        Assert.Equal(WriteStallKind.None, database.GetStatistics().Stall);
        Assert.Equal(1, database.GetStatistics().Stalls[WriteStallKind.DiskStalled].Count);
        Assert.NotNull(table.Get("k"u8));
    }

    [Fact]
    public void Operations_that_return_are_never_told_however_many_there_are()
    {
        var time = new FakeTimeProvider(DateTimeOffset.UnixEpoch.AddDays(20_000));
        int told = 0;
        using Database database = Database.Open(Folder, Tiny, new DatabaseComponents
        {
            FileSystem = NewDisk(),
            TimeProvider = time,
            BackgroundExecutor = new SynchronousExecutor(),
            OnDiskStall = _ => Interlocked.Increment(ref told),
        });
        Table table = database.GetOrCreateTable("t");
        for (int index = 0; index < 300; index++)
        {
            table.Put(Bytes($"key{index}"), new byte[500]);
            time.Advance(TimeSpan.FromSeconds(3));
        }

        Assert.Equal(0, told);
    }
}
