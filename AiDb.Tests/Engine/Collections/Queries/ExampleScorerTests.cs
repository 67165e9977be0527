using AiDb.Engine.Collections;
using AiDb.Engine.Collections.Queries;

namespace AiDb.Tests.Engine.Collections.Queries;

public sealed class ExampleScorerTests
{
    [Theory]
    [InlineData(new float[] { 42 }, new float[] { 4 }, true, 42)]
    [InlineData(new float[] { 4 }, new float[] { 42 }, false, 42)]
    [InlineData(new float[] { -1 }, new float[] { 0 }, false, 0)]
    [InlineData(new float[] { -42 }, new float[] { -84 }, true, -42)]
    [InlineData(new float[] { 10, 2, 3 }, new float[] { 4, 5, 6 }, true, 10)]
    [InlineData(new float[] { 1, 2, 3 }, new float[] { 4, 5, 6 }, false, 6)]
    [InlineData(new float[] { }, new float[] { 3 }, false, 3)]
    [InlineData(new float[] { 3 }, new float[] { }, true, 3)]
    public void The_best_score_is_that_of_the_nearest_example_negative_where_that_one_is(
        float[] positive, float[] negative, bool isPositive, float deciding)
    {
        float squashed = 0.5f * ((deciding / (1 + MathF.Abs(deciding))) + 1);

        float score = Recommend(RecommendStrategy.BestScore, positive, negative);

        Assert.Equal(isPositive ? squashed : -squashed, score, 6);
    }

    [Fact]
    public void The_sum_of_scores_subtracts_negative_examples()
    {
        Assert.Equal(1f + 2 - 5, Recommend(RecommendStrategy.SumScores, [1, 2], [5]));
    }

    [Theory]
    [InlineData(new float[] { }, 0)]
    [InlineData(new float[] { 10, 4 }, 1)]
    [InlineData(new float[] { 4, 10 }, -1)]
    [InlineData(new float[] { 11, 11 }, 0)]
    [InlineData(new float[] { 10, 4, 4, 10 }, 0)]
    [InlineData(new float[] { 1, 0, 2, 0, 3, 0, 4, 0, 5, 0, 0, 4 }, 4)]
    public void Discovery_counts_the_pairs_on_whose_right_side_a_point_is_and_adds_nearness_to_the_target(
        float[] pairs, int rank)
    {
        DiscoverQuery query = new(Any, Pairs(pairs.Length / 2));

        float score = ExampleScorer.For(query)!.Combine([42, .. pairs]);

        Assert.Equal(rank + (0.5f * ((42f / 43) + 1)), score, 5);
    }

    [Fact]
    public void A_context_costs_nothing_on_the_right_side_and_the_more_the_farther_on_the_wrong_one()
    {
        ContextQuery query = new(Pairs(2));
        ExampleScorer scorer = ExampleScorer.For(query)!;

        Assert.Equal(0, scorer.Combine([3, 1, 5, 2]), 6);
        Assert.Equal(-2f / 3, scorer.Combine([1, 3, 5, 2]), 5);
        Assert.Equal(-(2f / 3) - (3f / 4), scorer.Combine([1, 3, 2, 5]), 5);
    }

    [Fact]
    public void Queries_that_are_scored_otherwise_have_no_scorer()
    {
        Assert.Null(ExampleScorer.For(new NearestQuery(Any)));
        Assert.Null(ExampleScorer.For(new RecommendQuery([Any], [], RecommendStrategy.AverageVector)));
        Assert.Null(ExampleScorer.For(new SampleQuery()));
        Assert.Null(ExampleScorer.For(null));
    }

    private static VectorValueInput Any => new(new DenseVector(new float[] { 1 }));

    private static ContextPair[] Pairs(int count) => [.. Enumerable.Repeat(new ContextPair(Any, Any), count)];

    private static float Recommend(RecommendStrategy strategy, float[] positive, float[] negative)
    {
        RecommendQuery query = new(
            [.. positive.Select(static _ => Any)], [.. negative.Select(static _ => Any)], strategy);
        return ExampleScorer.For(query)!.Combine([.. positive, .. negative]);
    }
}
