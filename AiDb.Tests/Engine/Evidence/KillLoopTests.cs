using System.Diagnostics;
using System.Globalization;
using AiDb.Engine;
using AiDb.Engine.Storage;
using AiDb.Tests.TestSupport;

namespace AiDb.Tests.Engine.Evidence;

/// <summary>Real processes on a real disk, killed at random moments and started anew under other settings.</summary>
[Trait("Category", EvidenceRun.Category)]
public sealed class KillLoopTests
{
    private const string Setup = "AIDB_KILL_WRITER";

    /// <summary>With <c>AIDB_KILL_WRITER=folder|seed|round</c> this is the process that the loop kills.</summary>
    [Fact]
    public void A_process_that_writes_and_is_not_killed_leaves_what_its_threads_were_told()
    {
        if (Environment.GetEnvironmentVariable(Setup)?.Split('|') is [var given, var seed, var round])
        {
            new KillWriter(given, int.Parse(seed, CultureInfo.InvariantCulture), int.Parse(round, CultureInfo.InvariantCulture))
                .RunUntilKilled();
            return;
        }

        string folder = Directory.CreateTempSubdirectory("aidb-kill-").FullName;
        try
        {
            new KillWriter(folder, TestSeed.Base, 0).Run(200);
            var loop = new Loop(folder, TestSeed.Base);
            loop.Verify(0);
            Assert.Equal(200ul * KillWriter.Threads, loop.Batches);
            Assert.Equal(0, loop.Untold);
        }
        finally
        {
            Directory.Delete(folder, recursive: true);
        }
    }

    [Fact]
    public void A_process_killed_at_random_moments_loses_nothing_that_was_acknowledged()
    {
        int rounds = EvidenceRun.Scale(8, 200);
        string folder = Directory.CreateTempSubdirectory("aidb-kill-").FullName;
        Loop loop = new(folder, TestSeed.Base);
        int killed = 0;
        int early = 0;
        int round = 0;
        try
        {
            var random = new Random(TestSeed.Base);
            for (; round < rounds; round++)
            {
                // A database that has grown for a while makes room for another one.
                if (round % 25 == 24)
                {
                    Directory.Delete(folder, recursive: true);
                    Directory.CreateDirectory(folder);
                    loop = new Loop(folder, TestSeed.Base + round, loop);
                }

                bool hadBegun = KillOne(folder, loop.Seed, round, random);
                killed++;
                early += hadBegun ? 0 : 1;

                // Now and then the next process is the one that recovers.
                if (random.Next(4) != 0 || round == rounds - 1)
                    loop.Verify(round);
            }
        }
        catch (Exception error)
        {
            Assert.Fail($"AIDB_TEST_SEED={TestSeed.Base}, round {round}, database left in {folder}: {error}");
        }

        Directory.Delete(folder, recursive: true);
        EvidenceRun.Report(
            $"kill -9: {killed} processes ({early} before they had opened the database), {loop.Batches} batches acknowledged, " +
            $"{loop.Untold} written but not told, {loop.Copies} checkpoints opened, nothing lost; seed {TestSeed.Base}");
        Assert.True(loop.Batches > 0, "no process ever wrote anything");
    }

    /// <summary>Starts a process and kills it a while after it began to write, or before.</summary>
    private static bool KillOne(string folder, int seed, int round, Random random)
    {
        string assembly = typeof(KillLoopTests).Assembly.Location;
        string test = nameof(A_process_that_writes_and_is_not_killed_leaves_what_its_threads_were_told);
        var start = new ProcessStartInfo(
            Environment.GetEnvironmentVariable("DOTNET_HOST_PATH") ?? "dotnet",
            ["exec", assembly, "-method", $"{typeof(KillLoopTests).FullName}.{test}"])
        {
            RedirectStandardOutput = true,
            RedirectStandardError = true,
            UseShellExecute = false,
        };
        start.Environment[Setup] = string.Create(CultureInfo.InvariantCulture, $"{folder}|{seed}|{round}");
        long before = Told(folder);
        using Process process = Process.Start(start)!;
        try
        {
            _ = process.StandardOutput.BaseStream.CopyToAsync(Stream.Null);
            _ = process.StandardError.BaseStream.CopyToAsync(Stream.Null);
            if (random.Next(6) != 0)
            {
                while (Told(folder) == before && !process.WaitForExit(5))
                {
                    // It is still starting or recovering.
                }
            }

            process.WaitForExit(random.Next(3) == 0 ? random.Next(60) : random.Next(1500));
            if (process.HasExited)
            {
                string error = Path.Combine(folder, "error");
                Assert.Fail($"it ended by itself: {(File.Exists(error) ? File.ReadAllText(error) : "no error was left")}");
            }
        }
        finally
        {
            process.Kill();
            process.WaitForExit();
        }

        return Told(folder) > before;
    }

    /// <summary>Bytes of the threads' records, which begin with what each of them found.</summary>
    private static long Told(string folder) => Enumerable.Range(0, KillWriter.Threads)
        .Select(thread => new FileInfo(new KillWriter(folder, 0, 0).RecordOf(thread)))
        .Where(file => file.Exists)
        .Sum(file => file.Length);

    /// <summary>What the processes of one folder wrote, followed from round to round.</summary>
    private sealed class Loop
    {
        private readonly string _folder;
        private readonly KillThread[] _threads;

        public Loop(string folder, int seed, Loop? before = null)
        {
            _folder = folder;
            Seed = seed;
            _threads = [.. Enumerable.Range(0, KillWriter.Threads).Select(thread => new KillThread(seed, thread))];
            Batches = before?.Batches ?? 0;
            Untold = before?.Untold ?? 0;
            Copies = before?.Copies ?? 0;
        }

        public int Seed { get; }

        public ulong Batches { get; private set; }

        public int Untold { get; private set; }

        public int Copies { get; private set; }

        /// <summary>Opens the database and compares it with what was told since the last time.</summary>
        public void Verify(int round)
        {
            var random = new Random(unchecked(Seed + round));
            var writer = new KillWriter(_folder, Seed, round + 1_000_000);
            using (Database database = writer.Open())
            {
                for (int index = 0; index < _threads.Length; index++)
                    Verify(database, writer, index, random);
                if (random.Next(4) == 0)
                    database.CompactAsync().AsTask().GetAwaiter().GetResult();
            }

            VerifyCopy(writer);
        }

        private void Verify(Database database, KillWriter writer, int index, Random random)
        {
            KillThread thread = _threads[index];
            string path = writer.RecordOf(index);
            foreach ((ulong number, ulong version, ulong lsn) in KillRecord.Read(path))
            {
                if (lsn == 0)
                {
                    Untold += thread.FollowFound(number, version) ? 1 : 0;
                    continue;
                }

                thread.Follow(number, version, lsn);
                Batches++;
            }

            File.Delete(path);
            if (database.FindTable(thread.Table) is null)
            {
                Assert.Equal(0ul, thread.Number);
                return;
            }

            if (thread.FollowUntold(database))
                Untold++;
            thread.Check(database, random);
        }

        /// <summary>A copy that has a CURRENT file is whole; one whose process was killed before is none.</summary>
        private void VerifyCopy(KillWriter writer)
        {
            string copy = Path.Combine(_folder, "copy");
            if (!File.Exists(Path.Combine(copy, "CURRENT")))
                return;
            DatabaseOptions options = writer.Options with { LogDirectory = null };
            using Database database = Database.Open(
                copy, options, new DatabaseComponents { FileSystem = PhysicalFileSystem.Instance });
            foreach (string name in database.ListTables())
            {
                Table table = database.FindTable(name)!;
                foreach ((string key, string value) in TestDatabase.Walk(table))
                    Assert.Equal(value, TestDatabase.Text(table.Get(TestDatabase.Bytes(key))));
            }

            Copies++;
        }
    }
}
