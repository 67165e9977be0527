using System.Numerics;
using AiDb.Engine.Caching;
using AiDb.Engine.Vectors.Distances;
using AiDb.Engine.Vectors.Rows;

namespace AiDb.Engine.Vectors.Flat;

/// <summary>Looks at rows one after another, in full precision.</summary>
/// <remarks>Thread safety: as <see cref="RowStore"/>'s searches.</remarks>
internal sealed unsafe class FlatSearch(RowStore rows, VectorDistance distance)
{
    private const int CancellationStride = 4096;
    private const int LineBytes = 64;

    /// <summary>Looks at the rows that the graph does not hold, and marks them as visited.</summary>
    /// <returns>Whether there were any.</returns>
    public bool Waiting(byte* query, in DenseSearch search, ref BestRows best, VisitedRows visited)
    {
        if (rows.Waiting.Count == 0)
            return false;
        ReadOnlySpan<ulong> words = rows.Waiting.Words;
        int seen = 0;
        for (int word = (int)(rows.Waiting.Low / 64); word < words.Length; word++)
        {
            for (ulong rest = words[word]; rest != 0; rest &= rest - 1)
            {
                uint row = ((uint)word * 64) + (uint)BitOperations.TrailingZeroCount(rest);

                // One that has just come into the graph and is kept as codes only is left to the graph.
                byte* vector = row < visited.Count ? rows.VectorOf(row) : null;
                if (vector is null)
                    continue;
                visited.Visit(row);
                Offer(query, row, vector, search.Filter, ref best);
                if (++seen % CancellationStride == 0)
                    search.CancellationToken.ThrowIfCancellationRequested();
            }
        }

        return seen > 0;
    }

    /// <summary>Looks at every row.</summary>
    public void All(byte* query, in DenseSearch search, ref BestRows best)
    {
        uint count = rows.RowCount;
        for (uint row = 0; row < count; row++)
        {
            Offer(query, row, rows.VectorOf(row), search.Filter, ref best);
            if (row % CancellationStride == 0)
                search.CancellationToken.ThrowIfCancellationRequested();
        }
    }

    /// <summary>Looks at the rows of the offsets that the filter's bitmap holds.</summary>
    public void Matches(byte* query, in DenseSearch search, ref BestRows best)
    {
        int seen = 0;
        uint end = rows.OffsetCount;
        foreach (uint offset in search.Filter.Bitmap!)
        {
            if (offset >= end)
                break;
            uint row = rows.RowOf(offset);
            if (row == RowHead.None)
                continue;
            byte* vector = rows.VectorOf(row);
            if (vector is null)
                continue;
            float score = distance.Between(query, vector);
            if (best.Takes(score) && (search.Filter.Predicate is not { } predicate || predicate.Matches(offset)))
                best.Offer(score, row);
            if (++seen % CancellationStride == 0)
                search.CancellationToken.ThrowIfCancellationRequested();
        }
    }

    /// <summary>Asks for the first lines of a vector that will be looked at soon.</summary>
    public static void Prefetch(byte* vector, int bytes)
    {
        for (int at = 0; at < bytes; at += LineBytes)
            CpuPrefetch.Read(vector + at);
    }

    private void Offer(byte* query, uint row, byte* vector, in OffsetFilter filter, ref BestRows best)
    {
        uint offset = rows.Head(row)->Offset;
        if (vector is null || rows.RowOf(offset) != row || (filter.Bitmap is { } bitmap && !bitmap.Test(offset)))
            return;
        float score = distance.Between(query, vector);
        if (best.Takes(score) && (filter.Predicate is not { } predicate || predicate.Matches(offset)))
            best.Offer(score, row);
    }
}
