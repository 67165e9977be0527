namespace AiDb.Engine.Vectors;

/// <summary>Reads vectors from where they are kept for good, for an index that holds codes only.</summary>
/// <remarks>Thread safety: called by several searches at once.</remarks>
internal interface IOriginalVectors
{
    /// <summary>Reads a vector, normalised where the metric wants it; false: there is none.</summary>
    bool TryRead(uint offset, Span<float> vector);
}
