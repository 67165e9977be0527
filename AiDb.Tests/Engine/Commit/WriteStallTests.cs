using System.Diagnostics;
using System.Diagnostics.Metrics;
using AiDb.Engine;
using AiDb.Tests.Engine.Storage;
using AiDb.Tests.TestSupport;
using Microsoft.Extensions.Time.Testing;
using static AiDb.Tests.Engine.TestDatabase;

namespace AiDb.Tests.Engine.Commit;

public sealed class WriteStallTests
{
    [Fact]
    public async Task Full_memtables_are_named_metered_logged_and_over_when_they_are_flushed()
    {
        var time = new FakeTimeProvider(DateTimeOffset.UnixEpoch.AddDays(20_000));
        var executor = new HoldingExecutor();
        var log = new RecordingLog();
        using var meter = new StallMeter();
        using Database database = Open(NewDisk(), Tiny with { MaxImmutableMemtables = 1 }, time, executor, log);
        Assert.Equal(WriteStallKind.None, database.GetStatistics().Stall);
        Table table = database.GetOrCreateTable("t");
        using IDisposable hold = executor.Hold("flush");
        Task<WriteResult> held = FillUntil(database, table, WriteStallKind.MemtablesFull);

        DateTimeOffset began = time.GetUtcNow();
        time.Advance(TimeSpan.FromSeconds(7));
        DatabaseStatistics during = database.GetStatistics();
        Assert.Equal(began, during.StallSince);
        Assert.Contains("MaxImmutableMemtables", during.StallCause, StringComparison.Ordinal);
        Assert.Equal(TimeSpan.FromSeconds(7), during.Stalls[WriteStallKind.MemtablesFull].Duration);

        executor.Release();
        Assert.True((await held).Applied);
        await database.FlushAsync();
        AssertOver(database);
        DatabaseStatistics after = database.GetStatistics();
        Assert.Equal(WriteStallKind.None, after.Stall);
        Assert.Null(after.StallCause);
        Assert.Null(after.StallSince);
        Assert.Equal(1, after.Stalls[WriteStallKind.MemtablesFull].Count);
        Assert.Equal(TimeSpan.FromSeconds(7), after.Stalls[WriteStallKind.MemtablesFull].Duration);
        Assert.Contains(log.Lines, line => line.Contains("stall MemtablesFull began", StringComparison.Ordinal));
        Assert.Contains(log.Lines, line => line.Contains("stall MemtablesFull ended after 00:00:07", StringComparison.Ordinal));
        Assert.Contains(("aidb.engine.stall_duration", "MemtablesFull", 7.0), meter.Seen);
        Assert.Contains(meter.Seen, seen => seen is { Instrument: "aidb.engine.write_stops", Stall: "MemtablesFull" });
    }

    [Fact]
    public async Task A_write_that_times_out_says_which_stall_it_was()
    {
        var time = new FakeTimeProvider(DateTimeOffset.UnixEpoch.AddDays(20_000));
        var executor = new HoldingExecutor();
        using Database database = Open(NewDisk(), Tiny with { MaxImmutableMemtables = 1 }, time, executor);
        Table table = database.GetOrCreateTable("t");
        using IDisposable hold = executor.Hold("flush");
        Task<WriteResult> held = FillUntil(database, table, WriteStallKind.MemtablesFull);
        time.Advance(TimeSpan.FromMinutes(1));
        AiDbException error = await Assert.ThrowsAsync<AiDbException>(() => held);
        Assert.Equal(AiDbErrorKind.ResourceExhausted, error.Kind);
        Assert.Contains("(MemtablesFull)", error.Message, StringComparison.Ordinal);
        Assert.Contains("00:00:30", error.Message, StringComparison.Ordinal);
        executor.Release();
    }

    [Theory]
    [InlineData(3, WriteStallKind.Level0Slowdown)]
    [InlineData(6, WriteStallKind.Level0Stop)]
    public async Task Tables_in_level_0_slow_writes_down_and_then_hold_them_up(int tables, WriteStallKind expected)
    {
        var executor = new HoldingExecutor();
        DatabaseOptions options = Tiny with { Level0SlowdownTrigger = 3, Level0StopTrigger = 6 };
        using Database database = Open(NewDisk(), options, executor: executor);
        Table table = database.GetOrCreateTable("t");
        using IDisposable hold = executor.Hold("compaction");
        for (int index = 0; index < tables; index++)
        {
            table.Put(Bytes($"k{index}"), "v"u8);
            await database.FlushAsync();
        }

        DatabaseStatistics stalled = database.GetStatistics();
        Assert.Equal(expected, stalled.Stall);
        Assert.Contains(expected == WriteStallKind.Level0Stop ? "Level0StopTrigger" : "Level0SlowdownTrigger",
            stalled.StallCause, StringComparison.Ordinal);
        executor.Release();
        await database.CompactAsync();
        AssertOver(database);
    }

    [Fact]
    public async Task Bytes_that_wait_for_compaction_slow_writes_down()
    {
        var executor = new HoldingExecutor();
        DatabaseOptions options = Tiny with
        {
            PendingCompactionBytes = 16 << 10,
            Compression = BlockCompression.None,
            Level0SlowdownTrigger = 20,
            Level0StopTrigger = 30,
        };
        using Database database = Open(NewDisk(), options, executor: executor);
        Table table = database.GetOrCreateTable("t");
        using IDisposable hold = executor.Hold("compaction");

        // With nothing in level 1, level 0 is due with twice the tables of its trigger.
        for (int index = 0; index < 2 * options.Level0CompactionTrigger; index++)
        {
            table.Put(Bytes($"k{index}"), new byte[12_000]);
            await database.FlushAsync();
        }

        Assert.Equal(WriteStallKind.PendingCompaction, database.GetStatistics().Stall);
        executor.Release();
        await database.CompactAsync();
        AssertOver(database);
    }

    [Fact]
    public void A_full_disk_is_a_stall_until_it_has_space()
    {
        SimulatedFileSystem disk = NewDisk();
        using Database database = Open(disk, Tiny with { MinFreeDiskBytes = 1 << 20 });
        Table table = database.GetOrCreateTable("t");
        disk.FreeBytes = 1000;
        Assert.Throws<AiDbException>(() =>
        {
            for (int index = 0; index < 100; index++)
                table.Put("k"u8, new byte[30_000]);
        });
        Assert.Equal(WriteStallKind.DiskFull, database.GetStatistics().Stall);
        Assert.Contains("MinFreeDiskBytes", database.GetStatistics().StallCause, StringComparison.Ordinal);
        disk.FreeBytes = 1 << 30;
        table.Put("k"u8, "v"u8);
        Assert.Equal(WriteStallKind.None, database.GetStatistics().Stall);
    }

    /// <summary>The job that ends a stall answers those who wait for it first.</summary>
    private static void AssertOver(Database database) => Assert.True(
        SpinWait.SpinUntil(() => database.GetStatistics().Stall == WriteStallKind.None, TimeSpan.FromSeconds(30)),
        database.GetStatistics().StallCause);

    private static Task<WriteResult> FillUntil(Database database, Table table, WriteStallKind kind)
    {
        for (int index = 0; index < 1000; index++)
        {
            var batch = new WriteBatch();
            batch.Put(table, "filler"u8, new byte[8000]);
            Task<WriteResult> write = database.TryWriteAsync(batch).AsTask();
            Assert.True(SpinWait.SpinUntil(
                () => write.IsCompleted || database.GetStatistics().Stall == kind, TimeSpan.FromSeconds(30)));
            if (!write.IsCompleted)
                return write;
        }

        throw new InvalidOperationException("Nothing is held up.");
    }

    private sealed class StallMeter : IDisposable
    {
        private readonly MeterListener _listener = new();
        private readonly List<(string Instrument, string Stall, double Value)> _seen = [];

        public StallMeter()
        {
            _listener.InstrumentPublished = (instrument, listener) =>
            {
                if (instrument.Meter.Name == "AiDb.Engine")
                    listener.EnableMeasurementEvents(instrument);
            };
            _listener.SetMeasurementEventCallback<double>((instrument, value, tags, _) => Add(instrument, value, tags));
            _listener.SetMeasurementEventCallback<long>((instrument, value, tags, _) => Add(instrument, value, tags));
            _listener.Start();
        }

        public IReadOnlyList<(string Instrument, string Stall, double Value)> Seen
        {
            get
            {
                lock (_seen)
                    return [.. _seen];
            }
        }

        public void Dispose() => _listener.Dispose();

        private void Add(Instrument instrument, double value, ReadOnlySpan<KeyValuePair<string, object?>> tags)
        {
            foreach (KeyValuePair<string, object?> tag in tags)
            {
                if (tag.Key != "aidb.stall")
                    continue;
                lock (_seen)
                    _seen.Add((instrument.Name, (string)tag.Value!, value));
            }
        }
    }
}

[Collection(AloneCollection.Name)]
public sealed class WriteTraceTests
{
    [Fact]
    public void A_listener_to_all_sources_gets_a_span_within_a_recorded_trace_and_costs_nothing_outside_one()
    {
        List<string> spans = [];
        using var listener = new ActivityListener
        {
            ShouldListenTo = static source => source.Name is "AiDb.Engine" or "AiDb.Tests.Caller",
            Sample = static (ref ActivityCreationOptions<ActivityContext> _) => ActivitySamplingResult.AllDataAndRecorded,
            ActivityStopped = activity =>
            {
                lock (spans)
                    spans.Add(activity.OperationName);
            },
        };
        ActivitySource.AddActivityListener(listener);
        using var caller = new ActivitySource("AiDb.Tests.Caller");
        using Database database = Open(NewDisk(), Tiny with { MemtableBytes = 8 << 20, LogSegmentBytes = 8 << 20 });
        Table table = database.GetOrCreateTable("t");
        var batch = new WriteBatch();
        batch.Put(table, "k"u8, "v"u8);
        using (caller.StartActivity("request"))
            database.TryWrite(batch);
        Assert.Equal(["aidb.engine.write", "request"], spans);

        spans.Clear();
        for (int index = 0; index < 200; index++)
            database.TryWrite(batch);
        Assert.Empty(spans);
    }
}
