namespace AiDb.Engine.Collections.Queries;

/// <summary>The one vector that stands for examples: the average of the positive ones, moved away from the average of the
/// negative ones, as far as these are away.</summary>
internal static class ExampleAverage
{
    /// <summary>avg(positive) + avg(positive) - avg(negative); of multi-vectors, all vectors of the positive ones and
    /// the negative ones turned around.</summary>
    /// <param name="positive">One at least; all of one kind and shape.</param>
    /// <param name="negative">Of the same kind and shape.</param>
    public static VectorValue Of(IReadOnlyList<VectorValue> positive, IReadOnlyList<VectorValue> negative)
    {
        switch (positive[0])
        {
            case DenseVector first:
                return Dense(first.Values.Length, positive, negative);
            case SparseVector:
                return Sparse(positive, negative);
            default:
                return Multi(positive.Cast<MultiVector>(), negative.Cast<MultiVector>());
        }
    }

    private static DenseVector Dense(int length, IReadOnlyList<VectorValue> positive, IReadOnlyList<VectorValue> negative)
    {
        float[] average = DenseMean(length, positive);
        if (negative.Count == 0)
            return new DenseVector(average);
        float[] away = DenseMean(length, negative);
        for (int at = 0; at < length; at++)
            average[at] = average[at] + average[at] - away[at];
        return new DenseVector(average);
    }

    private static float[] DenseMean(int length, IReadOnlyList<VectorValue> vectors)
    {
        float[] sum = new float[length];
        foreach (VectorValue vector in vectors)
        {
            ReadOnlySpan<float> values = ((DenseVector)vector).Values.Span;
            for (int at = 0; at < length; at++)
                sum[at] += values[at];
        }

        for (int at = 0; at < length; at++)
            sum[at] /= vectors.Count;
        return sum;
    }

    private static SparseVector Sparse(IReadOnlyList<VectorValue> positive, IReadOnlyList<VectorValue> negative)
    {
        SortedDictionary<uint, float> sum = [];
        float toward = negative.Count == 0 ? 1f / positive.Count : 2f / positive.Count;
        foreach (SparseVector vector in positive.Cast<SparseVector>())
            Add(sum, vector, toward);
        foreach (SparseVector vector in negative.Cast<SparseVector>())
            Add(sum, vector, -1f / negative.Count);
        return new SparseVector(sum.Keys.ToArray(), sum.Values.ToArray());
    }

    private static void Add(SortedDictionary<uint, float> sum, SparseVector vector, float weight)
    {
        for (int at = 0; at < vector.Indices.Length; at++)
        {
            uint index = vector.Indices.Span[at];
            sum[index] = sum.GetValueOrDefault(index) + (vector.Values.Span[at] * weight);
        }
    }

    private static MultiVector Multi(IEnumerable<MultiVector> positive, IEnumerable<MultiVector> negative)
    {
        List<float> values = [];
        int count = 0;
        foreach (MultiVector vector in positive)
        {
            values.AddRange(vector.Values.Span);
            count += vector.Count;
        }

        foreach (MultiVector vector in negative)
        {
            foreach (float value in vector.Values.Span)
                values.Add(-value);
            count += vector.Count;
        }

        return new MultiVector(values.ToArray(), count);
    }
}
