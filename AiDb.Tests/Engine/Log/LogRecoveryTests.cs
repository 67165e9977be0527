using AiDb.Engine.Log;
using AiDb.Engine.Replication;
using AiDb.Tests.Engine.Storage;
using AiDb.Tests.TestSupport;

namespace AiDb.Tests.Engine.Log;

public sealed class LogRecoveryTests
{
    [Theory]
    [InlineData(1)]
    [InlineData(7)]
    public void Everything_that_was_written_is_replayed_over_segments_and_starts(int perGroup)
    {
        var disk = new SimulatedFileSystem();
        ulong last = 0;
        for (int start = 0; start < 4; start++)
        {
            using WriteAheadLog log = LogHarness.Open(disk, segmentBytes: 4096);
            Assert.Equal(last, log.AppendedLsn);
            last += 100;
            log.AppendTo(last, perGroup);
        }

        Assert.True(disk.ListFiles(LogHarness.Directory).Count > 10);
        using WriteAheadLog reopened = LogHarness.Open(disk, segmentBytes: 4096);
        Assert.Equal(400ul, reopened.ReadAndCheck());
        Assert.Equal(400ul, reopened.ReadAndCheck(123));
        Assert.Equal((400ul, 1ul, 4000ul), (reopened.DurableLsn, reopened.Epoch, reopened.LastTimestamp));
    }

    [Fact]
    public void A_torn_tail_at_every_byte_of_the_last_record_ends_the_log_before_it()
    {
        var disk = new SimulatedFileSystem();
        long before;
        byte[] whole;
        using (WriteAheadLog log = LogHarness.Open(disk))
        {
            log.AppendTo(5);
            before = LogFormat.SegmentHeaderBytes + Enumerable.Range(1, 5).Sum(static lsn => 48 + LogHarness.SizeOf((ulong)lsn));
            log.AppendTo(6);
            whole = disk.ReadRaw(LogHarness.FirstSegment);
        }

        long end = before + 48 + LogHarness.SizeOf(6);
        for (long cut = before; cut < end; cut++)
        {
            foreach (bool shortFile in new[] { false, true })
            {
                SimulatedFileSystem torn = disk.Clone();
                byte[] bytes = whole[..(shortFile ? (int)cut : whole.Length)];
                bytes.AsSpan((int)cut).Clear();
                torn.WriteRaw(LogHarness.FirstSegment, bytes);
                // A checksum may end in zeroes; then nothing was torn.
                if (bytes.AsSpan().SequenceEqual(whole))
                    continue;
                using WriteAheadLog log = LogHarness.Open(torn);
                Assert.Equal(5ul, log.ReadAndCheck());
                log.AppendTo(8);
                Assert.Equal(8ul, log.ReadAndCheck());
            }
        }
    }

    [Fact]
    public void A_flipped_bit_anywhere_is_data_loss_or_the_end_of_what_nobody_stated_durable()
    {
        var disk = new SimulatedFileSystem();
        using (WriteAheadLog log = LogHarness.Open(disk, segmentBytes: 1024))
        {
            for (ulong lsn = 1; lsn <= 12; lsn++)
            {
                log.AppendTo(lsn);
                log.Sync();
            }
        }

        foreach (string name in disk.ListFiles(LogHarness.Directory))
        {
            string path = $"{LogHarness.Directory}/{name}";
            int length = disk.ReadRaw(path).Length;
            for (int offset = 0; offset < length; offset++)
            {
                SimulatedFileSystem damaged = disk.Clone();
                damaged.FlipBits(path, offset, (byte)(1 << (offset % 8)));
                foreach (ulong known in new ulong[] { 0, 12 })
                {
                    try
                    {
                        using WriteAheadLog log = LogHarness.Open(
                            damaged.Clone(), new LogOpenState { KnownDurableLsn = known }, segmentBytes: 1024);
                        // The last record alone may pass for torn: only the manifest could have known better.
                        Assert.InRange(log.ReadAndCheck(), known == 0 ? 11ul : 12ul, 12ul);
                    }
                    catch (AiDbException error)
                    {
                        Assert.True(error.Kind == AiDbErrorKind.DataLoss, $"{name} at {offset}: {error}");
                        Assert.Contains(LogHarness.Directory, error.Message, StringComparison.Ordinal);
                    }
                }
            }
        }
    }

    [Fact]
    public void Damage_below_a_durable_entry_that_a_later_record_states_is_not_taken_for_a_torn_tail()
    {
        var disk = new SimulatedFileSystem();
        using (WriteAheadLog log = LogHarness.Open(disk))
        {
            log.AppendTo(3);
            log.Sync();
            log.AppendTo(4);
        }

        // The length of the second record: nothing after it can be found by walking.
        disk.FlipBits(LogHarness.FirstSegment, LogFormat.SegmentHeaderBytes + 48 + LogHarness.SizeOf(1) + 1, 0x40);
        AiDbException error = Assert.Throws<AiDbException>(() => LogHarness.Open(disk));
        Assert.Equal(AiDbErrorKind.DataLoss, error.Kind);
        Assert.Contains(LogHarness.FirstSegment, error.Message, StringComparison.Ordinal);
    }

    [Fact]
    public void The_old_tail_of_a_recycled_segment_is_never_replayed()
    {
        var disk = new SimulatedFileSystem();
        using (WriteAheadLog log = LogHarness.Open(disk, segmentBytes: 2048))
        {
            log.AppendTo(60);
            log.ReleaseBefore(50);
            Assert.Contains(disk.ListFiles(LogHarness.Directory), static name => name.EndsWith(".spare", StringComparison.Ordinal));
            ulong first = log.FirstLsn;
            int files = disk.ListFiles(LogHarness.Directory).Count(static name => name.EndsWith(".log", StringComparison.Ordinal));
            while (disk.ListFiles(LogHarness.Directory).Count(static name => name.EndsWith(".log", StringComparison.Ordinal)) == files)
                log.AppendTo(log.AppendedLsn + 1);
            byte[] recycled = disk.ReadRaw($"{LogHarness.Directory}/{disk.ListFiles(LogHarness.Directory).Last(static name => name.EndsWith(".log", StringComparison.Ordinal))}");
            Assert.True(recycled.AsSpan(1500).ContainsAnyExcept((byte)0), "the segment should hold old bytes");
            Assert.Equal(log.AppendedLsn, log.ReadAndCheck(first));
        }

        using WriteAheadLog reopened = LogHarness.Open(disk, new LogOpenState { FirstLsn = 50 }, segmentBytes: 2048);
        ulong last = reopened.ReadAndCheck(50);
        reopened.AppendTo(last + 100);
        Assert.Equal(last + 100, reopened.ReadAndCheck(50));
    }

    [Fact]
    public void A_missing_segment_is_data_loss_where_recovery_needs_it_and_cleared_away_where_not()
    {
        var disk = new SimulatedFileSystem();
        using (WriteAheadLog log = LogHarness.Open(disk, segmentBytes: 2048))
            log.AppendTo(60);
        disk.DeleteFile($"{LogHarness.Directory}/{2:x16}.log");

        Assert.Equal(AiDbErrorKind.DataLoss, LogHarness.KindOf(() => LogHarness.Open(disk.Clone(), segmentBytes: 2048)));
        using WriteAheadLog reopened = LogHarness.Open(disk, new LogOpenState { FirstLsn = 60 }, segmentBytes: 2048);
        Assert.Equal(60ul, reopened.ReadAndCheck(60));
        Assert.False(disk.FileExists(LogHarness.FirstSegment));
    }

    [Fact]
    public void A_log_that_ends_before_what_the_manifest_knows_is_data_loss()
    {
        var disk = new SimulatedFileSystem();
        using (WriteAheadLog log = LogHarness.Open(disk))
            log.AppendTo(5);
        Assert.Equal(AiDbErrorKind.DataLoss, LogHarness.KindOf(() => LogHarness.Open(disk, new LogOpenState { KnownDurableLsn = 6 })));
        Assert.Equal(AiDbErrorKind.DataLoss, LogHarness.KindOf(() => LogHarness.Open(disk, new LogOpenState { FirstLsn = 7 })));
        using WriteAheadLog same = LogHarness.Open(disk, new LogOpenState { FirstLsn = 6, KnownDurableLsn = 5 });
        Assert.Equal(5ul, same.AppendedLsn);
    }

    [Fact]
    public void An_empty_log_begins_where_the_tables_end()
    {
        var disk = new SimulatedFileSystem();
        var state = new LogOpenState { FirstLsn = 43, KnownDurableLsn = 42, LastTimestamp = 420, Epoch = 3 };
        using WriteAheadLog log = LogHarness.Open(disk, state);
        Assert.Equal((43ul, 42ul, 42ul, 3ul, 420ul), (log.FirstLsn, log.AppendedLsn, log.CommittedLsn, log.Epoch, log.LastTimestamp));
        log.AppendTo(45, epoch: 3);
        Assert.Equal(45ul, log.ReadAndCheck(43));
        Assert.Equal([new EpochStart(3, 43)], log.EpochHistory);
        Assert.Equal(AiDbErrorKind.DataLoss, LogHarness.KindOf(() => LogHarness.Open(new SimulatedFileSystem(), state with { KnownDurableLsn = 50 })));
    }

    [Fact]
    public void A_mangled_segment_is_opened_to_a_right_prefix_or_refused()
    {
        var disk = new SimulatedFileSystem();
        using (WriteAheadLog log = LogHarness.Open(disk, segmentBytes: 8192))
            log.AppendTo(20, 3);
        byte[] whole = disk.ReadRaw(LogHarness.FirstSegment);
        for (int round = 0; round < 3000; round++)
        {
            var random = new Random(TestSeed.Base + round);
            byte[] bytes = whole[..random.Next(whole.Length)];
            for (int edits = random.Next(3); edits > 0 && bytes.Length > 0; edits--)
                random.NextBytes(bytes.AsSpan(random.Next(bytes.Length))[..1]);
            var mangled = new SimulatedFileSystem();
            mangled.CreateDirectory(LogHarness.Directory);
            mangled.WriteRaw(LogHarness.FirstSegment, bytes);
            try
            {
                using WriteAheadLog log = LogHarness.Open(mangled, segmentBytes: 8192);
                log.ReadAndCheck();
            }
            catch (AiDbException error)
            {
                Assert.True(
                    error.Kind is AiDbErrorKind.DataLoss or AiDbErrorKind.Unimplemented,
                    $"seed {TestSeed.Base}, round {round}: {error}");
            }
        }
    }
}
