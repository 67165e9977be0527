namespace AiDb.Engine.Collections.Indexing;

/// <summary>Sparse vectors of one name.</summary>
internal sealed class SparseField(string name, SparseVectorOptions options) : SimpleField<SparseVector>(name)
{
    /// <summary>The settings.</summary>
    public SparseVectorOptions Options { get; } = options;

    /// <inheritdoc/>
    public override bool HigherIsNearer => true;

    /// <inheritdoc/>
    protected override float Between(SparseVector query, SparseVector vector)
    {
        ReadOnlySpan<uint> left = query.Indices.Span;
        ReadOnlySpan<uint> right = vector.Indices.Span;
        float sum = 0;
        for (int at = 0, other = 0; at < left.Length && other < right.Length;)
        {
            if (left[at] == right[other])
                sum += query.Values.Span[at++] * vector.Values.Span[other++];
            else if (left[at] < right[other])
                at++;
            else
                other++;
        }

        return sum;
    }

    /// <inheritdoc/>
    protected override float ToScore(float similarity) => similarity;

    // Vectors without a dimension in common are not near one another at all.
    /// <inheritdoc/>
    protected override bool IsFound(SparseVector query, SparseVector vector)
    {
        ReadOnlySpan<uint> left = query.Indices.Span;
        foreach (uint index in vector.Indices.Span)
        {
            if (left.BinarySearch(index) >= 0)
                return true;
        }

        return false;
    }

    /// <inheritdoc/>
    protected override long BytesOf(SparseVector vector) => (vector.Indices.Length * 8L) + 96;
}
