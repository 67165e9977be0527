using AiDb.Engine.Collections;
using AiDb.Engine.Collections.Indexing;
using AiDb.Engine.Vectors;
using VectorMetric = AiDb.Engine.Collections.VectorMetric;

namespace AiDb.Tests.Engine.Collections.Indexing;

public sealed class MultiFieldTests
{
    [Fact]
    public async Task A_point_that_is_written_again_is_found_by_every_search_meanwhile()
    {
        using MultiField field = Make(VectorMetric.Dot);
        MultiVector vector = new(new float[] { 1, 2 }, 1);
        field.Set(0, vector);
        bool done = false;
        var writer = Task.Run(
            () =>
            {
                while (!Volatile.Read(ref done))
                    field.Set(0, vector);
            },
            TestContext.Current.CancellationToken);
        ScoredOffset[] best = new ScoredOffset[1];
        int missed = 0;
        for (int i = 0; i < 50_000; i++)
            missed += 1 - field.Search(vector, default, best);
        Volatile.Write(ref done, true);
        await writer;
        Assert.Equal(0, missed);
        Assert.Equal((2 * 4) + 96, field.Bytes);
    }

    [Theory]
    [InlineData(VectorMetric.Euclid)]
    [InlineData(VectorMetric.Manhattan)]
    [InlineData(VectorMetric.Dot)]
    public void Points_at_a_distance_beyond_what_a_float_holds_are_found_last(VectorMetric metric)
    {
        using MultiField field = Make(metric);
        field.Set(0, new MultiVector(new float[] { float.MaxValue, float.MaxValue }, 1));
        field.Set(1, new MultiVector(new float[] { 1, -1 }, 1));
        ScoredOffset[] best = new ScoredOffset[2];
        Assert.Equal(2, field.Search(new MultiVector(new float[] { -2, -2 }, 1), default, best));
        Assert.Equal([1u, 0u], best.Select(static item => item.Offset));
    }

    [Fact]
    public void A_vector_that_is_shorter_than_it_says_is_not_read_beyond_its_end()
    {
        using MultiField field = Make(VectorMetric.Dot);
        field.Set(0, new MultiVector(new float[] { 1, 2 }, 1000));
        field.Set(1, new MultiVector(new float[] { 1, 2 }, 1));
        MultiVector query = new(new float[] { 1, 1 }, 1);
        ScoredOffset[] best = new ScoredOffset[2];
        Assert.Equal(1, field.Search(query, default, best));
        Assert.Equal(new ScoredOffset(1, 3), best[0]);
        Assert.True(float.IsNaN(field.Similarity(query, 0)));
        Assert.Equal(0, field.Search(query with { Count = 2 }, default, best));
    }

    private static MultiField Make(VectorMetric metric) =>
        new("m", new VectorOptions { Dimensions = 2, Metric = metric, MultiVector = MultiVectorComparator.MaxSim });
}
