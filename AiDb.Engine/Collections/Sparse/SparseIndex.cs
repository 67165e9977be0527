using System.Collections.Concurrent;
using AiDb.Engine.Collections.Postings;
using AiDb.Engine.Vectors;
using AiDb.Engine.Vectors.Rows;

namespace AiDb.Engine.Collections.Sparse;

/// <summary>Finds the sparse vectors of the greatest dot product with a query.</summary>
/// <remarks>
/// Each dimension has the postings of the offsets that are not zero in it; beside them stand the vectors themselves, for
/// changes and for exact scores. It is derived, held in memory alone and built anew when a collection is opened. Thread
/// safety: all members may be called concurrently; changes wait for each other. A search finds an offset with
/// its vector of before or after a change, also one that changes while it runs, and its score is always that of one of both.
/// </remarks>
internal sealed class SparseIndex
{
    // Looking at one vector costs about as much as going through so many postings.
    private const int PostingsPerVector = 64;
    private const int DimensionBytes = 64;

    /// <summary>After so many searches that writers have crowded, the next one has them wait.</summary>
    private const int FreeAttempts = 3;

    private readonly Lock _gate = new();
    private readonly ConcurrentDictionary<uint, TermPostings> _dimensions = new();
    private readonly ReplacedOffsets _replaced = new();
    private readonly bool _weighsByRarity;
    private SparseVector?[] _vectors = [];
    private long _count;
    private long _bytes;

    /// <summary>An empty index.</summary>
    /// <exception cref="AiDbException"><see cref="AiDbErrorKind.InvalidArgument"/>: an option is out of its
    /// limits.</exception>
    public SparseIndex(SparseVectorOptions options)
    {
        options.Validate();
        Options = options;
        _weighsByRarity = options.Idf;
    }

    /// <summary>Its settings.</summary>
    public SparseVectorOptions Options { get; }

    /// <summary>Offsets that have a vector.</summary>
    public long Count => Volatile.Read(ref _count);

    /// <summary>Dimensions that some vector has.</summary>
    public int DimensionCount => _dimensions.Count;

    /// <summary>Bytes of memory, about.</summary>
    public long MemoryBytes => Volatile.Read(ref _bytes) + (Volatile.Read(ref _vectors).Length * 8L);

    /// <summary>Gives an offset a vector, in the place of the one that it had.</summary>
    /// <param name="offset">The offset.</param>
    /// <param name="vector">Its indices ascend; its numbers are finite. It is kept: its memory must not
    /// change.</param>
    public void Set(uint offset, SparseVector vector)
    {
        lock (_gate)
        {
            Reserve(offset);
            SparseVector? old = _vectors[offset];
            if (old is not null)
                _replaced.Begin(offset);
            Volatile.Write(ref _vectors[offset], vector);
            ReadOnlySpan<uint> indices = vector.Indices.Span;
            ReadOnlySpan<float> values = vector.Values.Span;
            if (old is not null)
            {
                foreach (uint index in old.Indices.Span)
                {
                    if (indices.BinarySearch(index) < 0)
                        RemovePosting(index, offset);
                }
            }

            for (int at = 0; at < indices.Length; at++)
                SetPosting(indices[at], offset, values[at]);
            _bytes += BytesOf(vector) - BytesOf(old);
            _count += old is null ? 1 : 0;
            if (old is not null)
                _replaced.Complete();
        }
    }

    /// <summary>Takes an offset's vector away; nothing happens when it has none.</summary>
    public void Remove(uint offset)
    {
        lock (_gate)
        {
            if (offset >= (uint)_vectors.Length || _vectors[offset] is not { } vector)
                return;
            Volatile.Write(ref _vectors[offset], null);
            foreach (uint index in vector.Indices.Span)
                RemovePosting(index, offset);
            _bytes -= BytesOf(vector);
            _count--;
        }
    }

    /// <summary>An offset's vector; null: it has none.</summary>
    public SparseVector? Get(uint offset)
    {
        SparseVector?[] vectors = Volatile.Read(ref _vectors);
        return offset < (uint)vectors.Length ? Volatile.Read(ref vectors[offset]) : null;
    }

    /// <summary>The dot product of a query and an offset's vector, weighted by inverse document frequency where the
    /// settings say so; not a number when it has none.</summary>
    public float Score(SparseVector query, uint offset) =>
        Get(offset) is { } vector ? Dot(query, vector, out _) : float.NaN;

    /// <summary>Finds the vectors of the greatest dot product among those that have a dimension of the query.</summary>
    /// <param name="query">The query; its indices ascend. Its numbers are weighted by inverse document frequency,
    /// ln(1 + (n - df + 0.5) / (df + 0.5)), where the settings say so.</param>
    /// <param name="filter">Which offsets may be found.</param>
    /// <param name="scoreThreshold">Lower scores are left out.</param>
    /// <param name="best">Takes the best, best first, of equal ones the lower offset; its length says how many are
    /// wanted.</param>
    /// <param name="cancellationToken">Ends the search.</param>
    /// <returns>How many were found.</returns>
    public int Search(
        SparseVector query, in OffsetFilter filter, float? scoreThreshold, Span<ScoredOffset> best,
        CancellationToken cancellationToken)
    {
        if (best.IsEmpty)
            return 0;
        long limit = best.Length;
        for (int attempt = 0; attempt < FreeAttempts; attempt++, limit = (limit * 2) + FreeAttempts)
        {
            if (TrySearch(query, filter, scoreThreshold, best, limit, cancellationToken, out int found))
                return found;
        }

        lock (_gate)
        {
            TrySearch(query, filter, scoreThreshold, best, limit, cancellationToken, out int found);
            return found;
        }
    }

    private bool TrySearch(
        SparseVector query, in OffsetFilter filter, float? scoreThreshold, Span<ScoredOffset> best, long limit,
        CancellationToken cancellationToken, out int count)
    {
        ReplacedOffsets.Mark begun = _replaced.Now();
        int most = (int)Math.Min(limit, Math.Max(best.Length, Count + 1));
        PostingSearch<WeightedDimension> search = PostingSearch<WeightedDimension>.Rent();
        try
        {
            ReadOnlySpan<uint> indices = query.Indices.Span;
            ReadOnlySpan<float> values = query.Values.Span;
            long postings = 0;
            for (int at = 0; at < indices.Length; at++)
            {
                if (!_dimensions.TryGetValue(indices[at], out TermPostings? list))
                    continue;
                float weight = _weighsByRarity ? values[at] * RarityOf(list) : values[at];
                search.Add(list, new WeightedDimension(weight));
                postings += list.Count;
            }

            if (filter.Bitmap is { } bitmap && bitmap.Count() * PostingsPerVector < postings)
            {
                count = SearchEach(query, bitmap, filter, scoreThreshold, best, cancellationToken);
                return true;
            }

            search.Run(filter, most, scoreThreshold, cancellationToken);
            Span<ScoredOffset> found = search.Results;
            (count, bool isCrowded) = PostingAnswer.Write(
                found, found.Length == most, _replaced.Since(begun), filter, scoreThreshold, new Scorer(this, query), best);
            return !isCrowded;
        }
        finally
        {
            search.Return();
        }
    }

    private static int BytesOf(SparseVector? vector) => vector is null ? 0 : 136 + (vector.Indices.Length * 8);

    private int SearchEach(
        SparseVector query, OffsetBitmap bitmap, in OffsetFilter filter, float? scoreThreshold, Span<ScoredOffset> best,
        CancellationToken cancellationToken)
    {
        const int CheckEvery = 1024;
        TopOffsets top = new([], best.Length, scoreThreshold);
        int looked = 0;
        foreach (uint offset in bitmap)
        {
            if (++looked % CheckEvery == 0)
                cancellationToken.ThrowIfCancellationRequested();
            if (Get(offset) is not { } vector)
                continue;
            float score = Dot(query, vector, out bool shares);
            if (shares && (filter.Predicate is null || filter.Predicate.Matches(offset)))
                top.Add(offset, score);
        }

        Span<ScoredOffset> found = top.Buffer.AsSpan(0, top.Count);
        found.Sort(TopOffsets.BestFirst);
        found.CopyTo(best);
        return found.Length;
    }

    // In the order of the dimensions, whatever the search left out: the same for the same vectors.
    private float Dot(SparseVector query, SparseVector vector, out bool shares)
    {
        ReadOnlySpan<uint> left = query.Indices.Span;
        ReadOnlySpan<uint> right = vector.Indices.Span;
        ReadOnlySpan<float> leftValues = query.Values.Span;
        ReadOnlySpan<float> rightValues = vector.Values.Span;
        shares = false;
        int other = 0;
        float sum = 0;
        for (int at = 0; at < left.Length && other < right.Length; at++)
        {
            while (other < right.Length && right[other] < left[at])
                other++;
            if (other == right.Length || right[other] != left[at])
                continue;
            shares = true;
            sum += (_weighsByRarity ? leftValues[at] * RarityOf(left[at]) : leftValues[at]) * rightValues[other];
        }

        return sum;
    }

    private float RarityOf(uint dimension) =>
        _dimensions.TryGetValue(dimension, out TermPostings? list) ? RarityOf(list) : Rarity(Count, 0);

    private float RarityOf(TermPostings list) => Rarity(Count, list.Count);

    private static float Rarity(long count, long frequency) =>
        MathF.Log(1 + ((Math.Max(0, count - frequency) + 0.5f) / (frequency + 0.5f)));

    private void SetPosting(uint index, uint offset, float value)
    {
        if (!_dimensions.TryGetValue(index, out TermPostings? list))
        {
            list = new TermPostings();
            _dimensions[index] = list;
            _bytes += DimensionBytes + list.Bytes;
        }

        _bytes -= list.Bytes;
        list.Set(offset, value);
        _bytes += list.Bytes;
    }

    private void RemovePosting(uint index, uint offset)
    {
        if (!_dimensions.TryGetValue(index, out TermPostings? list))
            return;
        _bytes -= list.Bytes;
        list.Remove(offset);
        if (list.Count > 0)
        {
            _bytes += list.Bytes;
            return;
        }

        _dimensions.TryRemove(index, out _);
        _bytes -= DimensionBytes;
    }

    private void Reserve(uint offset)
    {
        if (offset < (uint)_vectors.Length)
            return;
        long length = Math.Max(offset + 1L, Math.Min(_vectors.Length * 3L / 2, Array.MaxLength));
        var grown = new SparseVector?[length];
        _vectors.CopyTo(grown, 0);
        Volatile.Write(ref _vectors, grown);
    }

    private readonly struct Scorer(SparseIndex index, SparseVector query) : IOffsetScorer
    {
        public bool TryScore(uint offset, out float score)
        {
            score = 0;
            if (index.Get(offset) is not { } vector)
                return false;
            score = index.Dot(query, vector, out bool shares);
            return shares;
        }
    }

    private readonly struct WeightedDimension(float weight) : IPostingScorer
    {
        public float Of(float value, uint offset) => weight * value;

        public float MostOf(PostingBlock block) => weight >= 0 ? weight * block.Max : weight * block.Min;
    }
}
