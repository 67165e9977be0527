using System.Text.Json;

namespace AiDb.Engine.Collections.Payloads;

/// <summary>What conditions ask of a point beside its payload.</summary>
internal interface IPointFacts
{
    /// <summary>Its id.</summary>
    PointId Id { get; }

    /// <summary>Whether it has a vector of a name.</summary>
    bool HasVector(string name);
}

/// <summary>A condition that was checked and compiled: paths are parsed, sets are hashed, groups are one of And, Or, Not and At least. Made
/// by <see cref="BoundFilter"/>.</summary>
/// <remarks>Thread safety: immutable.</remarks>
internal abstract class FilterNode
{
    /// <summary>Whether it holds, by looking at the payload alone; indexes are not asked.</summary>
    /// <param name="root">The payload, or an element of it within a nested condition.</param>
    /// <param name="point">The point.</param>
    public abstract bool Holds(JsonElement root, IPointFacts point);
}

/// <summary>All hold.</summary>
internal sealed class AndNode(FilterNode[] children) : FilterNode
{
    /// <summary>The conditions.</summary>
    public FilterNode[] Children { get; } = children;

    /// <inheritdoc/>
    public override bool Holds(JsonElement root, IPointFacts point)
    {
        foreach (FilterNode child in Children)
        {
            if (!child.Holds(root, point))
                return false;
        }

        return true;
    }
}

/// <summary>So many hold; one: Or.</summary>
internal sealed class AtLeastNode(int minimum, FilterNode[] children) : FilterNode
{
    /// <summary>How many.</summary>
    public int Minimum { get; } = minimum;

    /// <summary>The conditions.</summary>
    public FilterNode[] Children { get; } = children;

    /// <inheritdoc/>
    public override bool Holds(JsonElement root, IPointFacts point)
    {
        int missing = Minimum;
        for (int child = 0; missing > 0 && Children.Length - child >= missing; child++)
        {
            if (Children[child].Holds(root, point))
                missing--;
        }

        return missing <= 0;
    }
}

/// <summary>It does not hold.</summary>
internal sealed class NotNode(FilterNode child) : FilterNode
{
    /// <summary>The condition.</summary>
    public FilterNode Child { get; } = child;

    /// <inheritdoc/>
    public override bool Holds(JsonElement root, IPointFacts point) => !Child.Holds(root, point);
}

/// <summary>The id is one of a set.</summary>
internal sealed class IdNode(HashSet<PointId> ids) : FilterNode
{
    /// <summary>The ids.</summary>
    public HashSet<PointId> Ids { get; } = ids;

    /// <inheritdoc/>
    public override bool Holds(JsonElement root, IPointFacts point) => Ids.Contains(point.Id);
}

/// <summary>The point has a vector.</summary>
internal sealed class VectorNode(string name) : FilterNode
{
    /// <summary>The vector's name.</summary>
    public string Name { get; } = name;

    /// <inheritdoc/>
    public override bool Holds(JsonElement root, IPointFacts point) => point.HasVector(Name);
}

/// <summary>A condition on a field.</summary>
internal abstract class FieldNode(JsonPath path) : FilterNode
{
    /// <summary>The field.</summary>
    public JsonPath Path { get; } = path;
}

/// <summary>One of the field's values meets a test.</summary>
internal sealed class ValueNode(JsonPath path, ValueTest test) : FieldNode(path)
{
    /// <summary>The test.</summary>
    public ValueTest Test { get; } = test;

    /// <inheritdoc/>
    public override bool Holds(JsonElement root, IPointFacts point)
    {
        var visitor = new Visitor(Test);
        return !Path.Visit(root, ref visitor);
    }

    private readonly struct Visitor(ValueTest test) : IJsonVisitor
    {
        public bool Visit(JsonElement value)
        {
            if (value.ValueKind != JsonValueKind.Array)
                return !test.Matches(value);
            foreach (JsonElement element in value.EnumerateArray())
            {
                if (test.Matches(element))
                    return false;
            }

            return true;
        }
    }
}

/// <summary>All values at the path are null or empty arrays, or there are none.</summary>
internal sealed class EmptyNode(JsonPath path) : FieldNode(path)
{
    /// <summary>Whether a value counts as none.</summary>
    public static bool IsEmpty(JsonElement value) =>
        value.ValueKind == JsonValueKind.Null
        || (value.ValueKind == JsonValueKind.Array && value.GetArrayLength() == 0);

    /// <inheritdoc/>
    public override bool Holds(JsonElement root, IPointFacts point)
    {
        var visitor = default(Visitor);
        return Path.Visit(root, ref visitor);
    }

    private readonly struct Visitor : IJsonVisitor
    {
        public bool Visit(JsonElement value) => IsEmpty(value);
    }
}

/// <summary>One of the values at the path is null; an array that holds null is not.</summary>
internal sealed class NullNode(JsonPath path) : FieldNode(path)
{
    /// <inheritdoc/>
    public override bool Holds(JsonElement root, IPointFacts point)
    {
        var visitor = default(Visitor);
        return !Path.Visit(root, ref visitor);
    }

    private readonly struct Visitor : IJsonVisitor
    {
        public bool Visit(JsonElement value) => value.ValueKind != JsonValueKind.Null;
    }
}

/// <summary>The number of values lies in a range: an array has its length, null none, any other value one, and an absent field
/// none.</summary>
internal sealed class CountNode(JsonPath path, ValuesCountCondition range) : FieldNode(path)
{
    /// <summary>Whether a field without values meets it.</summary>
    public bool HoldsForNone => Contains(0);

    /// <inheritdoc/>
    public override bool Holds(JsonElement root, IPointFacts point)
    {
        var visitor = new Visitor(this);
        return !Path.Visit(root, ref visitor) || (!visitor.Seen && HoldsForNone);
    }

    private bool Contains(long count) =>
        (range.Gt is not { } gt || count > gt) && (range.Gte is not { } gte || count >= gte)
        && (range.Lt is not { } lt || count < lt) && (range.Lte is not { } lte || count <= lte);

    private struct Visitor(CountNode node) : IJsonVisitor
    {
        public bool Seen { get; private set; }

        public bool Visit(JsonElement value)
        {
            Seen = true;
            return !node.Contains(value.ValueKind switch
            {
                JsonValueKind.Array => value.GetArrayLength(),
                JsonValueKind.Null => 0,
                _ => 1,
            });
        }
    }
}

/// <summary>One element of an array of objects meets a condition by itself.</summary>
internal sealed class NestedNode(JsonPath elements, FilterNode inner) : FieldNode(elements)
{
    /// <summary>The condition, whose paths begin at an element.</summary>
    public FilterNode Inner { get; } = inner;

    /// <inheritdoc/>
    public override bool Holds(JsonElement root, IPointFacts point)
    {
        var visitor = new Visitor(Inner, point);
        return !Path.Visit(root, ref visitor);
    }

    private readonly struct Visitor(FilterNode inner, IPointFacts point) : IJsonVisitor
    {
        public bool Visit(JsonElement value) => value.ValueKind != JsonValueKind.Object || !inner.Holds(value, point);
    }
}
