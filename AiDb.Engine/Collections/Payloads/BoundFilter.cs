using System.Text.Json;

namespace AiDb.Engine.Collections.Payloads;

/// <summary>A filter that was checked and compiled, once for a request.</summary>
/// <remarks>Thread safety: immutable.</remarks>
internal sealed class BoundFilter
{
    private BoundFilter(AndNode root) => Root = root;

    /// <summary>The filter that every point meets.</summary>
    public static BoundFilter Everything { get; } = new(new AndNode([]));

    /// <summary>All of its conditions.</summary>
    public AndNode Root { get; }

    /// <summary>Whether every point meets it.</summary>
    public bool IsEverything => Root.Children.Length == 0;

    /// <summary>Checks and compiles a filter; null: every point meets it.</summary>
    /// <param name="filter">The filter.</param>
    /// <param name="field">What the request calls it, for errors.</param>
    /// <exception cref="AiDbException"><see cref="AiDbErrorKind.InvalidArgument"/>: what is wrong with which
    /// condition, and the limit.</exception>
    public static BoundFilter Bind(Filter? filter, string field = "filter") =>
        filter is null ? Everything : new BoundFilter(new FilterBinder(field).Bind(filter));

    /// <summary>Whether a payload meets it, without asking indexes: what writes with a condition check, and what
    /// scans do.</summary>
    public bool Matches(Payload payload, IPointFacts point) => Root.Holds(payload.Root, point);

    /// <summary>Whether parsed JSON meets it.</summary>
    public bool Matches(JsonElement root, IPointFacts point) => Root.Holds(root, point);

    /// <summary>The fields that its conditions look at, each once, with those of nested conditions as
    /// <c>array[].field</c>.</summary>
    public IReadOnlyList<FieldUse> Fields()
    {
        var uses = new Dictionary<string, FieldUse>(StringComparer.Ordinal);
        Collect(Root, null, uses);
        return [.. uses.Values];
    }

    private static void Collect(FilterNode node, JsonPath? prefix, Dictionary<string, FieldUse> uses)
    {
        switch (node)
        {
            case AndNode and:
                foreach (FilterNode child in and.Children)
                    Collect(child, prefix, uses);
                break;
            case AtLeastNode some:
                foreach (FilterNode child in some.Children)
                    Collect(child, prefix, uses);
                break;
            case NotNode not:
                Collect(not.Child, prefix, uses);
                break;
            case NestedNode nested:
                Collect(nested.Inner, prefix is null ? nested.Path : prefix.Then(nested.Path), uses);
                break;
            case FieldNode field:
                JsonPath path = prefix is null ? field.Path : prefix.Then(field.Path);
                if (!uses.TryGetValue(path.Text, out FieldUse? use))
                    uses.Add(path.Text, use = new FieldUse(path, []));
                use.Conditions.Add(field);
                break;
            default:
                break;
        }
    }
}

/// <summary>A field and the conditions of a filter on it.</summary>
/// <param name="Path">The field.</param>
/// <param name="Conditions">The conditions.</param>
internal sealed record FieldUse(JsonPath Path, List<FieldNode> Conditions);
