using AiDb.Engine.Collections;
using AiDb.Engine.Collections.Queries;

namespace AiDb.Tests.Engine.Collections.Queries;

public sealed class FusionTests
{
    [Fact]
    public void Reciprocal_ranks_are_added_with_the_rank_from_zero()
    {
        List<ScoredPoint> fused = Fusion.Rrf([Ranking(2, 1), Ranking(1, 2, 3), Ranking(5, 3, 1)], Fusion.DefaultK, null);

        Assert.Equal([1, 2, 3, 5], fused.Select(Number));
        AssertScores([1.0833334f, 0.8333334f, 0.5833334f, 0.5f], fused);
    }

    [Fact]
    public void A_weight_divides_the_rank()
    {
        List<ScoredPoint> fused = Fusion.Rrf([Ranking(1, 2), Ranking(2, 1)], 2, [3, 1]);

        // 1 / (1/3 + 1) + 1 / 3 and 1 / (2/3 + 1) + 1 / 2.
        Assert.Equal([2, 1], fused.Select(Number));
        AssertScores([1.1f, 1.0833334f], fused);
    }

    [Fact]
    public void A_ranking_of_weight_three_gives_three_results_where_one_of_weight_one_gives_one()
    {
        List<ScoredPoint> fused = Fusion.Rrf(
            [Ranking(11, 12, 13, 14, 15, 16, 17, 18), Ranking(21, 22, 23, 24, 25, 26, 27, 28)], 60, [3, 1]);

        Assert.Equal([11, 12, 13, 21, 14, 15, 16, 22], fused.Take(8).Select(Number));
    }

    [Fact]
    public void A_ranking_of_weight_zero_brings_points_but_no_score()
    {
        List<ScoredPoint> fused = Fusion.Rrf([Ranking(1), Ranking(2)], 2, [1, 0]);

        AssertScores([0.5f, 0], fused);
    }

    [Fact]
    public void Equal_scores_are_ordered_by_id()
    {
        List<ScoredPoint> fused = Fusion.Rrf([Ranking(9, 4), Ranking(4, 9), Ranking(7)], 2, null);

        Assert.Equal([4, 9, 7], fused.Select(Number));
    }

    [Fact]
    public void Scores_are_normalised_by_mean_and_three_standard_deviations()
    {
        // Mean 2, deviation 1 (n - 1): from -1 to 5.
        ScoredPoint[] first = [Scored(1, 3), Scored(2, 2), Scored(3, 1)];
        ScoredPoint[] second = [Scored(3, 100)];

        List<ScoredPoint> fused = Fusion.Dbsf([first, second], [true, true]);

        // A single score becomes 0.5.
        Assert.Equal([3, 1, 2], fused.Select(Number));
        AssertScores([(2f / 6) + 0.5f, 4f / 6, 3f / 6], fused);
    }

    [Fact]
    public void Distances_are_turned_around_so_that_nearer_counts_more()
    {
        ScoredPoint[] distances = [Scored(1, 1), Scored(2, 2), Scored(3, 3)];

        List<ScoredPoint> fused = Fusion.Dbsf([distances], [false]);

        Assert.Equal([1, 2, 3], fused.Select(Number));
        AssertScores([4f / 6, 3f / 6, 2f / 6], fused);
    }

    [Fact]
    public void Equal_scores_become_one_half()
    {
        AssertScores([0.5f, 0.5f], Fusion.Dbsf([[Scored(1, 7), Scored(2, 7)]], [true]));
    }

    private static void AssertScores(float[] expected, List<ScoredPoint> points)
    {
        Assert.Equal(expected.Length, points.Count);
        for (int at = 0; at < expected.Length; at++)
            Assert.Equal(expected[at], points[at].Score, 5);
    }

    private static int Number(ScoredPoint point) => (int)point.Id.Number;

    private static ScoredPoint[] Ranking(params ulong[] ids) => [.. ids.Select(static id => Scored(id, -(float)id))];

    private static ScoredPoint Scored(ulong id, float score) => new() { Id = new PointId(id), Score = score };
}
