using AiDb.Engine.Vectors;

namespace AiDb.Tests.Engine.Vectors;

/// <summary>Vectors in clusters, as real ones are, and an index of them.</summary>
internal sealed class TestVectors
{
    private readonly Random _random;
    private readonly float[][] _centres;

    public TestVectors(int seed, int dimensions, VectorMetric metric, int clusters = 40)
    {
        _random = new Random(seed);
        Dimensions = dimensions;
        Metric = metric;
        _centres = [.. Enumerable.Range(0, clusters).Select(_ => Gaussian(1))];
    }

    public int Dimensions { get; }

    public VectorMetric Metric { get; }

    public float[] Next()
    {
        float[] centre = _centres[_random.Next(_centres.Length)];
        float[] vector = [.. Gaussian(0.35).Zip(centre, static (a, b) => a + b)];
        if (Metric != VectorMetric.Cosine)
            return vector;
        float norm = MathF.Sqrt(vector.Sum(static value => value * value));
        return [.. vector.Select(value => value / norm)];
    }

    public DenseIndexOptions Options(QuantizationOptions? quantization = null) => new()
    {
        Dimensions = Dimensions,
        Metric = Metric,
        IndexingThresholdKb = 1,
        Hnsw = new HnswOptions { M = 12, EfConstruct = 80 },
        Quantization = quantization,
    };

    public (DenseIndex Index, DenseIndexModel Model) Build(int count, QuantizationOptions? quantization = null)
    {
        DenseIndex index = new(Options(quantization));
        DenseIndexModel model = new(Metric);
        for (uint offset = 0; offset < count; offset++)
        {
            model.Vectors[offset] = Next();
            index.Set(offset, model.Vectors[offset]);
        }

        IndexAll(index);
        return (index, model);
    }

    public static void IndexAll(DenseIndex index)
    {
        while (index.IndexNext(100, TestContext.Current.CancellationToken))
        {
        }
    }

    /// <summary>The share of the true nearest ten that searches find.</summary>
    public double Recall(
        DenseIndex index, DenseIndexModel model, DenseSearch search, int queries = 50, Func<uint, bool>? filter = null)
    {
        ScoredOffset[] best = new ScoredOffset[10];
        int hits = 0, wanted = 0;
        for (int query = 0; query < queries; query++)
        {
            float[] vector = Next();
            int found = index.Search(vector, search, best);
            List<uint> truth = model.Nearest(vector, best.Length, filter);
            uint[] offsets = [.. best[..found].Select(static entry => entry.Offset)];
            Assert.Equal(offsets.Length, offsets.Distinct().Count());
            Assert.All(offsets, offset => Assert.True(model.Vectors.ContainsKey(offset) && (filter?.Invoke(offset) ?? true)));
            hits += offsets.Intersect(truth).Count();
            wanted += truth.Count;
        }

        return hits / (double)wanted;
    }

    private float[] Gaussian(double scale) => [.. Enumerable.Range(0, Dimensions).Select(_ => (float)(scale
        * Math.Sqrt(-2 * Math.Log(1 - _random.NextDouble())) * Math.Cos(2 * Math.PI * _random.NextDouble())))];
}
