using System.Diagnostics;
using System.Globalization;
using AiDb.Engine;
using AiDb.Engine.Collections;
using AiDb.Tests.Engine.Evidence;
using AiDb.Tests.TestSupport;

namespace AiDb.Tests.Engine.Collections;

/// <summary>Real processes that write points on a real disk and are killed at random moments.</summary>
[Trait("Category", EvidenceRun.Category)]
public sealed class CollectionKillTests
{
    private const string Setup = "AIDB_KILL_POINTS";
    private const int Threads = 3;
    private const int IdsPerThread = 40;

    private static readonly CollectionOptions Options = new()
    {
        Vectors = new Dictionary<string, VectorOptions>
        {
            [NamedVectors.Unnamed] = new() { Dimensions = 2, Metric = VectorMetric.Euclid },
        },
        PayloadIndexes = new Dictionary<string, PayloadIndexOptions> { ["n"] = new() { Kind = PayloadIndexKind.Integer } },
    };

    /// <summary>With <c>AIDB_KILL_POINTS=folder</c> this is the process that the loop kills.</summary>
    [Fact]
    public async Task A_process_that_writes_points_and_is_not_killed_leaves_what_its_threads_were_told()
    {
        if (Environment.GetEnvironmentVariable(Setup) is { } given)
        {
            await WriteAsync(given, int.MaxValue);
            return;
        }

        string folder = Directory.CreateTempSubdirectory("aidb-kill-points-").FullName;
        try
        {
            await WriteAsync(folder, 60);
            Assert.Equal(60 * Threads, await VerifyAsync(folder));
        }
        finally
        {
            Directory.Delete(folder, recursive: true);
        }
    }

    [Fact]
    public async Task A_process_killed_while_it_writes_points_loses_none_that_was_acknowledged()
    {
        int rounds = EvidenceRun.Scale(4, 100);
        string folder = Directory.CreateTempSubdirectory("aidb-kill-points-").FullName;
        var random = new Random(TestSeed.Base);
        long acknowledged = 0;
        for (int round = 0; round < rounds; round++)
        {
            try
            {
                await KillOneAsync(folder, acknowledged, random);
                long now = await VerifyAsync(folder);
                Assert.True(now >= acknowledged);
                acknowledged = now;
            }
            catch (Exception error)
            {
                Assert.Fail($"AIDB_TEST_SEED={TestSeed.Base}, round {round}, database left in {folder}: {error}");
            }
        }

        Directory.Delete(folder, recursive: true);
        EvidenceRun.Report(
            $"kill -9 of writers of points: {rounds} processes, {acknowledged} writes acknowledged, nothing lost; seed {TestSeed.Base}");
        Assert.True(acknowledged > 0, "no process ever wrote anything");
    }

    private static string RecordOf(string folder, int thread) => Path.Combine(folder, $"thread-{thread}");

    private static int Told(string folder, int thread)
    {
        string path = RecordOf(folder, thread);
        return File.Exists(path) ? (int)(new FileInfo(path).Length / sizeof(int)) : 0;
    }

    private static long Told(string folder) => Enumerable.Range(0, Threads).Sum(thread => (long)Told(folder, thread));

    private static Database Open(string folder) => Database.Open(
        Path.Combine(folder, "db"), new DatabaseOptions { MinFreeDiskBytes = 0, MemtableBytes = 256 << 10 });

    private static async Task KillOneAsync(string folder, long before, Random random)
    {
        string test = nameof(A_process_that_writes_points_and_is_not_killed_leaves_what_its_threads_were_told);
        var start = new ProcessStartInfo(
            Environment.GetEnvironmentVariable("DOTNET_HOST_PATH") ?? "dotnet",
            ["exec", typeof(CollectionKillTests).Assembly.Location, "-method", $"{typeof(CollectionKillTests).FullName}.{test}"])
        {
            RedirectStandardOutput = true,
            RedirectStandardError = true,
            UseShellExecute = false,
        };
        start.Environment[Setup] = folder;
        using Process process = Process.Start(start)!;
        try
        {
            Task<string> output = process.StandardOutput.ReadToEndAsync();
            _ = process.StandardError.BaseStream.CopyToAsync(Stream.Null);
            while (Told(folder) == before && !process.WaitForExit(5))
            {
                // It is still starting or recovering.
            }

            process.WaitForExit(random.Next(700));
            if (process.HasExited)
                Assert.Fail($"it ended by itself: {await output}");
        }
        finally
        {
            process.Kill();
            await process.WaitForExitAsync();
        }
    }

    private static async Task WriteAsync(string folder, int count)
    {
        await using Database database = Open(folder);
        if (!await database.Collections.ExistsAsync("c"))
            await database.Collections.CreateAsync("c", Options);
        Collection points = database.Collections.Open("c");
        await Task.WhenAll(Enumerable.Range(0, Threads).Select(thread => Task.Run(async () =>
        {
            using FileStream record = new(RecordOf(folder, thread), FileMode.Append, FileAccess.Write, FileShare.Read, 0);
            for (int number = Told(folder, thread) + 1; number <= count; number++)
            {
                await points.WriteAsync([OperationOf(thread, number)]);
                record.Write(BitConverter.GetBytes(number));
            }
        })));
    }

    private static PointId IdOf(int thread, int number) => new((ulong)((thread * 1000) + (number % IdsPerThread)));

    private static PointOperation OperationOf(int thread, int number) => number % 7 == 0
        ? new DeleteOperation(PointSelector.Of(IdOf(thread, number - 3)))
        : new UpsertOperation([TestPoints.Point(
            IdOf(thread, number), [thread, number],
            string.Create(CultureInfo.InvariantCulture, $$"""{"n":{{number}},"thread":{{thread}}}"""))]);

    /// <summary>Opens the database and compares it with what the threads were told; returns how many writes that
    /// were.</summary>
    private static async Task<long> VerifyAsync(string folder)
    {
        await using Database database = Open(folder);
        IReadOnlyList<ScoredPoint> found = await database.Collections.QueryAsync("c", new QueryRequest
        {
            Query = new NearestQuery(new VectorValueInput(new DenseVector(new float[2]))),
            Limit = 10_000,
            WithPayload = PayloadSelector.All,
            WithVectors = VectorSelector.All,
        });
        Assert.Equal(found.Count, await database.Collections.CountAsync("c", null));
        for (int thread = 0; thread < Threads; thread++)
        {
            int told = Told(folder, thread);
            Dictionary<PointId, int> stored = found.Where(point => Number(point, "thread") == thread)
                .ToDictionary(static point => point.Id, static point => Number(point, "n"));
            bool asTold = Same(stored, ModelOf(thread, told));
            Assert.True(
                asTold || Same(stored, ModelOf(thread, told + 1)),
                $"thread {thread} was told of {told} writes; found: {string.Join(", ", stored)}");
        }

        foreach (ScoredPoint point in found)
        {
            int number = Number(point, "n");
            Assert.Equal(number, ((DenseVector)point.Vectors![""]).Values.Span[1]);
            Assert.True(await database.Collections.CountAsync(
                "c", new Filter { Must = [new MatchCondition("n", MatchValue.Of(number)), new HasIdCondition([point.Id])] }) == 1);
        }

        return Told(folder);
    }

    private static int Number(ScoredPoint point, string key) => point.Payload!.Root.GetProperty(key).GetInt32();

    private static bool Same(Dictionary<PointId, int> left, Dictionary<PointId, int> right) =>
        left.Count == right.Count && left.All(pair => right.TryGetValue(pair.Key, out int number) && number == pair.Value);

    private static Dictionary<PointId, int> ModelOf(int thread, int count)
    {
        Dictionary<PointId, int> model = [];
        for (int number = 1; number <= count; number++)
        {
            if (number % 7 == 0)
                model.Remove(IdOf(thread, number - 3));
            else
                model[IdOf(thread, number)] = number;
        }

        return model;
    }
}
