using System.Numerics;
using System.Runtime.InteropServices;

namespace AiDb.Engine.Collections.Queries;

/// <summary>Nearness of two vectors, the higher the nearer with every metric: the cosine, the dot product, minus the
/// squared Euclidean distance, minus the sum of absolute differences. Of multi-vectors, each vector of the query takes
/// its best partner, and the similarities are added (MaxSim).</summary>
/// <remarks>Thread safety: immutable.</remarks>
internal static class VectorSimilarity
{
    /// <summary>Whether higher scores of a metric are nearer.</summary>
    public static bool HigherIsNearer(VectorMetric metric) => metric is VectorMetric.Cosine or VectorMetric.Dot;

    /// <summary>The score that users see, of a similarity: distances are positive.</summary>
    public static float ToScore(VectorMetric metric, float similarity) => metric switch
    {
        VectorMetric.Euclid => MathF.Sqrt(MathF.Abs(similarity)),
        VectorMetric.Manhattan => MathF.Abs(similarity),
        _ => similarity,
    };

    /// <summary>The similarity of a score that users see: the reverse of <see cref="ToScore"/>.</summary>
    public static float FromScore(VectorMetric metric, float score) => metric switch
    {
        VectorMetric.Euclid => -(score * score),
        VectorMetric.Manhattan => -score,
        _ => score,
    };

    /// <summary>The similarity of two vectors of one kind and shape.</summary>
    /// <param name="metric">How dense vectors are compared; sparse ones always by the dot product.</param>
    /// <param name="query">The query: its vectors look for partners where there are several.</param>
    /// <param name="document">The other.</param>
    public static float Between(VectorMetric metric, VectorValue query, VectorValue document) => (query, document) switch
    {
        (DenseVector left, DenseVector right) => Dense(metric, left.Values.Span, right.Values.Span),
        (SparseVector left, SparseVector right) => Dot(left, right),
        (MultiVector left, MultiVector right) => MaxSim(metric, left, right),
        _ => throw new AiDbException(AiDbErrorKind.InvalidArgument, "vectors of different kinds cannot be compared."),
    };

    /// <summary>The similarity of two dense vectors of one length.</summary>
    public static float Dense(VectorMetric metric, ReadOnlySpan<float> left, ReadOnlySpan<float> right) => metric switch
    {
        VectorMetric.Euclid => -Sum<SquaredDifference>(left, right),
        VectorMetric.Manhattan => -Sum<AbsoluteDifference>(left, right),
        VectorMetric.Cosine => Cosine(left, right),
        _ => Sum<Product>(left, right),
    };

    /// <summary>The dot product of two sparse vectors whose indices ascend.</summary>
    public static float Dot(SparseVector left, SparseVector right)
    {
        ReadOnlySpan<uint> leftIndices = left.Indices.Span;
        ReadOnlySpan<uint> rightIndices = right.Indices.Span;
        ReadOnlySpan<float> leftValues = left.Values.Span;
        ReadOnlySpan<float> rightValues = right.Values.Span;
        int at = 0;
        int other = 0;
        float sum = 0;
        while (at < leftIndices.Length && other < rightIndices.Length)
        {
            uint index = leftIndices[at];
            uint otherIndex = rightIndices[other];
            if (index == otherIndex)
                sum += leftValues[at++] * rightValues[other++];
            else if (index < otherIndex)
                at++;
            else
                other++;
        }

        return sum;
    }

    private static float MaxSim(VectorMetric metric, MultiVector query, MultiVector document)
    {
        int dimensions = query.Values.Length / query.Count;
        float sum = 0;
        for (int row = 0; row < query.Count; row++)
        {
            ReadOnlySpan<float> left = query.Values.Span.Slice(row * dimensions, dimensions);
            float best = float.NegativeInfinity;
            for (int other = 0; other < document.Count; other++)
                best = MathF.Max(best, Dense(metric, left, document.Values.Span.Slice(other * dimensions, dimensions)));
            sum += best;
        }

        return sum;
    }

    // Stored vectors have length 1, those of requests need not.
    private static float Cosine(ReadOnlySpan<float> left, ReadOnlySpan<float> right)
    {
        float lengths = MathF.Sqrt(Sum<Product>(left, left) * Sum<Product>(right, right));
        return lengths > 0 ? Sum<Product>(left, right) / lengths : 0;
    }

    private static float Sum<TTerm>(ReadOnlySpan<float> left, ReadOnlySpan<float> right)
        where TTerm : struct, ITerm
    {
        right = right[..left.Length];
        ReadOnlySpan<Vector<float>> leftLanes = MemoryMarshal.Cast<float, Vector<float>>(left);
        ReadOnlySpan<Vector<float>> rightLanes = MemoryMarshal.Cast<float, Vector<float>>(right);
        Vector<float> lanes = Vector<float>.Zero;
        for (int lane = 0; lane < leftLanes.Length; lane++)
            lanes += TTerm.Of(leftLanes[lane], rightLanes[lane]);
        float sum = Vector.Sum(lanes);
        for (int rest = leftLanes.Length * Vector<float>.Count; rest < left.Length; rest++)
            sum += TTerm.Of(new Vector<float>(left[rest]), new Vector<float>(right[rest]))[0];
        return sum;
    }

    private interface ITerm
    {
        static abstract Vector<float> Of(Vector<float> left, Vector<float> right);
    }

    private readonly struct Product : ITerm
    {
        public static Vector<float> Of(Vector<float> left, Vector<float> right) => left * right;
    }

    private readonly struct SquaredDifference : ITerm
    {
        public static Vector<float> Of(Vector<float> left, Vector<float> right) => (left - right) * (left - right);
    }

    private readonly struct AbsoluteDifference : ITerm
    {
        public static Vector<float> Of(Vector<float> left, Vector<float> right) => Vector.Abs(left - right);
    }
}
