using System.Runtime.CompilerServices;
using AiDb.Engine.Vectors.Quantization;
using AiDb.Engine.Vectors.Rows;

namespace AiDb.Engine.Vectors.Hnsw;

/// <summary>A walk through the rows that match only, as if the graph had been built of them.</summary>
/// <remarks>
/// Source: Patel and others, "ACORN: Performant and Predicate-Agnostic Search Over Vector Embeddings and Structured Data"
/// (2024), ACORN-1: where too few neighbours match, the neighbours of the others stand in for them. Rows that do not match
/// cost a look at a bit, not at a vector. Thread safety: as <see cref="HnswGraph"/>'s walks.
/// </remarks>
internal static unsafe class MatchingWalk
{
    private const int CancellationStride = 64;

    /// <summary>Walks level 0 from what the pool holds until its nearest rows are all followed.</summary>
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    public static void Run<TScorer>(
        LinkStore links, ref TScorer scorer, in RowMatcher matcher, ref CandidatePool pool, VisitedRows visited,
        uint* neighbours, CancellationToken cancellationToken)
        where TScorer : struct, IRowScorer
    {
        int capacity = links.Capacity(0);
        RowAddresses bottom = links.Bottom;
        uint* others = neighbours + (2 * capacity);
        int ahead = scorer.Ahead;
        int steps = 0;
        while (pool.TryFollow(out uint row))
        {
            uint* list = (uint*)bottom[row];
            int count = 0;
            int otherCount = 0;
            for (int i = 0; i < capacity && list[i] != RowHead.None; i++)
            {
                uint other = list[i];
                if (!visited.Visit(other))
                    continue;
                if (matcher.MayMatch(other))
                    neighbours[count++] = other;
                else
                    others[otherCount++] = other;
            }

            for (int i = 0; i < otherCount; i++)
            {
                Caching.CpuPrefetch.Read(bottom[others[i]]);
                Caching.CpuPrefetch.Read(bottom[others[i]] + 64);
            }

            for (int i = 0; i < otherCount && count < capacity; i++)
                count = AddMatching((uint*)bottom[others[i]], capacity, matcher, visited, neighbours, count);
            for (int i = 0; i < Math.Min(count, ahead); i++)
                scorer.Prefetch(neighbours[i]);
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

    /// <summary>The words that <see cref="Run"/> needs for neighbours.</summary>
    public static long NeighbourBytes(LinkStore links) => 3L * links.Capacity(0) * sizeof(uint);

    private static int AddMatching(
        uint* list, int capacity, in RowMatcher matcher, VisitedRows visited, uint* neighbours, int count)
    {
        for (int i = 0; i < capacity && count < capacity; i++)
        {
            uint other = list[i];
            if (other == RowHead.None)
                break;
            if (!visited.Contains(other) && matcher.MayMatch(other))
            {
                visited.Visit(other);
                neighbours[count++] = other;
            }
        }

        return count;
    }
}
