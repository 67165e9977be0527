namespace AiDb.Engine.Vectors.Distances;

/// <summary>The inner distance of a prepared query and a stored row, the lower the nearer, in full
/// precision.</summary>
/// <remarks>
/// The query of bytes is bytes, of all others floats. Thread safety: immutable.
/// </remarks>
internal sealed unsafe class VectorDistance
{
    private readonly delegate*<byte*, byte*, int, float> _function;

    public VectorDistance(VectorMetric metric, VectorElement element, int dimensions)
    {
        Element = element;
        Dimensions = dimensions;
        _function = element switch
        {
            VectorElement.Float32 => Floats<FloatLanes>(metric),
            VectorElement.Float16 => Floats<HalfLanes>(metric),
            _ => Bytes(metric),
        };
    }

    /// <summary>How a number is kept.</summary>
    public VectorElement Element { get; }

    /// <summary>Numbers of a vector.</summary>
    public int Dimensions { get; }

    /// <summary>Bytes of a stored vector.</summary>
    public int RowBytes => Dimensions * Element.Bytes();

    /// <summary>Bytes of a prepared query.</summary>
    public int QueryBytes => Element == VectorElement.UInt8 ? Dimensions : Dimensions * sizeof(float);

    /// <summary>The inner distance.</summary>
    public float Between(byte* query, byte* row) => _function(query, row, Dimensions);

    /// <summary>Writes a vector as it is stored.</summary>
    public void Store(ReadOnlySpan<float> vector, byte* row)
    {
        switch (Element)
        {
            case VectorElement.Float32:
                vector.CopyTo(new Span<float>(row, vector.Length));
                break;
            case VectorElement.Float16:
                for (int i = 0; i < vector.Length; i++)
                    ((Half*)row)[i] = ToFiniteHalf(vector[i]);
                break;
            default:
                for (int i = 0; i < vector.Length; i++)
                    row[i] = (byte)Math.Clamp(MathF.Round(vector[i]), 0, byte.MaxValue);
                break;
        }
    }

    /// <summary>Reads a stored vector.</summary>
    public void Load(byte* row, Span<float> vector)
    {
        switch (Element)
        {
            case VectorElement.Float32:
                new ReadOnlySpan<float>(row, Dimensions).CopyTo(vector);
                break;
            case VectorElement.Float16:
                for (int i = 0; i < Dimensions; i++)
                    vector[i] = (float)((Half*)row)[i];
                break;
            default:
                for (int i = 0; i < Dimensions; i++)
                    vector[i] = row[i];
                break;
        }
    }

    /// <summary>Writes a query as <see cref="Between"/> takes it.</summary>
    public void Prepare(ReadOnlySpan<float> query, byte* prepared)
    {
        if (Element == VectorElement.UInt8)
            Store(query, prepared);
        else
            query.CopyTo(new Span<float>(prepared, query.Length));
    }

    private static Half ToFiniteHalf(float value)
    {
        var half = (Half)value;
        if (Half.IsFinite(half))
            return half;
        return value > 0 ? Half.MaxValue : Half.MinValue;
    }

    private static delegate*<byte*, byte*, int, float> Floats<TLanes>(VectorMetric metric)
        where TLanes : struct, ILanes => metric switch
        {
            VectorMetric.Euclid => &FloatKernels.Sum<SquaredFold, TLanes>,
            VectorMetric.Manhattan => &FloatKernels.Sum<AbsoluteFold, TLanes>,
            _ => &NegativeDot<TLanes>,
        };

    private static delegate*<byte*, byte*, int, float> Bytes(VectorMetric metric) => metric switch
    {
        VectorMetric.Euclid => &SquaredBytes,
        VectorMetric.Manhattan => &AbsoluteBytes,
        VectorMetric.Dot => &NegativeDotBytes,
        _ => &NegativeCosineBytes,
    };

    private static float NegativeDot<TLanes>(byte* query, byte* row, int count)
        where TLanes : struct, ILanes => -FloatKernels.Sum<DotFold, TLanes>(query, row, count);

    private static float SquaredBytes(byte* query, byte* row, int count) => ByteKernels.Squared(query, row, count);

    private static float AbsoluteBytes(byte* query, byte* row, int count) => ByteKernels.Absolute(query, row, count);

    private static long Dot(byte* left, byte* right, int count) =>
        ByteKernels.DotLess128(left, right, count) + (128L * ByteKernels.Total(left, count));

    private static float NegativeDotBytes(byte* query, byte* row, int count) => -Dot(query, row, count);

    // Bytes cannot be normalised when they are stored.
    private static float NegativeCosineBytes(byte* query, byte* row, int count)
    {
        double norms = Math.Sqrt((double)Dot(query, query, count) * Dot(row, row, count));
        return norms == 0 ? 0 : (float)(-Dot(query, row, count) / norms);
    }
}
