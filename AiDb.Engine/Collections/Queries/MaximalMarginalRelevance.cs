namespace AiDb.Engine.Collections.Queries;

/// <summary>Chooses results that are near the query and differ from each other.</summary>
/// <remarks>Source: Carbonell and Goldstein, "The Use of MMR, Diversity-Based Reranking for Reordering Documents and
/// Producing Summaries", SIGIR 1998.</remarks>
internal static class MaximalMarginalRelevance
{
    /// <summary>The balance where a request does not say.</summary>
    public const float DefaultDiversity = 0.5f;

    /// <summary>Chooses one after the other the candidate of the greatest (1 - diversity) * similarity to the query -
    /// diversity * greatest similarity to those chosen before; of equal ones the first.</summary>
    /// <param name="candidates">The candidates, best first, with their vectors.</param>
    /// <param name="query">The query's vector.</param>
    /// <param name="metric">How dense vectors are compared.</param>
    /// <param name="diversity">0 (only nearness counts) to 1 (only difference counts).</param>
    /// <param name="limit">How many are chosen.</param>
    /// <param name="cancellationToken">Ends it between two choices.</param>
    /// <returns>The chosen, in the order in which they were.</returns>
    public static List<ScoredPoint> Choose(
        IReadOnlyList<(ScoredPoint Point, VectorValue Vector)> candidates, VectorValue query, VectorMetric metric,
        float diversity, int limit, CancellationToken cancellationToken)
    {
        int count = candidates.Count;
        float[] relevance = new float[count];
        for (int at = 0; at < count; at++)
            relevance[at] = VectorSimilarity.Between(metric, query, candidates[at].Vector);
        float[] nearestChosen = new float[count];
        Array.Fill(nearestChosen, float.NegativeInfinity);
        bool[] chosen = new bool[count];
        List<ScoredPoint> result = new(Math.Min(limit, count));
        int next = IndexOfBest(count, chosen, at => relevance[at]);
        while (next >= 0)
        {
            cancellationToken.ThrowIfCancellationRequested();
            chosen[next] = true;
            result.Add(candidates[next].Point);
            if (result.Count == limit)
                break;
            for (int at = 0; at < count; at++)
            {
                if (!chosen[at])
                {
                    float similarity = VectorSimilarity.Between(metric, candidates[at].Vector, candidates[next].Vector);
                    nearestChosen[at] = MathF.Max(nearestChosen[at], similarity);
                }
            }

            next = IndexOfBest(
                count, chosen, at => ((1 - diversity) * relevance[at]) - (diversity * nearestChosen[at]));
        }

        return result;
    }

    private static int IndexOfBest(int count, bool[] chosen, Func<int, float> score)
    {
        int best = -1;
        float bestScore = float.NegativeInfinity;
        for (int at = 0; at < count; at++)
        {
            if (chosen[at])
                continue;
            float value = score(at);
            if (best < 0 || value > bestScore)
            {
                best = at;
                bestScore = value;
            }
        }

        return best;
    }
}
