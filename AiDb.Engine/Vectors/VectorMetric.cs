namespace AiDb.Engine.Vectors;

/// <summary>How near two vectors are.</summary>
internal enum VectorMetric
{
    /// <summary>The cosine of the angle; the higher the nearer. The caller normalises floats.</summary>
    Cosine = 0,

    /// <summary>The inner product; the higher the nearer.</summary>
    Dot = 1,

    /// <summary>The Euclidean distance; the lower the nearer.</summary>
    Euclid = 2,

    /// <summary>The sum of the absolute differences; the lower the nearer.</summary>
    Manhattan = 3,
}

/// <summary>How a number of a vector is kept.</summary>
internal enum VectorElement
{
    /// <summary>4 bytes, as given.</summary>
    Float32 = 0,

    /// <summary>2 bytes, IEEE 754 binary16: rounded to 11 bits.</summary>
    Float16 = 1,

    /// <summary>1 byte: rounded to 0 .. 255, what lies outside is cut.</summary>
    UInt8 = 2,
}

/// <summary>What the metrics have in common.</summary>
internal static class VectorMetrics
{
    /// <summary>Whether a higher score is a nearer vector.</summary>
    public static bool HigherIsNearer(this VectorMetric metric) => metric is VectorMetric.Cosine or VectorMetric.Dot;

    /// <summary>The score that users see, of the inner distance: the negative product, or the squared or
    /// absolute distance, always the lower the nearer.</summary>
    public static float ToScore(this VectorMetric metric, float distance) => metric switch
    {
        VectorMetric.Euclid => MathF.Sqrt(MathF.Max(distance, 0)),
        VectorMetric.Manhattan => distance,
        _ => -distance,
    };

    /// <summary>The inner distance of a score: the reverse of <see cref="ToScore"/>.</summary>
    public static float ToDistance(this VectorMetric metric, float score) => metric switch
    {
        VectorMetric.Euclid => score < 0 ? -1 : score * score,
        VectorMetric.Manhattan => score,
        _ => -score,
    };

    /// <summary>Bytes of a number.</summary>
    public static int Bytes(this VectorElement element) => element switch
    {
        VectorElement.Float32 => sizeof(float),
        VectorElement.Float16 => sizeof(ushort),
        _ => sizeof(byte),
    };
}
