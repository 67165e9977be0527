using AiDb.Benchmarks.Measuring;
using AiDb.Engine.Vectors;

namespace AiDb.Benchmarks.Vectors;

/// <summary>An index of the benchmark's data, built and searched on one thread.</summary>
internal sealed class IndexRun : IDisposable
{
    private readonly VectorData _data;
    private readonly ScoredOffset[] _best = new ScoredOffset[VectorData.K];

    private IndexRun(VectorData data, DenseIndex index)
    {
        _data = data;
        Index = index;
    }

    public DenseIndex Index { get; }

    /// <summary>CPU time of the build.</summary>
    public TimeSpan BuildCpu { get; private set; }

    /// <summary>Growth of RssAnon by the build.</summary>
    public long MemoryBytes { get; private set; }

    public static IndexRun Build(VectorData data, int m, int efConstruct, QuantizationOptions? quantization, CancellationToken cancellationToken)
    {
        ProcessMemory.Trim();
        long before = ProcessMemory.AnonymousBytes();
        IndexRun run = new(data, new DenseIndex(new DenseIndexOptions
        {
            Dimensions = data.Dimensions,
            Metric = data.Metric,
            Hnsw = new HnswOptions { M = m, EfConstruct = efConstruct },
            Quantization = quantization,
        }));
        TimeSpan start = CpuClock.OfProcess;
        for (int row = 0; row < data.Count; row++)
            run.Index.Set((uint)row, data.Vector(row));
        while (run.Index.IndexNext(1000, cancellationToken))
        {
        }

        run.BuildCpu = CpuClock.OfProcess - start;
        ProcessMemory.Trim();
        run.MemoryBytes = ProcessMemory.AnonymousBytes() - before;
        return run;
    }

    /// <summary>CPU seconds of all queries, recall, and bytes that they allocated on the heap.</summary>
    public (double Seconds, double Recall, long Allocated) Search(in DenseSearch search, int queries = int.MaxValue)
    {
        queries = Math.Min(queries, _data.QueryCount);
        int[] found = new int[queries * VectorData.K];
        long allocated = GC.GetAllocatedBytesForCurrentThread();
        TimeSpan start = CpuClock.OfThread;
        for (int query = 0; query < queries; query++)
        {
            int count = Index.Search(_data.Query(query), search, _best);
            for (int i = 0; i < count; i++)
                found[(query * VectorData.K) + i] = (int)_best[i].Offset;
            for (int i = count; i < VectorData.K; i++)
                found[(query * VectorData.K) + i] = -1;
        }

        double seconds = (CpuClock.OfThread - start).TotalSeconds;
        allocated = GC.GetAllocatedBytesForCurrentThread() - allocated;
        return (seconds, Recall(found, _data.Truth), allocated);
    }

    /// <summary>The share of the true nearest that was found.</summary>
    public static double Recall(int[] found, int[] truth)
    {
        const int K = VectorData.K;
        long hits = 0;
        for (int query = 0; query < found.Length / K; query++)
        {
            ReadOnlySpan<int> wanted = truth.AsSpan(query * K, K);
            foreach (int row in found.AsSpan(query * K, K))
                hits += row >= 0 && wanted.Contains(row) ? 1 : 0;
        }

        return hits / (double)found.Length;
    }

    public void Dispose() => Index.Dispose();
}
