namespace AiDb.Engine.Collections.Payloads;

/// <summary>Keeps the most frequent values: by count, then by value.</summary>
/// <remarks>Thread safety: none.</remarks>
internal sealed class FacetCollector<T>
{
    private readonly int _limit;
    private readonly Comparer<(T Value, long Count)> _bestFirst;
    private readonly PriorityQueue<T, (T Value, long Count)> _worstFirst;

    /// <summary>Makes it for so many values.</summary>
    public FacetCollector(int limit, Comparison<T> byValue)
    {
        _limit = limit;
        _bestFirst = Comparer<(T Value, long Count)>.Create((left, right) =>
            left.Count != right.Count ? right.Count.CompareTo(left.Count) : byValue(left.Value, right.Value));
        _worstFirst = new PriorityQueue<T, (T Value, long Count)>(
            Comparer<(T Value, long Count)>.Create((left, right) => _bestFirst.Compare(right, left)));
    }

    /// <summary>Offers a value; one that no point has is left out.</summary>
    public void Add(T value, long count)
    {
        if (count == 0 || _limit == 0)
            return;
        (T Value, long Count) entry = (value, count);
        if (_worstFirst.Count < _limit)
        {
            _worstFirst.Enqueue(value, entry);
        }
        else if (_worstFirst.TryPeek(out _, out (T Value, long Count) worst) && _bestFirst.Compare(entry, worst) < 0)
        {
            _worstFirst.DequeueEnqueue(value, entry);
        }
    }

    /// <summary>The values kept, best first.</summary>
    public IReadOnlyList<FacetHit> ToHits(Func<T, MatchValue> toValue)
    {
        var hits = new FacetHit[_worstFirst.Count];
        for (int last = hits.Length - 1; last >= 0; last--)
        {
            _worstFirst.TryDequeue(out T? value, out (T Value, long Count) entry);
            hits[last] = new FacetHit(toValue(value!), entry.Count);
        }

        return hits;
    }
}
