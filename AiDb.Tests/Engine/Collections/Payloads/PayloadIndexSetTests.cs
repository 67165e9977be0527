using AiDb.Engine.Collections;
using AiDb.Engine.Collections.Payloads;
using AiDb.Tests.TestSupport;

namespace AiDb.Tests.Engine.Collections.Payloads;

public sealed class PayloadIndexSetTests
{
    [Fact]
    public void An_index_that_is_built_while_points_are_written_misses_nothing_and_keeps_nothing_old()
    {
        var random = new Random(TestSeed.Base);
        using TestPoints points = new();
        for (uint offset = 0; offset < 3000; offset++)
            points.Put(offset, $$"""{"n":{{offset % 7}}}""");
        // Every read by the builder is followed by a write of the same point, or of any other, before what was read is applied.
        points.OnRead = WriteBeside;
        void WriteBeside(uint read)
        {
            uint target = random.Next(2) == 0 ? read : (uint)random.Next(4000);
            if (random.Next(4) == 0)
                points.Delete(target);
            else
                points.Put(target, $$"""{"n":{{random.Next(7)}}}""");
        }

        points.Index("n", PayloadIndexKind.Integer);
        points.OnRead = null;
        for (int value = 0; value < 7; value++)
        {
            var filter = new Filter { Must = [new MatchCondition("n", MatchValue.Of(value))] };
            Assert.Equal(points.FindByLooking(filter), points.Find(filter));
        }

        points.Reads = 0;
        points.Find(new MatchCondition("n", MatchValue.Of(3)));
        Assert.Equal(0, points.Reads);
    }

    [Fact]
    public void An_index_that_is_dropped_while_it_is_built_is_not_there_afterwards()
    {
        using TestPoints points = new();
        points.Put(0, """{"f":"a","g":true}""");
        points.OnRead = _ => Assert.True(points.Indexes.Drop("f"));
        points.Indexes.Build(
            [
                new("f", new PayloadIndexOptions { Kind = PayloadIndexKind.Keyword }),
                new("g", new PayloadIndexOptions { Kind = PayloadIndexKind.Bool }),
            ],
            points, TestContext.Current.CancellationToken);
        Assert.Equal(["g"], points.Indexes.Paths);
        Assert.False(points.Indexes.Drop("f"));
    }

    [Fact]
    public void An_index_whose_building_is_cancelled_is_not_there_and_the_one_it_replaces_stays()
    {
        using TestPoints points = new();
        points.Put(0, """{"f":"a"}""");
        points.Index("f", PayloadIndexKind.Keyword);
        for (uint offset = 1; offset < 2000; offset++)
            points.Put(offset, """{"f":"b"}""");
        using var cancellation = new CancellationTokenSource();
        points.OnRead = offset =>
        {
            if (offset == 600)
                cancellation.Cancel();
        };
        Assert.Throws<OperationCanceledException>(() => points.Indexes.Build(
            [new("f", new PayloadIndexOptions { Kind = PayloadIndexKind.Integer }), new("g", new PayloadIndexOptions { Kind = PayloadIndexKind.Bool })],
            points, cancellation.Token));
        Assert.Equal(["f"], points.Indexes.Paths);
        Assert.Equal(PayloadIndexKind.Keyword, points.Indexes.Describe()["f"].Options.Kind);
        Assert.Equal([0u], points.Find(new MatchCondition("f", MatchValue.Of("a"))));
    }

    [Fact]
    public void Indexes_are_described_replaced_and_dropped()
    {
        using TestPoints points = new();
        points.Put(0, """{"f":"a","g":1}""");
        points.Put(1, """{"f":5,"g":[1,2]}""");
        points.Index("f", PayloadIndexKind.Keyword);
        points.Index("\"g\"", PayloadIndexKind.Integer);
        Assert.Equal((1, 2), (points.Indexes.Describe()["f"].Points, points.Indexes.Describe()["g"].Points));
        points.Index("f", PayloadIndexKind.Integer);
        Assert.Equal(1, points.Indexes.Describe()["f"].Points);
        Assert.Equal([1u], points.Find(new MatchCondition("f", MatchValue.Of(5))));
        Assert.True(points.Indexes.Drop("f"));
        Assert.False(points.Indexes.Drop("f"));
        Assert.Equal(["g"], points.Indexes.Paths);
        AiDbException error = Assert.Throws<AiDbException>(
            () => points.Indexes.Make("a..b", new PayloadIndexOptions { Kind = PayloadIndexKind.Keyword }));
        Assert.StartsWith("field_name must be a path", error.Message, StringComparison.Ordinal);
    }

    [Fact]
    public void Conditions_that_find_little_save_the_reading_of_payloads()
    {
        using TestPoints points = new();
        points.Index("k", PayloadIndexKind.Keyword);
        points.Index("n", PayloadIndexKind.Integer);
        for (uint offset = 0; offset < 1000; offset++)
            points.Put(offset, $$"""{"k":"k{{offset % 100}}","n":{{offset}},"t":"text {{offset}}"}""");
        points.Reads = 0;
        Condition rare = new MatchCondition("k", MatchValue.Of("k7"));
        Condition low = new RangeCondition("n", Lt: 500);
        Condition text = new MatchTextCondition("t", "text 1");
        using FilterResult result = new FilterEvaluator(points.Indexes).Evaluate(new Filter { Must = [text, low, rare] }, points, default);
        Assert.Equal([107u], points.FindByLooking(new Filter { Must = [text, low, rare] }));
        Assert.Equal(1, result.Count);
        Assert.Equal((5, 5), (result.PayloadsRead, points.Reads));
        Assert.Equal(["k", "n"], result.UsedIndexes.Order(StringComparer.Ordinal));
        Assert.Equal(["t"], result.ScannedFields);
        points.Reads = 0;
        // Where the index says yes already, the payload is not read.
        Assert.Equal(600, points.Find(new Filter { Should = [low, new MatchTextCondition("t", "text 5")] }).Length);
        Assert.Equal(500, points.Reads);
    }

    [Fact]
    public async Task Readers_beside_a_writer_find_every_point_whose_answer_does_not_change()
    {
        using TestPoints points = new();
        foreach ((string path, PayloadIndexKind kind) in new[]
        {
            ("k", PayloadIndexKind.Keyword), ("n", PayloadIndexKind.Integer), ("x", PayloadIndexKind.Float), ("b", PayloadIndexKind.Bool),
            ("g", PayloadIndexKind.Geo), ("t", PayloadIndexKind.Datetime),
        })
        {
            points.Index(path, kind);
        }

        const int Steady = 2000;
        for (uint offset = 0; offset < Steady; offset++)
            points.Put(offset * 2, $$"""{"k":"steady","n":1,"x":1,"b":true,"g":{"lon":1,"lat":1},"t":"2020-01-01"}""");
        using var stop = new CancellationTokenSource();
        int seed = TestSeed.Base;
        Task writer = Task.Factory.StartNew(
            () =>
            {
                var random = new Random(seed);
                for (int write = 0; write < 6000; write++)
                {
                    uint offset = ((uint)random.Next(Steady) * 2) + 1;
                    if (random.Next(3) == 0)
                        points.Delete(offset);
                    else
                        points.Put(offset, FilterPropertyTests.RandomPayload(random));
                }

                stop.Cancel();
            },
            TestContext.Current.CancellationToken, TaskCreationOptions.LongRunning, TaskScheduler.Default);
        Condition[] conditions =
        [
            new MatchCondition("k", MatchValue.Of("steady")), new MatchCondition("n", MatchValue.Of(1)), new RangeCondition("x", Gte: 1, Lte: 1),
            new MatchCondition("b", MatchValue.Of(true)), new GeoBoundingBoxCondition("g", new(0, 2), new(2, 0)),
            new DatetimeRangeCondition("t", Lt: new DateTimeOffset(2021, 1, 1, 0, 0, 0, TimeSpan.Zero)),
            new MatchExceptCondition("k", [MatchValue.Of("w1")]),
        ];
        int queries = 0;
        var evaluator = new FilterEvaluator(points.Indexes);
        do
        {
            Condition condition = conditions[queries++ % conditions.Length];
            Filter filter = new() { Must = queries % 2 == 0 ? conditions : [condition] };
            using FilterResult result = evaluator.Evaluate(filter, points, default);
            for (uint offset = 0; offset < Steady; offset++)
                Assert.True(result.Matches!.Test(offset * 2), $"seed {seed}: {condition} misses {offset * 2}");
        }
        while (!stop.IsCancellationRequested);
        await writer;
        foreach (Condition condition in conditions)
        {
            var filter = new Filter { Must = [condition] };
            Assert.Equal(points.FindByLooking(filter), points.Find(filter));
        }
    }

    [Fact]
    public void Empty_indexes_cost_next_to_nothing()
    {
        using TestPoints points = new();
        long before = GC.GetAllocatedBytesForCurrentThread();
        var sets = new PayloadIndexSet[100];
        for (int set = 0; set < sets.Length; set++)
        {
            sets[set] = new PayloadIndexSet(_ => throw new InvalidOperationException());
            sets[set].Add(Enum.GetValues<PayloadIndexKind>().Where(kind => kind != PayloadIndexKind.Text).Select(
                kind => sets[set].Make(kind.ToString(), new PayloadIndexOptions { Kind = kind })));
        }

        long each = (GC.GetAllocatedBytesForCurrentThread() - before) / sets.Length;
        Assert.True(each < 16_000, $"{each} bytes for seven empty indexes");
        Array.ForEach(sets, set => set.Dispose());
    }
}
