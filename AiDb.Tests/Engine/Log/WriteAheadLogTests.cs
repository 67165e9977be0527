using AiDb.Engine;
using AiDb.Engine.Log;
using AiDb.Engine.Replication;
using AiDb.Engine.Storage;
using AiDb.Tests.Engine.Storage;

namespace AiDb.Tests.Engine.Log;

public sealed class WriteAheadLogTests
{
    [Fact]
    public void A_reader_sees_what_is_written_up_to_its_limit_and_no_more()
    {
        using WriteAheadLog log = LogHarness.Open(new SimulatedFileSystem());
        using LogReader reader = log.OpenReader(1);
        Assert.False(reader.TryRead(ulong.MaxValue, out _));
        log.Append(1);
        Assert.False(reader.TryRead(ulong.MaxValue, out _));
        log.WriteGroup();
        log.AppendTo(3);
        Assert.True(reader.TryRead(2, out LogEntry entry));
        Assert.Equal(new LogPosition(1, 1, 10), entry.Position);
        Assert.True(reader.TryRead(2, out _));
        Assert.False(reader.TryRead(2, out _));
        Assert.True(reader.TryRead(3, out entry));
        Assert.Equal(3ul, entry.Position.Lsn);
        Assert.Equal(4ul, reader.NextLsn);
        Assert.Throws<ArgumentOutOfRangeException>(() => log.OpenReader(5));
    }

    [Fact]
    public void A_reader_that_fell_behind_is_told_and_one_within_the_retention_goes_on()
    {
        var disk = new SimulatedFileSystem();
        using WriteAheadLog log = LogHarness.Open(disk, segmentBytes: 2048, retentionBytes: 3 * 2048);
        log.AppendTo(40);
        using LogReader behind = log.OpenReader(1);
        Assert.True(behind.TryRead(ulong.MaxValue, out _));
        log.AppendTo(200);
        log.ReleaseBefore(log.AppendedLsn + 1);
        Assert.InRange(log.SizeBytes, 2048, 5 * 2048);
        Assert.Equal(AiDbErrorKind.Aborted, LogHarness.KindOf(() => behind.TryRead(ulong.MaxValue, out _)));
        Assert.Equal(AiDbErrorKind.Aborted, LogHarness.KindOf(() => log.OpenReader(1)));
        Assert.True(log.FirstLsn > 1);
        Assert.Equal(200ul, log.ReadAndCheck(log.FirstLsn));
    }

    [Fact]
    public async Task A_sync_that_fails_beside_the_end_of_a_segment_makes_nothing_durable()
    {
        var disk = new SimulatedFileSystem();
        using WriteAheadLog log = LogHarness.Open(disk, segmentBytes: 4096);
        log.AppendTo(8);
        using var syncing = new ManualResetEventSlim();
        disk.OnOperation = (number, what) =>
        {
            if (!what.StartsWith("sync", StringComparison.Ordinal) || syncing.IsSet)
                return;
            syncing.Set();

            // The appender writes the segment's end now and wants to sync it too.
            SpinWait.SpinUntil(() => disk.OperationCount > number, TimeSpan.FromSeconds(20));
            disk.FailAt(disk.OperationCount, SimulatedFault.IoError);
        };
        Task<AiDbException> failed = Task.Run(() => Assert.Throws<AiDbException>(log.Sync));
        Assert.True(syncing.Wait(TimeSpan.FromSeconds(20)));
        log.Append(9, 4096);
        Assert.Equal(AiDbErrorKind.Unavailable, LogHarness.KindOf(log.WriteGroup));
        Assert.Equal(AiDbErrorKind.OutcomeUnknown, (await failed).Kind);
        Assert.Equal(0ul, log.DurableLsn);
        Assert.NotNull(log.FailedReason);
    }

    [Fact]
    public void A_group_bigger_than_a_segment_gets_one_of_its_own()
    {
        var disk = new SimulatedFileSystem();
        using WriteAheadLog log = LogHarness.Open(disk, segmentBytes: 4096);
        log.AppendTo(2);
        log.Append(3, 1 << 20);
        log.WriteGroup();
        log.Append(4, 10);
        log.WriteGroup();
        using LogReader reader = log.OpenReader(3);
        Assert.True(reader.TryRead(ulong.MaxValue, out LogEntry big));
        Assert.Equal(LogHarness.Payload(3, 1 << 20), big.Payload.ToArray());
        Assert.True(reader.TryRead(ulong.MaxValue, out LogEntry small));
        Assert.Equal(LogHarness.Payload(4, 10), small.Payload.ToArray());
        Assert.Equal(3, disk.ListFiles(LogHarness.Directory).Count);
    }

    [Theory]
    [InlineData(64 << 10)]
    [InlineData(2048)]
    public void A_cut_removes_what_follows_and_another_history_takes_its_place(long segmentBytes)
    {
        for (ulong cut = 10; cut <= 40; cut++)
        {
            var disk = new SimulatedFileSystem();
            using (WriteAheadLog log = LogHarness.Open(disk, segmentBytes: segmentBytes))
            {
                log.AppendTo(30);
                log.AppendTo(40, epoch: 2);
                log.Sync();
                log.Commit(10);
                using LogReader before = log.OpenReader(5);
                using LogReader beyond = log.OpenReader(41);
                log.TruncateAfter(cut);
                Assert.Equal((cut, cut), (log.AppendedLsn, log.DurableLsn));
                Assert.Equal(cut > 30 ? 2ul : 1ul, log.Epoch);
                log.AppendTo(50, epoch: 3);
                EpochStart[] history = cut > 30 ? [new(1, 1), new(2, 31), new(3, cut + 1)] : [new(1, 1), new(3, cut + 1)];
                Assert.Equal(history, log.EpochHistory);
                for (ulong lsn = 5; lsn <= 50; lsn++)
                {
                    Assert.True(before.TryRead(ulong.MaxValue, out LogEntry entry));
                    Assert.Equal(lsn, entry.Position.Lsn);
                    Assert.Equal(lsn > cut ? 3ul : lsn > 30 ? 2ul : 1ul, entry.Position.Epoch);
                }

                if (cut < 40)
                    Assert.Equal(AiDbErrorKind.Aborted, LogHarness.KindOf(() => beyond.TryRead(ulong.MaxValue, out _)));
                Assert.Throws<ArgumentOutOfRangeException>(() => log.TruncateAfter(9));
            }

            using WriteAheadLog reopened = LogHarness.Open(disk, segmentBytes: segmentBytes);
            Assert.Equal(50ul, reopened.ReadAndCheck());
            Assert.Equal(3ul, reopened.Epoch);
            Assert.Equal(new EpochStart(3, cut + 1), reopened.EpochHistory[^1]);
        }
    }

    [Fact]
    public void Epochs_survive_a_start()
    {
        var disk = new SimulatedFileSystem();
        EpochStart[] expected = [new(1, 1), new(4, 41), new(6, 81)];
        using (WriteAheadLog log = LogHarness.Open(disk, segmentBytes: 2048))
        {
            log.AppendTo(40);
            log.AppendTo(80, epoch: 4);
            log.AppendTo(100, epoch: 6);
            Assert.Equal(expected, log.EpochHistory);
        }

        using (WriteAheadLog log = LogHarness.Open(disk, segmentBytes: 2048))
        {
            Assert.Equal(expected, log.EpochHistory);
            log.ReleaseBefore(60);
            Assert.Equal([new EpochStart(4, log.FirstLsn), new EpochStart(6, 81)], log.EpochHistory);
        }
    }

    [Fact]
    public void Misuse_is_refused()
    {
        using WriteAheadLog log = LogHarness.Open(new SimulatedFileSystem());
        log.AppendTo(3, epoch: 2);
        Assert.Throws<ArgumentOutOfRangeException>(() => log.Append(LogRecordType.Batch, 2, 5, 100, []));
        Assert.Throws<ArgumentOutOfRangeException>(() => log.Append(LogRecordType.Batch, 1, 4, 100, []));
        Assert.Throws<ArgumentOutOfRangeException>(() => log.Append(LogRecordType.Batch, 2, 4, 30, []));
        Assert.Throws<ArgumentOutOfRangeException>(() => log.Append((LogRecordType)9, 2, 4, 100, []));
        Assert.Throws<ArgumentOutOfRangeException>(() => log.Commit(4));
    }

    [Fact]
    public async Task Syncs_readers_and_releases_run_beside_the_appender()
    {
        var disk = new SimulatedFileSystem();
        using WriteAheadLog log = LogHarness.Open(disk, segmentBytes: 8192, retentionBytes: 64 << 10);
        const ulong Last = 4000;
        Task sync = Task.Run(
            () =>
            {
                while (log.DurableLsn < Last)
                {
                    ulong before = log.AppendedLsn;
                    log.Sync();
                    Assert.True(log.DurableLsn >= before);
                    Assert.True(log.DurableLsn <= log.AppendedLsn);
                    log.ReleaseBefore(log.DurableLsn);
                }
            },
            TestContext.Current.CancellationToken);
        Task read = Task.Run(
            () =>
            {
                LogReader? reader = null;
                do
                {
                    try
                    {
                        reader ??= log.OpenReader(log.FirstLsn);
                        if (!reader.TryRead(log.DurableLsn, out LogEntry entry))
                            continue;
                        Assert.Equal(entry.Position.Lsn * 10, entry.Position.Timestamp);
                        Assert.Equal(
                            LogHarness.Payload(entry.Position.Lsn, LogHarness.SizeOf(entry.Position.Lsn)),
                            entry.Payload.ToArray());
                    }
                    catch (AiDbException error) when (error.Kind == AiDbErrorKind.Aborted)
                    {
                        reader?.Dispose();
                        reader = null;
                    }
                }
                while (reader is null || reader.NextLsn <= Last);

                reader.Dispose();
            },
            TestContext.Current.CancellationToken);
        log.AppendTo(Last, 3);
        await Task.WhenAll(sync, read);
        Assert.Equal(Last, log.DurableLsn);
    }

    [Fact]
    public void Appending_allocates_nothing_per_record()
    {
        string directory = Path.Combine(Path.GetTempPath(), "aidb-log-" + Guid.NewGuid().ToString("N"));
        try
        {
            using WriteAheadLog log = WriteAheadLog.Open(
                LogHarness.Options(PhysicalFileSystem.Instance, 16 << 20, directory: directory), new LogOpenState());
            byte[] payload = new byte[100];
            void Append(ulong from, ulong to)
            {
                for (ulong lsn = from; lsn <= to; lsn++)
                {
                    log.Append(LogRecordType.Batch, 1, lsn, lsn, payload);
                    if (lsn % 10 == 0)
                        log.WriteGroup();
                }
            }

            Append(1, 1000);
            long before = GC.GetAllocatedBytesForCurrentThread();
            Append(1001, 11_000);
            Assert.InRange(GC.GetAllocatedBytesForCurrentThread() - before, 0, 10_000);
            log.Sync();
            Assert.Equal(11_000ul, log.DurableLsn);
        }
        finally
        {
            PhysicalFileSystem.Instance.DeleteDirectory(directory);
        }
    }
}
