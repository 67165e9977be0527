using AiDb.Engine;
using static AiDb.Tests.Engine.TestDatabase;

namespace AiDb.Tests.Engine.Compaction;

public sealed class BackgroundStatisticsTests
{
    [Fact]
    public async Task What_flushes_and_compactions_write_and_read_is_counted_apart()
    {
        using Database database = Open(NewDisk(), Tiny with { Level0CompactionTrigger = 8, MemtableBytes = 1 << 20 });
        Table table = database.GetOrCreateTable("t");
        for (int round = 0; round < 2; round++)
        {
            for (int key = 0; key < 100; key++)
                table.Put(Bytes($"{key:d4}"), Bytes($"{round}"));
            await database.FlushAsync();
        }

        DatabaseStatistics flushed = database.GetStatistics();
        Assert.Equal(flushed.TableBytes, flushed.FlushedBytes);
        Assert.Equal(0, flushed.CompactedBytes);
        Assert.Equal(0, flushed.CompactionReadBytes);
        Assert.True(flushed.IsBackgroundIdle);

        await database.CompactAsync();
        DatabaseStatistics compacted = database.GetStatistics();
        Assert.Equal(flushed.FlushedBytes, compacted.FlushedBytes);
        Assert.Equal(flushed.TableBytes, compacted.CompactionReadBytes);
        Assert.Equal(compacted.TableBytes, compacted.CompactedBytes);
        Assert.Equal(0, compacted.PendingCompactionBytes);
        Assert.True(compacted.IsBackgroundIdle);
    }

    [Fact]
    public async Task A_database_is_not_idle_while_its_background_work_waits_for_a_thread()
    {
        var executor = new QueueingExecutor();
        using Database database = Open(NewDisk(), Tiny with { Level0CompactionTrigger = 1 }, executor: executor);
        Table table = database.GetOrCreateTable("t");
        executor.RunAll();
        Assert.True(database.GetStatistics().IsBackgroundIdle);
        ValueTask flushed = database.FlushAsync();
        Assert.False(database.GetStatistics().IsBackgroundIdle);
        executor.RunAll();
        await flushed;
        Assert.True(database.GetStatistics().IsBackgroundIdle);
    }

    /// <summary>Keeps jobs until it is told to run them.</summary>
    private sealed class QueueingExecutor : IBackgroundExecutor
    {
        private readonly Queue<Action> _jobs = new();

        public void Queue(string name, Action job)
        {
            if (name is "commit" or "sync")
                job();
            else
                _jobs.Enqueue(job);
        }

        public void RunAll()
        {
            while (_jobs.TryDequeue(out Action? job))
                job();
        }

        public void Dispose() => RunAll();
    }
}
