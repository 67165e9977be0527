using System.Diagnostics.Metrics;
using AiDb.Cluster.Caching;

namespace AiDb.Replica.Hosting;

/// <summary>The figures of a replica's caches, per shard.</summary>
internal sealed class ReplicaMetrics : IDisposable
{
    private readonly Meter _meter;
    private readonly ReplicaNode _node;

    public ReplicaMetrics(ReplicaNode node, IMeterFactory meters)
    {
        _node = node;
        _meter = meters.Create("AiDb.Replica");
        Counter("aidb.cache.hits", "Reads that the cache answered.", figures => figures.Hits);
        Counter("aidb.cache.misses", "Reads that it did not.", figures => figures.Misses);
        Counter("aidb.cache.invalidations", "Entries removed by writes.", figures => figures.Invalidated);
        Counter("aidb.cache.evictions", "Entries that made room for others.", figures => figures.Evicted);
        Counter("aidb.cache.fills.installed", "Answers of primaries taken in.", figures => figures.Installed);
        Counter("aidb.cache.fills.rejected", "Answers of primaries that something newer overtook.", figures => figures.Rejected);
        Counter("aidb.cache.resets", "How often everything became cold.", figures => figures.Resets);
        _meter.CreateObservableGauge("aidb.cache.entries", () => Measure(cache => cache.GetStatistics().Entries));
        _meter.CreateObservableGauge("aidb.cache.bytes", () => Measure(cache => cache.GetStatistics().Bytes), "By");
        _meter.CreateObservableGauge(
            "aidb.cache.age", () => Measure(cache => (long)(cache.Age?.TotalMilliseconds ?? -1)), "ms",
            "Time since the cache last heard that it is current; -1 while it is cold.");
    }

    public void Dispose() => _meter.Dispose();

    private void Counter(string name, string description, Func<CacheStatistics, long> figure) =>
        _meter.CreateObservableCounter(
            name, () => Measure(cache => figure(cache.GetStatistics())), description: description);

    private IEnumerable<Measurement<long>> Measure(Func<CacheState, long> figure) =>
        _node.Caches.Select(cache => new Measurement<long>(
            figure(cache.Cache), new KeyValuePair<string, object?>("shard", cache.Shard)));
}
