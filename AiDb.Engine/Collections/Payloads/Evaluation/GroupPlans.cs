using System.Numerics;
using AiDb.Engine.Vectors;

namespace AiDb.Engine.Collections.Payloads;

/// <summary>The condition does not hold.</summary>
internal sealed class NotPlan(PlanNode child, long points) : PlanNode
{
    /// <summary>What must not hold.</summary>
    public PlanNode Child { get; } = child;

    /// <inheritdoc/>
    public override FilterEstimate Estimate
    {
        get
        {
            FilterEstimate inner = Child.Estimate;
            return new FilterEstimate(
                Math.Max(0, points - inner.Maximum), Math.Max(0, points - inner.Expected), Math.Max(0, points - inner.Minimum));
        }
    }

    /// <inheritdoc/>
    public override bool HasBound => Child.HasBound && Child.IsDecided;

    /// <inheritdoc/>
    public override bool IsDecided => Child.IsDecided;

    /// <inheritdoc/>
    public override bool HasVerdicts => Child.HasVerdicts;

    /// <inheritdoc/>
    public override void AddTo(Span<ulong> words, ReadOnlySpan<ulong> live)
    {
        OffsetBitmap inner = BitmapPool.Rent(live.Length * 64L);
        Span<ulong> innerWords = BitWords.Of(inner)[..live.Length];
        Child.AddTo(innerWords, live);
        for (int word = 0; word < live.Length; word++)
            words[word] |= live[word] & ~innerWords[word];
        BitmapPool.Return(inner);
    }

    /// <inheritdoc/>
    public override Verdict Decide(uint offset) => (Verdict)(Verdict.Yes - Child.Decide(offset));

    /// <inheritdoc/>
    public override FilterNode ForPayload() => new NotNode(Child.ForPayload());
}

/// <summary>So many hold at least.</summary>
internal sealed class AtLeastPlan(int minimum, PlanNode[] children, long points) : PlanNode
{
    /// <inheritdoc/>
    public override FilterEstimate Estimate
    {
        get
        {
            if (minimum <= 0)
                return new FilterEstimate(points, points, points);
            long surely = 0;
            double missed = 1;
            double sum = 0;
            foreach (PlanNode child in children)
            {
                FilterEstimate estimate = child.Estimate;
                surely = Math.Max(surely, estimate.Minimum);
                sum += estimate.Maximum;
                missed *= 1 - Math.Clamp(estimate.Expected / (double)Math.Max(1, points), 0, 1);
            }

            long maximum = (long)Math.Min(points, sum / minimum);
            double expected = minimum == 1 ? points * (1 - missed) : maximum / 2.0;
            return new FilterEstimate(minimum == 1 ? Math.Min(surely, maximum) : 0, Math.Min((long)expected, maximum), maximum);
        }
    }

    /// <inheritdoc/>
    public override bool HasBound => minimum > 0 && Array.TrueForAll(children, child => child.HasBound);

    /// <inheritdoc/>
    public override bool IsDecided => Array.TrueForAll(children, child => child.IsDecided);

    /// <inheritdoc/>
    public override bool HasVerdicts => IsDecided || minimum <= 0 || Array.Exists(children, child => child.HasVerdicts);

    /// <inheritdoc/>
    public override void AddTo(Span<ulong> words, ReadOnlySpan<ulong> live)
    {
        if (minimum == 1)
        {
            foreach (PlanNode child in children)
                child.AddTo(words, live);
            return;
        }

        // A bitmap per count: what is in the last one was found by so many children.
        var counts = new OffsetBitmap[minimum];
        for (int level = 0; level < minimum; level++)
            counts[level] = BitmapPool.Rent(live.Length * 64L);
        OffsetBitmap found = BitmapPool.Rent(live.Length * 64L);
        foreach (PlanNode child in children)
        {
            Span<ulong> foundWords = BitWords.Of(found)[..live.Length];
            foundWords.Clear();
            child.AddTo(foundWords, live);
            for (int level = minimum - 1; level > 0; level--)
            {
                Span<ulong> higher = BitWords.Of(counts[level]);
                ReadOnlySpan<ulong> lower = counts[level - 1].Words;
                for (int word = 0; word < live.Length; word++)
                    higher[word] |= lower[word] & foundWords[word];
            }

            BitWords.Or(BitWords.Of(counts[0]), foundWords);
        }

        BitWords.Or(words, counts[^1].Words[..live.Length]);
        BitmapPool.Return(found);
        foreach (OffsetBitmap level in counts)
            BitmapPool.Return(level);
    }

    /// <inheritdoc/>
    public override Verdict Decide(uint offset)
    {
        int surely = 0;
        int perhaps = 0;
        foreach (PlanNode child in children)
        {
            Verdict verdict = child.Decide(offset);
            surely += verdict == Verdict.Yes ? 1 : 0;
            perhaps += verdict == Verdict.No ? 0 : 1;
            if (surely >= minimum)
                return Verdict.Yes;
        }

        if (surely >= minimum)
            return Verdict.Yes;
        return perhaps >= minimum ? Verdict.Unknown : Verdict.No;
    }

    /// <inheritdoc/>
    public override FilterNode ForPayload() =>
        new AtLeastNode(minimum, Array.ConvertAll(children, child => child.ForPayload()));
}

/// <summary>All hold.</summary>
internal sealed class AndPlan : PlanNode
{
    // Finding a point costs so many times less than asking about one: a set bit against a jump to its values.
    private const int BitsPerQuestion = 8;
    private readonly PlanNode[] _children;
    private readonly long _points;

    /// <summary>Makes it; the children that find least come first.</summary>
    public AndPlan(PlanNode[] children, long points)
    {
        _children = [.. children.OrderBy(child => child.Estimate.Maximum)];
        _points = points;
    }

    /// <summary>The conditions that payloads must decide.</summary>
    public IEnumerable<PlanNode> Undecided => _children.Where(child => !child.IsDecided);

    /// <inheritdoc/>
    public override FilterEstimate Estimate
    {
        get
        {
            long maximum = _points;
            long surely = _points;
            double share = 1;
            foreach (PlanNode child in _children)
            {
                FilterEstimate estimate = child.Estimate;
                maximum = Math.Min(maximum, estimate.Maximum);
                surely -= _points - estimate.Minimum;
                share *= Math.Clamp(estimate.Expected / (double)Math.Max(1, _points), 0, 1);
            }

            long expected = Math.Min((long)Math.Round(_points * share), maximum);
            return new FilterEstimate(Math.Clamp(surely, 0, expected), expected, maximum);
        }
    }

    /// <inheritdoc/>
    public override bool HasBound => Array.Exists(_children, child => child.HasBound);

    /// <inheritdoc/>
    public override bool IsDecided => Array.TrueForAll(_children, child => child.IsDecided);

    /// <inheritdoc/>
    public override bool HasVerdicts => IsDecided || Array.Exists(_children, child => child.HasVerdicts);

    /// <inheritdoc/>
    public override void AddTo(Span<ulong> words, ReadOnlySpan<ulong> live)
    {
        OffsetBitmap both = BitmapPool.Rent(live.Length * 64L);
        Span<ulong> bothWords = BitWords.Of(both)[..live.Length];
        Narrow(bothWords, live);
        BitWords.Or(words, bothWords);
        BitmapPool.Return(both);
    }

    /// <summary>Sets the bits of all points that may meet all conditions; of no others where it
    /// <see cref="IsDecided"/>.</summary>
    /// <param name="words">Empty at first.</param>
    /// <param name="live">All points.</param>
    /// <returns>How many points.</returns>
    public long Narrow(Span<ulong> words, ReadOnlySpan<ulong> live)
    {
        PlanNode? first = Array.Find(_children, child => child.HasBound && child is not NotPlan);
        long count;
        if (first is null)
        {
            live.CopyTo(words);
            count = BitWords.Count(live);
        }
        else
        {
            first.AddTo(words, live);
            count = BitWords.And(words, live);
        }

        foreach (PlanNode child in _children)
        {
            if (count == 0)
                break;
            if (child == first || !child.HasVerdicts)
                continue;
            (PlanNode found, bool keeps) = child is NotPlan not ? (not.Child, false) : (child, true);
            bool finds = child.HasBound && found.Estimate.Maximum / BitsPerQuestion < count;
            count = finds ? NarrowByFinding(found, keeps, words, live) : NarrowByAsking(child, words);
        }

        return count;
    }

    /// <inheritdoc/>
    public override Verdict Decide(uint offset)
    {
        Verdict all = Verdict.Yes;
        foreach (PlanNode child in _children)
        {
            Verdict verdict = child.Decide(offset);
            if (verdict == Verdict.No)
                return Verdict.No;
            if (verdict == Verdict.Unknown)
                all = Verdict.Unknown;
        }

        return all;
    }

    /// <inheritdoc/>
    public override FilterNode ForPayload() => new AndNode(Array.ConvertAll(_children, child => child.ForPayload()));

    private static long NarrowByFinding(PlanNode found, bool keeps, Span<ulong> words, ReadOnlySpan<ulong> live)
    {
        OffsetBitmap other = BitmapPool.Rent(live.Length * 64L);
        Span<ulong> otherWords = BitWords.Of(other)[..live.Length];
        found.AddTo(otherWords, live);
        long count = keeps ? BitWords.And(words, otherWords) : BitWords.AndNot(words, otherWords);
        BitmapPool.Return(other);
        return count;
    }

    private static long NarrowByAsking(PlanNode child, Span<ulong> words)
    {
        long count = 0;
        for (int word = 0; word < words.Length; word++)
        {
            ulong kept = words[word];
            for (ulong rest = kept; rest != 0; rest &= rest - 1)
            {
                int bit = BitOperations.TrailingZeroCount(rest);
                if (child.Decide(((uint)word * 64) + (uint)bit) == Verdict.No)
                    kept &= ~(1UL << bit);
            }

            words[word] = kept;
            count += BitOperations.PopCount(kept);
        }

        return count;
    }
}
