namespace AiDb.Engine.Collections.Queries;

/// <summary>Puts filters together.</summary>
internal static class FilterMerge
{
    /// <summary>Both hold.</summary>
    public static Filter? And(Filter? left, Filter? right)
    {
        if (left is null || IsEmpty(left))
            return right;
        if (right is null || IsEmpty(right))
            return left;
        if (HasAlternatives(left) && HasAlternatives(right))
            return new Filter { Must = [new FilterCondition(left), new FilterCondition(right)] };
        Filter alternatives = HasAlternatives(left) ? left : right;
        return alternatives with
        {
            Must = [.. left.Must, .. right.Must],
            MustNot = [.. left.MustNot, .. right.MustNot],
        };
    }

    /// <summary>A condition holds as well.</summary>
    public static Filter AndMust(Filter? filter, Condition condition) =>
        And(filter, new Filter { Must = [condition] })!;

    /// <summary>A condition does not hold.</summary>
    public static Filter AndMustNot(Filter? filter, Condition condition) =>
        And(filter, new Filter { MustNot = [condition] })!;

    private static bool HasAlternatives(Filter filter) => filter.Should.Count > 0 || filter.MinShould is not null;

    private static bool IsEmpty(Filter filter) =>
        filter.Must.Count == 0 && filter.MustNot.Count == 0 && !HasAlternatives(filter);
}
