using AiDb.Engine.Vectors;

namespace AiDb.Engine.Collections.Payloads;

/// <summary>A point and the value by which it is ordered.</summary>
/// <param name="Offset">The point.</param>
/// <param name="Value">The value.</param>
internal readonly record struct OrderedOffset(uint Offset, OrderValue Value);

/// <summary>What the indexes answer beside filters: counts per value, and orders.</summary>
/// <remarks>Thread safety: may be used concurrently, and beside writers.</remarks>
internal sealed class PayloadQueries(PayloadIndexSet indexes)
{
    // A walk goes through all values until it has enough; sorting what the filter found is cheaper where that is little.
    private const int WalkedPerSorted = 16;

    /// <summary>How many points have each value of a field; most first, then by value.</summary>
    /// <param name="path">The field.</param>
    /// <param name="matches">The points that count; null: all.</param>
    /// <param name="limit">How many values at most.</param>
    /// <exception cref="AiDbException"><see cref="AiDbErrorKind.InvalidArgument"/>: the field has no index that
    /// counts.</exception>
    public IReadOnlyList<FacetHit> Facet(string path, OffsetBitmap? matches, int limit)
    {
        JsonPath parsed = JsonPath.Parse(path, "key");
        using (indexes.EnterRead())
        {
            if (indexes.Find(parsed) is not { HasFacets: true } index)
            {
                throw new AiDbException(
                    AiDbErrorKind.InvalidArgument,
                    $"key must be a field with a keyword, integer, bool or uuid index to count its values; '{path}' has none.");
            }

            if (matches is not { } bitmap)
                return index.Facets(default, limit);
            ReadOnlySpan<ulong> words = bitmap.Words;
            return words.IsEmpty ? [] : index.Facets(words, limit);
        }
    }

    /// <summary>Points in the order of a field, then of their offsets. A point with several values comes once for each; one
    /// without comes not at all.</summary>
    /// <param name="order">The order.</param>
    /// <param name="matches">The points that count; null: all.</param>
    /// <param name="matchCount">How many these are.</param>
    /// <param name="view">The points.</param>
    /// <param name="limit">How many at most.</param>
    /// <exception cref="AiDbException"><see cref="AiDbErrorKind.InvalidArgument"/>: the field has no index that
    /// orders.</exception>
    public List<OrderedOffset> Walk(OrderBy order, OffsetBitmap? matches, long matchCount, IPointView view, int limit)
    {
        JsonPath path = JsonPath.Parse(order.Path, "order_by.key");
        var result = new List<OrderedOffset>();
        using (indexes.EnterRead())
        {
            if (indexes.Find(path) is not NumericIndex index)
            {
                throw new AiDbException(
                    AiDbErrorKind.InvalidArgument,
                    $"order_by.key must be a field with an integer, float or datetime index; '{order.Path}' has none.");
            }

            (EntryPosition from, EntryPosition to) = Range(index, order);
            ReadOnlySpan<ulong> words = (matches ?? view.Live).Words;
            if (matches is not null && matchCount < index.Order.Count / WalkedPerSorted)
                Sort(index, order, matches, limit, result);
            else if (order.Descending)
                WalkDown(index, from, to, words, limit, result);
            else
                WalkUp(index, from, to, words, limit, result);
        }

        return result;
    }

    private static (EntryPosition From, EntryPosition To) Range(NumericIndex index, OrderBy order)
    {
        SortedEntries entries = index.Order;
        if (order.StartFrom is not { } start)
            return (SortedEntries.Start, entries.End);
        long key = index.KeyOf(start, order.Descending);
        if (!order.Descending)
            return (entries.Seek(key), entries.End);
        return (SortedEntries.Start, key == long.MaxValue ? entries.End : entries.Seek(key + 1));
    }

    private static void WalkUp(
        NumericIndex index, EntryPosition from, EntryPosition to, ReadOnlySpan<ulong> words, int limit,
        List<OrderedOffset> result)
    {
        while (index.Order.Next(ref from, to, out ReadOnlySpan<long> keys, out ReadOnlySpan<uint> offsets))
        {
            for (int entry = 0; entry < keys.Length; entry++)
            {
                if (result.Count >= limit)
                    return;
                if (BitWords.Test(words, offsets[entry]))
                    result.Add(new OrderedOffset(offsets[entry], index.ValueOf(keys[entry])));
            }
        }
    }

    private static void WalkDown(
        NumericIndex index, EntryPosition from, EntryPosition to, ReadOnlySpan<ulong> words, int limit,
        List<OrderedOffset> result)
    {
        while (index.Order.Previous(ref to, from, out ReadOnlySpan<long> keys, out ReadOnlySpan<uint> offsets))
        {
            for (int entry = keys.Length - 1; entry >= 0; entry--)
            {
                if (result.Count >= limit)
                    return;
                if (BitWords.Test(words, offsets[entry]))
                    result.Add(new OrderedOffset(offsets[entry], index.ValueOf(keys[entry])));
            }
        }
    }

    private static void Sort(
        NumericIndex index, OrderBy order, OffsetBitmap matches, int limit, List<OrderedOffset> result)
    {
        long start = order.StartFrom is { } value
            ? index.KeyOf(value, order.Descending)
            : order.Descending ? long.MaxValue : long.MinValue;
        var entries = new List<(long Key, uint Offset)>();
        foreach (uint offset in matches)
        {
            foreach (long key in index.KeysOf(offset))
            {
                if (order.Descending ? key <= start : key >= start)
                    entries.Add((key, offset));
            }
        }

        entries.Sort();
        if (order.Descending)
            entries.Reverse();
        foreach ((long key, uint offset) in entries.Take(limit))
            result.Add(new OrderedOffset(offset, index.ValueOf(key)));
    }
}
