using AiDb.Engine;
using AiDb.Tests.Engine.Commit;
using static AiDb.Tests.Engine.TestDatabase;

namespace AiDb.Tests.Engine;

public sealed class DatabaseStatisticsTests
{
    [Fact]
    public async Task Work_that_is_due_shows_until_it_is_done()
    {
        using var executor = new HoldingExecutor();
        using Database database = Open(NewDisk(), executor: executor);
        Table table = database.GetOrCreateTable("t");
        table.Put("a"u8, new byte[1000]);
        WaitUntilIdle(database);

        executor.Hold("flush");
        Task flushed = database.FlushAsync().AsTask();
        Assert.True(SpinWait.SpinUntil(() => database.GetStatistics().HasBackgroundWork, TimeSpan.FromSeconds(30)));
        Assert.False(flushed.IsCompleted);
        executor.Release();
        await flushed;
        WaitUntilIdle(database);

        executor.Hold("compaction");
        Task compacted = database.CompactAsync().AsTask();
        Assert.True(SpinWait.SpinUntil(() => database.GetStatistics().HasBackgroundWork, TimeSpan.FromSeconds(30)));
        Assert.False(compacted.IsCompleted);
        executor.Release();
        await compacted;
        WaitUntilIdle(database);
    }

    [Fact]
    public async Task Bytes_of_flushes_and_compactions_are_counted_apart()
    {
        using Database database = Open(NewDisk());
        Table table = database.GetOrCreateTable("t");
        table.Put("a"u8, new byte[1000]);
        await database.FlushAsync();
        DatabaseStatistics first = database.GetStatistics();
        Assert.Equal(first.TableBytes, first.FlushedBytes);
        Assert.Equal(0, first.CompactedBytes);

        table.Put("a"u8, new byte[2000]);
        await database.CompactAsync();
        DatabaseStatistics second = database.GetStatistics();
        Assert.True(second.FlushedBytes > first.FlushedBytes);
        Assert.True(second.CompactedBytes >= second.TableBytes);
        Assert.True(second.TableBytes > 0);
    }

    private static void WaitUntilIdle(Database database) => Assert.True(
        SpinWait.SpinUntil(() => !database.GetStatistics().HasBackgroundWork, TimeSpan.FromSeconds(30)));
}
