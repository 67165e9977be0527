using System.Runtime.CompilerServices;
using AiDb.Engine.Vectors.Rows;

namespace AiDb.Engine.Vectors.Flat;

/// <summary>The nearest rows so far, at most so many: a heap with the farthest at its top.</summary>
internal unsafe struct BestRows
{
    private readonly Candidate* _items;

    /// <summary>Makes an empty list in a buffer; the limit is above 0.</summary>
    public BestRows(NativeBuffer buffer, int limit)
    {
        buffer.Ensure((long)limit * sizeof(Candidate));
        _items = (Candidate*)buffer.Memory;
        Limit = limit;
    }

    /// <summary>The most rows.</summary>
    public int Limit { get; }

    /// <summary>How many there are.</summary>
    public int Count { get; private set; }

    /// <summary>The rows; in order after <see cref="Sort"/>.</summary>
    public readonly Span<Candidate> Items => new(_items, Count);

    /// <summary>What is not nearer than this would not be kept.</summary>
    public readonly float Bound
    {
        [MethodImpl(MethodImplOptions.AggressiveInlining)]
        get => Count < Limit ? float.PositiveInfinity : _items[0].Distance;
    }

    /// <summary>Whether a row would be kept; where there is room, also one whose distance is beyond what a float
    /// holds.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public readonly bool Takes(float distance) => Count < Limit || distance < _items[0].Distance;

    /// <summary>Adds a row if it is near enough; true: it was added.</summary>
    public bool Offer(float distance, uint row)
    {
        if (float.IsNaN(distance))
            distance = float.PositiveInfinity;
        if (Count < Limit)
        {
            int at = Count++;
            while (at > 0 && _items[(at - 1) / 2].Distance < distance)
            {
                _items[at] = _items[(at - 1) / 2];
                at = (at - 1) / 2;
            }

            _items[at] = new Candidate { Distance = distance, Row = row };
            return true;
        }

        if (!(distance < _items[0].Distance))
            return false;
        SiftDown(new Candidate { Distance = distance, Row = row }, Count);
        return true;
    }

    /// <summary>Puts the rows in order, the nearest first; nothing may be offered afterwards.</summary>
    public readonly void Sort()
    {
        for (int rest = Count - 1; rest > 0; rest--)
        {
            Candidate last = _items[rest];
            _items[rest] = _items[0];
            SiftDown(last, rest);
        }
    }

    private readonly void SiftDown(Candidate item, int count)
    {
        int at = 0;
        while (true)
        {
            int child = (2 * at) + 1;
            if (child >= count)
                break;
            if (child + 1 < count && _items[child + 1].Distance > _items[child].Distance)
                child++;
            if (_items[child].Distance <= item.Distance)
                break;
            _items[at] = _items[child];
            at = child;
        }

        _items[at] = item;
    }
}
