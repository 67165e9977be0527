using AiDb.Engine.Vectors;
using AiDb.Tests.TestSupport;

namespace AiDb.Tests.Engine.Vectors;

public sealed class DenseIndexFlatTests
{
    [Theory]
    [InlineData("Cosine")]
    [InlineData("Dot")]
    [InlineData("Euclid")]
    [InlineData("Manhattan")]
    public void Random_changes_are_found_as_the_definition_says(string metricName)
    {
        VectorMetric metric = Enum.Parse<VectorMetric>(metricName);
        const int Dimensions = 19;
        var random = new Random(TestSeed.Base);
        using DenseIndex index = new(new DenseIndexOptions
        {
            Dimensions = Dimensions,
            Metric = metric,
            Hnsw = new HnswOptions { M = 0 },
        });
        DenseIndexModel model = new(metric);
        for (int step = 0; step < 3000; step++)
        {
            uint offset = (uint)random.Next(300);
            if (random.Next(4) > 0)
            {
                float[] vector = DenseIndexModel.RandomVector(random, Dimensions, metric);
                index.Set(offset, vector);
                model.Vectors[offset] = vector;
            }
            else
            {
                index.Remove(offset);
                model.Vectors.Remove(offset);
            }

            Assert.Equal(model.Vectors.Count, index.Count);
            if (step % 20 == 0)
                Compare(index, model, random, Dimensions, metric);
        }
    }

    [Fact]
    public void A_filter_and_a_threshold_leave_out_what_does_not_match()
    {
        using DenseIndex index = Line(100);
        OffsetBitmap bitmap = new();
        foreach (uint offset in (uint[])[4, 50, 60, 99, 400])
            bitmap.Set(offset);
        ScoredOffset[] best = new ScoredOffset[10];
        DenseSearch search = new() { Filter = new OffsetFilter(bitmap), EstimatedMatches = 5 };
        Assert.Equal(4, index.Search([51f], search, best));
        Assert.Equal([50, 60, 4, 99], best[..4].Select(static entry => entry.Offset));
        search.ScoreThreshold = 9;
        Assert.Equal(2, index.Search([51f], search, best));
        search.Filter = new OffsetFilter(bitmap, new Above(55));
        Assert.Equal(1, index.Search([51f], search, best));
        Assert.Equal(new ScoredOffset(60, 9), best[0]);
    }

    [Fact]
    public void Vectors_are_read_back_as_their_element_keeps_them()
    {
        foreach (VectorElement element in Enum.GetValues<VectorElement>())
        {
            using DenseIndex index = new(new DenseIndexOptions
            {
                Dimensions = 3,
                Metric = VectorMetric.Euclid,
                Element = element,
            });
            index.Set(7, [1.25f, 300f, 3f]);
            float[] vector = new float[3];
            Assert.True(index.TryGet(7, vector));
            Assert.Equal(element == VectorElement.UInt8 ? [1f, 255f, 3f] : [1.25f, 300f, 3f], vector);
            Assert.Equal(0, index.Score(vector, 7));
            Assert.False(index.TryGet(6, vector));
            Assert.True(float.IsNaN(index.Score(vector, 6)));
        }
    }

    [Fact]
    public void Bytes_are_compared_by_the_cosine_although_they_are_not_normalised()
    {
        using DenseIndex index = new(new DenseIndexOptions { Dimensions = 2, Element = VectorElement.UInt8 });
        index.Set(1, [200, 0]);
        index.Set(2, [3, 3]);
        ScoredOffset[] best = new ScoredOffset[2];
        Assert.Equal(2, index.Search([7, 7], default, best));
        Assert.Equal(2u, best[0].Offset);
        Assert.Equal(1f, best[0].Score, 1e-6f);
        Assert.Equal(MathF.Sqrt(0.5f), best[1].Score, 1e-6f);
    }

    [Fact]
    public void Every_option_out_of_its_limits_is_named_at_once()
    {
        AiDbException error = Assert.Throws<AiDbException>(() => new DenseIndex(new DenseIndexOptions
        {
            Dimensions = 0,
            Hnsw = new HnswOptions { M = 3, EfConstruct = 1 },
            Quantization = new QuantizationOptions { Quantile = 2 },
        }));
        Assert.Equal(AiDbErrorKind.InvalidArgument, error.Kind);
        foreach (string name in (string[])["Dimensions", "M must", "EfConstruct", "Quantile"])
            Assert.Contains(name, error.Message, StringComparison.Ordinal);
    }

    [Fact]
    public void A_vector_of_another_length_is_refused()
    {
        using DenseIndex index = Line(3);
        Assert.Equal(AiDbErrorKind.InvalidArgument, Assert.Throws<AiDbException>(() => index.Set(1, new float[2])).Kind);
        Assert.Equal(
            AiDbErrorKind.InvalidArgument,
            Assert.Throws<AiDbException>(() => index.Search(new float[2], default, new ScoredOffset[1])).Kind);
    }

    [Theory]
    [InlineData("Euclid")]
    [InlineData("Manhattan")]
    [InlineData("Dot")]
    public void Points_at_a_distance_beyond_what_a_float_holds_are_found_last(string metric)
    {
        using DenseIndex index = new(new DenseIndexOptions
        {
            Dimensions = 2,
            Metric = Enum.Parse<VectorMetric>(metric),
        });
        index.Set(0, [float.MaxValue, float.MaxValue]);
        index.Set(1, [1, -1]);
        ScoredOffset[] best = new ScoredOffset[2];
        foreach (OffsetBitmap? bitmap in (OffsetBitmap?[])[null, OffsetBitmap.Full(2)])
        {
            DenseSearch search = new() { Filter = new OffsetFilter(bitmap), EstimatedMatches = bitmap is null ? 2 : 1 };
            Assert.Equal(2, index.Search([-2, -2], search, best));
            Assert.Equal([1u, 0u], best.Select(static item => item.Offset));
        }
    }

    [Fact]
    public void A_search_allocates_nothing_on_the_heap()
    {
        using DenseIndex index = Line(1000);
        ScoredOffset[] best = new ScoredOffset[10];
        float[] query = [17];

        // The runtime allocates for itself now and then; a search that did would do so each time.
        long least = long.MaxValue;
        for (int round = 0; round < 5; round++)
        {
            long before = GC.GetAllocatedBytesForCurrentThread();
            for (int i = 0; i < 100; i++)
                index.Search(query, default, best);
            least = Math.Min(least, GC.GetAllocatedBytesForCurrentThread() - before);
        }

        Assert.Equal(0, least);
    }

    [Fact]
    public void A_closed_index_lets_nobody_in()
    {
        DenseIndex index = Line(10);
        index.Dispose();
        index.Dispose();
        Assert.Throws<ObjectDisposedException>(() => index.Search([1], default, new ScoredOffset[1]));
        Assert.Throws<ObjectDisposedException>(() => index.Set(1, [1]));
    }

    private static DenseIndex Line(uint count)
    {
        DenseIndex index = new(new DenseIndexOptions { Dimensions = 1, Metric = VectorMetric.Euclid });
        for (uint offset = 0; offset < count; offset++)
            index.Set(offset, [offset]);
        return index;
    }

    private static void Compare(
        DenseIndex index, DenseIndexModel model, Random random, int dimensions, VectorMetric metric)
    {
        float[] query = DenseIndexModel.RandomVector(random, dimensions, metric);
        ScoredOffset[] best = new ScoredOffset[7];
        int found = index.Search(query, default, best);
        Assert.Equal(model.Nearest(query, best.Length), best[..found].Select(static entry => entry.Offset));
        foreach (ScoredOffset entry in best[..found])
        {
            Assert.Equal(model.Score(query, entry.Offset), entry.Score, 1e-4);
            Assert.Equal(entry.Score, index.Score(query, entry.Offset));
        }
    }

    private sealed class Above(uint limit) : IOffsetPredicate
    {
        public bool Matches(uint offset) => offset > limit;
    }
}
