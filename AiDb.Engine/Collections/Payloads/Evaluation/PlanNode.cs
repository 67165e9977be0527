using System.Text.Json;

namespace AiDb.Engine.Collections.Payloads;

/// <summary>What is known of whether a point meets a condition without its payload.</summary>
internal enum Verdict
{
    /// <summary>It does not.</summary>
    No,

    /// <summary>The payload must tell.</summary>
    Unknown,

    /// <summary>It does.</summary>
    Yes,
}

/// <summary>A condition of a filter and what the indexes know of it.</summary>
/// <remarks>Thread safety: none; one for an evaluation. Valid while the lock of the indexes is held for reading, but for
/// <see cref="ForPayload"/>.</remarks>
internal abstract class PlanNode
{
    /// <summary>How many points will meet it.</summary>
    public abstract FilterEstimate Estimate { get; }

    /// <summary>Whether <see cref="AddTo"/> is of use.</summary>
    public abstract bool HasBound { get; }

    /// <summary>Whether <see cref="Decide"/> always knows.</summary>
    public abstract bool IsDecided { get; }

    /// <summary>Whether <see cref="Decide"/> ever knows.</summary>
    public virtual bool HasVerdicts => IsDecided || HasBound;

    /// <summary>Sets the bits of all points that may meet it; of no others where <see cref="IsDecided"/>.</summary>
    /// <param name="words">Where; as many words as <paramref name="live"/>.</param>
    /// <param name="live">All points.</param>
    public abstract void AddTo(Span<ulong> words, ReadOnlySpan<ulong> live);

    /// <summary>What is known of a point.</summary>
    public abstract Verdict Decide(uint offset);

    /// <summary>The condition as it is checked on payloads, when the lock was left.</summary>
    public abstract FilterNode ForPayload();
}

/// <summary>A condition of which no index knows anything.</summary>
internal sealed class ScanPlan(FilterNode node, long points) : PlanNode
{
    /// <inheritdoc/>
    public override FilterEstimate Estimate => new(0, points / 2, points);

    /// <inheritdoc/>
    public override bool HasBound => false;

    /// <inheritdoc/>
    public override bool IsDecided => false;

    /// <inheritdoc/>
    public override void AddTo(Span<ulong> words, ReadOnlySpan<ulong> live) => live.CopyTo(words);

    /// <inheritdoc/>
    public override Verdict Decide(uint offset) => Verdict.Unknown;

    /// <inheritdoc/>
    public override FilterNode ForPayload() => node;
}

/// <summary>A condition that an index answers.</summary>
/// <param name="probe">The answer.</param>
/// <param name="node">The condition.</param>
/// <param name="superset">Whether the payload must confirm what the index finds.</param>
internal sealed class ProbePlan(IndexProbe probe, FilterNode node, bool superset = false) : PlanNode
{
    /// <inheritdoc/>
    public override FilterEstimate Estimate
    {
        get
        {
            long maximum = probe.Estimate + (probe.Unsure?.Count() ?? 0);
            return new FilterEstimate(superset || probe is not BitmapProbe ? 0 : maximum, maximum, maximum);
        }
    }

    /// <inheritdoc/>
    public override bool HasBound => true;

    /// <inheritdoc/>
    public override bool IsDecided => !superset && probe.Unsure is null;

    /// <inheritdoc/>
    public override void AddTo(Span<ulong> words, ReadOnlySpan<ulong> live)
    {
        probe.AddTo(words);
        if (probe.Unsure is { } unsure)
            BitWords.Or(words, unsure.Words);
    }

    /// <inheritdoc/>
    public override Verdict Decide(uint offset)
    {
        if (probe.Holds(offset))
            return superset ? Verdict.Unknown : Verdict.Yes;
        return probe.Unsure is { } unsure && unsure.Test(offset) ? Verdict.Unknown : Verdict.No;
    }

    /// <inheritdoc/>
    public override FilterNode ForPayload() => node;
}

/// <summary>A condition on text whose points a text index has found: a payload alone does not tell, because the index cuts words in its
/// own way.</summary>
internal sealed class WordsPlan(IndexProbe probe) : PlanNode
{
    /// <inheritdoc/>
    public override FilterEstimate Estimate => new(probe.Estimate, probe.Estimate, probe.Estimate);

    /// <inheritdoc/>
    public override bool HasBound => true;

    /// <inheritdoc/>
    public override bool IsDecided => true;

    /// <inheritdoc/>
    public override void AddTo(Span<ulong> words, ReadOnlySpan<ulong> live) => probe.AddTo(words);

    /// <inheritdoc/>
    public override Verdict Decide(uint offset) => probe.Holds(offset) ? Verdict.Yes : Verdict.No;

    /// <inheritdoc/>
    public override FilterNode ForPayload() => new FoundNode(probe);

    private sealed class FoundNode(IndexProbe found) : FilterNode
    {
        public override bool Holds(JsonElement root, IPointFacts point) => found.Holds(((ViewPoint)point).Offset);
    }
}

/// <summary>Points by their ids.</summary>
internal sealed class IdPlan : PlanNode
{
    private readonly HashSet<uint> _offsets;
    private readonly IdNode _node;

    /// <summary>Looks the ids up.</summary>
    public IdPlan(IdNode node, IPointView view)
    {
        _node = node;
        _offsets = new HashSet<uint>(node.Ids.Count);
        foreach (PointId id in node.Ids)
        {
            if (view.TryFindOffset(id, out uint offset))
                _offsets.Add(offset);
        }
    }

    /// <inheritdoc/>
    public override FilterEstimate Estimate => new(_offsets.Count, _offsets.Count, _offsets.Count);

    /// <inheritdoc/>
    public override bool HasBound => true;

    /// <inheritdoc/>
    public override bool IsDecided => true;

    /// <inheritdoc/>
    public override void AddTo(Span<ulong> words, ReadOnlySpan<ulong> live)
    {
        foreach (uint offset in _offsets)
            BitWords.Set(words, offset);
    }

    /// <inheritdoc/>
    public override Verdict Decide(uint offset) => _offsets.Contains(offset) ? Verdict.Yes : Verdict.No;

    /// <inheritdoc/>
    public override FilterNode ForPayload() => _node;
}

/// <summary>Points that have a vector: the view tells of each.</summary>
internal sealed class VectorPlan(VectorNode node, IPointView view, long points) : PlanNode
{
    /// <inheritdoc/>
    public override FilterEstimate Estimate => new(0, points, points);

    /// <inheritdoc/>
    public override bool HasBound => false;

    /// <inheritdoc/>
    public override bool IsDecided => true;

    /// <inheritdoc/>
    public override void AddTo(Span<ulong> words, ReadOnlySpan<ulong> live) => live.CopyTo(words);

    /// <inheritdoc/>
    public override Verdict Decide(uint offset) => view.HasVector(node.Name, offset) ? Verdict.Yes : Verdict.No;

    /// <inheritdoc/>
    public override FilterNode ForPayload() => node;
}

/// <summary>The point of a view that is looked at.</summary>
internal sealed class ViewPoint(IPointView view) : IPointFacts
{
    /// <summary>Its offset.</summary>
    public uint Offset { get; set; }

    /// <inheritdoc/>
    public PointId Id => view.IdAt(Offset);

    /// <inheritdoc/>
    public bool HasVector(string name) => view.HasVector(name, Offset);
}
