using System.Diagnostics.Metrics;

namespace AiDb.Backup.Restoring.Lazy;

/// <summary>The instruments of a lazy restore on the meter <c>AiDb.Backup</c>, for as long as it lasts.</summary>
internal sealed class LazyRestoreMetrics : IDisposable
{
    private readonly Meter _meter = new("AiDb.Backup");

    public LazyRestoreMetrics(LazyRestore restore)
    {
        KeyValuePair<string, object?> shard = new("aidb.shard", restore.Shard);
        _meter.CreateObservableGauge(
            "aidb.restore.missing", () => new Measurement<long>(restore.GetStatus().MissingBytes, shard), "By",
            "Bytes of tables that a lazy restore has not fetched yet");
        _meter.CreateObservableCounter(
            "aidb.restore.bytes", () => new Measurement<long>(restore.FetchedBytes, shard), "By",
            "Bytes of tables that a lazy restore has fetched since the start");
    }

    public void Dispose() => _meter.Dispose();
}
