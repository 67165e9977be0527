using AiDb.Engine.Collections;
using AiDb.Engine.Collections.Sparse;
using AiDb.Engine.Vectors;
using AiDb.Tests.TestSupport;

namespace AiDb.Tests.Engine.Collections.Sparse;

public sealed class SparseIndexTests
{
    [Theory]
    [InlineData(false, false)]
    [InlineData(true, false)]
    [InlineData(false, true)]
    public void A_search_finds_what_looking_at_each_vector_finds(bool idf, bool negative)
    {
        var random = new Random(TestSeed.Base);
        SparseIndex index = new(new SparseVectorOptions { Idf = idf });
        Dictionary<uint, SparseVector> model = [];
        for (int round = 0; round < 60; round++)
        {
            Change(random, index, model, negative);
            SparseVector query = RandomVector(random, random.Next(1, 20), negative);
            OffsetBitmap? bitmap = RandomFilter(random, round);
            int limit = random.Next(1, 60);
            float? threshold = random.Next(4) == 0 ? random.NextSingle() * 3 : null;
            ScoredOffset[] best = new ScoredOffset[limit];

            int found = index.Search(query, new OffsetFilter(bitmap), threshold, best, TestContext.Current.CancellationToken);

            Assert.Equal(model.Count, index.Count);
            List<ScoredOffset> expected = Expected(model, idf ? Weigh(model, query) : query, bitmap, threshold, limit);
            Assert.Equal(expected.Count, found);
            for (int at = 0; at < found; at++)
            {
                Assert.True(
                    MathF.Abs(expected[at].Score - best[at].Score) <= 1e-5f * MathF.Max(1, MathF.Abs(expected[at].Score)),
                    $"seed {TestSeed.Base}, round {round}, {at}: {expected[at]} / {best[at]}");
                Assert.Equal(index.Score(query, best[at].Offset), best[at].Score);
            }
        }
    }

    [Fact]
    public async Task A_vector_that_is_written_again_is_found_meanwhile_and_pushes_no_other_out()
    {
        SparseIndex index = new(new SparseVectorOptions());
        SparseVector left = new(new uint[] { 1 }, new float[] { 6 });
        SparseVector right = new(new uint[] { 2 }, new float[] { 6 });
        SparseVector both = new(new uint[] { 1, 2 }, new float[] { 5, 5 });
        SparseVector query = new(new uint[] { 1, 2 }, new float[] { 1, 1 });
        for (uint offset = 0; offset < 500; offset++)
            index.Set(offset, new SparseVector(new uint[] { 1, 2 }, new float[] { 1, 1 }));
        index.Set(100, both);
        index.Set(400, left);
        bool done = false;
        var writer = Task.Run(
            () =>
            {
                for (int i = 0; !Volatile.Read(ref done); i++)
                    index.Set(400, i % 2 == 0 ? right : left);
            },
            TestContext.Current.CancellationToken);
        try
        {
            ScoredOffset[] best = new ScoredOffset[2];
            for (int i = 0; i < 1500; i++)
            {
                int found = index.Search(query, default, null, best.AsSpan(0, 1 + (i % 2)), TestContext.Current.CancellationToken);
                Assert.Equal(1 + (i % 2), found);
                Assert.Equal(new ScoredOffset(100, 10), best[0]);
                if (found == 2)
                    Assert.Equal(new ScoredOffset(400, 6), best[1]);
            }
        }
        finally
        {
            Volatile.Write(ref done, true);
            await writer;
        }
    }

    [Fact]
    public void Equal_scores_are_ordered_by_offset()
    {
        SparseIndex index = new(new SparseVectorOptions());
        for (uint offset = 0; offset < 20_000; offset++)
            index.Set(19_999 - offset, Vector((3, 1), (7, 2)));
        ScoredOffset[] best = new ScoredOffset[5];

        int found = Search(index, Vector((3, 1), (7, 1)), best);

        Assert.Equal(5, found);
        Assert.Equal([0u, 1u, 2u, 3u, 4u], best.Select(static item => item.Offset));
    }

    [Fact]
    public void Only_vectors_that_share_a_dimension_are_found_be_their_scores_negative()
    {
        SparseIndex index = new(new SparseVectorOptions());
        index.Set(1, Vector((1, -2)));
        index.Set(2, Vector((1, -1), (2, 5)));
        index.Set(3, Vector((2, 5)));
        ScoredOffset[] best = new ScoredOffset[5];

        int found = Search(index, Vector((1, 1)), best);

        Assert.Equal([(2u, -1f), (1u, -2f)], best[..found].Select(static item => (item.Offset, item.Score)));
    }

    [Fact]
    public void Rare_dimensions_weigh_more_where_the_settings_say_so()
    {
        SparseIndex index = new(new SparseVectorOptions { Idf = true });
        for (uint offset = 0; offset < 9; offset++)
            index.Set(offset, Vector((1, 1)));
        index.Set(9, Vector((2, 1)));
        ScoredOffset[] best = new ScoredOffset[10];

        int found = Search(index, Vector((1, 1), (2, 1)), best);

        // ln(1 + (10 - 1 + 0.5) / 1.5) and ln(1 + (10 - 9 + 0.5) / 9.5).
        Assert.Equal(10, found);
        Assert.Equal((9u, 1.9924302f), (best[0].Offset, best[0].Score));
        Assert.Equal(0.1466035f, best[1].Score, 6);
    }

    [Fact]
    public void A_predicate_decides_as_well()
    {
        SparseIndex index = new(new SparseVectorOptions());
        for (uint offset = 0; offset < 1000; offset++)
            index.Set(offset, Vector((1, offset)));
        ScoredOffset[] best = new ScoredOffset[3];

        int found = index.Search(
            Vector((1, 1)), new OffsetFilter(null, new Odd()), null, best, TestContext.Current.CancellationToken);

        Assert.Equal([999u, 997u, 995u], best[..found].Select(static item => item.Offset));
    }

    [Fact]
    public void Removed_vectors_leave_no_memory_behind()
    {
        SparseIndex index = new(new SparseVectorOptions());
        long Used() => index.MemoryBytes;
        index.Set(10_000, Vector((1, 1)));
        index.Remove(10_000);
        long before = Used();
        var random = new Random(TestSeed.Base);
        for (uint offset = 0; offset < 5_000; offset++)
            index.Set(offset, RandomVector(random, 30, false));
        Assert.True(Used() > before + (5_000 * 30 * 9));
        for (uint offset = 0; offset < 5_000; offset++)
            index.Remove(offset);

        Assert.Equal(0, index.Count);
        Assert.Equal(0, index.DimensionCount);
        Assert.Equal(before, Used());
    }

    [Fact]
    public void A_search_allocates_nothing_once_it_is_warm()
    {
        SparseIndex index = new(new SparseVectorOptions { Idf = true });
        var random = new Random(TestSeed.Base);
        for (uint offset = 0; offset < 20_000; offset++)
            index.Set(offset, RandomVector(random, 20, false));
        SparseVector query = RandomVector(random, 15, false);
        ScoredOffset[] best = new ScoredOffset[10];
        for (int warm = 0; warm < 50; warm++)
            Search(index, query, best);
        long before = GC.GetAllocatedBytesForCurrentThread();
        for (int run = 0; run < 20; run++)
            Search(index, query, best);

        Assert.Equal(0, GC.GetAllocatedBytesForCurrentThread() - before);
    }

    [Fact]
    public async Task Searches_beside_changes_give_scores_of_whole_vectors()
    {
        // Every vector has one value in all its dimensions: a mix of two would give another score.
        SparseIndex index = new(new SparseVectorOptions());
        for (uint offset = 0; offset < 2_000; offset++)
            index.Set(offset, Uniform(offset, 1));
        using CancellationTokenSource done = new();
        CancellationToken ended = done.Token;
        Task reader = Task.Factory.StartNew(
            () =>
            {
                ScoredOffset[] best = new ScoredOffset[50];
                SparseVector query = Vector((0, 1), (1, 1), (2, 1), (3, 1), (4, 1));
                while (!ended.IsCancellationRequested)
                {
                    int found = Search(index, query, best);
                    for (int at = 0; at < found; at++)
                        Assert.True(best[at].Score % 5 == 0, $"{best[at]}");
                }
            },
            ended, TaskCreationOptions.LongRunning, TaskScheduler.Default);
        var random = new Random(TestSeed.Base);
        for (int step = 0; step < 20_000; step++)
        {
            uint offset = (uint)random.Next(2_000);
            if (random.Next(3) == 0)
                index.Remove(offset);
            else
                index.Set(offset, Uniform(offset, random.Next(1, 9)));
        }

        await done.CancelAsync();
        await reader;
    }

    private static void Change(Random random, SparseIndex index, Dictionary<uint, SparseVector> model, bool negative)
    {
        for (int step = 0; step < 300; step++)
        {
            uint offset = (uint)random.Next(9_000);
            if (random.Next(5) == 0)
            {
                index.Remove(offset);
                model.Remove(offset);
                continue;
            }

            SparseVector vector = RandomVector(random, random.Next(0, 40), negative);
            index.Set(offset, vector);
            model[offset] = vector;
        }
    }

    private static List<ScoredOffset> Expected(
        Dictionary<uint, SparseVector> model, SparseVector query, OffsetBitmap? bitmap, float? threshold, int limit)
    {
        List<ScoredOffset> all = [];
        foreach ((uint offset, SparseVector vector) in model)
        {
            double score = 0;
            bool shares = false;
            for (int at = 0; at < query.Indices.Length; at++)
            {
                int place = vector.Indices.Span.BinarySearch(query.Indices.Span[at]);
                if (place >= 0)
                {
                    shares = true;
                    score += (double)query.Values.Span[at] * vector.Values.Span[place];
                }
            }

            if (shares && (bitmap is null || bitmap.Test(offset)) && (threshold is null || score >= threshold))
                all.Add(new ScoredOffset(offset, (float)score));
        }

        return [.. all.OrderByDescending(static item => item.Score).ThenBy(static item => item.Offset).Take(limit)];
    }

    private static SparseVector Weigh(Dictionary<uint, SparseVector> model, SparseVector query)
    {
        float[] values = query.Values.ToArray();
        for (int at = 0; at < values.Length; at++)
        {
            uint index = query.Indices.Span[at];
            int frequency = model.Values.Count(vector => vector.Indices.Span.BinarySearch(index) >= 0);
            values[at] *= (float)Math.Log(1 + ((model.Count - frequency + 0.5) / (frequency + 0.5)));
        }

        return query with { Values = values };
    }

    private static OffsetBitmap? RandomFilter(Random random, int round)
    {
        if (round % 3 == 0)
            return null;
        OffsetBitmap bitmap = new();
        int share = round % 3 == 1 ? 2 : 200;
        for (uint offset = 0; offset < 9_000; offset++)
        {
            if (random.Next(share) == 0)
                bitmap.Set(offset);
        }

        return bitmap;
    }

    // Low dimensions are frequent, high ones rare.
    private static SparseVector RandomVector(Random random, int count, bool negative)
    {
        SortedDictionary<uint, float> values = [];
        while (values.Count < count)
        {
            uint index = (uint)(500 * random.NextDouble() * random.NextDouble() * random.NextDouble());
            values[index] = random.NextSingle() - (negative ? 0.4f : 0);
        }

        return new SparseVector(values.Keys.ToArray(), values.Values.ToArray());
    }

    private static SparseVector Uniform(uint offset, float value) =>
        Vector([.. Enumerable.Range(0, 5).Select(index => ((uint)index, value)), (100 + (offset % 50), value)]);

    private static SparseVector Vector(params (uint Index, float Value)[] entries) =>
        new(entries.Select(static entry => entry.Index).ToArray(), entries.Select(static entry => entry.Value).ToArray());

    private static int Search(SparseIndex index, SparseVector query, ScoredOffset[] best) =>
        index.Search(query, default, null, best, CancellationToken.None);

    private sealed class Odd : IOffsetPredicate
    {
        public bool Matches(uint offset) => offset % 2 == 1;
    }
}
