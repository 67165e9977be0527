namespace AiDb.Engine.Collections.Queries;

/// <summary>Scores a point by its similarities to examples: recommend (best score, sum of scores), discover and
/// context. Higher scores are better with every metric.</summary>
/// <remarks>
/// <see cref="Combine"/> takes similarities as <see cref="VectorSimilarity"/> defines them. Squashing is
/// x / (1 + |x|). Thread safety: immutable.
/// </remarks>
internal sealed class ExampleScorer
{
    private readonly Kind _kind;
    private readonly int _positive;

    private ExampleScorer(Kind kind, IReadOnlyList<VectorValue> examples, int positive)
    {
        _kind = kind;
        _positive = positive;
        Examples = examples;
    }

    private enum Kind
    {
        BestScore,
        SumScores,
        Discover,
        Context,
    }

    /// <summary>The examples that a point is compared with, in the order in which <see cref="Combine"/> takes the
    /// similarities.</summary>
    public IReadOnlyList<VectorValue> Examples { get; }

    /// <summary>The scorer of a query whose vectors are resolved; null: the query is scored otherwise.</summary>
    public static ExampleScorer? For(Query? query) => query switch
    {
        RecommendQuery { Strategy: RecommendStrategy.BestScore } recommend => new(
            Kind.BestScore, [.. Values(recommend.Positive), .. Values(recommend.Negative)], recommend.Positive.Count),
        RecommendQuery { Strategy: RecommendStrategy.SumScores } recommend => new(
            Kind.SumScores, [.. Values(recommend.Positive), .. Values(recommend.Negative)], recommend.Positive.Count),
        DiscoverQuery discover => new(Kind.Discover, [.. Values([discover.Target]), .. Pairs(discover.Context)], 1),
        ContextQuery context => new(Kind.Context, [.. Pairs(context.Context)], 0),
        _ => null,
    };

    /// <summary>The score of a point.</summary>
    /// <param name="similarities">Its similarity to each of <see cref="Examples"/>.</param>
    public float Combine(ReadOnlySpan<float> similarities) => _kind switch
    {
        Kind.BestScore => BestScore(similarities[.._positive], similarities[_positive..]),
        Kind.SumScores => Sum(similarities[.._positive]) - Sum(similarities[_positive..]),
        Kind.Discover => Rank(similarities[1..]) + HalfSquash(similarities[0]),
        _ => Loss(similarities),
    };

    private static float BestScore(ReadOnlySpan<float> positive, ReadOnlySpan<float> negative)
    {
        float like = Greatest(positive);
        float unlike = Greatest(negative);
        return like > unlike ? HalfSquash(like) : -HalfSquash(unlike);
    }

    // +1 for each pair whose positive example is nearer, -1 where the negative one is.
    private static float Rank(ReadOnlySpan<float> pairs)
    {
        int rank = 0;
        for (int at = 0; at < pairs.Length; at += 2)
            rank += pairs[at].CompareTo(pairs[at + 1]);
        return rank;
    }

    // 0 on the right side of a pair, down to -1 the farther away on the wrong one.
    private static float Loss(ReadOnlySpan<float> pairs)
    {
        const float Margin = 1.1920929e-7f;
        float loss = 0;
        for (int at = 0; at < pairs.Length; at += 2)
            loss += Squash(MathF.Min(pairs[at] - pairs[at + 1] - Margin, 0));
        return loss;
    }

    private static float Greatest(ReadOnlySpan<float> similarities)
    {
        float greatest = float.NegativeInfinity;
        foreach (float similarity in similarities)
            greatest = MathF.Max(greatest, similarity);
        return greatest;
    }

    private static float Sum(ReadOnlySpan<float> similarities)
    {
        float sum = 0;
        foreach (float similarity in similarities)
            sum += similarity;
        return sum;
    }

    private static float Squash(float value) => value / (1 + MathF.Abs(value));

    private static float HalfSquash(float value) => 0.5f * (Squash(value) + 1);

    private static IEnumerable<VectorValue> Values(IEnumerable<VectorInput> inputs) =>
        inputs.Select(static input => ((VectorValueInput)input).Vector);

    private static IEnumerable<VectorValue> Pairs(IEnumerable<ContextPair> pairs) =>
        pairs.SelectMany(static pair => Values([pair.Positive, pair.Negative]));
}
