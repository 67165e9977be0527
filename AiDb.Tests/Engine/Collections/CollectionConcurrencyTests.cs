using AiDb.Engine;
using AiDb.Engine.Collections;
using AiDb.Tests.Engine.Storage;
using AiDb.Tests.TestSupport;

namespace AiDb.Tests.Engine.Collections;

public sealed class CollectionConcurrencyTests
{
    private static readonly CollectionOptions Options = new()
    {
        Vectors = new Dictionary<string, VectorOptions>
        {
            ["d"] = new() { Dimensions = 2, Metric = VectorMetric.Euclid },
            ["e"] = new() { Dimensions = 1, Metric = VectorMetric.Euclid },
        },
        PayloadIndexes = new Dictionary<string, PayloadIndexOptions> { ["n"] = new() { Kind = PayloadIndexKind.Integer } },
    };

    [Fact]
    public async Task Indexes_end_up_as_the_log_has_it_however_many_write_the_same_points()
    {
        SimulatedFileSystem disk = TestDatabase.NewDisk();
        var options = TestDatabase.Tiny with { MemtableBytes = 1 << 20 };
        using var executor = new BackgroundExecutor();
        await using Database database = TestDatabase.Open(disk, options, executor: executor);
        await database.Collections.CreateAsync("c", Options);
        await Task.WhenAll(Enumerable.Range(0, 4).Select(worker => Task.Run(() => WriteAsync(database, worker))));
        await VerifyAsync(database);
    }

    [Fact]
    public async Task Writers_during_the_first_use_after_a_restart_lose_nothing()
    {
        SimulatedFileSystem disk = TestDatabase.NewDisk();
        var options = TestDatabase.Tiny with { MemtableBytes = 1 << 20 };
        using (Database database = TestDatabase.Open(disk, options))
        {
            await database.Collections.CreateAsync("c", Options);
            await database.Collections.WriteAsync("c",
            [
                new UpsertOperation([.. Enumerable.Range(0, 2000).Select(number => new Point
                {
                    Id = new((ulong)number), Vectors = Vectors(number), Payload = TestPoints.Payload($$"""{"n":{{number}}}"""),
                })]),
            ]);
        }

        using var executor = new BackgroundExecutor();
        await using Database again = TestDatabase.Open(disk, options, executor: executor);
        Task loading = again.Collections.Open("c").WaitLoadedAsync().AsTask();
        await Task.WhenAll(Enumerable.Range(0, 4).Select(worker => Task.Run(() => WriteAsync(again, worker))).Append(loading));
        await VerifyAsync(again);
        Assert.True(await again.Collections.CountAsync("c", null) > 1900);
    }

    [Fact]
    public async Task Changes_of_one_payload_by_many_are_all_kept()
    {
        using var executor = new BackgroundExecutor();
        await using Database database = TestDatabase.Open(TestDatabase.NewDisk(), executor: executor);
        await database.Collections.CreateAsync("c", Options);
        await database.Collections.WriteAsync("c", [new UpsertOperation([new Point { Id = new(1) }])]);
        await Task.WhenAll(Enumerable.Range(0, 4).Select(worker => Task.Run(async () =>
        {
            for (int turn = 0; turn < 25; turn++)
            {
                await database.Collections.WriteAsync("c", [new SetPayloadOperation(
                    PointSelector.Of(new PointId(1)), TestPoints.Payload($$"""{"k{{worker}}_{{turn}}":1}"""))]);
            }
        })));
        PointRecord record = Assert.Single(await database.Collections.RetrieveAsync(
            "c", [new PointId(1)], PayloadSelector.All, VectorSelector.None));
        Assert.Equal(100, record.Payload!.Root.EnumerateObject().Count());
    }

    private static NamedVectors Vectors(int number) => new()
    {
        ["d"] = new DenseVector(new float[] { number, number + 1 }),
        ["e"] = new DenseVector(new float[] { number }),
    };

    private static async Task WriteAsync(Database database, int worker)
    {
        var random = new Random(TestSeed.Base + worker);
        for (int turn = 0; turn < 150; turn++)
        {
            var id = new PointId((ulong)random.Next(12));
            int number = random.Next(1000);
            PointOperation operation = random.Next(6) switch
            {
                0 => new DeleteOperation(PointSelector.Of(id)),
                1 => new SetPayloadOperation(
                    PointSelector.Of(new Filter { Must = [new HasIdCondition([id])] }), TestPoints.Payload($$"""{"n":{{number}}}""")),
                2 => new DeleteVectorsOperation(PointSelector.Of(id), ["e"]),
                3 => new DeleteOperation(PointSelector.Of(
                    new Filter { Must = [new RangeCondition("n", Gte: number, Lte: number + 50), new HasIdCondition([id])] })),
                _ => new UpsertOperation(
                    [new Point { Id = id, Vectors = Vectors(number), Payload = TestPoints.Payload($$"""{"n":{{number}}}""") }]),
            };
            await database.Collections.WriteAsync("c", [operation]);
            if (turn % 10 == 0)
                await database.Collections.QueryAsync("c", Nearest("d", [number, number]));
        }
    }

    private static QueryRequest Nearest(string name, float[] vector, Filter? filter = null) => new()
    {
        Query = new NearestQuery(new VectorValueInput(new DenseVector(vector))),
        Using = name,
        Limit = 5000,
        Filter = filter,
    };

    /// <summary>Compares searches and filters with what the keys say.</summary>
    private static async Task VerifyAsync(Database database)
    {
        CollectionSet collections = database.Collections;
        List<PointRecord> points = [.. (await collections.ScrollAsync(
            "c", new ScrollRequest { Limit = 5000, WithVectors = VectorSelector.All })).Points];
        Assert.Equal(points.Count, await collections.CountAsync("c", null));
        foreach (string name in new[] { "d", "e" })
        {
            float[] query = name == "d" ? [3, 3] : [3];
            IReadOnlyList<ScoredPoint> found = await collections.QueryAsync("c", Nearest(name, query));
            Dictionary<PointId, (float Score, ulong Version)> byId =
                found.ToDictionary(static point => point.Id, static point => (point.Score, point.Version));
            PointRecord[] expected = [.. points.Where(point => point.Vectors!.ContainsKey(name))];
            Assert.Equal(expected.Length, byId.Count);
            foreach (PointRecord point in expected)
            {
                float[] vector = ((DenseVector)point.Vectors![name]).Values.ToArray();
                float distance = MathF.Sqrt(vector.Select((value, at) => (value - query[at]) * (value - query[at])).Sum());
                Assert.Equal(distance, byId[point.Id].Score, 0.001f);
                Assert.Equal(point.Version, byId[point.Id].Version);
            }
        }

        foreach (IGrouping<long, PointRecord> group in points.Where(static point => !point.Payload!.IsEmpty)
            .GroupBy(static point => point.Payload!.Root.GetProperty("n").GetInt64()).Take(50))
        {
            Assert.Equal(group.Count(), await collections.CountAsync(
                "c", new Filter { Must = [new MatchCondition("n", MatchValue.Of(group.Key))] }));
        }
    }
}
