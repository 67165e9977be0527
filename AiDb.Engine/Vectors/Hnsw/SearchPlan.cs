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
/// 20 n, each of them a miss of the cache; a scan's rows come in order. A walk through all rows is the cheapest for
/// filters that have nothing to do with the query, and the dearest by far for those that keep what is far from it, so it
/// is taken only where nearly all rows match.
/// </remarks>
internal readonly record struct SearchPlan(SearchPath Path, int Ef)
{
    private const double NearlyAll = 0.95;
    private const double RowsPerCandidate = 20;
    private const double ScanRowNs = 6;
    private const double ScanByteNs = 1.0 / 22;
    private const double WalkRowNs = 22;
    private const double WalkByteNs = 1.0 / 16;
    private const double StepNs = 15;
    private const double LinkTestNs = 0.5;

    /// <summary>How much wider a walk through few of the rows is: their graph is sparser.</summary>
    private const double SparseBeam = 0.75;

    /// <summary>The way, and how many candidates it keeps.</summary>
    /// <param name="matches">Rows that match.</param>
    /// <param name="total">Rows of the graph.</param>
    /// <param name="ef">Candidates that an unfiltered search keeps.</param>
    /// <param name="codeBytes">Bytes that are read of a row.</param>
    /// <param name="m">Links of a node at level 0.</param>
    /// <param name="wanted">The way that is asked for; null: the cheapest.</param>
    public static SearchPlan Make(long matches, long total, int ef, int codeBytes, int m, SearchPath? wanted = null)
    {
        double share = Math.Min(1, matches / (double)Math.Max(1, total));
        double scan = matches * (ScanRowNs + (codeBytes * ScanByteNs));
        double beam = ef * (1 + (SparseBeam * (1 - share)));
        double walk = (beam * RowsPerCandidate * (WalkRowNs + (codeBytes * WalkByteNs)))
            + (beam * m * (1 - share) * (StepNs + (m * LinkTestNs)));
        SearchPath path = wanted ?? (scan <= walk ? SearchPath.Scan
            : share >= NearlyAll ? SearchPath.Walk : SearchPath.MatchingWalk);

        // The matches among the nearest are fewer than their share by chance.
        double scaled = share >= 1 ? ef : (ef + (2 * Math.Sqrt(ef))) / share;
        return new SearchPlan(path, path switch
        {
            SearchPath.Walk => (int)Math.Min(scaled, Math.Max(total, ef)),
            SearchPath.MatchingWalk => (int)beam,
            _ => ef,
        });
    }
}
