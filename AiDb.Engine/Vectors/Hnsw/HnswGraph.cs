using System.Runtime.CompilerServices;
using AiDb.Engine.Caching;
using AiDb.Engine.Vectors.Quantization;
using AiDb.Engine.Vectors.Rows;

namespace AiDb.Engine.Vectors.Hnsw;

/// <summary>A hierarchical navigable small world: where it is entered, and how it is walked.</summary>
/// <remarks>
/// Source: Malkov and Yashunin, "Efficient and robust approximate nearest neighbor search using Hierarchical Navigable
/// Small World graphs" (2016), algorithms 2 and 5. Thread safety: walks run beside inserts and repairs.
/// </remarks>
internal sealed unsafe class HnswGraph : IDisposable
{
    private const int CancellationStride = 256;

    private readonly RowStore _rows;
    private long _entry = -1;

    public HnswGraph(NativeMemoryAccount account, RowStore rows, int m)
    {
        _rows = rows;
        Links = new LinkStore(account, rows, m);
    }

    /// <summary>The links.</summary>
    public LinkStore Links { get; }

    /// <summary>Held by whoever changes where the graph is entered.</summary>
    public Lock EntryLock { get; } = new();

    /// <summary>Where the graph is entered: the row, and its level in the upper half; negative: it is empty.</summary>
    public long Entry
    {
        get => Volatile.Read(ref _entry);
        set => Volatile.Write(ref _entry, value);
    }

    /// <summary>The entry of a row and its level.</summary>
    public static long MakeEntry(uint row, int level) => ((long)level << 32) | row;

    /// <summary>Goes down from the entry to a level, always to the nearest neighbour.</summary>
    /// <returns>The row that it came to; <see cref="RowHead.None"/>: the graph is empty.</returns>
    public uint Descend<TScorer>(ref TScorer scorer, int toLevel, long entry, VisitedRows visited, out float distance)
        where TScorer : struct, IRowScorer
    {
        distance = float.PositiveInfinity;
        if (entry < 0)
            return RowHead.None;
        uint row = (uint)entry;
        distance = scorer.Distance(row);
        int capacity = Links.Capacity(1);
        for (int level = (int)(entry >> 32); level > toLevel; level--)
        {
            bool moved = true;
            while (moved)
            {
                moved = false;
                uint* list = Links.Of(row, level);
                for (int i = 0; i < capacity && list[i] != RowHead.None; i++)
                    scorer.Prefetch(list[i]);
                for (int i = 0; i < capacity; i++)
                {
                    uint other = Volatile.Read(ref list[i]);
                    if (other >= visited.Count)
                    {
                        if (other == RowHead.None)
                            break;
                        continue;
                    }

                    float found = scorer.Distance(other);
                    if (found < distance)
                    {
                        distance = found;
                        row = other;
                        moved = true;
                    }
                }
            }
        }

        return row;
    }

    /// <summary>Walks a level from what the pool holds until its nearest rows are all followed.</summary>
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    public void Walk<TScorer>(
        ref TScorer scorer, int level, ref CandidatePool pool, VisitedRows visited, uint* neighbours,
        CancellationToken cancellationToken)
        where TScorer : struct, IRowScorer
    {
        int capacity = Links.Capacity(level);
        RowAddresses bottom = Links.Bottom;
        int ahead = scorer.Ahead;
        int steps = 0;
        while (pool.TryFollow(out uint row))
        {
            uint* list = level == 0 ? (uint*)bottom[row] : Links.Of(row, level);
            int count = 0;
            for (int i = 0; i < capacity; i++)
            {
                uint other = list[i];
                if (other == RowHead.None)
                    break;
                if (visited.Visit(other))
                    neighbours[count++] = other;
            }

            for (int i = 0; i < Math.Min(count, ahead); i++)
                scorer.Prefetch(neighbours[i]);
            if (level == 0 && pool.Peek() is var next and not RowHead.None)
            {
                CpuPrefetch.Read(bottom[next]);
                CpuPrefetch.Read(bottom[next] + 64);
            }

            for (int i = 0; i < count; i++)
            {
                if (i + ahead < count)
                    scorer.Prefetch(neighbours[i + ahead]);
                pool.Offer(scorer.Distance(neighbours[i]), neighbours[i]);
            }

            if (++steps % CancellationStride == 0)
                cancellationToken.ThrowIfCancellationRequested();
        }
    }

    /// <inheritdoc/>
    public void Dispose() => Links.Dispose();
}
