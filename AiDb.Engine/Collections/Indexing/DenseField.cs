using AiDb.Engine.Vectors;

namespace AiDb.Engine.Collections.Indexing;

/// <summary>Dense vectors of one name.</summary>
internal sealed class DenseField : VectorField
{
    private readonly VectorOptions _options;
    private readonly Lazy<DenseIndex> _index;

    public DenseField(string name, VectorOptions options, DenseIndexOptions indexOptions)
        : base(name)
    {
        _options = options;
        _index = new Lazy<DenseIndex>(() => new DenseIndex(indexOptions));
    }

    /// <inheritdoc/>
    public override bool HigherIsNearer => _options.Metric.ToKernel().HigherIsNearer();

    /// <inheritdoc/>
    public override long Bytes => _index.IsValueCreated ? _index.Value.NativeBytes : 0;

    /// <inheritdoc/>
    public override long IndexedCount => _index.IsValueCreated ? _index.Value.IndexedCount : 0;

    /// <inheritdoc/>
    public override long UnindexedCount => _index.IsValueCreated ? _index.Value.UnindexedCount : 0;

    /// <inheritdoc/>
    public override int Search(VectorValue query, in DenseSearch search, Span<ScoredOffset> best) =>
        _index.IsValueCreated ? _index.Value.Search(((DenseVector)query).Values.Span, search, best) : 0;

    /// <inheritdoc/>
    public override float Similarity(VectorValue query, uint offset)
    {
        if (!_index.IsValueCreated)
            return float.NaN;
        float score = _index.Value.Score(((DenseVector)query).Values.Span, offset);
        return float.IsNaN(score) ? score : -_options.Metric.ToKernel().ToDistance(score);
    }

    /// <inheritdoc/>
    public override bool IndexNext(int maxItems, CancellationToken cancellationToken) =>
        _index.IsValueCreated && _index.Value.IndexNext(maxItems, cancellationToken);

    /// <inheritdoc/>
    public override void Dispose()
    {
        if (_index.IsValueCreated)
            _index.Value.Dispose();
    }

    /// <inheritdoc/>
    protected override void SetVector(uint offset, VectorValue vector) =>
        _index.Value.Set(offset, ((DenseVector)vector).Values.Span);

    /// <inheritdoc/>
    protected override void RemoveVector(uint offset) => _index.Value.Remove(offset);
}
