using AiDb.Benchmarks.Measuring;
using AiDb.Engine.Vectors;

namespace AiDb.Benchmarks.Vectors;

/// <summary>The latency of queries alone, and while vectors are replaced at a steady rate and brought into the
/// graph in the background.</summary>
internal sealed class WritesBesideQueries(VectorData data, DenseIndex index, int ef, TimeSpan duration, Action<string> print)
{
    private const int WritesPerSecond = 300;

    public void Run(CancellationToken cancellationToken)
    {
        LatencyHistogram idle = Query(TimeSpan.FromSeconds(Math.Min(10, duration.TotalSeconds)), cancellationToken);
        using CancellationTokenSource stop = CancellationTokenSource.CreateLinkedTokenSource(cancellationToken);
        long most = 0;
        long written = 0;
        Thread writer = new(() =>
        {
            Random random = new(29);
            long start = TimeProvider.System.GetTimestamp();
            while (!stop.IsCancellationRequested)
            {
                long due = (long)(TimeProvider.System.GetElapsedTime(start).TotalSeconds * WritesPerSecond);
                for (; written < due; written++)
                    index.Set((uint)random.Next(data.Count), data.Vector(random.Next(data.Count)));
                most = Math.Max(most, index.UnindexedCount);
                stop.Token.WaitHandle.WaitOne(5);
            }
        });
        Thread indexer = new(() =>
        {
            while (!stop.IsCancellationRequested)
            {
                if (!index.IndexNext(16, CancellationToken.None))
                    stop.Token.WaitHandle.WaitOne(5);
            }
        });
        writer.Start();
        indexer.Start();
        LatencyHistogram busy = Query(duration, cancellationToken);
        stop.Cancel();
        writer.Join();
        indexer.Join();
        print($"queries alone: p50 {idle.PercentileUs(0.5):F0} us, p99 {idle.PercentileUs(0.99):F0} us; beside {WritesPerSecond} writes/s for {duration.TotalSeconds:F0} s: "
            + $"p50 {busy.PercentileUs(0.5):F0} us, p99 {busy.PercentileUs(0.99):F0} us (x {busy.PercentileUs(0.99) / idle.PercentileUs(0.99):F2}); "
            + $"{written} written, at most {most} not indexed");
    }

    private LatencyHistogram Query(TimeSpan duration, CancellationToken cancellationToken)
    {
        LatencyHistogram latencies = new();
        ScoredOffset[] best = new ScoredOffset[VectorData.K];
        long start = TimeProvider.System.GetTimestamp();
        for (int query = 0; TimeProvider.System.GetElapsedTime(start) < duration; query = (query + 1) % data.QueryCount)
        {
            cancellationToken.ThrowIfCancellationRequested();
            long before = TimeProvider.System.GetTimestamp();
            index.Search(data.Query(query), new DenseSearch { Ef = ef }, best);
            latencies.Record((long)(TimeProvider.System.GetElapsedTime(before).TotalMicroseconds * 1000));
        }

        return latencies;
    }
}
