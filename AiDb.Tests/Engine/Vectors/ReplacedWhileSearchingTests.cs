using AiDb.Engine.Vectors;
using AiDb.Engine.Vectors.Hnsw;
using AiDb.Tests.TestSupport;

namespace AiDb.Tests.Engine.Vectors;

/// <summary>Points that are there before, while and after a search runs are found by it, though they are written again
/// meanwhile.</summary>
public sealed class ReplacedWhileSearchingTests
{
    private const int Dimensions = 8;
    private const int Hot = 10;

    /// <summary>Every way in which a search finds its rows.</summary>
    public static TheoryData<string> Forms => ["flat", "flat filtered", "walk", "matching walk", "scan", "exact", "bits", "bytes only", "bits only"];

    [Theory]
    [MemberData(nameof(Forms))]
    public void A_point_that_is_written_again_at_any_moment_of_a_search_is_found(string form)
    {
        var random = new Random(TestSeed.Base);
        using DenseIndex index = Build(form, random, 400);
        ScoredOffset[] best = new ScoredOffset[Hot];
        for (int moment = 0; moment < 60; moment++)
        {
            // All hot points but the one that is looked at, each at the moment of some look.
            int looks = 0;
            var predicate = new Called(offset =>
            {
                if (looks++ != moment)
                    return;
                for (uint hot = 0; hot < Hot; hot++)
                {
                    if (hot != offset)
                        index.Set(hot, Near(random));
                }
            });
            int found = index.Search(new float[Dimensions], Search(form, predicate), best);
            AssertHot(best.AsSpan(0, found), $"{form}, moment {moment}, seed {TestSeed.Base}");
            if (moment % 7 == 0)
                TestVectors.IndexAll(index);
        }
    }

    [Fact]
    public void Rows_of_one_point_do_not_push_others_out()
    {
        using DenseIndex index = Line([5, 1, 7, 3]);

        // Its row is free, and lies where the scan has still to come.
        index.Remove(2);
        bool isDone = false;
        var predicate = new Called(offset =>
        {
            if (offset != 1 || isDone)
                return;
            isDone = true;
            index.Set(1, [1.5f]);
        });
        ScoredOffset[] best = new ScoredOffset[2];
        Assert.Equal(2, index.Search([0f], new DenseSearch { Filter = new OffsetFilter(null, predicate) }, best));
        Assert.Equal([new ScoredOffset(1, 1.5f), new ScoredOffset(3, 3)], best);
    }

    [Fact]
    public void A_search_that_is_crowded_again_and_again_ends_with_the_whole_answer()
    {
        const int FreeRows = 40;
        using DenseIndex index = Line([100, 1, .. Enumerable.Repeat(50f, FreeRows), 3]);

        // What was freed last is used first: rows in ascending order.
        for (uint offset = FreeRows + 1; offset >= 2; offset--)
            index.Remove(offset);
        int[] crowd = [1, 6, 16, 0];
        int attempt = -1;
        int rest = 0;
        var predicate = new Called(offset =>
        {
            // The first row is looked at once for each attempt.
            if (offset == 0)
                rest = crowd[++attempt];
            else if (offset == 1 && rest-- > 0)
                index.Set(1, [1f]);
        });
        ScoredOffset[] best = new ScoredOffset[2];
        Assert.Equal(2, index.Search([0f], new DenseSearch { Filter = new OffsetFilter(null, predicate) }, best));
        Assert.Equal([new ScoredOffset(1, 1), new ScoredOffset(FreeRows + 2, 3)], best);
        Assert.Equal(crowd.Length - 1, attempt);
    }

    [Fact]
    public void A_point_that_is_removed_meanwhile_makes_room_for_another()
    {
        using DenseIndex index = Line([1, 2, 3]);
        var predicate = new Called(_ => index.Remove(0));
        ScoredOffset[] best = new ScoredOffset[1];
        Assert.Equal(1, index.Search([0f], new DenseSearch { Filter = new OffsetFilter(null, predicate) }, best));
        Assert.Equal(1u, best[0].Offset);
    }

    [Fact]
    public void What_is_replaced_meanwhile_passes_filter_and_threshold()
    {
        using DenseIndex index = Line([1, 2, 3, 4, 5, 6]);
        var bitmap = OffsetBitmap.Full(6);
        bitmap.Clear(3);
        bool isDone = false;
        var predicate = new Called(_ =>
        {
            if (isDone)
                return;
            isDone = true;
            for (uint offset = 2; offset < 6; offset++)
                index.Set(offset, [offset == 4 ? 100f : 1.5f + (offset / 100f)]);
        }, except: 5);
        ScoredOffset[] best = new ScoredOffset[6];
        DenseSearch search = new() { Filter = new OffsetFilter(bitmap, predicate), ScoreThreshold = 50 };
        int found = index.Search([0f], search, best);
        Assert.Equal([0u, 2u, 1u], best[..found].Select(static item => item.Offset));
    }

    [Theory]
    [MemberData(nameof(Forms))]
    public async Task Points_near_the_query_are_all_found_while_writers_write_them_again(string form)
    {
        int seed = TestSeed.Base;
        using DenseIndex index = Build(form, new Random(seed), 600);
        bool done = false;

        Task Start(Action<Random> step, int number) => Task.Run(
            () =>
            {
                var random = new Random(seed + number);
                try
                {
                    while (!Volatile.Read(ref done))
                        step(random);
                }
                finally
                {
                    Volatile.Write(ref done, true);
                }
            },
            TestContext.Current.CancellationToken);

        Task[] others =
        [
            Start(random => index.Set((uint)random.Next(Hot), Near(random)), 1),
            Start(random => index.Set((uint)random.Next(Hot), Near(random)), 2),
            Start(_ => index.IndexNext(5, CancellationToken.None), 3),
        ];
        ScoredOffset[] best = new ScoredOffset[Hot];
        try
        {
            for (int i = 0; i < 500 && !Volatile.Read(ref done); i++)
            {
                int found = index.Search(new float[Dimensions], Search(form, null), best);
                AssertHot(best.AsSpan(0, found), $"{form}, search {i}, seed {seed}");
            }
        }
        finally
        {
            Volatile.Write(ref done, true);
            await Task.WhenAll(others);
        }
    }

    [Theory]
    [InlineData("walk")]
    [InlineData("bytes only")]
    public void Points_that_are_written_again_and_again_stay_within_reach_of_the_graph(string form)
    {
        var random = new Random(TestSeed.Base);
        using DenseIndex index = Build(form, random, 600);
        ScoredOffset[] best = new ScoredOffset[Hot];
        for (int round = 0; round < 600; round++)
        {
            for (int change = random.Next(1, 8); change > 0; change--)
                index.Set((uint)random.Next(Hot), Near(random));
            if (random.Next(10) == 0)
                TestVectors.IndexAll(index);
            else
                index.IndexNext(5, TestContext.Current.CancellationToken);
            int found = index.Search(new float[Dimensions], Search(form, null), best);
            AssertHot(best.AsSpan(0, found), $"{form}, round {round}, seed {TestSeed.Base}");
        }
    }

    private static DenseIndex Line(float[] numbers)
    {
        DenseIndex index = new(new DenseIndexOptions
        {
            Dimensions = 1,
            Metric = VectorMetric.Euclid,
            Hnsw = new HnswOptions { M = 0 },
        });
        for (int offset = 0; offset < numbers.Length; offset++)
            index.Set((uint)offset, [numbers[offset]]);
        return index;
    }

    // The hot points are the nearest to the zero vector, wherever they are moved to.
    private static DenseIndex Build(string form, Random random, uint count)
    {
        bool isFlat = form.StartsWith("flat", StringComparison.Ordinal);
        bool isBits = form.StartsWith("bits", StringComparison.Ordinal);
        DenseIndex index = new(new DenseIndexOptions
        {
            Dimensions = Dimensions,
            Metric = VectorMetric.Euclid,
            IndexingThresholdKb = 1,
            Hnsw = new HnswOptions { M = isFlat ? 0 : 12, EfConstruct = 80, FullScanThresholdKb = 0 },
            Quantization = isBits || form == "bytes only"
                ? new QuantizationOptions
                {
                    Kind = isBits ? QuantizationKind.Binary : QuantizationKind.Scalar,
                    KeepOriginals = !form.EndsWith("only", StringComparison.Ordinal),
                }
                : null,
        });
        for (uint offset = 0; offset < count; offset++)
            index.Set(offset, offset < Hot ? Near(random) : Far(random));
        TestVectors.IndexAll(index);
        return index;
    }

    private static DenseSearch Search(string form, IOffsetPredicate? predicate) => new()
    {
        Ef = 60,
        Exact = form == "exact",
        Filter = new OffsetFilter(form is "flat filtered" or "matching walk" ? OffsetBitmap.Full(300) : null, predicate),
        Path = form switch
        {
            "matching walk" => SearchPath.MatchingWalk,
            "scan" => SearchPath.Scan,
            _ => SearchPath.Walk,
        },
    };

    private static void AssertHot(ReadOnlySpan<ScoredOffset> best, string where)
    {
        uint[] offsets = [.. best.ToArray().Select(static item => item.Offset).Order()];
        Assert.True(
            offsets.SequenceEqual(Enumerable.Range(0, Hot).Select(static offset => (uint)offset)),
            $"{where}: found {string.Join(' ', offsets)}");
    }

    private static float[] Near(Random random) => Direction(random, 0.2f + random.NextSingle());

    private static float[] Far(Random random) => Direction(random, 4 + random.NextSingle());

    private static float[] Direction(Random random, float length)
    {
        float[] vector = [.. Enumerable.Range(0, Dimensions).Select(_ => random.NextSingle() - 0.5f)];
        float norm = MathF.Sqrt(vector.Sum(static value => value * value));
        return [.. vector.Select(value => value / norm * length)];
    }

    /// <summary>Does something when a search looks at an offset.</summary>
    private sealed class Called(Action<uint> action, uint except = uint.MaxValue) : IOffsetPredicate
    {
        public bool Matches(uint offset)
        {
            action(offset);
            return offset != except;
        }
    }
}
