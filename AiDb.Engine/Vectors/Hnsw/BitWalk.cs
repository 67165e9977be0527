using System.Runtime.CompilerServices;
using AiDb.Engine.Caching;
using AiDb.Engine.Vectors.Quantization;
using AiDb.Engine.Vectors.Rows;

namespace AiDb.Engine.Vectors.Hnsw;

/// <summary>A walk through level 0 that reads the codes of a row only when its bits do not rule it out.</summary>
/// <remarks>Bits are a small part of the codes, so most rows that would not be kept cost a line or two of memory. Thread
/// safety: as <see cref="HnswGraph"/>'s walks.</remarks>
internal static unsafe class BitWalk
{
    private const int CancellationStride = 256;

    /// <summary>Walks from what the pool holds until its nearest rows are all followed.</summary>
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    public static void Run<TScorer>(
        LinkStore links, ref TScorer scorer, in BitScorer bits, ref CandidatePool pool, VisitedRows visited,
        uint* neighbours, CancellationToken cancellationToken)
        where TScorer : struct, IRowScorer
    {
        int capacity = links.Capacity(0);
        RowAddresses bottom = links.Bottom;
        uint* kept = neighbours + capacity;
        int ahead = scorer.Ahead;
        int steps = 0;
        while (pool.TryFollow(out uint row))
        {
            uint* list = (uint*)bottom[row];
            int count = 0;
            for (int i = 0; i < capacity; i++)
            {
                uint other = list[i];
                if (other == RowHead.None)
                    break;
                if (!visited.Visit(other))
                    continue;
                bits.Prefetch(other);
                neighbours[count++] = other;
            }

            if (pool.Peek() is var next and not RowHead.None)
            {
                CpuPrefetch.Read(bottom[next]);
                CpuPrefetch.Read(bottom[next] + 64);
            }

            int keptCount = 0;
            float bound = pool.Bound;
            for (int i = 0; i < count; i++)
            {
                uint other = neighbours[i];
                if (bits.Lower(other) < bound)
                {
                    if (keptCount < ahead)
                        scorer.Prefetch(other);
                    kept[keptCount++] = other;
                }
            }

            for (int i = 0; i < keptCount; i++)
            {
                if (i + ahead < keptCount)
                    scorer.Prefetch(kept[i + ahead]);
                pool.Offer(scorer.Distance(kept[i]), kept[i]);
            }

            if (++steps % CancellationStride == 0)
                cancellationToken.ThrowIfCancellationRequested();
        }
    }
}
