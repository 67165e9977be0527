namespace AiDb.Benchmarks.Hybrid;

/// <summary>How good rankings are, as the program trec_eval defines it.</summary>
internal sealed class RetrievalMeasures
{
    private const int Cut = 10;
    private double _gains;
    private double _precisions;
    private int _queries;

    /// <summary>nDCG of the first ten: gains of relevant documents, divided by log2 of the rank plus 1, in proportion to
    /// those of a perfect ranking.</summary>
    public double Ndcg => _gains / _queries;

    /// <summary>Mean average precision: that at the rank of each relevant document, 0 for those not found.</summary>
    public double Map => _precisions / _queries;

    /// <summary>Takes the ranking of a query.</summary>
    public void Add(IReadOnlyList<int> ranking, IReadOnlySet<int> relevant)
    {
        double gain = 0;
        double precision = 0;
        int found = 0;
        for (int rank = 0; rank < ranking.Count; rank++)
        {
            if (!relevant.Contains(ranking[rank]))
                continue;
            found++;
            precision += (double)found / (rank + 1);
            if (rank < Cut)
                gain += Discount(rank);
        }

        double perfect = 0;
        for (int rank = 0; rank < Math.Min(Cut, relevant.Count); rank++)
            perfect += Discount(rank);
        _gains += gain / perfect;
        _precisions += precision / relevant.Count;
        _queries++;
    }

    private static double Discount(int rank) => 1 / Math.Log2(rank + 2);
}
