using System.Numerics;
using System.Runtime.CompilerServices;
using System.Runtime.Intrinsics;
using AiDb.Engine.Vectors.Rows;

namespace AiDb.Engine.Vectors.Hnsw;

/// <summary>The nearest rows that a walk through the graph has seen, in order, each with a mark whether its links
/// were followed. One sorted list does the work of the two heaps of the textbook: what falls off its end would
/// never be followed.</summary>
/// <remarks>Places are found by counting, without a branch that depends on the data. Thread safety: none.</remarks>
internal unsafe struct CandidatePool
{
    /// <summary>Marks a row whose links were followed; rows are below.</summary>
    public const uint Followed = 1u << 31;

    private readonly float* _distances;
    private readonly uint* _rows;
    private readonly int _limit;
    private int _next;

    /// <summary>Makes an empty pool in a buffer.</summary>
    public CandidatePool(NativeBuffer buffer, int limit)
    {
        int room = (limit + 1 + 15) & ~15;
        buffer.Ensure((long)room * (sizeof(float) + sizeof(uint)));
        _distances = (float*)buffer.Memory;
        _rows = (uint*)(_distances + room);
        _limit = limit;
        Bound = float.PositiveInfinity;

        // Counting reads whole vectors.
        new Span<float>(_distances, room).Fill(float.PositiveInfinity);
    }

    /// <summary>How many rows there are.</summary>
    public int Count { get; private set; }

    /// <summary>What is not nearer than this is not kept.</summary>
    public float Bound { get; private set; }

    /// <summary>The row at a place.</summary>
    public readonly uint Row(int index) => _rows[index] & ~Followed;

    /// <summary>The distance at a place.</summary>
    public readonly float Distance(int index) => _distances[index];

    /// <summary>Adds a row in its place.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public void Offer(float distance, uint row)
    {
        if (distance < Bound)
            Insert(distance, row);
    }

    /// <summary>Takes the nearest row whose links were not followed, and marks it.</summary>
    public bool TryFollow(out uint row)
    {
        int index = _next;
        while (index < Count && _rows[index] >= Followed)
            index++;
        if (index >= Count)
        {
            _next = index;
            row = 0;
            return false;
        }

        row = _rows[index];
        _rows[index] = row | Followed;
        _next = index + 1;
        return true;
    }

    /// <summary>The row that would be followed next, as it looks now.</summary>
    public readonly uint Peek()
    {
        for (int index = _next; index < Count; index++)
        {
            if (_rows[index] < Followed)
                return _rows[index];
        }

        return RowHead.None;
    }

    private void Insert(float distance, uint row)
    {
        int at = CountBelow(distance);
        int moved = Math.Min(Count, _limit - 1) - at;
        if (moved > 0)
        {
            Buffer.MemoryCopy(_distances + at, _distances + at + 1, (long)moved * sizeof(float), (long)moved * sizeof(float));
            Buffer.MemoryCopy(_rows + at, _rows + at + 1, (long)moved * sizeof(uint), (long)moved * sizeof(uint));
        }

        _distances[at] = distance;
        _rows[at] = row;
        if (Count < _limit)
            Count++;
        if (Count == _limit)
            Bound = _distances[_limit - 1];
        _next = Math.Min(_next, at);
    }

    private readonly int CountBelow(float distance)
    {
        int count = 0;
        int index = 0;
        if (Vector512.IsHardwareAccelerated)
        {
            var wanted = Vector512.Create(distance);
            for (; index < Count; index += Vector512<float>.Count)
            {
                ulong mask = Vector512.LessThanOrEqual(Vector512.Load(_distances + index), wanted).ExtractMostSignificantBits();
                count += BitOperations.PopCount(mask);
                if (mask != ushort.MaxValue)
                    break;
            }

            return count;
        }

        var four = Vector128.Create(distance);
        for (; index < Count; index += Vector128<float>.Count)
        {
            uint mask = Vector128.LessThanOrEqual(Vector128.Load(_distances + index), four).ExtractMostSignificantBits();
            count += BitOperations.PopCount(mask);
            if (mask != 0xf)
                break;
        }

        return count;
    }
}
