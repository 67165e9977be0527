namespace AiDb.Engine.Collections.Payloads;

/// <summary>Asks the indexes about each condition of a filter.</summary>
/// <remarks>Thread safety: none; one for an evaluation, used while the lock of the indexes is held for
/// reading.</remarks>
internal sealed class FilterPlanner(PayloadIndexSet indexes, IPointView view, long points)
{
    private readonly HashSet<string> _used = new(StringComparer.Ordinal);
    private readonly HashSet<string> _scanned = new(StringComparer.Ordinal);

    /// <summary>Fields whose index answers a condition.</summary>
    public IReadOnlyList<string> UsedIndexes => [.. _used];

    /// <summary>Fields with a condition that no index answers whole.</summary>
    public IReadOnlyList<string> ScannedFields => [.. _scanned];

    /// <summary>Plans a filter.</summary>
    public AndPlan Plan(AndNode node) => new(Array.ConvertAll(node.Children, Plan), points);

    private PlanNode Plan(FilterNode node) => node switch
    {
        AndNode and => Plan(and),
        AtLeastNode some => new AtLeastPlan(some.Minimum, Array.ConvertAll(some.Children, Plan), points),
        NotNode not => new NotPlan(Plan(not.Child), points),
        IdNode ids => new IdPlan(ids, view),
        VectorNode vector => new VectorPlan(vector, view, points),
        NestedNode nested => PlanNested(nested),
        FieldNode field => PlanField(field),
        _ => new ScanPlan(node, points),
    };

    private PlanNode PlanField(FieldNode node)
    {
        FieldIndex? index = indexes.Find(node.Path);
        if (index is not null && node is EmptyNode)
        {
            _used.Add(node.Path.Text);
            return new NotPlan(new ProbePlan(index.Filled(), new NotNode(node)), points);
        }

        if (index?.Probe(node) is { } probe)
        {
            _used.Add(node.Path.Text);
            if (index is TextFieldIndex && node is ValueNode)
                return new WordsPlan(probe);
            if (probe.Unsure is not null)
                _scanned.Add(node.Path.Text);
            return new ProbePlan(probe, node);
        }

        _scanned.Add(node.Path.Text);
        // A field that is empty has no values to count; a value of any kind makes it one that is not.
        return index is not null && node is CountNode { HoldsForNone: false }
            ? new ProbePlan(index.Filled(), node, superset: true)
            : new ScanPlan(node, points);
    }

    // One element must meet all conditions, so that the point has values that meet each: an index finds at least what is
    // wanted.
    private PlanNode PlanNested(NestedNode node)
    {
        var bounds = new List<PlanNode>();
        CollectBounds(node, node.Path, bounds);
        return bounds.Count == 0
            ? new ScanPlan(node, points)
            : new NestedPlan(new AndPlan([.. bounds], points), node);
    }

    private void CollectBounds(NestedNode nested, JsonPath elements, List<PlanNode> bounds)
    {
        foreach (FilterNode child in nested.Inner is AndNode and ? and.Children : [nested.Inner])
        {
            if (child is NestedNode deeper)
            {
                CollectBounds(deeper, elements.Then(deeper.Path), bounds);
                continue;
            }

            if (child is not ValueNode value)
                continue;
            JsonPath path = elements.Then(value.Path);
            // Words are cut in the index's own way: it may find less than the payload has.
            if (indexes.Find(path) is { } index and not TextFieldIndex && index.Probe(value) is { } probe)
            {
                _used.Add(path.Text);
                bounds.Add(new ProbePlan(probe, value, superset: true));
            }
        }

        _scanned.Add(elements.Text);
    }

    private sealed class NestedPlan(AndPlan bound, NestedNode node) : PlanNode
    {
        public override FilterEstimate Estimate => bound.Estimate with { Minimum = 0 };

        public override bool HasBound => true;

        public override bool IsDecided => false;

        public override void AddTo(Span<ulong> words, ReadOnlySpan<ulong> live) => bound.AddTo(words, live);

        public override Verdict Decide(uint offset) => bound.Decide(offset) == Verdict.No ? Verdict.No : Verdict.Unknown;

        public override FilterNode ForPayload() => node;
    }
}
