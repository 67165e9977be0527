using AiDb.Benchmarks.Measuring;
using AiDb.Engine.Vectors;
using AiDb.Engine.Vectors.Hnsw;

namespace AiDb.Benchmarks.Vectors;

/// <summary>Searches with filters of every share, at random and by nearness to one of the vectors.</summary>
internal sealed class FilterSweep(VectorData data, DenseIndex index, int ef, int rounds, Action<string> print)
{
    private const int Queries = 200;
    private const int Anchor = 4711;

    private static readonly double[] Shares = [0.001, 0.01, 0.05, 0.10, 0.25, 0.50, 0.75, 0.90, 0.99];

    /// <summary>Runs all.</summary>
    public void Run(CancellationToken cancellationToken)
    {
        (double seconds, double recall) = Measure(new DenseSearch { Ef = ef }, data.Truth);
        print($"filters, ef {ef}, {Queries} queries; unfiltered: recall {recall:F4}, {seconds * 1e6:F0} CPU us per query");
        print("| filter | share | recall | CPU us | exact scan of the matches | scan / filtered | by scan | by walk | by matching walk |");
        print("|---|---|---|---|---|---|---|---|---|");
        float[] distances = new float[data.Count];
        ScoredOffset[] all = new ScoredOffset[data.Count];
        index.Search(data.Vector(Anchor), new DenseSearch { Exact = true }, all);
        for (int rank = 0; rank < all.Length; rank++)
            distances[all[rank].Offset] = rank;
        foreach (double share in Shares)
        {
            cancellationToken.ThrowIfCancellationRequested();
            Random random = new(17);
            bool[] chosen = [.. Enumerable.Range(0, data.Count).Select(_ => random.NextDouble() < share)];
            RunOne("random", share, row => chosen[row]);
            RunOne("near one", share, row => distances[row] < share * data.Count);
        }
    }

    private void RunOne(string name, double share, Func<int, bool> filter)
    {
        OffsetBitmap bitmap = new();
        for (int row = 0; row < data.Count; row++)
        {
            if (filter(row))
                bitmap.Set((uint)row);
        }

        int[] truth = GroundTruth.Find(data, row => bitmap.Test((uint)row), Queries);
        DenseSearch search = new() { Ef = ef, Filter = new OffsetFilter(bitmap), EstimatedMatches = bitmap.Count() };
        (double seconds, double recall) = Measure(search, truth);
        string ways = "";
        foreach (SearchPath path in Enum.GetValues<SearchPath>())
        {
            // A walk whose pool holds most of the rows takes seconds and is never chosen.
            if (path == SearchPath.Walk && share < 0.05)
            {
                ways += " | -";
                continue;
            }

            search.Path = path;
            (double cost, double reached) = Measure(search, truth);
            ways += $" | {cost * 1e6:F0} ({reached:F4})";
        }

        search.Exact = true;
        (double scan, _) = Measure(search, truth);
        print($"| {name} | {share * 100:F1} % | {recall:F4} | {seconds * 1e6:F0} | {scan * 1e6:F0} | {scan / seconds:F2}{ways} |");
    }

    // CPU seconds of a query, and recall.
    private (double Seconds, double Recall) Measure(in DenseSearch search, int[] truth)
    {
        const int K = VectorData.K;
        double best = double.MaxValue;
        int[] found = new int[Queries * K];
        ScoredOffset[] offsets = new ScoredOffset[K];
        for (int round = 0; round < rounds; round++)
        {
            TimeSpan start = CpuClock.OfThread;
            for (int query = 0; query < Queries; query++)
            {
                int count = index.Search(data.Query(query), search, offsets);
                for (int i = 0; i < K; i++)
                    found[(query * K) + i] = i < count ? (int)offsets[i].Offset : -1;
            }

            best = Math.Min(best, (CpuClock.OfThread - start).TotalSeconds / Queries);
        }

        return (best, IndexRun.Recall(found, truth));
    }
}
