namespace AiDb.Engine.Compaction;

/// <summary>
/// Keeps flushes and compactions to so many bytes per second. Both take from one budget; a flush never waits,
/// since writes wait for it, so compactions get what flushes leave.
/// </summary>
/// <remarks>Thread safety: all members may be called concurrently.</remarks>
internal sealed class BackgroundRate
{
    /// <summary>What may be saved up, as a share of a second's bytes.</summary>
    private const double Burst = 0.1;

    private const int SliceMs = 50;

    private readonly object _gate = new();
    private readonly TimeProvider _time;
    private readonly double _bytesPerSecond;
    private double _available;
    private long _filledAt;

    /// <summary>Makes a budget.</summary>
    /// <param name="bytesPerSecond">The rate; 0: no limit.</param>
    /// <param name="time">The clock.</param>
    public BackgroundRate(long bytesPerSecond, TimeProvider time)
    {
        _bytesPerSecond = bytesPerSecond;
        _time = time;
        _available = bytesPerSecond * Burst;
        _filledAt = time.GetTimestamp();
    }

    /// <summary>Takes bytes that a flush wrote.</summary>
    public void TakeForFlush(long bytes)
    {
        if (_bytesPerSecond == 0)
            return;
        lock (_gate)
        {
            Fill();
            _available -= bytes;
        }
    }

    /// <summary>Takes bytes that a compaction wrote, and waits until they are within the rate.</summary>
    /// <param name="bytes">How many.</param>
    /// <param name="context">The database: the wait ends when it is being closed.</param>
    public void TakeForCompaction(long bytes, EngineContext context)
    {
        if (_bytesPerSecond == 0)
            return;
        lock (_gate)
        {
            Fill();
            _available -= bytes;
            while (_available < 0 && !context.IsClosing)
            {
                // In slices, so that closing and a clock that is set by hand are noticed.
                double waitMs = -_available * 1000 / _bytesPerSecond;
                Monitor.Wait(_gate, (int)Math.Clamp(waitMs + 1, 1, SliceMs));
                Fill();
            }
        }
    }

    private void Fill()
    {
        long now = _time.GetTimestamp();
        double seconds = _time.GetElapsedTime(_filledAt, now).TotalSeconds;
        _filledAt = now;
        _available = Math.Min(_bytesPerSecond * Burst, _available + (seconds * _bytesPerSecond));
    }
}
