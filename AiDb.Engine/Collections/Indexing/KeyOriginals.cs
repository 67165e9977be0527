using AiDb.Engine.Vectors;

namespace AiDb.Engine.Collections.Indexing;

/// <summary>The vectors of a name, read from their keys, for indexes that hold codes only.</summary>
/// <remarks>Thread safety: all members may be called concurrently.</remarks>
internal sealed class KeyOriginals(IPointView points, string name, Func<PointId, string, VectorValue?> read)
    : IOriginalVectors
{
    /// <inheritdoc/>
    public bool TryRead(uint offset, Span<float> vector)
    {
        if (!points.HasVector(name, offset) || read(points.IdAt(offset), name) is not DenseVector dense
            || dense.Values.Length != vector.Length)
        {
            return false;
        }

        dense.Values.Span.CopyTo(vector);
        return true;
    }
}
