using System.Collections.Concurrent;
using AiDb.Engine.Vectors;

namespace AiDb.Engine.Collections.Indexing;

/// <summary>Vectors of one name that are looked at one by one.</summary>
internal abstract class SimpleField<TVector>(string name) : VectorField(name)
    where TVector : VectorValue
{
    private const int CancellationStride = 256;
    private readonly ConcurrentDictionary<uint, TVector> _vectors = new();
    private long _bytes;

    /// <inheritdoc/>
    public override long Bytes => Volatile.Read(ref _bytes);

    /// <inheritdoc/>
    public override int Search(VectorValue query, in DenseSearch search, Span<ScoredOffset> best)
    {
        var found = new BestOffsets(best);
        var typed = (TVector)query;
        int seen = 0;
        foreach (uint offset in search.Filter.Bitmap ?? Present)
        {
            if (++seen % CancellationStride == 0)
                search.CancellationToken.ThrowIfCancellationRequested();
            if (!_vectors.TryGetValue(offset, out TVector? vector))
                continue;
            float similarity = Between(typed, vector);
            if (found.Takes(similarity) && IsFound(typed, vector)
                && (search.Filter.Predicate is not { } predicate || predicate.Matches(offset)))
            {
                found.Offer(offset, similarity);
            }
        }

        int count = found.Sort();
        int kept = 0;
        for (; kept < count; kept++)
        {
            float score = ToScore(best[kept].Score);
            if (search.ScoreThreshold is { } threshold && (HigherIsNearer ? score < threshold : score > threshold))
                break;
            best[kept] = best[kept] with { Score = score };
        }

        return kept;
    }

    /// <inheritdoc/>
    public override float Similarity(VectorValue query, uint offset) =>
        _vectors.TryGetValue(offset, out TVector? vector) ? Between((TVector)query, vector) : float.NaN;

    /// <inheritdoc/>
    public override void Dispose()
    {
        _vectors.Clear();
        _bytes = 0;
    }

    /// <summary>The similarity of two vectors, the higher the nearer.</summary>
    protected abstract float Between(TVector query, TVector vector);

    /// <summary>The score of a similarity as users see it.</summary>
    protected abstract float ToScore(float similarity);

    /// <summary>Whether a vector can be found at all.</summary>
    protected virtual bool IsFound(TVector query, TVector vector) => true;

    /// <summary>Bytes of a vector.</summary>
    protected abstract long BytesOf(TVector vector);

    /// <inheritdoc/>
    protected override void SetVector(uint offset, VectorValue vector)
    {
        // In one step: a search finds the old one or the new one.
        var typed = (TVector)vector;
        long replaced = _vectors.TryGetValue(offset, out TVector? old) ? BytesOf(old) : 0;
        _vectors[offset] = typed;
        Interlocked.Add(ref _bytes, BytesOf(typed) - replaced);
    }

    /// <inheritdoc/>
    protected override void RemoveVector(uint offset)
    {
        if (_vectors.TryRemove(offset, out TVector? vector))
            Interlocked.Add(ref _bytes, -BytesOf(vector));
    }
}
