using AiDb.Engine;
using AiDb.Engine.Collections;
using AiDb.Tests.Engine.Storage;

namespace AiDb.Tests.Engine.Collections;

/// <summary>A collection whose indexes are not made yet.</summary>
public sealed class LoadingTests
{
    [Fact]
    public async Task Searches_and_counts_answer_from_the_keys_until_the_indexes_are_there()
    {
        SimulatedFileSystem disk = TestDatabase.NewDisk();
        using (Database database = TestDatabase.Open(disk))
        {
            await database.Collections.CreateAsync("c", TestPoints.Options(2, VectorMetric.Euclid));
            await database.Collections.WriteAsync("c",
            [
                new UpsertOperation(
                    [.. Enumerable.Range(0, 50).Select(n => TestPoints.Point((ulong)n, [n, 0], $$"""{"n":{{n}}}"""))]),
            ]);
        }

        using var executor = new HoldingExecutor();
        using Database held = TestDatabase.Open(disk, executor: executor);
        for (int round = 0; round < 2; round++)
        {
            await held.Collections.WriteAsync("c", [TestPoints.Upsert(TestPoints.Point(60, [7.25f, 0], """{"n":60}"""))]);
            await held.Collections.WriteAsync("c", [new DeleteOperation(PointSelector.Of(new PointId(8)))]);
            Filter filter = new() { Must = [new RangeCondition("n", Gte: 5)] };
            Assert.Equal(45, await held.Collections.CountAsync("c", filter));
            IReadOnlyList<ScoredPoint> found = await held.Collections.QueryAsync("c", new QueryRequest
            {
                Query = new NearestQuery(new VectorValueInput(new DenseVector(new float[] { 7, 0 }))),
                Limit = 3,
                Filter = filter,
                WithPayload = PayloadSelector.All,
            });
            Assert.Equal([7ul, 60ul, 6ul], found.Select(static point => point.Id.Number));
            Assert.Equal([0f, 0.25f, 1f], found.Select(static point => point.Score));
            Assert.Equal("""{"n":60}""", found[1].Payload!.ToString());
            Assert.Equal(round == 0, executor.IsHolding);
            executor.Release();
            await held.Collections.Open("c").WaitLoadedAsync();
        }
    }

    [Fact]
    public async Task An_explanation_names_the_plan_and_what_would_make_it_faster()
    {
        using Database database = TestDatabase.Open(TestDatabase.NewDisk());
        await database.Collections.CreateAsync("c", TestPoints.Options(2, VectorMetric.Euclid) with
        {
            PayloadIndexes = new Dictionary<string, PayloadIndexOptions> { ["n"] = new() { Kind = PayloadIndexKind.Integer } },
        });
        await database.Collections.WriteAsync("c", [TestPoints.Upsert(
            TestPoints.Point(1, [1, 1], """{"n":1,"t":"x"}"""), TestPoints.Point(2, [2, 2], """{"n":2,"t":"x"}"""))]);
        QueryExplanation explained = await database.Collections.ExplainAsync("c", new QueryRequest
        {
            Query = new NearestQuery(new VectorValueInput(new DenseVector(new float[2]))),
            Filter = new Filter
            {
                Must = [new MatchCondition("n", MatchValue.Of(2)), new MatchCondition("t", MatchValue.Of("x"))],
            },
        });
        Assert.Contains(explained.Steps, step => step.Contains("indexes over n: 1 of 2 points match", StringComparison.Ordinal));
        Assert.Contains(explained.Steps, step => step.Contains("brute force over 1 vectors", StringComparison.Ordinal));
        Assert.Contains("'t'", Assert.Single(explained.Warnings), StringComparison.Ordinal);
    }

    /// <summary>Keeps jobs that load collections until they are released.</summary>
    private sealed class HoldingExecutor : IBackgroundExecutor
    {
        private readonly SynchronousExecutor _others = new();
        private List<Action>? _held = [];

        public bool IsHolding => _held is { Count: > 0 };

        public void Queue(string name, Action job)
        {
            if (name == "collection-load" && _held is { } held)
                held.Add(job);
            else
                _others.Queue(name, job);
        }

        public void Release()
        {
            List<Action> held = _held ?? [];
            _held = null;
            held.ForEach(static job => job());
        }

        public void Dispose() => Release();
    }
}
