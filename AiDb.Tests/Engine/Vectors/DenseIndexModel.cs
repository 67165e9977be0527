using AiDb.Engine.Vectors;

namespace AiDb.Tests.Engine.Vectors;

/// <summary>Vectors by offset, searched by the definition.</summary>
internal sealed class DenseIndexModel(VectorMetric metric)
{
    public SortedDictionary<uint, float[]> Vectors { get; } = [];

    public static float[] RandomVector(Random random, int dimensions, VectorMetric metric)
    {
        float[] vector = [.. Enumerable.Range(0, dimensions).Select(_ => (float)((random.NextDouble() * 2) - 1))];
        if (metric != VectorMetric.Cosine)
            return vector;
        float norm = MathF.Sqrt(vector.Sum(static value => value * value));
        return [.. vector.Select(value => value / norm)];
    }

    public double Score(float[] query, uint offset)
    {
        float[] vector = Vectors[offset];
        return metric switch
        {
            VectorMetric.Euclid => Math.Sqrt(query.Zip(vector, static (a, b) => ((double)a - b) * ((double)a - b)).Sum()),
            VectorMetric.Manhattan => query.Zip(vector, static (a, b) => Math.Abs((double)a - b)).Sum(),
            _ => query.Zip(vector, static (a, b) => (double)a * b).Sum(),
        };
    }

    /// <summary>The nearest offsets, the best first.</summary>
    public List<uint> Nearest(float[] query, int count, Func<uint, bool>? filter = null)
    {
        var scored = Vectors.Keys.Where(offset => filter?.Invoke(offset) ?? true)
            .Select(offset => (Offset: offset, Score: Score(query, offset)));
        scored = metric.HigherIsNearer()
            ? scored.OrderByDescending(static entry => entry.Score)
            : scored.OrderBy(static entry => entry.Score);
        return [.. scored.Take(count).Select(static entry => entry.Offset)];
    }
}
