using AiDb.Engine;
using AiDb.Tests.Engine.Storage;
using AiDb.Tests.TestSupport;

namespace AiDb.Tests.Engine.Evidence;

/// <summary>Losses of power at every change that a history makes to its disk: each time several disks as the loss may
/// leave them, each opened and compared with the states that the history went through.</summary>
[Trait("Category", EvidenceRun.Category)]
public sealed class CrashPointTests
{
    private const int Steps = 60;

    [Fact]
    public async Task A_loss_of_power_at_any_change_leaves_a_prefix_without_holes_that_holds_what_was_durable()
    {
        var points = new Points(EvidenceRun.Scale(3_000, 120_000));
        int histories = 0;
        for (; !points.IsEnough; histories++)
        {
            int seed = TestSeed.Base + (histories * 7919);
            try
            {
                await RunAsync(seed, points);
            }
            catch (Exception error)
            {
                Assert.Fail($"AIDB_TEST_SEED={TestSeed.Base}, history {histories} (seed {seed}), {points.Current}: {error}");
            }
        }

        EvidenceRun.Report(
            $"crash points: {points.Done} of {histories} histories, {points.OfRecovery} of them while a crash was being " +
            $"recovered from, {points.WithLoss} lost entries that nobody was promised; {points.Counts}; seed {TestSeed.Base}");
        Assert.True(points.WithLoss > 0, "no crash ever lost anything: the simulated disk keeps too much");
    }

    private static async Task RunAsync(int seed, Points points)
    {
        var disk = new SimulatedFileSystem(seed);
        using var history = new RandomHistory(seed, disk, mayFilter: true);
        var gate = new Lock();
        var forks = new List<Crash>();
        int salt = 0;

        // The tail of background work may still run on its own thread when a step is over.
        disk.OnOperation = (number, what) =>
        {
            lock (gate)
            {
                for (int copy = 0; copy < 2; copy++)
                    forks.Add(new Crash(disk.Fork(seed + salt++), history.DurableLsn, seed + salt, $"before change {number}, {what}"));
            }
        };
        history.Open();
        for (int step = 0; step < Steps && !points.IsEnough; step++)
        {
            await history.StepAsync();
            List<Crash> taken;
            lock (gate)
            {
                taken = forks;
                forks = [];
            }

            foreach (Crash crash in taken)
                await RecoverAsync(history, crash, points, mayCrashAgain: true);
        }

        points.Counts.Add(history.Counts);

        // The end of the history is no crash.
        disk.OnOperation = null;
    }

    /// <summary>Opens a disk that lost its power, and sometimes goes on with it.</summary>
    private static async Task RecoverAsync(RandomHistory history, Crash crash, Points points, bool mayCrashAgain)
    {
        points.Current = crash.Where;
        var random = new Random(crash.Seed);
        var again = new List<Crash>();
        if (mayCrashAgain && random.Next(12) == 0)
        {
            crash.Disk.OnOperation = (number, what) => again.Add(new Crash(
                crash.Disk.Fork(crash.Seed + (int)number), crash.DurableLsn, crash.Seed + (int)number,
                $"{crash.Where}; and again before change {number}, {what}"));
        }

        ulong lsn;
        using (Database database = TestDatabase.Open(crash.Disk, history.Options, history.Time))
        {
            crash.Disk.OnOperation = null;
            lsn = history.Check(database, crash.DurableLsn, random);
            if (random.Next(8) == 0)
                await GoOnAsync(history, database, lsn, random);
        }

        points.Count(lsn + 1 < (ulong)history.States.Count, isOfRecovery: !mayCrashAgain);
        foreach (Crash second in again)
            await RecoverAsync(history, second, points, mayCrashAgain: false);
    }

    private static async Task GoOnAsync(RandomHistory history, Database database, ulong lsn, Random random)
    {
        HistoryState state = history.States[(int)lsn];
        for (int count = 0; count < 3 && state.Tables.Count > 0; count++)
        {
            HistoryBatch batch = HistoryBatch.Next(random, state, history.NowMs);
            WriteResult result = database.TryWrite(batch.ToWriteBatch(database), WriteDurability.Memory);
            if (result.Applied)
                state = batch.Apply(state, result.Version);
        }

        if (random.Next(2) == 0)
            await database.CompactAsync();
        state.Check(database, Math.Max(history.NowMs, database.AppliedPosition.Timestamp >> 16), random);
    }

    private sealed record Crash(SimulatedFileSystem Disk, ulong DurableLsn, int Seed, string Where);

    private sealed class Points(int wanted)
    {
        public int Done { get; private set; }

        public int OfRecovery { get; private set; }

        public int WithLoss { get; private set; }

        public HistoryCounts Counts { get; } = new();

        public string Current { get; set; } = "before the first change";

        public bool IsEnough => Done >= wanted;

        public void Count(bool lost, bool isOfRecovery)
        {
            Done++;
            OfRecovery += isOfRecovery ? 1 : 0;
            WithLoss += lost ? 1 : 0;
        }
    }
}
