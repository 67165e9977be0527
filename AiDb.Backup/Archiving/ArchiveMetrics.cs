using System.Diagnostics.Metrics;

namespace AiDb.Backup.Archiving;

/// <summary>The meter <c>AiDb.Backup</c>: one set of instruments for each archive.</summary>
internal sealed class ArchiveMetrics : IDisposable
{
    private readonly Meter _meter = new("AiDb.Backup");

    public ArchiveMetrics(Archiver archiver)
    {
        KeyValuePair<string, object?> shard = new("aidb.shard", archiver.Shard);
        _meter.CreateObservableGauge(
            "aidb.backup.lag", () => new Measurement<double>(archiver.Lag.TotalSeconds, shard), "s",
            "Age of the oldest durable entry that is not archived");
        _meter.CreateObservableGauge(
            "aidb.backup.health", () => new Measurement<int>((int)archiver.GetStatus().Health, shard), null,
            "0 starting, 1 following, 2 behind, 3 failing, 4 stopped");
        _meter.CreateObservableCounter(
            "aidb.backup.log.bytes", () => new Measurement<long>(archiver.GetStatus().LogBytesSent, shard), "By",
            "Bytes of log sent");
        _meter.CreateObservableCounter(
            "aidb.backup.file.bytes", () => new Measurement<long>(archiver.GetStatus().FileBytesSent, shard), "By",
            "Bytes of tables and value files sent");
        _meter.CreateObservableCounter(
            "aidb.backup.deleted", () => new Measurement<long>(archiver.GetStatus().Deleted, shard), "{object}",
            "Objects deleted");
        _meter.CreateObservableCounter(
            "aidb.backup.gaps", () => new Measurement<long>(archiver.GetStatus().Gaps, shard), "{gap}",
            "How often log was gone before it was archived");
    }

    public void Dispose() => _meter.Dispose();
}
