using AiDb.Engine;
using AiDb.Tests.Engine.Commit;
using AiDb.Tests.Engine.Storage;
using AiDb.Tests.TestSupport;
using Microsoft.Extensions.Time.Testing;
using static AiDb.Tests.Engine.TestDatabase;

namespace AiDb.Tests.Engine;

public sealed class MemoryGovernorTests
{
    private static readonly DatabaseOptions Big = Tiny with
    {
        MemtableBytes = 2 << 20,
        LogSegmentBytes = 1 << 20,
        TableBytes = 256 << 10,
        Level1Bytes = 1 << 20,
        BlockBytes = 4096,
    };

    [Fact]
    public void Four_databases_hold_one_budget_under_random_load()
    {
        using var governor = new MemoryGovernor(4 << 20);
        Database[] databases = [.. Enumerable.Range(0, 4).Select(number => OpenGoverned(governor, NewDisk(number)))];
        Table[] tables = [.. databases.Select(static database => database.GetOrCreateTable("t"))];
        var random = new Random(TestSeed.Base);
        long most = 0;
        long mostCache = 0;
        byte[] value = new byte[3000];
        for (int index = 0; index < 6000; index++)
        {
            // One database gets most of the writes, and another one after a while.
            Table table = tables[random.Next(3) == 0 ? random.Next(4) : index / 1500];
            byte[] key = Bytes($"key{random.Next(3000):d4}");
            if (random.Next(3) == 0)
                table.Get(key);
            else
                table.Put(key, value.AsSpan(0, random.Next(value.Length)));
            most = Math.Max(most, governor.UsedBytes);
            mostCache = Math.Max(mostCache, governor.UsedBytes - governor.ConsumerBytes);
            Assert.True(
                governor.UsedBytes <= governor.BudgetBytes,
                $"seed {TestSeed.Base}, step {index}: {governor.UsedBytes} of {governor.BudgetBytes} ({governor.ConsumerBytes} in memtables)");
        }

        Assert.True(most > governor.BudgetBytes / 2, $"only {most} bytes were used: nothing was tested");
        Assert.True(mostCache > governor.BudgetBytes / 4, $"the cache had only {mostCache}");
        foreach (Database database in databases)
            database.Dispose();
        Assert.Equal(0, governor.ConsumerBytes);
    }

    [Fact]
    public void The_greatest_memtable_is_flushed_though_another_database_writes()
    {
        using var governor = new MemoryGovernor(4 << 20);
        using Database idle = OpenGoverned(governor, NewDisk(1));
        using Database busy = OpenGoverned(governor, NewDisk(2));
        Table rest = idle.GetOrCreateTable("t");
        for (int index = 0; index < 300; index++)
            rest.Put(Bytes($"k{index}"), new byte[3000]);
        Assert.Equal(0, idle.GetStatistics().TableBytes);
        long before = idle.GetStatistics().MemtableBytes;
        Table table = busy.GetOrCreateTable("t");
        for (int index = 0; index < 600 && idle.GetStatistics().TableBytes == 0; index++)
            table.Put(Bytes($"k{index}"), new byte[3000]);
        Assert.True(idle.GetStatistics().TableBytes > 0);
        Assert.True(idle.GetStatistics().MemtableBytes < before / 2);
        Assert.NotNull(rest.Get("k0"u8));
    }

    [Fact]
    public void Writes_wait_at_the_limit_and_the_error_names_the_budget()
    {
        var time = new FakeTimeProvider(DateTimeOffset.UnixEpoch.AddDays(20_000));
        using var governor = new MemoryGovernor(2 << 20);
        var executor = new HoldingExecutor();
        using Database database = Database.Open(
            Folder,
            Big with { MaxImmutableMemtables = 64 },
            new DatabaseComponents
            {
                FileSystem = NewDisk(),
                MemoryGovernor = governor,
                BackgroundExecutor = executor,
                TimeProvider = time,
            });
        Table table = database.GetOrCreateTable("t");
        using IDisposable hold = executor.Hold("flush");
        Task writes = Task.Run(
            () =>
            {
                for (int index = 0; index < 5000; index++)
                    table.Put("k"u8, new byte[8000]);
            },
            TestContext.Current.CancellationToken);
        Assert.True(SpinWait.SpinUntil(
            () => writes.IsCompleted
                || (database.GetStatistics().Stall == WriteStallKind.MemoryBudget && governor.ConsumerBytes >= governor.ConsumerLimit * 95 / 100),
            TimeSpan.FromSeconds(60)));
        Assert.False(writes.IsCompleted);
        Assert.True(SpinWait.SpinUntil(
            () =>
            {
                time.Advance(TimeSpan.FromSeconds(5));
                return writes.IsCompleted;
            },
            TimeSpan.FromSeconds(60)));
        AiDbException error = Assert.IsType<AiDbException>(writes.Exception!.InnerException);
        Assert.Equal(AiDbErrorKind.ResourceExhausted, error.Kind);
        Assert.Contains("(MemoryBudget)", error.Message, StringComparison.Ordinal);
        Assert.Contains("BudgetBytes", error.Message, StringComparison.Ordinal);
        Assert.True(governor.UsedBytes <= governor.BudgetBytes);

        executor.Release();
        Assert.True(SpinWait.SpinUntil(() => database.GetStatistics().Stall == WriteStallKind.None, TimeSpan.FromSeconds(60)));
        table.Put("after"u8, "x"u8);
    }

    [Fact]
    public void Another_consumer_counts_and_is_asked_when_it_holds_the_most()
    {
        using var governor = new MemoryGovernor(4 << 20);
        var consumer = new Consumer();
        using MemoryAccount account = governor.Register(consumer);
        account.Report(1 << 20, 1 << 20);
        Assert.Equal(1 << 20, governor.ConsumerBytes);
        Assert.Equal(0, consumer.Asked);
        account.Report(2 << 20, 2 << 20);
        Assert.Equal(1, consumer.Asked);
        account.Report(0, 0);
        Assert.Equal(0, governor.ConsumerBytes);
    }

    private static Database OpenGoverned(MemoryGovernor governor, SimulatedFileSystem disk) => Database.Open(
        Folder,
        Big,
        new DatabaseComponents { FileSystem = disk, MemoryGovernor = governor, BackgroundExecutor = new SynchronousExecutor() });

    private sealed class Consumer : IMemoryConsumer
    {
        public int Asked { get; private set; }

        public void ReleaseMemory() => Asked++;
    }
}
