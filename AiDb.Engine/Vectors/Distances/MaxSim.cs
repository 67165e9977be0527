namespace AiDb.Engine.Vectors.Distances;

/// <summary>The score of multi-vectors: for each vector of the query the nearest of the document, added
/// up.</summary>
/// <remarks>Source: Khattab and Zaharia, "ColBERT" (2020), section 3.2.</remarks>
internal static unsafe class MaxSim
{
    /// <summary>The sum over the query's rows of the best score among the document's.</summary>
    /// <param name="metric">How near two rows are; for distances the best is the lowest and the sum is
    /// negative, so that more is nearer with every metric.</param>
    /// <param name="query">Rows of <paramref name="dimensions"/> floats.</param>
    /// <param name="document">Rows of <paramref name="dimensions"/> floats.</param>
    /// <param name="dimensions">Numbers of a row.</param>
    public static float Score(
        VectorMetric metric, ReadOnlySpan<float> query, ReadOnlySpan<float> document, int dimensions)
    {
        if (dimensions < 1 || query.Length % dimensions != 0 || document.Length % dimensions != 0)
        {
            throw new AiDbException(
                AiDbErrorKind.InvalidArgument, $"A multi-vector must be made of rows of {dimensions} numbers.");
        }

        if (document.IsEmpty)
            return 0;
        float total = 0;
        fixed (float* queryStart = query, documentStart = document)
        {
            float* queryEnd = queryStart + query.Length;
            float* documentEnd = documentStart + document.Length;
            for (float* row = queryStart; row < queryEnd; row += dimensions)
            {
                float best = float.PositiveInfinity;
                for (float* other = documentStart; other < documentEnd; other += dimensions)
                    best = MathF.Min(best, Distance(metric, row, other, dimensions));
                float score = metric.ToScore(best);
                total += metric.HigherIsNearer() ? score : -score;
            }
        }

        return total;
    }

    private static float Distance(VectorMetric metric, float* left, float* right, int count) => metric switch
    {
        VectorMetric.Euclid => FloatKernels.Sum<SquaredFold, FloatLanes>((byte*)left, (byte*)right, count),
        VectorMetric.Manhattan => FloatKernels.Sum<AbsoluteFold, FloatLanes>((byte*)left, (byte*)right, count),
        _ => -FloatKernels.Sum<DotFold, FloatLanes>((byte*)left, (byte*)right, count),
    };
}
