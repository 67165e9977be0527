using System.Runtime.InteropServices;

namespace AiDb.Engine.Collections.Queries;

/// <summary>Makes one ranking of several.</summary>
internal static class Fusion
{
    /// <summary>The constant of <see cref="Rrf"/> where a request does not say.</summary>
    public const int DefaultK = 2;

    /// <summary>Reciprocal rank fusion: the scores of a point are added over the rankings.</summary>
    /// <param name="rankings">The rankings, best first.</param>
    /// <param name="k">The constant; the higher, the less the first ranks stand out.</param>
    /// <param name="weights">One per ranking; null: 1 each.</param>
    /// <returns>The points, best first.</returns>
    /// <remarks>Source: Cormack, Clarke and Buettcher, "Reciprocal Rank Fusion outperforms Condorcet and individual
    /// Rank Learning Methods", SIGIR 2009. A weight divides the rank, so that a ranking of weight 3 gives about three
    /// results where one of weight 1 gives one.</remarks>
    public static List<ScoredPoint> Rrf(
        IReadOnlyList<IReadOnlyList<ScoredPoint>> rankings, int k, IReadOnlyList<float>? weights)
    {
        Sums sums = new(rankings);
        for (int at = 0; at < rankings.Count; at++)
        {
            float weight = weights is null ? 1 : weights[at];
            for (int rank = 0; rank < rankings[at].Count; rank++)
                sums.Add(rankings[at][rank], weight > 0 ? 1 / (((rank + 1) / weight) + k - 1) : 0);
        }

        return sums.Sorted();
    }

    /// <summary>Distribution-based score fusion: each ranking's scores are moved and stretched so that their mean minus and
    /// plus three standard deviations become 0 and 1, and added.</summary>
    /// <param name="rankings">The rankings.</param>
    /// <param name="higherIsBetter">For each whether higher scores are better; others are turned around first.</param>
    /// <returns>The points, best first.</returns>
    public static List<ScoredPoint> Dbsf(
        IReadOnlyList<IReadOnlyList<ScoredPoint>> rankings, IReadOnlyList<bool> higherIsBetter)
    {
        Sums sums = new(rankings);
        for (int at = 0; at < rankings.Count; at++)
        {
            float sign = higherIsBetter[at] ? 1 : -1;
            (float mean, float deviation) = Distribution(rankings[at], sign);
            float least = mean - (3 * deviation);
            float most = mean + (3 * deviation);
            foreach (ScoredPoint point in rankings[at])
                sums.Add(point, least < most ? ((sign * point.Score) - least) / (most - least) : 0.5f);
        }

        return sums.Sorted();
    }

    // Welford's method. One point, and points of one score, have no deviation.
    private static (float Mean, float Deviation) Distribution(IReadOnlyList<ScoredPoint> points, float sign)
    {
        float mean = 0;
        float squares = 0;
        for (int at = 0; at < points.Count; at++)
        {
            float score = sign * points[at].Score;
            float before = score - mean;
            mean += before / (at + 1);
            squares += before * (score - mean);
        }

        return (mean, points.Count < 2 ? 0 : MathF.Sqrt(squares / (points.Count - 1)));
    }

    private sealed class Sums(IReadOnlyList<IReadOnlyList<ScoredPoint>> rankings)
    {
        private readonly Dictionary<PointId, int> _index = new(rankings.Sum(static ranking => ranking.Count));
        private readonly List<ScoredPoint> _points = [];
        private readonly List<float> _scores = [];

        public void Add(ScoredPoint point, float score)
        {
            ref int index = ref CollectionsMarshal.GetValueRefOrAddDefault(_index, point.Id, out bool known);
            if (known)
            {
                _scores[index] += score;
                return;
            }

            index = _points.Count;
            _points.Add(point);
            _scores.Add(score);
        }

        public List<ScoredPoint> Sorted()
        {
            for (int at = 0; at < _points.Count; at++)
                _points[at] = _points[at] with { Score = _scores[at] };
            _points.Sort(ScoreOrder.HigherFirst);
            return _points;
        }
    }
}
