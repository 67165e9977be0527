using AiDb.Engine.Collections.Sparse;
using AiDb.Engine.Vectors;

namespace AiDb.Engine.Collections.Indexing;

/// <summary>Sparse vectors of one name.</summary>
internal sealed class SparseField(string name, SparseVectorOptions options) : VectorField(name)
{
    private readonly SparseIndex _index = new(options);

    /// <summary>The settings.</summary>
    public SparseVectorOptions Options { get; } = options;

    /// <inheritdoc/>
    public override bool HigherIsNearer => true;

    /// <inheritdoc/>
    public override long Bytes => _index.MemoryBytes;

    /// <inheritdoc/>
    public override int Search(VectorValue query, in DenseSearch search, Span<ScoredOffset> best) =>
        _index.Search((SparseVector)query, search.Filter, search.ScoreThreshold, best, search.CancellationToken);

    /// <inheritdoc/>
    public override float Similarity(VectorValue query, uint offset) => _index.Score((SparseVector)query, offset);

    /// <inheritdoc/>
    public override void Dispose()
    {
    }

    /// <inheritdoc/>
    protected override void SetVector(uint offset, VectorValue vector) => _index.Set(offset, (SparseVector)vector);

    /// <inheritdoc/>
    protected override void RemoveVector(uint offset) => _index.Remove(offset);
}
