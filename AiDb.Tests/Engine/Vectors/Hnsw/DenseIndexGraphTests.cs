using AiDb.Engine.Vectors;
using AiDb.Engine.Vectors.Hnsw;
using AiDb.Tests.TestSupport;

namespace AiDb.Tests.Engine.Vectors.Hnsw;

public sealed class DenseIndexGraphTests
{
    [Theory]
    [InlineData("Dot")]
    [InlineData("Euclid")]
    [InlineData("Manhattan")]
    public void Distances_beyond_what_a_float_holds_do_not_lead_astray(string metric)
    {
        var random = new Random(TestSeed.Base);
        TestVectors vectors = new(TestSeed.Base, 8, Enum.Parse<VectorMetric>(metric));
        var hnsw = new HnswOptions { M = 4, EfConstruct = 16 };
        using DenseIndex index = new(vectors.Options() with { Hnsw = hnsw });
        for (uint offset = 0; offset < 500; offset++)
            index.Set(offset, Huge());
        TestVectors.IndexAll(index);
        Assert.Equal(500, index.IndexedCount);
        ScoredOffset[] best = new ScoredOffset[10];
        Assert.Equal(10, index.Search(Huge(), new DenseSearch { Ef = 50 }, best));

        float[] Huge() => [.. Enumerable.Range(0, 8).Select(_ => (random.NextSingle() - 0.5f) * 2 * float.MaxValue)];
    }

    [Fact]
    public void A_search_for_more_candidates_than_there_are_rows_takes_no_more_memory_than_the_rows()
    {
        TestVectors vectors = new(TestSeed.Base, 16, VectorMetric.Euclid);
        (DenseIndex index, _) = vectors.Build(1000);
        using (index)
        {
            ScoredOffset[] best = new ScoredOffset[1000];
            var filter = new OffsetFilter(OffsetBitmap.Full(990));
            var search = new DenseSearch { Ef = 1_000_000, Oversampling = 1000, Filter = filter };
            Assert.Equal(990, index.Search(vectors.Next(), search, best));
            Assert.InRange(index.AllocatedBytes, 1, 4 << 20);
        }
    }

    [Theory]
    [InlineData("Cosine", "Float32")]
    [InlineData("Dot", "Float32")]
    [InlineData("Euclid", "Float16")]
    [InlineData("Euclid", "Float32")]
    [InlineData("Manhattan", "Float32")]
    public void The_graph_finds_nearly_all_of_the_nearest(string metric, string element)
    {
        TestVectors vectors = new(TestSeed.Base, 24, Enum.Parse<VectorMetric>(metric));
        (DenseIndex index, DenseIndexModel model) = vectors.Build(0);
        index.Dispose();
        using DenseIndex indexed = new(vectors.Options() with { Element = Enum.Parse<VectorElement>(element) });
        for (uint offset = 0; offset < 3000; offset++)
        {
            model.Vectors[offset] = vectors.Next();
            indexed.Set(offset, model.Vectors[offset]);
        }

        TestVectors.IndexAll(indexed);
        Assert.Equal(0, indexed.UnindexedCount);
        Assert.Equal(3000, indexed.IndexedCount);
        double recall = vectors.Recall(indexed, model, new DenseSearch { Ef = 100 });
        Assert.True(recall >= 0.97, $"recall {recall}, seed {TestSeed.Base}");
    }

    [Fact]
    public void Bytes_are_searched_through_the_graph_by_the_cosine_and_by_the_distance()
    {
        var random = new Random(TestSeed.Base);
        foreach (VectorMetric metric in (VectorMetric[])[VectorMetric.Cosine, VectorMetric.Euclid, VectorMetric.Dot])
        {
            using DenseIndex index = new(new DenseIndexOptions
            {
                Dimensions = 40,
                Metric = metric,
                Element = VectorElement.UInt8,
                IndexingThresholdKb = 1,
            });
            for (uint offset = 0; offset < 2000; offset++)
                index.Set(offset, Bytes(random));
            TestVectors.IndexAll(index);
            int hits = 0;
            ScoredOffset[] best = new ScoredOffset[10], exact = new ScoredOffset[10];
            for (int query = 0; query < 30; query++)
            {
                float[] vector = Bytes(random);
                index.Search(vector, new DenseSearch { Ef = 200 }, best);
                index.Search(vector, new DenseSearch { Exact = true }, exact);
                hits += best.Intersect(exact).Count();
            }

            Assert.True(hits >= 270, $"{metric}: {hits} of 300, seed {TestSeed.Base}");
        }
    }

    [Fact]
    public void Removed_and_replaced_vectors_are_not_found_and_their_rows_are_used_again()
    {
        TestVectors vectors = new(TestSeed.Base, 16, VectorMetric.Euclid);
        (DenseIndex index, DenseIndexModel model) = vectors.Build(2000);
        using DenseIndex owned = index;
        var random = new Random(TestSeed.Base);
        long bytes = 0;
        for (int round = 0; round < 12; round++)
        {
            for (int i = 0; i < 600; i++)
            {
                uint offset = (uint)random.Next(2000);
                if (random.Next(3) == 0)
                {
                    index.Remove(offset);
                    model.Vectors.Remove(offset);
                }
                else
                {
                    model.Vectors[offset] = vectors.Next();
                    index.Set(offset, model.Vectors[offset]);
                }
            }

            double before = vectors.Recall(index, model, new DenseSearch { Ef = 100 }, 20);
            TestVectors.IndexAll(index);
            double after = vectors.Recall(index, model, new DenseSearch { Ef = 100 }, 20);
            Assert.True(before >= 0.95 && after >= 0.95, $"recall {before}, then {after}, seed {TestSeed.Base}");
            Assert.Equal(model.Vectors.Count, index.Count);
            Assert.Equal(model.Vectors.Count, index.IndexedCount);
            if (round == 3)
                bytes = index.NativeBytes;
        }

        Assert.True(index.NativeBytes <= bytes * 1.2, $"{bytes} bytes grew to {index.NativeBytes}");
    }

    [Fact]
    public void A_graph_that_lost_all_its_rows_is_built_anew()
    {
        TestVectors vectors = new(TestSeed.Base, 8, VectorMetric.Euclid);
        (DenseIndex index, DenseIndexModel model) = vectors.Build(500);
        using DenseIndex owned = index;
        for (int round = 0; round < 3; round++)
        {
            for (uint offset = 0; offset < 500; offset++)
                index.Remove(offset);
            Assert.Equal(0, index.Search(vectors.Next(), default, new ScoredOffset[3]));
            TestVectors.IndexAll(index);
            for (uint offset = 0; offset < 500; offset++)
            {
                model.Vectors[offset] = vectors.Next();
                index.Set(offset, model.Vectors[offset]);
            }

            TestVectors.IndexAll(index);
            Assert.Equal(500, index.IndexedCount);
            double recall = vectors.Recall(index, model, new DenseSearch { Ef = 60 });
            Assert.True(recall >= 0.95, $"recall {recall}, seed {TestSeed.Base}");
        }
    }

    [Theory]
    [InlineData(false)]
    [InlineData(true)]
    public void Filters_of_every_share_keep_the_recall(bool bits)
    {
        TestVectors vectors = new(TestSeed.Base, 16, VectorMetric.Euclid);
        (DenseIndex index, DenseIndexModel model) = vectors.Build(
            4000, bits ? new QuantizationOptions { Kind = QuantizationKind.Binary } : null);
        using DenseIndex owned = index;
        float[] pivot = vectors.Next();
        Dictionary<uint, double> far = model.Vectors.Keys.ToDictionary(static offset => offset, offset => model.Score(pivot, offset));
        double[] distances = [.. far.Values.Order()];
        foreach (double share in (double[])[0.001, 0.01, 0.1, 0.25, 0.5, 0.75, 0.9, 0.99])
        {
            double limit = distances[(int)(share * (distances.Length - 1))];
            foreach (Func<uint, bool> filter in (Func<uint, bool>[])[
                offset => offset * 2654435761 % 1000 < share * 1000, offset => far[offset] <= limit])
            {
                OffsetBitmap bitmap = new();
                foreach (uint offset in model.Vectors.Keys.Where(filter))
                    bitmap.Set(offset);
                foreach (SearchPath? path in (SearchPath?[])[null, SearchPath.Scan, SearchPath.Walk, SearchPath.MatchingWalk])
                {
                    DenseSearch search = new()
                    {
                        Ef = 80,
                        Filter = new OffsetFilter(bitmap),
                        EstimatedMatches = bitmap.Count(),
                        Path = path,
                    };
                    double recall = vectors.Recall(index, model, search, 15, filter);
                    Assert.True(recall >= 0.95, $"share {share} by {path}: recall {recall}, seed {TestSeed.Base}");
                }
            }
        }
    }

    [Fact]
    public void The_cheapest_way_to_search_depends_on_how_much_a_filter_leaves()
    {
        Assert.Equal(SearchPath.Scan, SearchPlan.Make(500, 1_000_000, 100, 128, 32).Path);
        Assert.Equal(SearchPath.MatchingWalk, SearchPlan.Make(100_000, 1_000_000, 100, 128, 32).Path);
        Assert.Equal(SearchPath.MatchingWalk, SearchPlan.Make(900_000, 1_000_000, 100, 128, 32).Path);
        SearchPlan most = SearchPlan.Make(980_000, 1_000_000, 100, 128, 32);
        Assert.Equal(SearchPath.Walk, most.Path);
        Assert.InRange(most.Ef, 103, 140);
        Assert.Equal(new SearchPlan(SearchPath.Walk, 100), SearchPlan.Make(1_000_000, 1_000_000, 100, 128, 32));
    }

    [Fact]
    public async Task Searches_and_inserts_run_beside_writers()
    {
        TestVectors vectors = new(TestSeed.Base, 12, VectorMetric.Euclid);
        (DenseIndex index, DenseIndexModel model) = vectors.Build(1000);
        using DenseIndex owned = index;
        float[][] replacements = [.. Enumerable.Range(0, 3000).Select(_ => vectors.Next())];
        float[][] queries = [.. Enumerable.Range(0, 50).Select(_ => vectors.Next())];
        bool done = false;

        // The first number of a vector says which: a mixture of two would score by neither.
        void Search()
        {
            ScoredOffset[] best = new ScoredOffset[10];
            HashSet<uint> offsets = [];
            for (int query = 0; !Volatile.Read(ref done); query++)
            {
                int found = index.Search(queries[query % queries.Length], new DenseSearch { Ef = 40 }, best);
                offsets.Clear();
                Assert.InRange(found, 1, 10);
                Assert.All(best[..found], entry => Assert.True(offsets.Add(entry.Offset)));
            }
        }

        void Insert()
        {
            while (!Volatile.Read(ref done))
                index.IndexNext(10, CancellationToken.None);
        }

        Task[] others = [Task.Run(Search), Task.Run(Search), Task.Run(Insert), Task.Run(Insert)];
        var random = new Random(TestSeed.Base);
        for (int i = 0; i < replacements.Length; i++)
        {
            uint offset = (uint)random.Next(1200);
            if (i % 5 == 0)
            {
                index.Remove(offset);
                model.Vectors.Remove(offset);
            }
            else
            {
                index.Set(offset, replacements[i]);
                model.Vectors[offset] = replacements[i];
            }
        }

        Volatile.Write(ref done, true);
        await Task.WhenAll(others);
        TestVectors.IndexAll(index);
        Assert.Equal(model.Vectors.Count, index.IndexedCount);
        double recall = vectors.Recall(index, model, new DenseSearch { Ef = 100 });
        Assert.True(recall >= 0.95, $"recall {recall}, seed {TestSeed.Base}");
    }

    [Fact]
    public void A_search_through_the_graph_allocates_nothing_on_the_heap()
    {
        TestVectors vectors = new(TestSeed.Base, 16, VectorMetric.Cosine);
        (DenseIndex index, DenseIndexModel model) = vectors.Build(1000);
        using DenseIndex owned = index;
        OffsetBitmap half = new();
        foreach (uint offset in model.Vectors.Keys.Where(static offset => offset % 2 == 0))
            half.Set(offset);
        float[] query = vectors.Next();
        ScoredOffset[] best = new ScoredOffset[10];
        DenseSearch filtered = new() { Ef = 50, Filter = new OffsetFilter(half), EstimatedMatches = half.Count() };

        // The runtime allocates for itself now and then; a search that did would do so each time.
        long least = long.MaxValue;
        for (int round = 0; round < 5; round++)
        {
            long before = GC.GetAllocatedBytesForCurrentThread();
            for (int i = 0; i < 50; i++)
            {
                index.Search(query, default, best);
                index.Search(query, filtered, best);
            }

            least = Math.Min(least, GC.GetAllocatedBytesForCurrentThread() - before);
        }

        Assert.Equal(0, least);
    }

    private static float[] Bytes(Random random) =>
        [.. Enumerable.Range(0, 40).Select(_ => (float)(random.Next(4) * random.Next(60)))];
}
