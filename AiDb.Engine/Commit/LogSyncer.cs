using AiDb.Engine.Diagnostics;
using AiDb.Engine.Log;
using AiDb.Engine.State;

namespace AiDb.Engine.Commit;

/// <summary>Syncs the log behind writes that did not ask for it, within
/// <see cref="DatabaseOptions.MemorySyncInterval"/>, and tells the tails what is durable.</summary>
/// <remarks>Thread safety: all members may be called concurrently, <see cref="Dispose"/> last.</remarks>
internal sealed class LogSyncer : IDisposable
{
    private readonly EngineContext _context;
    private readonly WriteAheadLog _log;
    private readonly LogSignal _signal;
    private readonly StateHolder _state;
    private readonly Action _syncJob;
    private readonly ITimer _timer;
    private int _armed;

    public LogSyncer(EngineContext context, WriteAheadLog log, LogSignal signal, StateHolder state)
    {
        _context = context;
        _log = log;
        _signal = signal;
        _state = state;
        _syncJob = TrySyncInBackground;
        _timer = context.TimeProvider.CreateTimer(
            static syncer => ((LogSyncer)syncer!).OnTimer(), this, Timeout.InfiniteTimeSpan, Timeout.InfiniteTimeSpan);
    }

    /// <summary>Has the log synced when the interval is over.</summary>
    public void Arm()
    {
        if (Volatile.Read(ref _armed) == 0 && Interlocked.Exchange(ref _armed, 1) == 0)
            _timer.Change(_context.Options.MemorySyncInterval, Timeout.InfiniteTimeSpan);
    }

    /// <summary>Makes everything that was written before the call durable.</summary>
    /// <exception cref="AiDbException">The log failed; the database is read-only from then on.</exception>
    public void Sync()
    {
        try
        {
            _log.Sync();
        }
        catch (AiDbException error)
        {
            FailDatabase(error);
            throw;
        }

        Publish();
    }

    /// <summary>Tells the tails how far they may read.</summary>
    public void Publish() => _signal.Publish(_state.Applied.Lsn, _log.DurableLsn);

    /// <summary>Turns the database read-only, since its log failed.</summary>
    public void FailDatabase(AiDbException error)
    {
        var reason = new AiDbException(
            AiDbErrorKind.Unavailable,
            $"The log failed, so the database is read-only; reads go on. Check the disk, then open it anew. {error.Message}",
            error);
        if (_context.Health.Fail(reason))
            EngineLog.ReadOnly(_context.Logger, _context.Path, error);
    }

    /// <inheritdoc/>
    public void Dispose() => _timer.Dispose();

    private void OnTimer()
    {
        if (!_context.IsClosing)
            _context.Executor.Queue(BackgroundExecutor.SyncJob, _syncJob);
    }

    private void TrySyncInBackground()
    {
        Interlocked.Exchange(ref _armed, 0);
        if (_context.IsClosing || _context.Health.Failure is not null)
            return;
        try
        {
            Sync();
        }
        catch (AiDbException)
        {
            // Sync has made the database read-only and said why; the writers were answered long ago.
        }
    }
}
