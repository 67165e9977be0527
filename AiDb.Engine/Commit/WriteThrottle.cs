using AiDb.Engine.Compaction;
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
    private readonly CompactionDebt _debt;
    private MemtableMemory? _memory;
    private double _debtMs;

    public WriteThrottle(EngineContext context, StateHolder state)
    {
        _context = context;
        _state = state;
        _debt = new CompactionDebt(context.Options);
    }

    /// <summary>Has it tell the memory governor what memtables hold.</summary>
    public void Govern(MemtableMemory memory) => _memory = memory;

    /// <summary>Tells the leader that a flush or a compaction ended.</summary>
    public void Signal()
    {
        if (!_context.IsClosing)
            Judge();
        lock (_gate)
            Monitor.PulseAll(_gate);
    }

    /// <summary>Why no write may go on now; <see cref="WriteStallKind.None"/> when one may.</summary>
    /// <param name="cause">The reason in words, with the option that sets the limit.</param>
    public WriteStallKind HardStop(out string? cause)
    {
        Verdict verdict = Judge();
        cause = verdict.Cause;
        return verdict.IsStop ? verdict.Kind : WriteStallKind.None;
    }

    /// <summary>Waits a moment or until background work has ended.</summary>
    public void WaitForProgress(WriteStallKind kind)
    {
        long started = _context.TimeProvider.GetTimestamp();
        lock (_gate)
            Monitor.Wait(_gate, SliceMs);
        _context.Stalls.Waited(kind, _context.TimeProvider.GetElapsedTime(started));
    }

    /// <summary>Slows the leader down before it writes so many bytes.</summary>
    public void Delay(long bytes)
    {
        Verdict verdict = Judge(bytes);
        if (verdict.Share <= 0)
        {
            _debtMs = 0;
            return;
        }

        double share = Math.Min(1, verdict.Share);
        double rate = FullRate * Math.Max(0.01, (1 - share) * (1 - share));
        _debtMs += bytes * 1000.0 / rate;
        int waitMs = (int)Math.Min(_debtMs, 100);
        if (waitMs < 1)
            return;
        _debtMs -= waitMs;
        _context.Stalls.Waited(verdict.Kind, TimeSpan.FromMilliseconds(waitMs));
        lock (_gate)
            Monitor.Wait(_gate, waitMs);
    }

    /// <summary>Looks how far background work is behind, and notes which stall lasts.</summary>
    /// <param name="coming">Bytes that are about to be written.</param>
    private Verdict Judge(long coming = 0)
    {
        ReadState state;
        try
        {
            state = _state.Acquire();
        }
        catch (ObjectDisposedException)
        {
            return default;
        }

        try
        {
            _memory?.Report(state, coming);
            Verdict verdict = Stop(state) ?? Slowdown(state);
            if (verdict.Kind != WriteStallKind.None && _context.Health.BackgroundError is { } error)
                verdict = verdict with { Cause = $"{verdict.Cause}; background work fails: {error.Message}" };
            _context.Stalls.SetThrottle(verdict.Kind, verdict.Cause);
            return verdict;
        }
        finally
        {
            state.Release();
        }
    }

    private Verdict? Stop(ReadState state)
    {
        DatabaseOptions options = _context.Options;
        int level0 = state.Tree.Level(0).Length;
        if (state.Immutable.Length >= options.MaxImmutableMemtables && state.Active.SizeBytes >= options.MemtableBytes)
        {
            return new Verdict(
                WriteStallKind.MemtablesFull,
                1,
                $"{state.Immutable.Length} full memtables wait for their flush " +
                $"({nameof(DatabaseOptions.MaxImmutableMemtables)} is {options.MaxImmutableMemtables})");
        }

        if (level0 < options.Level0StopTrigger)
            return null;
        return new Verdict(
            WriteStallKind.Level0Stop,
            1,
            $"level 0 has {level0} tables that wait for compaction " +
            $"({nameof(DatabaseOptions.Level0StopTrigger)} is {options.Level0StopTrigger})");
    }

    /// <summary>The slowdown with the greatest share.</summary>
    private Verdict Slowdown(ReadState state)
    {
        DatabaseOptions options = _context.Options;
        Verdict verdict = default;
        int level0 = state.Tree.Level(0).Length;
        if (level0 >= options.Level0SlowdownTrigger)
        {
            double share = (level0 - options.Level0SlowdownTrigger + 1.0)
                / (options.Level0StopTrigger - options.Level0SlowdownTrigger + 1.0);
            verdict = new Verdict(
                WriteStallKind.Level0Slowdown,
                share,
                $"writes are slowed down: level 0 has {level0} tables that wait for compaction " +
                $"({nameof(DatabaseOptions.Level0SlowdownTrigger)} is {options.Level0SlowdownTrigger})");
        }

        if (options.MaxImmutableMemtables > 1 && state.Immutable.Length >= options.MaxImmutableMemtables)
        {
            double share = Math.Min(1.0, (double)state.Active.SizeBytes / options.MemtableBytes) / 2;
            if (share > verdict.Share)
            {
                verdict = new Verdict(
                    WriteStallKind.MemtablesSlowdown,
                    share,
                    $"writes are slowed down: {state.Immutable.Length} full memtables wait for their flush " +
                    $"({nameof(DatabaseOptions.MaxImmutableMemtables)} is {options.MaxImmutableMemtables})");
            }
        }

        long debt = _debt.Of(state.Tree);
        if (debt > options.PendingCompactionBytes)
        {
            double share = (double)(debt - options.PendingCompactionBytes) / options.PendingCompactionBytes;
            if (share > verdict.Share)
            {
                verdict = new Verdict(
                    WriteStallKind.PendingCompaction,
                    share,
                    $"writes are slowed down: {debt} bytes wait for compaction " +
                    $"({nameof(DatabaseOptions.PendingCompactionBytes)} is {options.PendingCompactionBytes})");
            }
        }

        if (_context.MemoryGovernor is { } governor && governor.Pressure is var pressure && pressure > verdict.Share)
        {
            verdict = new Verdict(
                WriteStallKind.MemoryBudget,
                pressure,
                $"the databases of one memory governor hold {governor.ConsumerBytes} bytes in memtables " +
                $"({nameof(MemoryGovernor.BudgetBytes)} is {governor.BudgetBytes})");
        }

        return verdict;
    }

    /// <summary>What stalls, and how much of the way from the first slowdown to the stop is gone.</summary>
    private readonly record struct Verdict(WriteStallKind Kind, double Share, string? Cause)
    {
        public bool IsStop =>
            Kind >= WriteStallKind.Level0Stop || (Kind == WriteStallKind.MemoryBudget && Share >= 1);
    }
}
