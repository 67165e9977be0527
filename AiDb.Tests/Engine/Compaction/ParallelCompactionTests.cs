using System.Globalization;
using AiDb.Engine;
using AiDb.Tests.Engine.Storage;
using AiDb.Tests.TestSupport;
using static AiDb.Tests.Engine.TestDatabase;

namespace AiDb.Tests.Engine.Compaction;

public sealed class ParallelCompactionTests
{
    private static readonly TimeSpan Patience = TimeSpan.FromMinutes(1);

    private static readonly DatabaseOptions Many = Tiny with { CompactionThreads = 4, Level0SlowdownTrigger = 50, Level0StopTrigger = 60 };

    [Fact]
    public async Task The_parts_of_a_big_compaction_run_side_by_side_and_make_one_run_with_every_version_that_is_seen()
    {
        SimulatedFileSystem disk = NewDisk();
        using var executor = new BackgroundExecutor(2);
        using Database database = Open(
            disk, Tiny with { CompactionThreads = 2, Level0CompactionTrigger = 50, Level0SlowdownTrigger = 51, Level0StopTrigger = 60 },
            executor: executor);
        Table table = database.GetOrCreateTable("t");
        List<(string, string)> Fill(int round)
        {
            List<(string, string)> all = [];
            for (int key = 0; key < 1500; key++)
            {
                all.Add(($"{key:d6}", $"{round} {key} {Noise(key)}"));
                table.Put(Bytes(all[^1].Item1), Bytes(all[^1].Item2));
            }

            return all;
        }

        List<(string, string)> before = Fill(1);
        using Snapshot snapshot = database.CreateSnapshot();
        List<(string, string)> after = Fill(2);
        await database.FlushAsync();

        // Whoever is done with the first table waits until another thread is done with one, too.
        using var both = new Barrier(2);
        int done = 0;
        bool met = false;
        disk.OnOperation = (_, what) =>
        {
            if (what.StartsWith("sync", StringComparison.Ordinal) && what.Contains(".table", StringComparison.Ordinal)
                && Interlocked.Increment(ref done) <= 2)
            {
                met = both.SignalAndWait(Patience);
            }
        };
        await database.CompactAsync();
        disk.OnOperation = null;
        Assert.True(met);
        Assert.Equal(0, database.GetStatistics().TablesPerLevel[0]);
        Assert.Equal(after, Walk(table));
        Assert.Equal(before, Walk(table, snapshot: snapshot));
        after.Reverse();
        Assert.Equal(after, Walk(table, ScanRange.All with { Reverse = true }));
    }

    [Fact]
    public async Task Compactions_beside_one_another_keep_what_a_model_keeps()
    {
        int seed = TestSeed.Base;
        var random = new Random(seed);
        using var executor = new BackgroundExecutor(4);
        SimulatedFileSystem disk = NewDisk();
        SortedDictionary<string, string> model = new(StringComparer.Ordinal);
        List<(string, string)> Expected() => [.. model.Select(static pair => (pair.Key, pair.Value))];
        using (Database database = Open(disk, Many, executor: executor))
        {
            Table table = database.GetOrCreateTable("t");
            for (int round = 0; round < 12; round++)
            {
                for (int step = 0; step < 1500; step++)
                {
                    string key = random.Next(6000).ToString("d5", CultureInfo.InvariantCulture);
                    if (random.Next(4) == 0)
                    {
                        model.Remove(key);
                        table.Delete(Bytes(key));
                    }
                    else
                    {
                        model[key] = $"{round} {step} {new string('x', random.Next(60))}";
                        table.Put(Bytes(key), Bytes(model[key]));
                    }
                }

                Assert.True(Expected().SequenceEqual(Walk(table)), $"seed {seed}, round {round}");
                if (round == 8)
                    await database.CompactAsync();
            }

        }

        using Database again = Open(disk, Many);
        Assert.True(Expected().SequenceEqual(Walk(again.FindTable("t")!)), $"seed {seed}, opened again");
    }

    [Fact]
    public void A_crash_amid_compactions_beside_one_another_loses_nothing_synced()
    {
        for (int salt = 0; salt < 20; salt++)
        {
            int seed = TestSeed.Base + salt;
            var random = new Random(seed);
            SimulatedFileSystem disk = NewDisk(salt);
            disk.CrashAt(random.Next(40, 900));
            int acknowledged = WriteUntilTheCrash(disk);
            using Database database = Open(disk.Crash(), Many);
            Dictionary<string, string> found = Walk(database.GetOrCreateTable("t")).ToDictionary();
            for (int number = Math.Max(0, acknowledged - 300); number < acknowledged; number++)
            {
                int value = int.Parse(found[$"{number % 300:d4}"].AsSpan(0, 6), CultureInfo.InvariantCulture);
                Assert.True(value >= number, $"seed {seed}: key {number % 300} has write {value}, {number} was synced");
            }
        }
    }

    private static string Noise(int seed)
    {
        byte[] noise = new byte[60];
        new Random(seed).NextBytes(noise);
        return Convert.ToBase64String(noise);
    }

    /// <summary>Overwrites 300 keys in turn; returns how many writes were acknowledged as synced.</summary>
    private static int WriteUntilTheCrash(SimulatedFileSystem disk)
    {
        using var executor = new CrashingExecutor();
        Database? database = null;
        int acknowledged = 0;
        try
        {
            database = Open(disk, Many, executor: executor);
            Table table = database.GetOrCreateTable("t");
            for (; acknowledged < 6000; acknowledged++)
            {
                // Synced now and then: what was written before is, too.
                bool synced = acknowledged % 50 == 49;
                table.Put(
                    Bytes($"{acknowledged % 300:d4}"), Bytes($"{acknowledged:d6}{new string('v', 200)}"),
                    durability: synced ? WriteDurability.Synced : WriteDurability.Memory);
            }
        }
        catch (Exception error) when (error is SimulatedCrashException or AiDbException)
        {
            // Closing what the crash left behind may throw it again.
        }

        try
        {
            database?.Dispose();
        }
        catch (SimulatedCrashException)
        {
        }

        return acknowledged / 50 * 50;
    }

    /// <summary>Threads whose jobs end where the machine crashes.</summary>
    private sealed class CrashingExecutor : IBackgroundExecutor
    {
        private readonly BackgroundExecutor _threads = new(4);

        public void Queue(string name, Action job) => _threads.Queue(name, () =>
        {
            try
            {
                job();
            }
            catch (SimulatedCrashException)
            {
            }
        });

        public void Dispose() => _threads.Dispose();
    }
}
