using AiDb.Engine.Commit;
using AiDb.Engine.Diagnostics;
using Microsoft.Extensions.Logging;

namespace AiDb.Engine.Storage;

/// <summary>Knows which operations of the disk are under way, and says while one hangs that it does.</summary>
/// <remarks>
/// Time is counted in ticks of a timer, four to the threshold: an operation costs two interlocked instructions and no
/// look at the clock. It is reported after five ticks, hence between once and one and a quarter of the threshold. When
/// all places that an operation tries are taken, it goes unwatched; the others that fill them are not.
/// Thread safety: all members may be called concurrently, <see cref="Dispose"/> last.
/// </remarks>
internal sealed class DiskWatch : IDisposable
{
    private const int Places = 128;
    private const int Tries = 8;
    private const int TicksPerThreshold = 4;

    private readonly Place[] _places = new Place[Places];
    private readonly TimeProvider _time;
    private readonly TimeSpan _threshold;
    private readonly WriteStalls _stalls;
    private readonly DatabaseMetrics _metrics;
    private readonly ILogger _logger;
    private readonly string _database;
    private readonly Action<DiskStall>? _onStall;
    private readonly ITimer _timer;
    private long _tick = 1;
    private int _hanging;

    public DiskWatch(
        TimeProvider time, TimeSpan threshold, WriteStalls stalls, DatabaseMetrics metrics, ILogger logger, string database,
        Action<DiskStall>? onStall)
    {
        _time = time;
        _threshold = threshold;
        _stalls = stalls;
        _metrics = metrics;
        _logger = logger;
        _database = database;
        _onStall = onStall;
        TimeSpan period = threshold / TicksPerThreshold;
        _timer = time.CreateTimer(static watch => ((DiskWatch)watch!).OnTick(), this, period, period);
    }

    /// <summary>An operation begins.</summary>
    /// <returns>What <see cref="End"/> takes.</returns>
    public int Begin(DiskOperation operation, string file)
    {
        int start = Environment.CurrentManagedThreadId;
        long tick = Volatile.Read(ref _tick);
        for (int turn = 0; turn < Tries; turn++)
        {
            int index = (start + turn) & (Places - 1);
            ref Place place = ref _places[index];
            if (Volatile.Read(ref place.Since) != 0 || Interlocked.CompareExchange(ref place.Since, tick, 0) != 0)
                continue;
            place.File = file;
            place.Operation = operation;
            return index;
        }

        return -1;
    }

    /// <summary>An operation has returned.</summary>
    public void End(int index)
    {
        // A negative beginning is one that was reported.
        if (index < 0 || Interlocked.Exchange(ref _places[index].Since, 0) >= 0)
            return;
        if (Interlocked.Decrement(ref _hanging) == 0)
            _stalls.End(WriteStallKind.DiskStalled);
    }

    /// <summary>The clock's time stamp, for the latency of syncs.</summary>
    public long Now() => _time.GetTimestamp();

    /// <summary>A sync took so long.</summary>
    public void Synced(long started) => _metrics.SyncEnded(_time.GetElapsedTime(started));

    /// <inheritdoc/>
    public void Dispose() => _timer.Dispose();

    private void OnTick()
    {
        long tick = Interlocked.Increment(ref _tick);
        for (int index = 0; index < Places; index++)
        {
            ref Place place = ref _places[index];
            long since = Volatile.Read(ref place.Since);
            if (since <= 0 || tick - since <= TicksPerThreshold)
                continue;
            var stall = new DiskStall(_database, place.File ?? _database, place.Operation, _threshold);

            // Counted before it can be seen to end.
            Interlocked.Increment(ref _hanging);
            if (Interlocked.CompareExchange(ref place.Since, -since, since) == since)
                Report(stall);
            else
                Interlocked.Decrement(ref _hanging);
        }
    }

    private void Report(DiskStall stall)
    {
        _metrics.DiskStalled(stall.Operation);
        EngineLog.DiskStalled(_logger, _database, stall.Operation, stall.File, stall.AtLeast);
        _stalls.Begin(
            WriteStallKind.DiskStalled,
            $"the disk hangs: {stall.Operation} of {stall.File} has not returned for {stall.AtLeast} " +
            $"({nameof(DatabaseOptions.DiskStallThreshold)})");

        // It may have returned meanwhile, and then nobody else ends what was just begun.
        if (Volatile.Read(ref _hanging) == 0)
            _stalls.End(WriteStallKind.DiskStalled);
        _onStall?.Invoke(stall);
    }

    private struct Place
    {
        /// <summary>The tick at which it began; 0: free; negative: reported.</summary>
        public long Since;
        public string? File;
        public DiskOperation Operation;
    }
}
