using AiDb.Engine.Vectors;
using AiDb.Engine.Vectors.Distances;

namespace AiDb.Benchmarks.Vectors;

/// <summary>The nearest vectors by the definition.</summary>
internal static unsafe class GroundTruth
{
    private const int QueryBlock = 64;

    /// <summary>The nearest of each query, among the vectors that <paramref name="filter"/> lets pass.</summary>
    public static int[] Find(VectorData data, Func<int, bool>? filter = null, int queryCount = int.MaxValue)
    {
        const int K = VectorData.K;
        queryCount = Math.Min(queryCount, data.QueryCount);
        int[] truth = new int[queryCount * K];
        Parallel.For(0, (queryCount + QueryBlock - 1) / QueryBlock, block =>
        {
            int first = block * QueryBlock;
            int end = Math.Min(queryCount, first + QueryBlock);
            float[] distances = new float[QueryBlock * K];
            distances.AsSpan().Fill(float.PositiveInfinity);
            fixed (float* vectors = data.Vectors, queries = data.Queries)
            {
                for (int row = 0; row < data.Count; row++)
                {
                    if (filter is not null && !filter(row))
                        continue;
                    byte* vector = (byte*)(vectors + ((long)row * data.Dimensions));
                    for (int query = first; query < end; query++)
                    {
                        byte* wanted = (byte*)(queries + ((long)query * data.Dimensions));
                        float distance = data.Metric == VectorMetric.Euclid
                            ? FloatKernels.Sum<SquaredFold, FloatLanes>(wanted, vector, data.Dimensions)
                            : -FloatKernels.Sum<DotFold, FloatLanes>(wanted, vector, data.Dimensions);
                        Keep(
                            distances.AsSpan((query - first) * K, K), truth.AsSpan(query * K, K), distance, row);
                    }
                }
            }
        });
        return truth;
    }

    private static void Keep(Span<float> distances, Span<int> rows, float distance, int row)
    {
        int at = distances.Length - 1;
        if (distance >= distances[at])
            return;
        for (; at > 0 && distances[at - 1] > distance; at--)
        {
            distances[at] = distances[at - 1];
            rows[at] = rows[at - 1];
        }

        distances[at] = distance;
        rows[at] = row;
    }
}
