using System.Globalization;
using AiDb.Engine.Storage;
using AiDb.Engine.Vectors;

namespace AiDb.Engine.Collections.Indexing;

/// <summary>Dense vectors of one name.</summary>
/// <remarks>Other settings of graph and codes take force by a second index that is filled beside the first and then takes its
/// place; meanwhile changes go to both. Thread safety: as <see cref="VectorField"/>; <see cref="Rebuild"/> by one
/// caller at a time.</remarks>
internal sealed class DenseField : VectorField
{
    private readonly VectorOptions _options;
    private readonly IOriginalVectors _originals;
    private readonly Lock _gate = new();
    private DenseIndexOptions _shape;
    private DenseIndex? _index;
    private DenseIndex? _next;
    private OffsetBitmap? _copied;

    public DenseField(string name, VectorOptions options, DenseIndexOptions shape, IOriginalVectors originals)
        : base(name)
    {
        _options = options;
        _shape = shape;
        _originals = originals;
    }

    /// <summary>Whether it was read from a file.</summary>
    public bool IsRestored { get; private set; }

    /// <inheritdoc/>
    public override bool HigherIsNearer => _options.Metric.ToKernel().HigherIsNearer();

    /// <inheritdoc/>
    public override long Bytes => (Volatile.Read(ref _index)?.NativeBytes ?? 0) + (Volatile.Read(ref _next)?.NativeBytes ?? 0);

    /// <inheritdoc/>
    public override long IndexedCount => Volatile.Read(ref _index)?.IndexedCount ?? 0;

    /// <inheritdoc/>
    public override long UnindexedCount => Volatile.Read(ref _index)?.UnindexedCount ?? 0;

    /// <inheritdoc/>
    public override int Search(VectorValue query, in DenseSearch search, Span<ScoredOffset> best)
    {
        while (true)
        {
            DenseIndex? index = Volatile.Read(ref _index);
            try
            {
                return index is null ? 0 : index.Search(((DenseVector)query).Values.Span, search, best);
            }
            catch (ObjectDisposedException) when (index != Volatile.Read(ref _index))
            {
                // Another one has just taken its place.
            }
        }
    }

    /// <inheritdoc/>
    public override float Similarity(VectorValue query, uint offset)
    {
        float score = Volatile.Read(ref _index)?.Score(((DenseVector)query).Values.Span, offset) ?? float.NaN;
        return float.IsNaN(score) ? score : -_options.Metric.ToKernel().ToDistance(score);
    }

    /// <inheritdoc/>
    public override bool HasWork => Volatile.Read(ref _index)?.HasWork ?? false;

    /// <summary>Vectors that were removed and that searches through the graph still pass.</summary>
    public long RemovedCount => Volatile.Read(ref _index)?.RemovedCount ?? 0;

    /// <inheritdoc/>
    public override bool IndexNext(int maxItems, CancellationToken cancellationToken) =>
        Volatile.Read(ref _index)?.IndexNext(maxItems, cancellationToken) ?? false;

    /// <inheritdoc/>
    public override string Explain(long matches, SearchParameters parameters)
    {
        long vectors = Math.Min(matches, Present.Count());
        if (IndexedCount == 0 || parameters.Exact)
            return string.Create(CultureInfo.InvariantCulture, $"brute force over {vectors} vectors");
        string codes = _shape.Quantization is { } quantization && !parameters.IgnoreQuantization
            ? string.Create(CultureInfo.InvariantCulture, $" by {quantization.Kind} codes") : "";
        string waiting = UnindexedCount > 0 && !parameters.IndexedOnly
            ? string.Create(CultureInfo.InvariantCulture, $" and {UnindexedCount} vectors one by one") : "";
        return vectors < Present.Count()
            ? string.Create(
                CultureInfo.InvariantCulture,
                $"graph filtered to {vectors} of {IndexedCount} vectors, or brute force over these where that is cheaper{codes}{waiting}")
            : string.Create(CultureInfo.InvariantCulture, $"graph over {IndexedCount} vectors{codes}{waiting}");
    }

    /// <summary>Takes over a saved index; false: the file is of another save.</summary>
    /// <exception cref="AiDbException">The file cannot be used.</exception>
    public bool TryLoad(IFileSystem files, string path, ulong save)
    {
        var loaded = DenseIndex.Load(files, path, _shape, out ulong found);
        if (found != save)
        {
            loaded.Dispose();
            return false;
        }

        loaded.Originals = _originals;
        Volatile.Write(ref _index, loaded);
        IsRestored = true;
        return true;
    }

    /// <summary>Counts a vector of a saved index as there; false: the index does not have it.</summary>
    public bool TryConfirm(uint offset)
    {
        Span<float> room = _options.Dimensions <= 1024 ? stackalloc float[_options.Dimensions] : new float[_options.Dimensions];
        if (_index?.TryGet(offset, room) != true)
            return false;
        Present.Set(offset);
        return true;
    }

    /// <summary>Takes out of a saved index what no key confirmed.</summary>
    /// <param name="end">Offsets below this were looked at.</param>
    public void RemoveUnconfirmed(uint end)
    {
        if (_index is not { } index || !IsRestored)
            return;
        for (uint offset = 0; offset < end; offset++)
        {
            if (!Present.Test(offset))
                index.Remove(offset);
        }

        // Offsets that were given out while the files were being written.
        long expected = Present.Count();
        for (uint offset = end; index.Count > expected && offset < end + (1u << 24); offset++)
        {
            if (!Present.Test(offset))
                index.Remove(offset);
        }
    }

    /// <summary>Writes the index to a file.</summary>
    public void Save(IFileSystem files, string path, UInt128 fileId, ulong save, CancellationToken cancellationToken) =>
        _index!.Save(files, path, fileId, save, cancellationToken);

    /// <summary>Whether other settings need another index.</summary>
    public bool NeedsRebuild(DenseIndexOptions shape) => !Equals(shape, _shape);

    /// <summary>Puts other settings in force.</summary>
    public void Rebuild(DenseIndexOptions shape, CancellationToken cancellationToken)
    {
        DenseIndex next = new(shape) { Originals = _originals };
        lock (_gate)
        {
            if (_index is null)
            {
                next.Dispose();
                _shape = shape;
                return;
            }

            _copied = new OffsetBitmap();
            Volatile.Write(ref _next, next);
        }

        try
        {
            Copy(next, cancellationToken);
            while (next.IndexNext(64, cancellationToken))
            {
            }
        }
        catch
        {
            lock (_gate)
            {
                Volatile.Write(ref _next, null);
                _copied = null;
            }

            next.Dispose();
            throw;
        }

        DenseIndex old;
        lock (_gate)
        {
            old = _index;
            _shape = shape;
            Volatile.Write(ref _index, next);
            Volatile.Write(ref _next, null);
            _copied = null;
        }

        old.Dispose();
    }

    /// <inheritdoc/>
    public override void Dispose()
    {
        lock (_gate)
        {
            _next?.Dispose();
            _index?.Dispose();
        }
    }

    /// <inheritdoc/>
    protected override void SetVector(uint offset, VectorValue vector)
    {
        ReadOnlySpan<float> values = ((DenseVector)vector).Values.Span;
        lock (_gate)
        {
            _index ??= new DenseIndex(_shape) { Originals = _originals };
            _index.Set(offset, values);
            if (_next is not { } next)
                return;
            next.Set(offset, values);
            _copied!.Set(offset);
        }
    }

    /// <inheritdoc/>
    protected override void RemoveVector(uint offset)
    {
        lock (_gate)
        {
            _index?.Remove(offset);
            _next?.Remove(offset);
            _copied?.Set(offset);
        }
    }

    private void Copy(DenseIndex next, CancellationToken cancellationToken)
    {
        float[] room = new float[_options.Dimensions];
        foreach (uint offset in Present.Clone())
        {
            if (offset % 256 == 0)
                cancellationToken.ThrowIfCancellationRequested();
            lock (_gate)
            {
                if (!_copied!.Test(offset) && Present.Test(offset)
                    && (_originals.TryRead(offset, room) || _index!.TryGet(offset, room)))
                {
                    next.Set(offset, room);
                }
            }
        }
    }
}
