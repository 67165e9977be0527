using AiDb.Engine;
using AiDb.Engine.Collections;
using AiDb.Tests.Engine.Storage;
using AiDb.Tests.TestSupport;

namespace AiDb.Tests.Engine.Collections;

/// <summary>Indexes that were saved, and what becomes of them.</summary>
public sealed class SavedIndexTests
{
    private const int Dimensions = 16;
    private const int Points = 400;

    private static CollectionOptions Options => TestPoints.Options(Dimensions, VectorMetric.Euclid) with
    {
        Optimizers = new OptimizerOptions { IndexingThresholdKb = 1 },
        PayloadIndexes = new Dictionary<string, PayloadIndexOptions> { ["n"] = new() { Kind = PayloadIndexKind.Integer } },
    };

    [Fact]
    public async Task A_graph_is_read_from_its_file_when_the_collection_is_opened_again()
    {
        SimulatedFileSystem disk = TestDatabase.NewDisk();
        await FillAsync(disk, stopIndexing: true);
        using Database database = TestDatabase.Open(disk);
        CollectionInfo info = await database.Collections.GetInfoAsync("c");
        Assert.Equal((Points, Points, 0), (info.PointsCount, info.IndexedVectorsCount, info.UnindexedVectorsCount));
        await VerifyAsync(database, Enumerable.Range(0, Points).ToHashSet());
    }

    [Fact]
    public async Task What_was_written_and_deleted_since_the_save_counts()
    {
        SimulatedFileSystem disk = TestDatabase.NewDisk();
        await FillAsync(disk, stopIndexing: true);
        using Database database = TestDatabase.Open(disk);
        SimulatedFileSystem killed;
        HashSet<int> expected = [.. Enumerable.Range(0, Points)];
        await database.Collections.WriteAsync("c", [new DeleteOperation(PointSelector.Of(new PointId(3), new PointId(4)))]);
        await database.Collections.WriteAsync("c", [new UpsertOperation([PointOf(1000), PointOf(1001), PointOf(5, 77)])]);
        await database.Collections.WriteAsync("c", [new DeleteOperation(PointSelector.Of(new PointId(1001)))]);
        expected.ExceptWith([3, 4]);
        expected.Add(1000);
        killed = disk.Clone();
        using Database again = TestDatabase.Open(killed, idSalt: 5);
        await VerifyAsync(again, expected, (5, 77));
    }

    [Theory]
    [InlineData("points", false)]
    [InlineData("points", true)]
    [InlineData(".vectors", false)]
    [InlineData(".vectors", true)]
    public async Task A_saved_file_that_is_damaged_or_missing_costs_time_but_no_point(string file, bool isMissing)
    {
        SimulatedFileSystem disk = TestDatabase.NewDisk();
        await FillAsync(disk, stopIndexing: true);
        string folder = Assert.Single(disk.ListDirectories($"{TestDatabase.Folder}/collections"));
        folder = $"{TestDatabase.Folder}/collections/{folder}";
        string path = $"{folder}/{disk.ListFiles(folder).Single(name => name.EndsWith(file, StringComparison.Ordinal))}";
        if (isMissing)
            disk.DeleteFile(path);
        else
            disk.FlipBits(path, disk.ReadRaw(path).Length / 2, 0x20);
        using Database database = TestDatabase.Open(disk);
        await VerifyAsync(database, [.. Enumerable.Range(0, Points)]);
        Assert.Null((await database.Collections.GetInfoAsync("c")).Problem);
    }

    [Fact]
    public async Task A_crash_while_indexes_are_saved_costs_no_point()
    {
        SimulatedFileSystem whole = TestDatabase.NewDisk(5);
        long before = 0;
        await FillAsync(whole, stopIndexing: false, beforeClose: disk => before = disk.OperationCount);
        long after = whole.OperationCount;
        for (long at = before + 1; at < after; at += 2)
        {
            SimulatedFileSystem disk = TestDatabase.NewDisk(5);
            try
            {
                await FillAsync(disk, stopIndexing: false, beforeClose: running => running.CrashAt(at));
            }
            catch (Exception error) when (error is SimulatedCrashException || error.InnerException is SimulatedCrashException)
            {
                // The power was lost while the database was being closed.
            }

            using Database database = TestDatabase.Open(disk.Crash(), idSalt: 3);
            await VerifyAsync(database, [.. Enumerable.Range(0, Points)]);
        }
    }

    [Fact]
    public async Task A_deleted_collection_leaves_no_files()
    {
        SimulatedFileSystem disk = TestDatabase.NewDisk();
        await FillAsync(disk, stopIndexing: false);
        using Database database = TestDatabase.Open(disk);
        await database.Collections.CountAsync("c", null);
        Assert.Single(disk.ListDirectories($"{TestDatabase.Folder}/collections"));
        await database.Collections.DeleteAsync("c");
        Assert.Empty(disk.ListDirectories($"{TestDatabase.Folder}/collections"));
    }

    [Fact]
    public async Task Other_settings_of_the_graph_take_force_and_every_point_stays_found()
    {
        SimulatedFileSystem disk = TestDatabase.NewDisk();
        await FillAsync(disk, stopIndexing: false);
        using (Database database = TestDatabase.Open(disk))
        {
            await database.Collections.CountAsync("c", null);
            await database.Collections.UpdateAsync("c", new CollectionUpdate
            {
                Hnsw = new HnswOptions { M = 8 },
                Quantization = new QuantizationOptions { Kind = QuantizationKind.ScalarInt8 },
            });
            await VerifyAsync(database, [.. Enumerable.Range(0, Points)]);
            Assert.Equal(Points, (await database.Collections.GetInfoAsync("c")).IndexedVectorsCount);
        }

        using Database again = TestDatabase.Open(disk);
        await VerifyAsync(again, [.. Enumerable.Range(0, Points)]);
    }

    private static async Task FillAsync(
        SimulatedFileSystem disk, bool stopIndexing, Action<SimulatedFileSystem>? beforeClose = null)
    {
        using Database database = TestDatabase.Open(disk, TestDatabase.Tiny with { DefaultDurability = WriteDurability.Synced });
        await database.Collections.CreateAsync("c", Options);
        for (int start = 0; start < Points; start += 100)
            await database.Collections.WriteAsync("c", [new UpsertOperation([.. Enumerable.Range(start, 100).Select(n => PointOf(n))])]);
        if (stopIndexing)
        {
            await database.Collections.UpdateAsync(
                "c", new CollectionUpdate { Optimizers = new OptimizerOptions { MaxOptimizationThreads = 0 } });
        }

        Assert.Equal(Points, (await database.Collections.GetInfoAsync("c")).IndexedVectorsCount);
        beforeClose?.Invoke(disk);
    }

    private static Point PointOf(int number, int? vector = null) =>
        TestPoints.Point((ulong)number, VectorOf(vector ?? number), $$"""{"n":{{number}}}""");

    private static float[] VectorOf(int number)
    {
        var random = new Random(TestSeed.Base + number);
        return [.. Enumerable.Range(0, Dimensions).Select(_ => (float)random.NextDouble())];
    }

    private static async Task VerifyAsync(Database database, HashSet<int> expected, (int Id, int Vector)? changed = null)
    {
        Assert.Equal(expected.Count, await database.Collections.CountAsync("c", null));
        IReadOnlyList<ScoredPoint> all = await database.Collections.QueryAsync("c", new QueryRequest
        {
            Query = new NearestQuery(new VectorValueInput(new DenseVector(VectorOf(0)))),
            Limit = 5000,
            Parameters = new SearchParameters { Exact = true },
        });
        Assert.Equal(expected.Order(), all.Select(static point => (int)point.Id.Number).Order());
        foreach (int number in expected.Where(static number => number % 37 == 5 || number >= 1000))
        {
            int vector = changed is { } change && change.Id == number ? change.Vector : number;
            ScoredPoint nearest = (await database.Collections.QueryAsync("c", new QueryRequest
            {
                Query = new NearestQuery(new VectorValueInput(new DenseVector(VectorOf(vector)))),
                Limit = 1,
                Filter = new Filter { Must = [new MatchCondition("n", MatchValue.Of(number))] },
            }))[0];
            Assert.Equal((ulong)number, nearest.Id.Number);
            Assert.Equal(0f, nearest.Score, 0.02f);
        }
    }
}
