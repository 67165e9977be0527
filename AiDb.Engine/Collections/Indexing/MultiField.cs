using AiDb.Engine.Vectors;
using AiDb.Engine.Vectors.Distances;

namespace AiDb.Engine.Collections.Indexing;

/// <summary>Multi-vectors of one name: each vector of the query takes its best partner, and the similarities are
/// added.</summary>
internal sealed unsafe class MultiField(string name, VectorOptions options) : SimpleField<MultiVector>(name)
{
    private readonly Vectors.VectorMetric _metric = options.Metric.ToKernel();

    /// <inheritdoc/>
    public override bool HigherIsNearer => _metric.HigherIsNearer();

    /// <inheritdoc/>
    protected override bool IsFound(MultiVector query, MultiVector vector) => IsWhole(query) && IsWhole(vector);

    /// <inheritdoc/>
    protected override float Between(MultiVector query, MultiVector vector)
    {
        // The kernels read as many numbers as they are told.
        if (!IsWhole(query) || !IsWhole(vector))
            return float.NaN;
        float sum = 0;
        fixed (float* rows = query.Values.Span, others = vector.Values.Span)
        {
            for (int row = 0; row < query.Count; row++)
            {
                float nearest = float.PositiveInfinity;
                for (int other = 0; other < vector.Count; other++)
                {
                    float distance = Distance(
                        (byte*)(rows + (row * options.Dimensions)), (byte*)(others + (other * options.Dimensions)));
                    nearest = MathF.Min(nearest, distance);
                }

                sum -= nearest;
            }
        }

        return sum;
    }

    /// <inheritdoc/>
    protected override float ToScore(float similarity) => _metric.ToScore(-similarity);

    /// <inheritdoc/>
    protected override long BytesOf(MultiVector vector) => (vector.Values.Length * 4L) + 96;

    private bool IsWhole(MultiVector vector) =>
        vector.Count > 0 && vector.Values.Length == (long)vector.Count * options.Dimensions;

    private float Distance(byte* left, byte* right) => _metric switch
    {
        Vectors.VectorMetric.Euclid => FloatKernels.Sum<SquaredFold, FloatLanes>(left, right, options.Dimensions),
        Vectors.VectorMetric.Manhattan => FloatKernels.Sum<AbsoluteFold, FloatLanes>(left, right, options.Dimensions),
        _ => -FloatKernels.Sum<DotFold, FloatLanes>(left, right, options.Dimensions),
    };
}
