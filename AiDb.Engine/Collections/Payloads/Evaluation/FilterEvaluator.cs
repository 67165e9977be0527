using System.Text.Json;
using AiDb.Engine.Vectors;

namespace AiDb.Engine.Collections.Payloads;

/// <summary>Finds the points that meet a filter.</summary>
/// <remarks>
/// <para>Each condition is put to the index of its field. The one that finds least is written into a bitmap; the others narrow it, either by
/// a bitmap of their own, or, where they would find many more points than are left, by asking about each of these. What no index
/// answers is checked on the payloads of what is left then, all conditions of a point at once.</para>
/// <para>Thread safety: may be used concurrently, and beside writers: a point that is written meanwhile counts as it was or
/// as it is.</para>
/// </remarks>
internal sealed class FilterEvaluator(PayloadIndexSet indexes)
{
    private const int ReadsPerCheck = 256;

    /// <summary>Finds the points that meet a filter; null: all.</summary>
    /// <exception cref="AiDbException"><see cref="AiDbErrorKind.InvalidArgument"/>: the filter is not
    /// valid.</exception>
    public FilterResult Evaluate(Filter? filter, IPointView view, CancellationToken cancellationToken) =>
        Evaluate(BoundFilter.Bind(filter), view, cancellationToken);

    /// <summary>Finds the points that meet a filter.</summary>
    public FilterResult Evaluate(BoundFilter filter, IPointView view, CancellationToken cancellationToken)
    {
        if (filter.IsEverything)
            return new FilterResult(null, view.Live.Count());
        OffsetBitmap found;
        AndPlan plan;
        FilterPlanner planner;
        OffsetBitmap? undecided;
        long count;
        using (indexes.EnterRead())
        {
            ReadOnlySpan<ulong> live = view.Live.Words;
            planner = new FilterPlanner(indexes, view, BitWords.Count(live));
            plan = planner.Plan(filter.Root);
            found = BitmapPool.Rent(live.Length * 64L);
            Span<ulong> words = BitWords.Of(found)[..live.Length];
            count = plan.Narrow(words, live);
            undecided = count == 0 || plan.IsDecided ? null : Undecided(plan, found, live.Length);
        }

        long read = 0;
        if (undecided is not null)
        {
            count -= Scan(plan, found, undecided, view, ref read, cancellationToken);
            BitmapPool.Return(undecided);
        }

        return new FilterResult(found, count)
        {
            UsedIndexes = planner.UsedIndexes,
            ScannedFields = planner.ScannedFields,
            PayloadsRead = read,
        };
    }

    /// <summary>How many points will meet a filter, without looking for them.</summary>
    public FilterEstimate Estimate(BoundFilter filter, IPointView view)
    {
        long points = view.Live.Count();
        if (filter.IsEverything)
            return new FilterEstimate(points, points, points);
        using (indexes.EnterRead())
            return new FilterPlanner(indexes, view, points).Plan(filter.Root).Estimate;
    }

    /// <summary>The fields of a filter with a condition for which payloads would have to be read: what strict mode
    /// forbids.</summary>
    public IReadOnlyList<string> UnindexedFields(BoundFilter filter)
    {
        var unindexed = new List<string>();
        using (indexes.EnterRead())
        {
            foreach (FieldUse use in filter.Fields())
            {
                FieldIndex? index = indexes.Find(use.Path);
                bool answers = index is not null && use.Conditions.TrueForAll(
                    condition => condition is EmptyNode or CountNode || index.Probe(condition) is not null);
                if (!answers)
                    unindexed.Add(use.Path.Text);
            }
        }

        return unindexed;
    }

    // The points that payloads must decide on: those about which a condition knows nothing, or nothing for certain.
    private static OffsetBitmap Undecided(AndPlan plan, OffsetBitmap found, int length)
    {
        PlanNode[] open = [.. plan.Undecided];
        OffsetBitmap undecided = BitmapPool.Rent(length * 64L);
        Span<ulong> words = BitWords.Of(undecided);
        BitWords.Or(words, found.Words[..length]);
        if (Array.Exists(open, child => !child.HasVerdicts))
            return undecided;
        foreach (uint offset in found)
        {
            if (Array.TrueForAll(open, child => child.Decide(offset) == Verdict.Yes))
                BitWords.Clear(words, offset);
        }

        return undecided;
    }

    private static long Scan(
        AndPlan plan, OffsetBitmap found, OffsetBitmap undecided, IPointView view, ref long read,
        CancellationToken cancellationToken)
    {
        var node = new AndNode([.. plan.Undecided.Select(child => child.ForPayload())]);
        var point = new ViewPoint(view);
        long dropped = 0;
        foreach (uint offset in undecided)
        {
            if (read++ % ReadsPerCheck == 0)
                cancellationToken.ThrowIfCancellationRequested();
            point.Offset = offset;
            using JsonDocument document = JsonDocument.Parse(
                view.ReadPayload(offset).Utf8, new JsonDocumentOptions { MaxDepth = Payload.MaxDepth });
            if (node.Holds(document.RootElement, point))
                continue;
            found.Clear(offset);
            dropped++;
        }

        return dropped;
    }
}
