using AiDb.Engine.Diagnostics;

namespace AiDb.Engine.Compaction;

/// <summary>Work that runs on the executor while there is some, one run at a time, and is tried again after
/// an error, less and less often.</summary>
/// <remarks>Thread safety: all members may be called concurrently.</remarks>
internal sealed class BackgroundJob : IDisposable
{
    private static readonly TimeSpan FirstRetry = TimeSpan.FromMilliseconds(500);
    private static readonly TimeSpan LongestRetry = TimeSpan.FromSeconds(30);

    private readonly object _gate = new();
    private readonly EngineContext _context;
    private readonly string _name;
    private readonly Func<bool> _step;
    private readonly Action<AiDbException?> _onOutcome;
    private readonly Action _run;
    private readonly ITimer _retryTimer;
    private TimeSpan _retryDelay = FirstRetry;
    private bool _running;
    private bool _again;
    private bool _stopped;

    /// <summary>Makes a job that is idle.</summary>
    /// <param name="context">The database.</param>
    /// <param name="name">What kind of work it is.</param>
    /// <param name="step">Does a piece of work; false when there was none.</param>
    /// <param name="onOutcome">Hears null after a piece that worked, else the error.</param>
    public BackgroundJob(EngineContext context, string name, Func<bool> step, Action<AiDbException?> onOutcome)
    {
        _context = context;
        _name = name;
        _step = step;
        _onOutcome = onOutcome;
        _run = Run;
        _retryTimer = context.TimeProvider.CreateTimer(
            static job => ((BackgroundJob)job!).Schedule(), this, Timeout.InfiniteTimeSpan, Timeout.InfiniteTimeSpan);
    }

    /// <summary>Whether it runs or is about to.</summary>
    public bool IsRunning
    {
        get
        {
            lock (_gate)
                return _running;
        }
    }

    /// <summary>Has it look for work soon.</summary>
    public void Schedule()
    {
        lock (_gate)
        {
            if (_stopped)
                return;
            if (_running)
            {
                _again = true;
                return;
            }

            _running = true;
        }

        _context.Executor.Queue(_name, _run);
    }

    /// <summary>Waits until it is idle and keeps it so.</summary>
    public void Stop()
    {
        lock (_gate)
        {
            _stopped = true;
            while (_running)
                Monitor.Wait(_gate);
        }
    }

    /// <inheritdoc/>
    public void Dispose() => _retryTimer.Dispose();

    private void Run()
    {
        while (true)
        {
            bool worked = TryStep(out bool failed);
            lock (_gate)
            {
                if (!_stopped && !failed && (worked || _again))
                {
                    _again = false;
                    continue;
                }

                _again = false;
                _running = false;
                Monitor.PulseAll(_gate);
                if (failed && !_stopped)
                    _retryTimer.Change(_retryDelay, Timeout.InfiniteTimeSpan);
                return;
            }
        }
    }

    private bool TryStep(out bool failed)
    {
        failed = false;
        try
        {
            bool worked = _step();
            if (worked)
            {
                _retryDelay = FirstRetry;
                _onOutcome(null);
            }

            return worked;
        }
        catch (OperationCanceledException) when (_context.IsClosing)
        {
            return false;
        }
        catch (Exception error)
        {
            failed = true;
            AiDbException reason = error as AiDbException ?? new AiDbException(
                error is IOException ? AiDbErrorKind.Unavailable : AiDbErrorKind.Internal,
                $"{_name} failed: {error.Message}",
                error);
            TimeSpan doubled = _retryDelay * 2;
            _retryDelay = doubled < LongestRetry ? doubled : LongestRetry;
            EngineLog.BackgroundFailed(_context.Logger, _context.Path, _name, _retryDelay, error);
            _onOutcome(reason);
            return false;
        }
    }
}
