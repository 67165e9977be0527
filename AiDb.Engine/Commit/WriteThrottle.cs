using AiDb.Engine.State;

namespace AiDb.Engine.Commit;

/// <summary>
/// Back-pressure: how much writes are slowed down or held up, and why. Between the slowdown and the stop the
/// rate falls smoothly, from <see cref="FullRate"/> to a hundredth of it, with what flushes and compactions
/// are behind.
/// </summary>
/// <remarks>Thread safety: the leader asks and waits, background work signals, anyone reads the
/// cause.</remarks>
internal sealed class WriteThrottle
{
    /// <summary>Bytes per second at the start of the slowdown.</summary>
    public const double FullRate = 64 << 20;

    private const int SliceMs = 20;

    private readonly object _gate = new();
    private readonly EngineContext _context;
    private readonly StateHolder _state;
    private double _debtMs;
    private volatile string? _cause;

    public WriteThrottle(EngineContext context, StateHolder state)
    {
        _context = context;
        _state = state;
    }

    /// <summary>Why writes are slowed or held up now; null when they are not.</summary>
    public string? Cause => _cause;

    /// <summary>Tells the leader that a flush or a compaction ended.</summary>
    public void Signal()
    {
        lock (_gate)
            Monitor.PulseAll(_gate);
    }

    /// <summary>Why no write may go on now; null when one may.</summary>
    public string? HardStop()
    {
        DatabaseOptions options = _context.Options;
        ReadState state = _state.Acquire();
        try
        {
            string? cause = null;
            int level0 = state.Tree.Level(0).Length;
            if (state.Active.SizeBytes >= options.MemtableBytes && state.Immutable.Length >= options.MaxImmutableMemtables)
            {
                cause = $"{state.Immutable.Length} full memtables wait for their flush " +
                    $"({nameof(DatabaseOptions.MaxImmutableMemtables)} is {options.MaxImmutableMemtables})";
            }
            else if (level0 >= options.Level0StopTrigger)
            {
                cause = $"level 0 has {level0} tables that wait for compaction " +
                    $"({nameof(DatabaseOptions.Level0StopTrigger)} is {options.Level0StopTrigger})";
            }

            if (cause is not null && _context.Health.BackgroundError is { } error)
                cause += "; background work fails: " + error.Message;
            _cause = cause ?? SlowdownCause(state, out _);
            return cause;
        }
        finally
        {
            state.Release();
        }
    }

    /// <summary>Waits a moment or until background work has ended.</summary>
    public void WaitForProgress()
    {
        lock (_gate)
            Monitor.Wait(_gate, SliceMs);
    }

    /// <summary>Slows the leader down before it writes so many bytes.</summary>
    public void Delay(long bytes)
    {
        double share;
        ReadState state = _state.Acquire();
        try
        {
            _cause = SlowdownCause(state, out share);
        }
        finally
        {
            state.Release();
        }

        if (share <= 0)
        {
            _debtMs = 0;
            return;
        }

        double rate = FullRate * Math.Max(0.01, (1 - share) * (1 - share));
        _debtMs += bytes * 1000.0 / rate;
        int waitMs = (int)Math.Min(_debtMs, 100);
        if (waitMs < 1)
            return;
        _debtMs -= waitMs;
        _context.Metrics.WriteDelayed(waitMs);
        lock (_gate)
            Monitor.Wait(_gate, waitMs);
    }

    private string? SlowdownCause(ReadState state, out double share)
    {
        DatabaseOptions options = _context.Options;
        share = 0;
        string? cause = null;
        int level0 = state.Tree.Level(0).Length;
        if (level0 >= options.Level0SlowdownTrigger)
        {
            share = (level0 - options.Level0SlowdownTrigger + 1.0)
                / (options.Level0StopTrigger - options.Level0SlowdownTrigger + 1.0);
            cause = $"writes are slowed down: level 0 has {level0} tables that wait for compaction " +
                $"({nameof(DatabaseOptions.Level0SlowdownTrigger)} is {options.Level0SlowdownTrigger})";
        }

        if (options.MaxImmutableMemtables > 1 && state.Immutable.Length >= options.MaxImmutableMemtables)
        {
            double filled = Math.Min(1.0, (double)state.Active.SizeBytes / options.MemtableBytes);
            if (filled / 2 > share)
            {
                share = filled / 2;
                cause = $"writes are slowed down: {state.Immutable.Length} full memtables wait for their flush";
            }
        }

        return cause;
    }
}
