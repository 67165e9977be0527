namespace AiDb.Engine.Scrubbing;

/// <summary>Keeps reading below a rate.</summary>
/// <remarks>Thread safety: none.</remarks>
internal sealed class ScrubPace
{
    private readonly TimeProvider _time;
    private readonly long _bytesPerSecond;
    private readonly long _started;
    private long _bytes;

    /// <summary>Begins now.</summary>
    /// <param name="time">The clock.</param>
    /// <param name="bytesPerSecond">The rate; 0: as fast as the disk.</param>
    public ScrubPace(TimeProvider time, long bytesPerSecond)
    {
        _time = time;
        _bytesPerSecond = bytesPerSecond;
        _started = time.GetTimestamp();
    }

    /// <summary>Bytes so far.</summary>
    public long Bytes => _bytes;

    /// <summary>Counts what was read and waits until the rate allows it.</summary>
    public async ValueTask AfterAsync(long bytes, CancellationToken cancellationToken)
    {
        _bytes += bytes;
        cancellationToken.ThrowIfCancellationRequested();
        if (_bytesPerSecond == 0)
            return;
        TimeSpan due = TimeSpan.FromSeconds((double)_bytes / _bytesPerSecond) - _time.GetElapsedTime(_started);
        if (due > TimeSpan.Zero)
            await Task.Delay(due, _time, cancellationToken).ConfigureAwait(false);
    }
}
