using AiDb.Engine.Diagnostics;
using Microsoft.Extensions.Logging;

namespace AiDb.Engine.Commit;

/// <summary>Which stalls of writes last now, since when, and how long each kind has lasted: the one place that
/// names them in statistics, metrics and the log.</summary>
/// <remarks>Thread safety: all members may be called concurrently. While nothing stalls, <see cref="End"/> and
/// <see cref="SetThrottle"/> read one field and take no lock.</remarks>
internal sealed class WriteStalls
{
    private static readonly int Kinds = Enum.GetValues<WriteStallKind>().Length;

    private readonly Lock _gate = new();
    private readonly TimeProvider _time;
    private readonly DatabaseMetrics _metrics;
    private readonly ILogger _logger;
    private readonly string _path;
    private readonly Slot[] _slots = new Slot[Kinds];
    private volatile int _lasting;

    public WriteStalls(TimeProvider time, DatabaseMetrics metrics, ILogger logger, string path)
    {
        _time = time;
        _metrics = metrics;
        _logger = logger;
        _path = path;
    }

    /// <summary>The gravest stall that lasts now.</summary>
    public WriteStallKind Kind
    {
        get
        {
            if (_lasting == 0)
                return WriteStallKind.None;
            lock (_gate)
                return Gravest();
        }
    }

    /// <summary>What stalls, in words; null when nothing does.</summary>
    public string? Cause
    {
        get
        {
            if (_lasting == 0)
                return null;
            lock (_gate)
                return _slots[(int)Gravest()].Cause;
        }
    }

    /// <summary>A stall begins, or goes on with another wording.</summary>
    public void Begin(WriteStallKind kind, string cause)
    {
        ref Slot slot = ref _slots[(int)kind];
        lock (_gate)
        {
            slot.Cause = cause;
            if (slot.Lasts)
                return;
            slot.Lasts = true;
            slot.Count++;
            slot.Started = _time.GetTimestamp();
            slot.StartedAt = _time.GetUtcNow();
            _lasting++;
        }

        EngineLog.StallBegan(_logger, _path, kind, cause);
    }

    /// <summary>A stall is over, if it lasted.</summary>
    public void End(WriteStallKind kind)
    {
        if (_lasting == 0)
            return;
        TimeSpan elapsed;
        ref Slot slot = ref _slots[(int)kind];
        lock (_gate)
        {
            if (!slot.Lasts)
                return;
            elapsed = _time.GetElapsedTime(slot.Started);
            slot.Lasts = false;
            slot.Cause = null;
            slot.Duration += elapsed;
            _lasting--;
        }

        _metrics.StallEnded(kind, elapsed);
        EngineLog.StallEnded(_logger, _path, kind, elapsed);
    }

    /// <summary>What the throttle found: of its kinds exactly this one lasts, or none.</summary>
    public void SetThrottle(WriteStallKind kind, string? cause)
    {
        if (_lasting > 0)
        {
            for (WriteStallKind other = WriteStallKind.PendingCompaction; other <= WriteStallKind.MemtablesFull; other++)
            {
                if (other != kind)
                    End(other);
            }
        }

        if (kind != WriteStallKind.None)
            Begin(kind, cause!);
    }

    /// <summary>Writers have waited because of a stall.</summary>
    public void Waited(WriteStallKind kind, TimeSpan waited)
    {
        lock (_gate)
            _slots[(int)kind].Waited += waited;
        _metrics.WriteDelayed(kind, waited);
    }

    /// <summary>When the gravest stall began; null when there is none.</summary>
    public DateTimeOffset? Since
    {
        get
        {
            lock (_gate)
                return _lasting == 0 ? null : _slots[(int)Gravest()].StartedAt;
        }
    }

    /// <summary>The totals of every kind that has been.</summary>
    public IReadOnlyDictionary<WriteStallKind, WriteStallTotals> Totals()
    {
        var totals = new Dictionary<WriteStallKind, WriteStallTotals>();
        lock (_gate)
        {
            for (int kind = 1; kind < _slots.Length; kind++)
            {
                ref Slot slot = ref _slots[kind];
                if (slot.Count == 0)
                    continue;
                TimeSpan lasts = slot.Lasts ? _time.GetElapsedTime(slot.Started) : TimeSpan.Zero;
                totals[(WriteStallKind)kind] = new WriteStallTotals(slot.Count, slot.Duration + lasts, slot.Waited);
            }
        }

        return totals;
    }

    private WriteStallKind Gravest()
    {
        int kind = _slots.Length - 1;
        while (kind > 0 && !_slots[kind].Lasts)
            kind--;
        return (WriteStallKind)kind;
    }

    private struct Slot
    {
        public bool Lasts;
        public long Count;
        public long Started;
        public DateTimeOffset StartedAt;
        public TimeSpan Duration;
        public TimeSpan Waited;
        public string? Cause;
    }
}
