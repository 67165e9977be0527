using System.Diagnostics;
using AiDb.Engine;
using AiDb.Tests.Engine.Storage;
using AiDb.Tests.TestSupport;
using Microsoft.Extensions.Time.Testing;
using static AiDb.Tests.Engine.TestDatabase;

namespace AiDb.Tests.Engine.Commit;

[Collection(AloneCollection.Name)]
public sealed class CommitPipelineTests
{
    [Fact]
    public async Task Concurrent_writers_and_readers_never_see_half_a_batch()
    {
        SimulatedFileSystem disk = NewDisk();
        const int Writers = 3;
        const int Writes = 250;
        using (Database database = Open(disk, executor: new BackgroundExecutor()))
        {
            Table table = database.GetOrCreateTable("t");
            int writing = Writers;
            Task[] writers = [.. Enumerable.Range(0, Writers).Select(writer => Task.Run(async () =>
            {
                var batch = new WriteBatch();
                for (int number = 0; number < Writes; number++)
                {
                    batch.Clear();
                    byte[] value = Bytes(new string((char)('a' + (number % 26)), number % 600));
                    batch.Put(table, Bytes($"left{writer}-{number % 20}"), value);
                    batch.Put(table, Bytes($"right{writer}-{number % 20}"), value);
                    WriteDurability durability = number % 9 == 0 ? WriteDurability.Synced : WriteDurability.Memory;
                    WriteResult result = number % 2 == 0
                        ? database.Write(batch, durability)
                        : await database.TryWriteAsync(batch, durability);
                    Assert.True(result.Applied);
                    Assert.Equal(value, table.Get(Bytes($"left{writer}-{number % 20}")));
                }

                Interlocked.Decrement(ref writing);
            }))];
            Task[] readers = [.. Enumerable.Range(0, 2).Select(reader => Task.Run(() =>
            {
                var values = new ValueLease[2];
                for (int probe = 0; Volatile.Read(ref writing) > 0; probe++)
                {
                    int pair = probe % 20;
                    table.MultiGet([Bytes($"left{reader}-{pair}"), Bytes($"right{reader}-{pair}")], values);
                    Assert.Equal(values[0].Version, values[1].Version);
                    Assert.True(values[0].Span.SequenceEqual(values[1].Span));
                    values[0].Dispose();
                    values[1].Dispose();
                    if (probe % 10 != 0)
                        continue;
                    List<(string Key, string Value)> walk = Walk(table, ScanRange.All with { Reverse = probe % 20 == 0 });
                    Assert.Equal(
                        walk.Where(entry => entry.Key[0] == 'l').Select(entry => entry.Value),
                        walk.Where(entry => entry.Key[0] == 'r').Select(entry => entry.Value));
                }
            }))];
            await Task.WhenAll(writers);
            await Task.WhenAll(readers);
            await database.CompactAsync();
            Assert.Equal(Writers * 40, Walk(table).Count);
        }

        using Database again = Open(disk);
        Assert.Equal(Writers * 40, Walk(again.FindTable("t")!).Count);
    }

    [Fact]
    public async Task A_write_that_is_held_up_too_long_fails_and_names_the_cause()
    {
        var time = new FakeTimeProvider(DateTimeOffset.UnixEpoch.AddDays(20_000));
        var executor = new HoldingExecutor();
        using Database database = Open(NewDisk(), Tiny with { MaxImmutableMemtables = 1 }, time, executor);
        Table table = database.GetOrCreateTable("t");
        using IDisposable hold = executor.Hold("flush");
        Task<WriteResult> held = FillUntilHeld(database, table);
        Assert.Contains("flush", database.GetStatistics().StallCause, StringComparison.Ordinal);
        time.Advance(StallTimeout + TimeSpan.FromSeconds(1));
        AiDbException error = await Assert.ThrowsAsync<AiDbException>(() => held);
        Assert.Equal(AiDbErrorKind.ResourceExhausted, error.Kind);
        Assert.Contains("MaxImmutableMemtables", error.Message, StringComparison.Ordinal);

        executor.Release();
        Assert.True((await database.TryWriteAsync(OneKey(table, "after"))).Applied);
        Assert.NotNull(table.Get("after"u8));
    }

    [Fact]
    public async Task A_held_up_caller_that_leads_leaves_with_its_own_time_out_though_others_still_wait()
    {
        var time = new FakeTimeProvider(DateTimeOffset.UnixEpoch.AddDays(20_000));
        var executor = new HoldingExecutor();
        using Database database = Open(NewDisk(), Tiny with { MaxImmutableMemtables = 1 }, time, executor);
        Table table = database.GetOrCreateTable("t");
        using IDisposable hold = executor.Hold("flush");
        Task caller = Task.Run(() =>
        {
            for (int index = 0; index < 1000; index++)
                table.Put("filler"u8, new byte[8000]);
        });
        Assert.True(SpinWait.SpinUntil(
            () => caller.IsCompleted || database.GetStatistics().StallCause is not null,
            TimeSpan.FromSeconds(30)));
        List<Task> others = [];
        while (!caller.IsCompleted && others.Count < 100)
        {
            // There is always one that has waited for less than the time-out.
            others.Add(database.TryWriteAsync(OneKey(table, "other")).AsTask());
            time.Advance(StallTimeout / 3);
            SpinWait.SpinUntil(() => caller.IsCompleted, TimeSpan.FromMilliseconds(60));
        }

        bool left = caller.IsCompleted;
        executor.Release();
        Assert.True(left, "The caller waits for others.");
        AiDbException error = await Assert.ThrowsAsync<AiDbException>(() => caller);
        Assert.Equal(AiDbErrorKind.ResourceExhausted, error.Kind);
        await Task.WhenAll(
            others.Select(other => other.ContinueWith(static _ => { }, TaskScheduler.Default)));
    }

    [Fact]
    public async Task Writes_that_meet_the_closing_are_answered_one_way_or_the_other()
    {
        for (int round = 0; round < 40; round++)
        {
            Database database = Open(NewDisk(round), executor: new BackgroundExecutor());
            Table table = database.GetOrCreateTable("t");
            using var begun = new CountdownEvent(3);
            Task[] writers = [.. Enumerable.Range(0, 3).Select(writer => Task.Run(async () =>
            {
                for (int number = 0; ; number++)
                {
                    try
                    {
                        if (writer == 0)
                            table.Put("a"u8, "x"u8);
                        else
                            await database.TryWriteAsync(OneKey(table, "b"));
                        if (number == 0)
                            begun.Signal();
                    }
                    catch (ObjectDisposedException)
                    {
                        return;
                    }
                    catch (AiDbException error)
                    {
                        Assert.Equal(AiDbErrorKind.Unavailable, error.Kind);
                    }
                }
            }))];
            begun.Wait();
            await database.DisposeAsync();
            await Task.WhenAll(writers).WaitAsync(TimeSpan.FromSeconds(60));
        }
    }

    [Fact]
    public async Task Cancelling_a_queued_write_leaves_its_outcome_open_and_its_batch_reusable()
    {
        var executor = new HoldingExecutor();
        using Database database = Open(NewDisk(), Tiny with { MaxImmutableMemtables = 1 }, executor: executor);
        Table table = database.GetOrCreateTable("t");
        using IDisposable hold = executor.Hold("flush");
        Task<WriteResult> held = FillUntilHeld(database, table);
        using var cancellation = new CancellationTokenSource();
        WriteBatch batch = OneKey(table, "cancelled");
        Task<WriteResult> cancelled = database.TryWriteAsync(batch, WriteDurability.Memory, cancellation.Token).AsTask();
        await cancellation.CancelAsync();
        AiDbException error = await Assert.ThrowsAsync<AiDbException>(() => cancelled);
        Assert.Equal(AiDbErrorKind.OutcomeUnknown, error.Kind);
        batch.Clear();
        batch.Put(table, "reused"u8, "x"u8);

        executor.Release();
        Assert.True((await held).Applied);
        Assert.True((await database.TryWriteAsync(batch)).Applied);
        Assert.Equal("x", Text(table.Get("cancelled"u8)));
        Assert.Equal("x", Text(table.Get("reused"u8)));
    }

    [Fact]
    public async Task A_task_that_is_awaited_twice_is_refused_and_harms_no_other_write()
    {
        using Database database = Open(NewDisk());
        Table table = database.GetOrCreateTable("t");
#pragma warning disable CA2012 // The misuse is what is tested.
        ValueTask<WriteResult> write = database.TryWriteAsync(OneKey(table, "a"));
        WriteResult first = await write;
        Assert.Throws<InvalidOperationException>(() => write.GetAwaiter().GetResult());
        ValueTask<WriteResult> next = database.TryWriteAsync(OneKey(table, "b"));
        Assert.Throws<InvalidOperationException>(() => write.GetAwaiter().GetResult());
        Assert.Equal(first.Lsn + 1, (await next).Lsn);
#pragma warning restore CA2012
        Assert.Equal(first.Lsn + 2, (await database.TryWriteAsync(OneKey(table, "c"))).Lsn);
    }

    [Fact]
    public void Writes_are_refused_below_the_free_space_limit_and_taken_again_above_it()
    {
        SimulatedFileSystem disk = NewDisk();
        using Database database = Open(disk, Tiny with { MinFreeDiskBytes = 1 << 20 });
        Table table = database.GetOrCreateTable("t");
        disk.FreeBytes = 1000;
        AiDbException? refusal = null;
        for (int index = 0; index < 3000 && refusal is null; index++)
        {
            try
            {
                table.Put("a"u8, new byte[1000]);
            }
            catch (AiDbException error)
            {
                refusal = error;
            }
        }

        Assert.Equal(AiDbErrorKind.ResourceExhausted, refusal!.Kind);
        Assert.Equal(AiDbErrorKind.ResourceExhausted, database.ReadOnlyReason!.Kind);
        Assert.NotNull(table.Get("a"u8));
        disk.FreeBytes = 1 << 30;
        table.Put("b"u8, "x"u8);
        Assert.Null(database.ReadOnlyReason);
    }

    [Fact]
    public void A_full_volume_of_the_log_is_full_until_it_has_space_whatever_the_other_volume_has()
    {
        const string LogVolume = "/log";
        SimulatedFileSystem disk = NewDisk();
        using Database database = Open(
            disk, Tiny with { MinFreeDiskBytes = 1 << 20, LogDirectory = LogVolume });
        Table table = database.GetOrCreateTable("t");
        List<bool> wasWritable = [];
        disk.FreeBytesOf = path =>
        {
            wasWritable.Add(database.ReadOnlyReason is null);
            return path == LogVolume ? 1000 : 1L << 40;
        };
        Assert.Throws<AiDbException>(() => table.Put("a"u8, new byte[2 << 20]));
        wasWritable.Clear();
        AiDbException error = Assert.Throws<AiDbException>(() => table.Put("a"u8, "x"u8));
        Assert.Equal(AiDbErrorKind.ResourceExhausted, error.Kind);
        Assert.Contains(LogVolume, error.Message, StringComparison.Ordinal);
        Assert.Equal([false, false], wasWritable);
        disk.FreeBytesOf = null;
        Assert.True(table.Put("a"u8, "x"u8).Applied);
    }

    [Fact]
    public void A_write_from_memory_becomes_durable_within_the_interval()
    {
        var time = new FakeTimeProvider(DateTimeOffset.UnixEpoch.AddDays(20_000));
        using Database database = Open(NewDisk(), time: time);
        Table table = database.GetOrCreateTable("t");
        WriteResult write = table.Put("a"u8, "x"u8, durability: WriteDurability.Memory);
        Assert.True(database.DurableLsn < write.Lsn);
        time.Advance(new DatabaseOptions().MemorySyncInterval);
        Assert.Equal(write.Lsn, database.DurableLsn);
    }

    [Fact]
    public void A_failed_sync_turns_the_database_read_only_and_reads_go_on()
    {
        SimulatedFileSystem disk = NewDisk();
        using Database database = Open(disk);
        Table table = database.GetOrCreateTable("t");
        table.Put("a"u8, "x"u8, durability: WriteDurability.Memory);
        disk.OnOperation = (number, what) =>
        {
            if (what.Contains("sync", StringComparison.Ordinal))
                disk.FailAt(number, SimulatedFault.IoError);
        };
        AiDbException error = Assert.Throws<AiDbException>(
            () => table.Put("b"u8, "x"u8, durability: WriteDurability.Synced));
        Assert.Equal(AiDbErrorKind.OutcomeUnknown, error.Kind);
        Assert.NotNull(database.ReadOnlyReason);
        Assert.Equal(AiDbErrorKind.Unavailable, Assert.Throws<AiDbException>(() => table.Put("c"u8, "x"u8)).Kind);
        Assert.NotNull(table.Get("a"u8));
        Assert.Null(table.Get("b"u8));
    }

    [Fact]
    public async Task Reads_and_writes_allocate_nothing_also_where_traces_are_listened_to_but_none_is_under_way()
    {
        int spans = 0;
        int writer = Environment.CurrentManagedThreadId;
        using var listener = new ActivityListener
        {
            ShouldListenTo = static source => source.Name == "AiDb.Engine",
            Sample = static (ref ActivityCreationOptions<ActivityContext> _) => ActivitySamplingResult.AllDataAndRecorded,
            ActivityStarted = _ => spans += Environment.CurrentManagedThreadId == writer ? 1 : 0,
        };
        ActivitySource.AddActivityListener(listener);
        Assert.Null(Activity.Current);
        string folder = Directory.CreateTempSubdirectory("aidb-alloc-").FullName;
        try
        {
            var options = new DatabaseOptions { DefaultDurability = WriteDurability.Memory, MinFreeDiskBytes = 0 };
            using var database = Database.Open(folder, options);
            Table table = database.GetOrCreateTable("t");
            byte[] value = new byte[100];
            byte[][] keys = [.. Enumerable.Range(0, 2000).Select(index => Bytes($"key{index:d10}"))];
            void Write()
            {
                foreach (byte[] key in keys)
                    table.Put(key, value);
            }

            void Read()
            {
                foreach (byte[] key in keys)
                {
                    Assert.True(table.TryGet(key, out ValueLease lease));
                    lease.Dispose();
                }
            }

            Write();
            long writes = Allocated(Write);
            long fromMemtable = Allocated(Read);
            await database.FlushAsync();
            long fromTable = Allocated(Read);
            Assert.Equal(0, fromMemtable);
            Assert.Equal(0, fromTable);
            Assert.Equal(0, writes);
            Assert.Equal(0, spans);
        }
        finally
        {
            Directory.Delete(folder, recursive: true);
        }
    }

    private static readonly TimeSpan StallTimeout = new DatabaseOptions().WriteStallTimeout;

    /// <summary>The least of three runs: the runtime's own allocations (tiering) come and go.</summary>
    private static long Allocated(Action action)
    {
        long least = long.MaxValue;
        for (int round = 0; round < 3; round++)
        {
            long before = GC.GetAllocatedBytesForCurrentThread();
            action();
            least = Math.Min(least, GC.GetAllocatedBytesForCurrentThread() - before);
        }

        return least;
    }

    private static WriteBatch OneKey(Table table, string key)
    {
        var batch = new WriteBatch();
        batch.Put(table, Bytes(key), "x"u8);
        return batch;
    }

    /// <summary>Fills memtables until a write is held up, since flushes are held, and gives that one.</summary>
    private static Task<WriteResult> FillUntilHeld(Database database, Table table)
    {
        for (int index = 0; index < 1000; index++)
        {
            var batch = new WriteBatch();
            batch.Put(table, "filler"u8, new byte[8000]);
            batch.Put(table, Bytes($"held{index}"), "x"u8);
            Task<WriteResult> write = database.TryWriteAsync(batch).AsTask();
            if (!SpinWait.SpinUntil(
                () => write.IsCompleted || database.GetStatistics().StallCause is not null, TimeSpan.FromSeconds(30)))
            {
                break;
            }

            if (!write.IsCompleted)
                return write;
        }

        throw new InvalidOperationException("Nothing is held up.");
    }
}

/// <summary>Runs jobs on the thread pool, but keeps those of held names until they are released.</summary>
internal sealed class HoldingExecutor : IBackgroundExecutor
{
    private readonly Lock _gate = new();
    private readonly HashSet<string> _names = new(StringComparer.Ordinal);
    private readonly List<Action> _held = [];

    /// <summary>Holds back the jobs of a name until what is returned is disposed, or until
    /// <see cref="Release"/>. A database waits for its jobs when it is closed, so a hold must not outlive
    /// it, in particular not when an assertion fails.</summary>
    public IDisposable Hold(string name)
    {
        lock (_gate)
            _names.Add(name);
        return new Holding(this);
    }

    public void Release()
    {
        List<Action> released;
        lock (_gate)
        {
            _names.Clear();
            released = [.. _held];
            _held.Clear();
        }

        foreach (Action job in released)
            _ = Task.Run(job);
    }

    public void Queue(string name, Action job)
    {
        lock (_gate)
        {
            if (_names.Contains(name))
            {
                _held.Add(job);
                return;
            }
        }

        _ = Task.Run(job);
    }

    public void Dispose() => Release();

    private sealed class Holding(HoldingExecutor executor) : IDisposable
    {
        public void Dispose() => executor.Release();
    }
}
