using AiDb.Engine.Vectors.Distances;
using AiDb.Engine.Vectors.Flat;
using AiDb.Engine.Vectors.Rows;

namespace AiDb.Engine.Vectors;

/// <summary>Makes the answer of the rows that a search found beside writers.</summary>
/// <remarks>
/// Each row that a search finds was valid when it looked, so it is an answer as long as its offset has any vector. What
/// it can have missed are offsets that were replaced meanwhile - the old row no longer valid, the new one not there yet -
/// and what several rows of one offset, or of removed ones, have pushed out of its list. Thread safety: as
/// <see cref="RowStore"/>'s searches.
/// </remarks>
internal sealed unsafe class SearchAnswer(RowStore rows, StoredVectors vectors, VectorDistance distance, VectorMetric metric)
{
    private const uint Kept = 1u << 31;
    private const int CancellationStride = 256;

    /// <summary>Writes the answer.</summary>
    /// <param name="context">The search's memory; that of its candidates is used again.</param>
    /// <param name="found">The rows that were found; used up.</param>
    /// <param name="begun">When the search began.</param>
    /// <param name="mayRepeat">Whether a row may have been found twice although nothing was replaced.</param>
    /// <param name="query">The query as the exact distance takes it.</param>
    /// <param name="search">What else was looked for.</param>
    /// <param name="best">Takes the answer, the best first; as long as many are wanted.</param>
    /// <returns>How many there are; whether others that belong there may have been pushed out of the list.</returns>
    public (int Count, bool IsCrowded) Write(
        SearchContext context, ref BestRows found, in ReplacedOffsets.Mark begun, bool mayRepeat, byte* query,
        in DenseSearch search, Span<ScoredOffset> best)
    {
        found.Sort();
        Span<Candidate> items = found.Items;
        float farthest = search.ScoreThreshold is { } threshold ? metric.ToDistance(threshold) : float.PositiveInfinity;
        bool isFull = items.Length == found.Limit;
        bool endsWithin = isFull && items.Length > 0 && items[^1].Distance <= farthest;
        ReplacedOffsets.Reader replaced = rows.Replaced.Since(begun);
        Span<Candidate> others = [];
        if (replaced.IsEmpty && !mayRepeat)
        {
            items = items[..KeepPresent(items)];
        }
        else
        {
            VisitedRows offsets = context.BeginVisits(rows.OffsetCount);
            items = items[..KeepDistinct(items, offsets)];
            others = LookAgain(context, ref replaced, offsets, items, query, search, best.Length);
        }

        return (Merge(items, others, farthest, best), endsWithin && items.Length < best.Length);
    }

    private int KeepPresent(Span<Candidate> items)
    {
        int count = 0;
        foreach (Candidate item in items)
        {
            if (rows.RowOf(rows.Head(item.Row)->Offset) != RowHead.None)
                items[count++] = item;
        }

        return count;
    }

    // Of several rows of an offset the one that is valid, else the nearest.
    private int KeepDistinct(Span<Candidate> items, VisitedRows offsets)
    {
        foreach (ref Candidate item in items)
        {
            if (rows.IsValid(item.Row) && offsets.Visit(rows.Head(item.Row)->Offset))
                item.Row |= Kept;
        }

        int count = 0;
        foreach (Candidate item in items)
        {
            uint row = item.Row & ~Kept;
            uint offset = rows.Head(row)->Offset;
            if (item.Row >= Kept || (rows.RowOf(offset) != RowHead.None && offsets.Visit(offset)))
                items[count++] = new Candidate { Distance = item.Distance, Row = row };
        }

        return count;
    }

    private Span<Candidate> LookAgain(
        SearchContext context, scoped ref ReplacedOffsets.Reader replaced, VisitedRows offsets,
        scoped ReadOnlySpan<Candidate> items, byte* query, scoped in DenseSearch search, int wanted)
    {
        BestRows looked = new(context.Others, Math.Min(wanted, (int)Math.Min(int.MaxValue, rows.Count + 1)));
        context.Vector.Ensure((long)distance.Dimensions * sizeof(float));
        Span<float> scratch = new(context.Vector.Memory, distance.Dimensions);
        float bound = items.Length < wanted ? float.PositiveInfinity : items[wanted - 1].Distance;
        int seen = 0;
        while (replaced.TryTake(out uint offset))
        {
            if (++seen % CancellationStride == 0)
                search.CancellationToken.ThrowIfCancellationRequested();
            if (!offsets.Visit(offset) || search.Filter.Bitmap?.Test(offset) == false)
                continue;
            byte* vector = vectors.Find(context, offset, scratch, out uint row);
            if (vector is null || (search.IndexedOnly && (rows.Head(row)->State & RowHead.Linked) == 0))
                continue;
            float found = distance.Between(query, vector);
            if (found <= bound && looked.Takes(found)
                && (search.Filter.Predicate is not { } predicate || predicate.Matches(offset)))
            {
                looked.Offer(found, row);
            }
        }

        looked.Sort();
        return looked.Items;
    }

    private int Merge(
        ReadOnlySpan<Candidate> items, ReadOnlySpan<Candidate> others, float farthest, Span<ScoredOffset> best)
    {
        int written = 0;
        while (written < best.Length && (items.Length > 0 || others.Length > 0))
        {
            bool isFirst = others.IsEmpty || (!items.IsEmpty && items[0].Distance <= others[0].Distance);
            Candidate next = isFirst ? items[0] : others[0];
            if (isFirst)
                items = items[1..];
            else
                others = others[1..];
            if (!(next.Distance <= farthest))
                break;
            best[written++] = new ScoredOffset(rows.Head(next.Row)->Offset, metric.ToScore(next.Distance));
        }

        return written;
    }
}
