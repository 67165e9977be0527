namespace AiDb.Engine.Collections.Queries;

/// <summary>The order of results: the better score first, of equal ones the lower id, so that every run gives the same.
/// What is not a number comes last.</summary>
internal static class ScoreOrder
{
    /// <summary>Higher scores first.</summary>
    public static IComparer<ScoredPoint> HigherFirst { get; } =
        Comparer<ScoredPoint>.Create(static (left, right) => Compare(left, right, higherIsBetter: true));

    /// <summary>Lower scores first.</summary>
    public static IComparer<ScoredPoint> LowerFirst { get; } =
        Comparer<ScoredPoint>.Create(static (left, right) => Compare(left, right, higherIsBetter: false));

    /// <summary>The order by a direction.</summary>
    public static IComparer<ScoredPoint> For(bool higherIsBetter) => higherIsBetter ? HigherFirst : LowerFirst;

    /// <summary>Whether higher scores of a query are better; only nearness by a distance turns it around.</summary>
    public static bool HigherIsBetter(CollectionOptions options, Query? query, string vector) =>
        query is not (NearestQuery or RecommendQuery { Strategy: RecommendStrategy.AverageVector })
        || !options.Vectors.TryGetValue(vector, out VectorOptions? dense)
        || VectorSimilarity.HigherIsNearer(dense.Metric);

    private static int Compare(ScoredPoint left, ScoredPoint right, bool higherIsBetter)
    {
        bool leftNumber = !float.IsNaN(left.Score);
        bool rightNumber = !float.IsNaN(right.Score);
        if (leftNumber != rightNumber)
            return leftNumber ? -1 : 1;
        int byScore = leftNumber ? left.Score.CompareTo(right.Score) : 0;
        if (byScore != 0)
            return higherIsBetter ? -byScore : byScore;
        return left.Id.CompareTo(right.Id);
    }
}
