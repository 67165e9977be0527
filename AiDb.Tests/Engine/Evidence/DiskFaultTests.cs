using AiDb.Engine;
using AiDb.Tests.Engine.Storage;
using AiDb.Tests.TestSupport;

namespace AiDb.Tests.Engine.Evidence;

/// <summary>Random histories on disks that fail: full, or with errors of writes, syncs, renames, deletions, openings and
/// reads, once or for a while. Reads go on and answer right or with an error, nothing acknowledged is lost, and once
/// the disk works again so does the database.</summary>
[Trait("Category", EvidenceRun.Category)]
public sealed class DiskFaultTests
{
    private const int Steps = 70;

    // What a write whose version is not known would have expired as is not known either.
    private static readonly HistoryShape Shape = new(1200, int.MaxValue / 2, int.MaxValue);

    private int _failedSteps;
    private int _unknown;
    private int _reopened;
    private int _powerLosses;
    private readonly HistoryCounts _counts = new();

    [Fact]
    public async Task A_disk_that_fails_at_any_moment_takes_nothing_that_was_acknowledged_and_reads_go_on()
    {
        int histories = EvidenceRun.Scale(150, 8_000);
        for (int history = 0; history < histories; history++)
        {
            int seed = TestSeed.Base + (history * 6_700_417);
            var progress = new Progress();
            try
            {
                await RunAsync(seed, progress).WaitAsync(TimeSpan.FromMinutes(5), TestContext.Current.CancellationToken);
            }
            catch (Exception error)
            {
                Assert.Fail($"AIDB_TEST_SEED={TestSeed.Base}, history {history} (seed {seed}), {progress.Where}: {error}");
            }
        }

        EvidenceRun.Report(
            $"disk faults: {histories} histories, {_failedSteps} operations failed, {_unknown} with an unknown outcome, " +
            $"{_reopened} restarts, {_powerLosses} losses of power after faults; {_counts}; seed {TestSeed.Base}");
        Assert.True(_failedSteps > histories / 2, "the disk hardly ever failed");
        Assert.True(_unknown > 0, "no outcome was ever unknown");
    }

    private async Task RunAsync(int seed, Progress progress)
    {
        var random = new Random(seed ^ 0x5DEECE6);
        var disk = new SimulatedFileSystem(seed);
        using var history = new RandomHistory(seed, disk, Shape);

        // A write that is held up because no flush works waits for time to pass.
        using var clock = new Timer(
            _ =>
            {
                if (Environment.TickCount64 - Volatile.Read(ref progress.StepStartedMs) > 1500)
                    history.Time.Advance(TimeSpan.FromSeconds(10));
            },
            null, 500, 500);
        history.Open();
        int faultEnds = 0;
        for (int step = 0; step < Steps; step++)
        {
            Volatile.Write(ref progress.StepStartedMs, Environment.TickCount64);
            if (step == faultEnds)
                await RecoverAsync(history, disk, random, progress);
            if (step >= faultEnds && random.Next(8) == 0)
                faultEnds = step + Fail(disk, random, progress, step);
            bool wasUnknown = history.IsUnknown;
            AiDbException? error = await history.TryStepAsync();
            if (error is null)
            {
                CheckReads(history, step < faultEnds, random);
                continue;
            }

            Assert.True(step < faultEnds || wasUnknown, $"step {step} failed although the disk works: {error}");
            Assert.NotEqual(AiDbErrorKind.Internal, error.Kind);
            Assert.NotEqual(AiDbErrorKind.DataLoss, error.Kind);
            _failedSteps++;
            _unknown += history.IsUnknown && !wasUnknown ? 1 : 0;
            CheckReads(history, true, random);
        }

        progress.Where += ", at the end";
        await RecoverAsync(history, disk, random, progress);
        _counts.Add(history.Counts);
    }

    /// <summary>Lets the disk fail from some operation on; returns the steps until it works again.</summary>
    private static int Fail(SimulatedFileSystem disk, Random random, Progress progress, int step)
    {
        long from = random.Next(12);
        long count = random.Next(3) == 0 ? 1 : random.Next(1, 40);
        int kind = random.Next(4);
        progress.Where = $"fault {kind} from step {step}, operation {from}, {count} times";
        switch (kind)
        {
            case 0:
                disk.FailAt(disk.OperationCount + from, SimulatedFault.NoSpace, count);
                break;
            case 1:
                disk.FailReadsAt(disk.ReadCount + from, count);
                break;
            default:
                disk.FailAt(disk.OperationCount + from, SimulatedFault.IoError, count);
                break;
        }

        return random.Next(2, 15);
    }

    /// <summary>The disk works again: the database does, too, at once or after it was opened anew, and a loss of power
    /// takes only what was not durable.</summary>
    private async Task RecoverAsync(RandomHistory history, SimulatedFileSystem disk, Random random, Progress progress)
    {
        disk.StopFailing();
        if (random.Next(2) == 0)
            LosePower(history, disk, random);
        if (!history.IsOpen || history.Database.ReadOnlyReason is not null || random.Next(3) == 0)
        {
            history.Close();
            history.Open();
            _reopened++;
        }

        Volatile.Write(ref progress.StepStartedMs, Environment.TickCount64);
        await history.Database.CompactAsync();
        Assert.Null(history.Database.ReadOnlyReason);
        CheckReads(history, mayFail: false, random);
        if (random.Next(2) == 0)
            LosePower(history, disk, random);
    }

    private void LosePower(RandomHistory history, SimulatedFileSystem disk, Random random)
    {
        using Database database = TestDatabase.Open(disk.Fork(random.Next()), history.Options, history.Time);
        history.Check(database, history.DurableLsn, random);
        _powerLosses++;
    }

    private static void CheckReads(RandomHistory history, bool mayFail, Random random)
    {
        if (!history.IsOpen)
            return;
        try
        {
            history.State.Check(history.Database, history.NowMs, random);
        }
        catch (AiDbException error) when (mayFail && error.Kind == AiDbErrorKind.Unavailable)
        {
            // The block could not be read just now.
        }
    }

    private sealed class Progress
    {
        public long StepStartedMs = Environment.TickCount64;

        public string Where { get; set; } = "before the first fault";
    }
}
