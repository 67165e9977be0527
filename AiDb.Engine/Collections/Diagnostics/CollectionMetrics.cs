using System.Diagnostics.Metrics;
using AiDb.Engine.Diagnostics;

namespace AiDb.Engine.Collections.Diagnostics;

/// <summary>Figures of the collections of one database, by the engine's meter.</summary>
internal sealed class CollectionMetrics : IDisposable
{
    private readonly Meter _meter = new(DatabaseMetrics.Name);
    private readonly Counter<long> _written;
    private readonly Histogram<double> _searches;

    public CollectionMetrics(string path, Func<CollectionFigures> figures)
    {
        _written = _meter.CreateCounter<long>("aidb.engine.points_written", description: "Points that writes changed");
        _searches = _meter.CreateHistogram<double>("aidb.engine.search_duration", "s", "How long searches of collections took");
        var tag = new KeyValuePair<string, object?>("aidb.database", path);
        Gauge("aidb.engine.collections", null, "Collections in memory", static now => now.Open);
        Gauge("aidb.engine.points", null, "Points of the collections in memory", static now => now.Points);
        Gauge("aidb.engine.unindexed_vectors", null, "Vectors that searches look at one by one", static now => now.Unindexed);
        Gauge("aidb.engine.collection_memory", "By", "Memory of the collections' indexes", static now => now.Bytes);

        void Gauge(string name, string? unit, string description, Func<CollectionFigures, long> figure) =>
            _meter.CreateObservableGauge(name, () => new Measurement<long>(figure(figures()), tag), unit, description);
    }

    public void Written(int points) => _written.Add(points);

    public void Searched(TimeSpan elapsed) => _searches.Record(elapsed.TotalSeconds);

    public void Dispose() => _meter.Dispose();
}

/// <summary>What the collections in memory come to.</summary>
internal readonly record struct CollectionFigures(long Open, long Points, long Unindexed, long Bytes);
