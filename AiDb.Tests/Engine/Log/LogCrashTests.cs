using AiDb.Engine.Log;
using AiDb.Tests.Engine.Storage;
using AiDb.Tests.TestSupport;

namespace AiDb.Tests.Engine.Log;

public sealed class LogCrashTests
{
    private const long SegmentBytes = 2048;
    private const ulong Entries = 60;

    [Fact]
    public void A_crash_at_every_operation_leaves_a_prefix_with_everything_synced()
    {
        long operations = Run(new SimulatedFileSystem(), new Progress());
        Assert.True(operations > 100);
        for (int seed = 0; seed < 6; seed++)
        {
            for (long at = 0; at <= operations; at++)
            {
                var disk = new SimulatedFileSystem(TestSeed.Base + seed);
                var progress = new Progress();
                disk.CrashAt(at);
                try
                {
                    Run(disk, progress);
                }
                catch (SimulatedCrashException)
                {
                    // What the machine's end looks like.
                }

                CheckAfterCrash(disk.Crash(), progress, $"seed {TestSeed.Base + seed}, operation {at}");
            }
        }
    }

    [Fact]
    public void A_segment_whose_name_a_killed_process_did_not_sync_loses_nothing_written_after_the_restart()
    {
        for (int seed = 0; seed < 12; seed++)
        {
            var disk = new SimulatedFileSystem(TestSeed.Base + seed);
            ulong written;
            using (WriteAheadLog log = LogHarness.Open(disk, segmentBytes: SegmentBytes))
            {
                disk.OnOperation = (number, what) =>
                {
                    if (what == $"sync folder {LogHarness.Directory}")
                        disk.FailAt(number, SimulatedFault.IoError);
                };
                Assert.Throws<AiDbException>(() => log.AppendTo(Entries));
                written = log.AppendedLsn;
            }

            disk.OnOperation = null;
            using WriteAheadLog restarted = LogHarness.Open(disk, segmentBytes: SegmentBytes);
            Assert.Equal(written, restarted.AppendedLsn);
            restarted.AppendTo(written + 2);
            restarted.Sync();
            using WriteAheadLog again = LogHarness.Open(disk.Crash(), segmentBytes: SegmentBytes);
            Assert.Equal(written + 2, again.ReadAndCheck());
        }
    }

    [Fact]
    public void Crashes_of_recovery_itself_lose_nothing_either()
    {
        for (int seed = 0; seed < 150; seed++)
        {
            var random = new Random(TestSeed.Base + seed);
            var disk = new SimulatedFileSystem(TestSeed.Base + seed);
            var progress = new Progress();
            for (int round = 0; round < 12; round++)
            {
                disk.CrashAt(disk.OperationCount + random.Next(60));
                try
                {
                    Run(disk, progress, random.Next(1, 5));
                }
                catch (SimulatedCrashException)
                {
                    // The next round starts from what is left.
                }

                disk = disk.Crash();
                CheckAfterCrash(disk.Clone(), progress, $"seed {TestSeed.Base + seed}, round {round}");
            }
        }
    }

    [Theory]
    [InlineData(SimulatedFault.IoError)]
    [InlineData(SimulatedFault.NoSpace)]
    public void A_fault_at_every_operation_leaves_no_half_group_and_nothing_that_was_refused(SimulatedFault fault)
    {
        long operations = Run(new SimulatedFileSystem(), new Progress());
        for (long at = 0; at <= operations; at++)
        {
            foreach (long count in new[] { 1, 2, long.MaxValue })
            {
                var disk = new SimulatedFileSystem(TestSeed.Base);
                disk.FailAt(at, fault, count);
                var progress = new Progress();
                try
                {
                    Run(disk, progress, perGroup: 3);
                }
                catch (AiDbException error)
                {
                    Assert.True(
                        error.Kind is AiDbErrorKind.Unavailable or AiDbErrorKind.ResourceExhausted or AiDbErrorKind.OutcomeUnknown,
                        $"operation {at}: {error}");
                    progress.IsRefused = error.Kind != AiDbErrorKind.OutcomeUnknown;
                }

                disk.StopFailing();
                // Once more as if only the process had ended, and once as if the power had gone.
                CheckAfterCrash(disk.Clone(), progress, $"{fault} x {count} at operation {at}");
                CheckAfterCrash(disk.Crash(), progress, $"{fault} x {count} at operation {at}, then a crash, seed {TestSeed.Base}");
            }
        }
    }

    [Fact]
    public void What_a_start_found_unsynced_is_durable_after_it()
    {
        for (int seed = 0; seed < 50; seed++)
        {
            var disk = new SimulatedFileSystem(TestSeed.Base + seed);
            using (WriteAheadLog log = LogHarness.Open(disk))
                log.AppendTo(7);
            using (WriteAheadLog log = LogHarness.Open(disk))
                Assert.Equal(7ul, log.DurableLsn);
            using WriteAheadLog after = LogHarness.Open(disk.Crash(), new LogOpenState { KnownDurableLsn = 7 });
            Assert.Equal(7ul, after.ReadAndCheck());
        }
    }

    [Fact]
    public void What_a_start_after_a_failed_sync_shows_as_durable_survives_a_loss_of_power()
    {
        for (int seed = 0; seed < 50; seed++)
        {
            var disk = new SimulatedFileSystem(TestSeed.Base + seed);
            using WriteAheadLog failed = LogHarness.Open(disk);
            failed.AppendTo(5);
            failed.Sync();
            failed.AppendTo(20);
            disk.FailAt(disk.OperationCount, SimulatedFault.IoError);
            Assert.Equal(AiDbErrorKind.OutcomeUnknown, LogHarness.KindOf(failed.Sync));
            SimulatedFileSystem running = disk.ForkRunning(TestSeed.Base + seed);
            using WriteAheadLog restarted = LogHarness.Open(running);
            restarted.AppendTo(30);
            restarted.Sync();
            using WriteAheadLog after = LogHarness.Open(running.Crash(), new LogOpenState { KnownDurableLsn = 30 });
            Assert.Equal(30ul, after.ReadAndCheck());
        }
    }

    [Theory]
    [InlineData(SimulatedFault.IoError)]
    [InlineData(SimulatedFault.NoSpace)]
    public void A_group_that_was_refused_never_comes_back(SimulatedFault fault)
    {
        for (int seed = 0; seed < 50; seed++)
        {
            var disk = new SimulatedFileSystem(TestSeed.Base + seed);
            using WriteAheadLog log = LogHarness.Open(disk);
            log.AppendTo(3);
            log.Sync();
            disk.FailAt(disk.OperationCount, fault);
            for (ulong lsn = 4; lsn < 9; lsn++)
                log.Append(lsn, bytes: 10);
            Assert.NotEqual(AiDbErrorKind.OutcomeUnknown, LogHarness.KindOf(log.WriteGroup));
            using (WriteAheadLog restarted = LogHarness.Open(disk.Clone()))
                Assert.Equal(3ul, restarted.AppendedLsn);
            using WriteAheadLog after = LogHarness.Open(disk.Crash());
            Assert.True(after.AppendedLsn == 3, $"seed {TestSeed.Base + seed}");
        }
    }

    [Fact]
    public void After_a_full_disk_the_log_goes_on()
    {
        var disk = new SimulatedFileSystem();
        using WriteAheadLog log = LogHarness.Open(disk);
        log.AppendTo(3);
        disk.FailAt(disk.OperationCount, SimulatedFault.NoSpace);
        log.Append(4);
        log.Append(5);
        Assert.Equal(AiDbErrorKind.ResourceExhausted, LogHarness.KindOf(log.WriteGroup));
        Assert.Null(log.FailedReason);
        Assert.Equal(3ul, log.AppendedLsn);
        log.AppendTo(9, 2);
        Assert.Equal(9ul, log.ReadAndCheck());
    }

    [Fact]
    public void A_failed_sync_is_final()
    {
        var disk = new SimulatedFileSystem();
        using WriteAheadLog log = LogHarness.Open(disk);
        log.AppendTo(3);
        disk.FailAt(disk.OperationCount, SimulatedFault.IoError);
        Assert.Equal(AiDbErrorKind.OutcomeUnknown, LogHarness.KindOf(log.Sync));
        Assert.Equal(AiDbErrorKind.OutcomeUnknown, LogHarness.KindOf(log.Sync));
        Assert.Equal(0ul, log.DurableLsn);
        AiDbException refused = Assert.Throws<AiDbException>(() => log.Append(4));
        Assert.Equal(AiDbErrorKind.Unavailable, refused.Kind);
        Assert.Contains("sync the log", refused.Message, StringComparison.Ordinal);
        log.WriteGroup();
        Assert.Equal(3ul, log.AppendedLsn);
    }

    /// <summary>Appends in groups, syncs now and then, gives segments up; goes on where an earlier run
    /// ended.</summary>
    private static long Run(SimulatedFileSystem disk, Progress progress, int perGroup = 2)
    {
        using WriteAheadLog log = LogHarness.Open(
            disk, new LogOpenState { FirstLsn = progress.Needed, KnownDurableLsn = progress.Synced }, SegmentBytes);
        progress.Synced = Math.Max(progress.Synced, log.DurableLsn);
        ulong target = log.AppendedLsn + Entries;
        while (log.AppendedLsn < target)
        {
            progress.Tried = Math.Max(progress.Tried, log.AppendedLsn + (ulong)perGroup);
            progress.Written = log.AppendedLsn;
            log.AppendTo(log.AppendedLsn + (ulong)perGroup, perGroup);
            progress.Written = log.AppendedLsn;
            if (log.AppendedLsn % 5 == 0)
                log.Sync();
            progress.Synced = Math.Max(progress.Synced, log.DurableLsn);
            if (log.AppendedLsn % 20 == 0)
            {
                log.Sync();
                progress.Synced = log.DurableLsn;
                progress.Needed = Math.Max(progress.Needed, log.DurableLsn - 9);
                log.ReleaseBefore(progress.Needed);
            }
        }

        return disk.OperationCount;
    }

    private static void CheckAfterCrash(SimulatedFileSystem disk, Progress progress, string what)
    {
        try
        {
            using WriteAheadLog log = LogHarness.Open(
                disk, new LogOpenState { FirstLsn = progress.Needed, KnownDurableLsn = progress.Synced }, SegmentBytes);
            ulong last = log.ReadAndCheck(progress.Needed);
            Assert.True(last >= progress.Synced, $"{last} < synced {progress.Synced}");
            ulong most = progress.IsRefused ? progress.Written : progress.Tried;
            Assert.True(last <= most, $"{last} > {most}");
            log.AppendTo(last + 30, 4);
            Assert.Equal(last + 30, log.ReadAndCheck(progress.Needed));
        }
        catch (Exception error) when (error is not OperationCanceledException)
        {
            throw new InvalidOperationException(what, error);
        }
    }

    private sealed class Progress
    {
        public ulong Needed { get; set; } = 1;

        public ulong Synced { get; set; }

        public ulong Written { get; set; }

        public ulong Tried { get; set; }

        public bool IsRefused { get; set; }
    }
}
