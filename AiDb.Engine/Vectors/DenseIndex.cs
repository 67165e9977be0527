using AiDb.Engine.Caching;
using AiDb.Engine.Vectors.Distances;
using AiDb.Engine.Vectors.Flat;
using AiDb.Engine.Vectors.Rows;

namespace AiDb.Engine.Vectors;

/// <summary>Finds the nearest of the vectors that offsets have. What it holds is derived: the vectors are kept for
/// good elsewhere.</summary>
/// <remarks>
/// A vector can be found as soon as <see cref="Set"/> returns: what <see cref="IndexNext"/> has not brought into the
/// graph yet is looked at one by one. Thread safety: all members may be called concurrently, except that
/// <see cref="Dispose"/> waits for the others to end and lets nobody in any more.
/// Invariants: a search finds an offset at most once, with its vector of before or after a change, never half of
/// each; a removed offset is not found by a search that begins afterwards.
/// </remarks>
internal sealed unsafe class DenseIndex : IDisposable
{
    private readonly NativeMemoryAccount _account = new();
    private readonly SearchContexts _contexts;
    private readonly VectorDistance _distance;
    private readonly RowStore _rows;
    private readonly FlatSearch _flat;
    private bool _disposed;

    /// <summary>Makes an empty index.</summary>
    /// <exception cref="AiDbException"><see cref="AiDbErrorKind.InvalidArgument"/>: an option is out of its
    /// limits.</exception>
    public DenseIndex(DenseIndexOptions options)
    {
        options.Validate();
        Options = options;
        _contexts = new SearchContexts(_account);
        _distance = new VectorDistance(options.Metric, options.Element, options.Dimensions);
        _rows = new RowStore(_account, _contexts, _distance.RowBytes);
        _flat = new FlatSearch(_rows, _distance);
    }

    /// <summary>Its shape.</summary>
    public DenseIndexOptions Options { get; }

    /// <summary>Reads vectors that the index holds codes of only; null: nothing does.</summary>
    public IOriginalVectors? Originals { get; set; }

    /// <summary>Offsets that have a vector.</summary>
    public long Count => _rows.Count;

    /// <summary>Vectors that the graph does not hold yet.</summary>
    public long UnindexedCount => _rows.Waiting.Count;

    /// <summary>Vectors that the graph holds.</summary>
    public long IndexedCount => _rows.LinkedCount;

    /// <summary>Bytes of native memory that are in use.</summary>
    public long NativeBytes => _rows.Bytes;

    /// <summary>Gives an offset a vector, which can be found at once.</summary>
    /// <param name="offset">The offset.</param>
    /// <param name="vector">Finite numbers; for the cosine normalised by the caller.</param>
    public void Set(uint offset, ReadOnlySpan<float> vector)
    {
        CheckLength(vector.Length);
        if (offset == RowHead.None)
            throw new AiDbException(AiDbErrorKind.InvalidArgument, $"Offset {offset} is above the highest, {offset - 1}.");
        SearchContext context = _contexts.Enter();
        try
        {
            context.Vector.Ensure(_distance.RowBytes);
            _distance.Store(vector, context.Vector.Memory);
            _rows.Set(offset, new ReadOnlySpan<byte>(context.Vector.Memory, _distance.RowBytes));
        }
        finally
        {
            _contexts.Leave(context);
        }
    }

    /// <summary>Takes an offset's vector away; nothing happens when it has none.</summary>
    public void Remove(uint offset)
    {
        SearchContext context = _contexts.Enter();
        try
        {
            _rows.Remove(offset);
        }
        finally
        {
            _contexts.Leave(context);
        }
    }

    /// <summary>Reads an offset's vector as it is stored; false: it has none.</summary>
    public bool TryGet(uint offset, Span<float> vector)
    {
        CheckLength(vector.Length);
        SearchContext context = _contexts.Enter();
        try
        {
            uint row = _rows.RowOf(offset);
            if (row == RowHead.None)
                return false;
            _distance.Load(_rows.VectorOf(row), vector);
            return true;
        }
        finally
        {
            _contexts.Leave(context);
        }
    }

    /// <summary>The score of an offset's vector, in full precision; not a number when it has none.</summary>
    public float Score(ReadOnlySpan<float> query, uint offset)
    {
        CheckLength(query.Length);
        SearchContext context = _contexts.Enter();
        try
        {
            byte* prepared = Prepare(context, query);
            uint row = _rows.RowOf(offset);
            return row == RowHead.None
                ? float.NaN
                : Options.Metric.ToScore(_distance.Between(prepared, _rows.VectorOf(row)));
        }
        finally
        {
            _contexts.Leave(context);
        }
    }

    /// <summary>Brings waiting vectors into the graph; several threads may call it at once.</summary>
    /// <param name="maxItems">The most vectors of this call.</param>
    /// <param name="cancellationToken">Ends the call between two vectors.</param>
    /// <returns>Whether there is more to do.</returns>
    public bool IndexNext(int maxItems, CancellationToken cancellationToken)
    {
        cancellationToken.ThrowIfCancellationRequested();
        return false;
    }

    /// <summary>Finds the nearest vectors.</summary>
    /// <param name="query">The query; for the cosine normalised by the caller.</param>
    /// <param name="search">What else to look for.</param>
    /// <param name="best">Takes the nearest, the best first; its length says how many are wanted.</param>
    /// <returns>How many were found.</returns>
    public int Search(ReadOnlySpan<float> query, in DenseSearch search, Span<ScoredOffset> best)
    {
        CheckLength(query.Length);
        if (best.IsEmpty)
            return 0;
        SearchContext context = _contexts.Enter();
        try
        {
            byte* prepared = Prepare(context, query);
            BestRows found = new(context.Best, (int)Math.Min(best.Length, Math.Max(1, Count)));
            if (search.Filter.Bitmap is { } bitmap && bitmap.Capacity < _rows.RowCount)
                _flat.Matches(prepared, search, ref found);
            else
                _flat.All(prepared, search, ref found);
            return Emit(ref found, search, best);
        }
        finally
        {
            _contexts.Leave(context);
        }
    }

    /// <inheritdoc/>
    public void Dispose()
    {
        if (Interlocked.Exchange(ref _disposed, true))
            return;
        _contexts.Dispose();
        _rows.Dispose();
    }

    // Looked at twice: an offset that got another row in between may have both in the list, but only one of them is
    // valid at the second look.
    private int Emit(ref BestRows found, in DenseSearch search, Span<ScoredOffset> best)
    {
        found.Sort();
        Span<Candidate> items = found.Items;
        float farthest = search.ScoreThreshold is { } threshold
            ? Options.Metric.ToDistance(threshold)
            : float.PositiveInfinity;
        int count = 0;
        foreach (Candidate item in items)
        {
            if (item.Distance <= farthest && _rows.IsValid(item.Row))
                items[count++] = item;
        }

        int written = 0;
        foreach (Candidate item in items[..count])
        {
            if (written < best.Length && _rows.IsValid(item.Row))
                best[written++] = new ScoredOffset(_rows.Head(item.Row)->Offset, Options.Metric.ToScore(item.Distance));
        }

        return written;
    }

    private byte* Prepare(SearchContext context, ReadOnlySpan<float> query)
    {
        context.Query.Ensure(_distance.QueryBytes);
        _distance.Prepare(query, context.Query.Memory);
        return context.Query.Memory;
    }

    private void CheckLength(int length)
    {
        if (length != Options.Dimensions)
        {
            throw new AiDbException(
                AiDbErrorKind.InvalidArgument, $"The vector has {length} dimensions, the index {Options.Dimensions}.");
        }
    }
}
