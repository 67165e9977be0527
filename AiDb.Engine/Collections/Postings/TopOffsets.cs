using AiDb.Engine.Vectors;

namespace AiDb.Engine.Collections.Postings;

/// <summary>The best offsets so far, the worst of them on top of a heap.</summary>
/// <remarks>Thread safety: none. Of equal scores, the lower offset is better.</remarks>
internal struct TopOffsets
{
    private readonly int _limit;
    private ScoredOffset[] _heap;

    /// <summary>Higher scores first, of equal ones the lower offset.</summary>
    public static Comparison<ScoredOffset> BestFirst { get; } = static (left, right) =>
        left.Score != right.Score ? right.Score.CompareTo(left.Score) : left.Offset.CompareTo(right.Offset);

    /// <summary>Keeps so many.</summary>
    /// <param name="buffer">Room to begin with; grown where it is too small, see <see cref="Buffer"/>.</param>
    /// <param name="limit">How many are kept.</param>
    /// <param name="floor">Lower scores are left out.</param>
    public TopOffsets(ScoredOffset[] buffer, int limit, float? floor)
    {
        _heap = buffer;
        _limit = limit;
        Bar = floor is { } least ? MathF.BitDecrement(least) : float.NegativeInfinity;
    }

    /// <summary>Only higher scores count.</summary>
    public float Bar { get; private set; }

    /// <summary>How many there are.</summary>
    public int Count { get; private set; }

    /// <summary>The room in use, to be used again.</summary>
    public readonly ScoredOffset[] Buffer => _heap;

    /// <summary>Takes an offset; offsets must come in ascending order, so that of equal scores the lower
    /// offset stays.</summary>
    public void Add(uint offset, float score)
    {
        if (!(score > Bar))
            return;
        if (Count < _limit)
        {
            if (Count == _heap.Length)
                Array.Resize(ref _heap, (int)Math.Min(_limit, Math.Max(64L, _heap.Length * 2L)));
            Up(Count++, new ScoredOffset(offset, score));
            if (Count == _limit)
                Bar = _heap[0].Score;
            return;
        }

        Down(new ScoredOffset(offset, score));
        Bar = _heap[0].Score;
    }

    /// <summary>Whether a is worse than b.</summary>
    public static bool IsWorse(ScoredOffset a, ScoredOffset b) =>
        a.Score < b.Score || (a.Score == b.Score && a.Offset > b.Offset);

    private readonly void Up(int at, ScoredOffset item)
    {
        while (at > 0)
        {
            int parent = (at - 1) / 2;
            if (!IsWorse(item, _heap[parent]))
                break;
            _heap[at] = _heap[parent];
            at = parent;
        }

        _heap[at] = item;
    }

    private readonly void Down(ScoredOffset item)
    {
        int at = 0;
        while (true)
        {
            int child = (2 * at) + 1;
            if (child >= Count)
                break;
            if (child + 1 < Count && IsWorse(_heap[child + 1], _heap[child]))
                child++;
            if (!IsWorse(_heap[child], item))
                break;
            _heap[at] = _heap[child];
            at = child;
        }

        _heap[at] = item;
    }
}
