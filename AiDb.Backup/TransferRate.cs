namespace AiDb.Backup;

/// <summary>Spreads bytes over time. What the log sends is taken without waiting, so that tables wait for it and never the
/// other way round.</summary>
/// <remarks>Thread safety: all members may be called concurrently.</remarks>
internal sealed class TransferRate(long bytesPerSecond, TimeProvider time)
{
    private readonly Lock _gate = new();
    private readonly long _start = time.GetTimestamp();

    /// <summary>When, in seconds since the start, all that was taken is paid for.</summary>
    private double _paidAt;

    public void Take(long bytes)
    {
        if (bytesPerSecond == 0)
            return;
        lock (_gate)
        {
            double now = time.GetElapsedTime(_start).TotalSeconds;
            _paidAt = Math.Max(_paidAt, now) + ((double)bytes / bytesPerSecond);
        }
    }

    public async ValueTask TakeAsync(long bytes, CancellationToken cancellationToken)
    {
        if (bytesPerSecond == 0)
            return;
        double wait;
        lock (_gate)
            wait = _paidAt - time.GetElapsedTime(_start).TotalSeconds;
        if (wait > 0)
            await Task.Delay(TimeSpan.FromSeconds(wait), time, cancellationToken).ConfigureAwait(false);
        Take(bytes);
    }
}
