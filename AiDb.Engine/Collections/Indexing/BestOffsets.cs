using AiDb.Engine.Vectors;

namespace AiDb.Engine.Collections.Indexing;

/// <summary>Keeps the best of scored offsets, the worst of them on top of a heap.</summary>
/// <remarks>Thread safety: none.</remarks>
internal ref struct BestOffsets(Span<ScoredOffset> room)
{
    private readonly Span<ScoredOffset> _room = room;
    private int _count;

    /// <summary>Whether a score would be kept; where there is room, also one that is beyond what a float holds.</summary>
    public readonly bool Takes(float score) => _count < _room.Length || (!_room.IsEmpty && score > _room[0].Score);

    /// <summary>Offers an offset; the higher the score, the better.</summary>
    public void Offer(uint offset, float score)
    {
        if (float.IsNaN(score))
            score = float.NegativeInfinity;
        if (_count < _room.Length)
        {
            int at = _count++;
            for (; at > 0 && _room[(at - 1) / 2].Score > score; at = (at - 1) / 2)
                _room[at] = _room[(at - 1) / 2];
            _room[at] = new ScoredOffset(offset, score);
        }
        else if (Takes(score))
        {
            Replace(new ScoredOffset(offset, score));
        }
    }

    /// <summary>Sorts, the best first, and says how many there are.</summary>
    public readonly int Sort()
    {
        _room[.._count].Sort(static (left, right) =>
        {
            int order = right.Score.CompareTo(left.Score);
            return order != 0 ? order : left.Offset.CompareTo(right.Offset);
        });
        return _count;
    }

    private readonly void Replace(ScoredOffset item)
    {
        int at = 0;
        while (true)
        {
            int child = (2 * at) + 1;
            if (child >= _count)
                break;
            if (child + 1 < _count && _room[child + 1].Score < _room[child].Score)
                child++;
            if (_room[child].Score >= item.Score)
                break;
            _room[at] = _room[child];
            at = child;
        }

        _room[at] = item;
    }
}
