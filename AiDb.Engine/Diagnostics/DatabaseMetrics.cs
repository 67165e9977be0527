using System.Diagnostics;
using System.Diagnostics.Metrics;

namespace AiDb.Engine.Diagnostics;

/// <summary>The engine's meter and activity source, both named <c>AiDb.Engine</c>. Counting costs next to
/// nothing while nobody listens.</summary>
internal sealed class DatabaseMetrics : IDisposable
{
    /// <summary>The name of the meter and of the activity source.</summary>
    public const string Name = "AiDb.Engine";

    private readonly Meter _meter = new(Name);
    private readonly Counter<long> _writes;
    private readonly Counter<long> _groups;
    private readonly Counter<long> _logBytes;
    private readonly Counter<long> _syncs;
    private readonly Counter<double> _delay;
    private readonly Counter<long> _holdUps;
    private readonly Histogram<double> _stalls;
    private readonly Counter<long> _damage;
    private readonly Counter<long> _diskStalls;
    private readonly Histogram<double> _syncDuration;
    private readonly Counter<long> _flushes;
    private readonly Counter<long> _flushedBytes;
    private readonly Counter<long> _compactions;
    private readonly Counter<long> _compactedBytes;

    public DatabaseMetrics()
    {
        _writes = _meter.CreateCounter<long>("aidb.engine.writes", description: "Committed log entries");
        _groups = _meter.CreateCounter<long>("aidb.engine.commit_groups", description: "Groups of writes");
        _logBytes = _meter.CreateCounter<long>("aidb.engine.log_bytes", "By", "Bytes appended to the log");
        _syncs = _meter.CreateCounter<long>("aidb.engine.synced_groups", description: "Groups that waited for a sync");
        _delay = _meter.CreateCounter<double>("aidb.engine.write_delay", "s", "How long writers waited, by stall");
        _holdUps = _meter.CreateCounter<long>("aidb.engine.write_stops", description: "Times that writes were held up, by stall");
        _stalls = _meter.CreateHistogram<double>("aidb.engine.stall_duration", "s", "How long stalls lasted, by stall");
        _damage = _meter.CreateCounter<long>("aidb.engine.damage", description: "Damaged places in files that scrubs found");
        _diskStalls = _meter.CreateCounter<long>("aidb.engine.disk_stalls", description: "Operations of the disk that hung");
        _syncDuration = _meter.CreateHistogram<double>("aidb.engine.sync_duration", "s", "How long syncs of files took");
        _flushes = _meter.CreateCounter<long>("aidb.engine.flushes", description: "Flushed memtables");
        _flushedBytes = _meter.CreateCounter<long>("aidb.engine.flushed_bytes", "By", "Bytes of flushed tables");
        _compactions = _meter.CreateCounter<long>("aidb.engine.compactions", description: "Compactions");
        _compactedBytes = _meter.CreateCounter<long>("aidb.engine.compacted_bytes", "By", "Bytes written by compactions");
    }

    /// <summary>Spans of writes and of slow reads.</summary>
    public static ActivitySource Activities { get; } = new(Name);

    /// <summary>Whether the caller is in a trace that is recorded, so that a span of the engine has a place in it. A
    /// listener alone asks for nothing: a span for each write of a program that traces something else would cost
    /// every write half a kilobyte.</summary>
    public static bool IsTraced => Activities.HasListeners() && Activity.Current is { Recorded: true };

    /// <summary>Begins a span within the caller's trace; null when there is none that is recorded.</summary>
    public static Activity? StartWithinTrace(string name) => IsTraced ? Activities.StartActivity(name) : null;

    /// <summary>Adds gauges that are read when someone collects; null while the figures cannot be
    /// had.</summary>
    public void Observe(string path, Func<DatabaseStatistics?> statistics)
    {
        var tag = new KeyValuePair<string, object?>("aidb.database", path);
        Gauge("aidb.engine.memtable_bytes", "By", "Bytes in memtables", figures => figures.MemtableBytes);
        Gauge("aidb.engine.table_bytes", "By", "Bytes of tables", figures => figures.TableBytes);
        Gauge("aidb.engine.log_size", "By", "Bytes of the log on disk", figures => figures.LogBytes);
        Gauge("aidb.engine.level0_tables", null, "Tables in level 0", figures => figures.TablesPerLevel[0]);

        void Gauge(string name, string? unit, string description, Func<DatabaseStatistics, long> figure) =>
            _meter.CreateObservableGauge(
                name,
                () => statistics() is { } figures ? [new Measurement<long>(figure(figures), tag)] : Array.Empty<Measurement<long>>(),
                unit,
                description);
    }

    public void Committed(int writes, long bytes, bool synced)
    {
        _writes.Add(writes);
        _groups.Add(1);
        _logBytes.Add(bytes);
        if (synced)
            _syncs.Add(1);
    }

    public void WriteDelayed(WriteStallKind kind, TimeSpan waited) => _delay.Add(waited.TotalSeconds, Tag(kind));

    public void WriteHeldUp(WriteStallKind kind) => _holdUps.Add(1, Tag(kind));

    public void StallEnded(WriteStallKind kind, TimeSpan elapsed) => _stalls.Record(elapsed.TotalSeconds, Tag(kind));

    public void Flushed(long bytes)
    {
        _flushes.Add(1);
        _flushedBytes.Add(bytes);
    }

    public void Compacted(long bytes)
    {
        _compactions.Add(1);
        _compactedBytes.Add(bytes);
    }

    public void DiskStalled(DiskOperation operation) =>
        _diskStalls.Add(1, new KeyValuePair<string, object?>("aidb.operation", operation.ToString()));

    public void SyncEnded(TimeSpan elapsed) => _syncDuration.Record(elapsed.TotalSeconds);

    public void DamageFound() => _damage.Add(1);

    public void Dispose() => _meter.Dispose();

    private static KeyValuePair<string, object?> Tag(WriteStallKind kind) => new("aidb.stall", kind.ToString());
}
