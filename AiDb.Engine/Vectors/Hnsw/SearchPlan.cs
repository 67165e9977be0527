namespace AiDb.Engine.Vectors.Hnsw;

/// <summary>How the rows that match a filter are looked for.</summary>
internal enum SearchPath
{
    /// <summary>One after another.</summary>
    Scan,

    /// <summary>By a walk through all rows, of which the matching ones are kept.</summary>
    Walk,

    /// <summary>By a walk through the matching rows only, with steps of two links where one is not
    /// enough.</summary>
    MatchingWalk,
}

/// <summary>Chooses between the ways to search, by what they are expected to cost.</summary>
/// <remarks>
/// Costs are in nanoseconds of a present processor; only their ratios matter. A walk with a pool of n rows looks at some
/// 20 n, each of them a miss of the cache; a scan's rows come in order.
/// </remarks>
internal readonly record struct SearchPlan(SearchPath Path, int Ef)
{
    private const double RowsPerCandidate = 20;
    private const double ScanRowNs = 6;
    private const double ScanByteNs = 1.0 / 22;
    private const double WalkRowNs = 22;
    private const double WalkByteNs = 1.0 / 16;
    private const double StepNs = 60;
    private const double LinkTestNs = 1.5;

    /// <summary>The cheapest way.</summary>
    /// <param name="matches">Rows that match.</param>
    /// <param name="total">Rows of the graph.</param>
    /// <param name="ef">Candidates that an unfiltered search keeps.</param>
    /// <param name="codeBytes">Bytes that are read of a row.</param>
    /// <param name="m">Links of a node at level 0.</param>
    public static SearchPlan Make(long matches, long total, int ef, int codeBytes, int m)
    {
        double share = Math.Min(1, matches / (double)Math.Max(1, total));
        double scan = matches * (ScanRowNs + (codeBytes * ScanByteNs));
        double row = WalkRowNs + (codeBytes * WalkByteNs);

        // A pool larger than the share asks for: the matches among the nearest are fewer by chance.
        double scaled = share >= 1 ? ef : (ef / share) + (2 * Math.Sqrt(ef) / share);
        double walk = scaled * RowsPerCandidate * row;
        double hops = ef * (1 + (1 - share));
        double matching = (hops * RowsPerCandidate * row)
            + (hops * m * (1 - share) * (StepNs + (m * LinkTestNs)) * Math.Min(1, 2 * (1 - share)));
        if (scan <= walk && scan <= matching)
            return new SearchPlan(SearchPath.Scan, ef);
        return walk <= matching
            ? new SearchPlan(SearchPath.Walk, (int)Math.Min(scaled, total))
            : new SearchPlan(SearchPath.MatchingWalk, ef);
    }
}
