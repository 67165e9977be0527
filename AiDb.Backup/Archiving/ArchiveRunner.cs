namespace AiDb.Backup.Archiving;

/// <summary>Drives an <see cref="Archiver"/>: log, snapshots and garbage, with tries that come less often while the store
/// cannot be reached.</summary>
/// <remarks>Thread safety: all members may be called concurrently. Disposed before the database, after the
/// writes.</remarks>
public sealed class ArchiveRunner : IAsyncDisposable
{
    private static readonly TimeSpan Look = TimeSpan.FromMilliseconds(100);
    private static readonly TimeSpan FirstPause = TimeSpan.FromMilliseconds(500);
    private static readonly TimeSpan LongestPause = TimeSpan.FromSeconds(15);
    private static readonly TimeSpan Farewell = TimeSpan.FromSeconds(5);

    private readonly Archiver _archiver;
    private readonly TimeProvider _time;
    private readonly CancellationTokenSource _ending = new();
    private readonly SemaphoreSlim _urgent = new(0);
    private readonly SemaphoreSlim _slow = new(1, 1);
    private readonly Task _running;
    private readonly ArchiveMetrics _metrics;
    private int _disposed;

    /// <summary>Begins.</summary>
    /// <param name="archiver">Disposed with this object.</param>
    /// <param name="time">The clock.</param>
    public ArchiveRunner(Archiver archiver, TimeProvider? time = null)
    {
        ArgumentNullException.ThrowIfNull(archiver);
        _archiver = archiver;
        _time = time ?? TimeProvider.System;
        _archiver.WaiterAdded = () => _urgent.Release();
        _metrics = new ArchiveMetrics(archiver);
        _running = Task.WhenAll(ShipAsync(_ending.Token), MaintainAsync(_ending.Token));
    }

    /// <summary>What it drives.</summary>
    public Archiver Archiver => _archiver;

    /// <summary>Archives everything now: the log, and the tables if any were flushed.</summary>
    public async Task<Format.ArchiveManifest?> SnapshotNowAsync(CancellationToken cancellationToken = default)
    {
        await _slow.WaitAsync(cancellationToken).ConfigureAwait(false);
        try
        {
            return await _archiver.SnapshotAsync(cancellationToken).ConfigureAwait(false);
        }
        finally
        {
            _slow.Release();
        }
    }

    /// <summary>Slows a write down while the archive is too far behind, where the settings ask for that.</summary>
    /// <exception cref="AiDbException"><see cref="AiDbErrorKind.ResourceExhausted"/>: it stayed so for the longest time that
    /// a write may wait; nothing was written.</exception>
    public ValueTask ThrottleAsync(TimeSpan longest, CancellationToken cancellationToken)
    {
        if (_archiver.Options.LagAction != ArchiveLagAction.Throttle)
            return ValueTask.CompletedTask;
        double behind = _archiver.Lag / _archiver.Options.LossWindow;
        return behind < 0.8 ? ValueTask.CompletedTask : new ValueTask(HoldAsync(longest, cancellationToken));
    }

    /// <inheritdoc/>
    public async ValueTask DisposeAsync()
    {
        if (Interlocked.Exchange(ref _disposed, 1) != 0)
            return;
        await _ending.CancelAsync().ConfigureAwait(false);
        await _running.ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
        using (var patience = new CancellationTokenSource(Farewell, _time))
        {
            try
            {
                // What was written last should not wait for the next start; a store that is away must not hold this one up.
                await _archiver.ShipAsync(isUrgent: true, patience.Token).ConfigureAwait(false);
            }
            catch (Exception error) when (error is AiDbException or OperationCanceledException or ObjectDisposedException)
            {
                // It is in the log of the database.
            }
        }

        _metrics.Dispose();
        _archiver.Dispose();
        _ending.Dispose();
    }

    private async Task HoldAsync(TimeSpan longest, CancellationToken cancellationToken)
    {
        long since = _time.GetTimestamp();
        while (true)
        {
            double behind = _archiver.Lag / _archiver.Options.LossWindow;
            TimeSpan waited = _time.GetElapsedTime(since);

            // From no delay at 80 % to one of 100 ms at the window; there, until it is below.
            TimeSpan delay = TimeSpan.FromMilliseconds(Math.Clamp((behind - 0.8) / 0.2, 0, 1) * 100);
            if (behind < 1 && waited >= delay)
                return;
            if (waited >= longest)
            {
                throw new AiDbException(
                    AiDbErrorKind.ResourceExhausted,
                    $"The archive is {_archiver.Lag.TotalSeconds:F0} s behind, more than the loss window of "
                    + $"{_archiver.Options.LossWindow.TotalSeconds:F0} s, and AiDb:Backup:LagAction is Throttle. Nothing was "
                    + $"written. {_archiver.GetStatus().Problem}")
                {
                    RetryAfter = TimeSpan.FromSeconds(1),
                };
            }

            await Task.Delay(TimeSpan.FromMilliseconds(20), _time, cancellationToken).ConfigureAwait(false);
        }
    }

    private async Task ShipAsync(CancellationToken cancellationToken)
    {
        TimeSpan pause = FirstPause;
        while (!cancellationToken.IsCancellationRequested && !_archiver.IsStopped)
        {
            try
            {
                await _archiver.StartAsync(cancellationToken).ConfigureAwait(false);
                if (await _archiver.ShipAsync(isUrgent: false, cancellationToken).ConfigureAwait(false))
                {
                    if (!_archiver.HasWaiters)
                        await DelayAsync(Look, cancellationToken).ConfigureAwait(false);
                    else
                        await Task.Delay(TimeSpan.FromMilliseconds(1), _time, cancellationToken).ConfigureAwait(false);
                }
                else if (!await _archiver.WaitForEntriesAsync(cancellationToken).ConfigureAwait(false))
                {
                    return;
                }

                pause = FirstPause;
            }
            catch (AiDbException)
            {
                // The archiver remembers it and shows it.
                await DelayAsync(pause, cancellationToken).ConfigureAwait(false);
                pause = TimeSpan.FromTicks(Math.Min(LongestPause.Ticks, pause.Ticks * 2));
            }
            catch (ObjectDisposedException)
            {
                return;
            }
        }
    }

    private async Task MaintainAsync(CancellationToken cancellationToken)
    {
        TimeSpan pause = FirstPause;
        while (!cancellationToken.IsCancellationRequested && !_archiver.IsStopped)
        {
            try
            {
                if (_archiver.IsSnapshotDue)
                    await SnapshotNowAsync(cancellationToken).ConfigureAwait(false);
                if (_archiver.IsCollectionDue)
                    await _archiver.CollectAsync(cancellationToken).ConfigureAwait(false);
                pause = FirstPause;
                await Task.Delay(Look, _time, cancellationToken).ConfigureAwait(false);
            }
            catch (AiDbException)
            {
                await Task.Delay(pause, _time, cancellationToken).ConfigureAwait(false);
                pause = TimeSpan.FromTicks(Math.Min(LongestPause.Ticks, pause.Ticks * 2));
            }
            catch (ObjectDisposedException)
            {
                return;
            }
        }
    }

    /// <summary>Waits, but not longer than until somebody waits for its entry to be archived.</summary>
    private async Task DelayAsync(TimeSpan delay, CancellationToken cancellationToken)
    {
        using var both = CancellationTokenSource.CreateLinkedTokenSource(cancellationToken);
        Task urgent = _urgent.WaitAsync(both.Token);
        await Task.WhenAny(urgent, Task.Delay(delay, _time, both.Token)).ConfigureAwait(false);
        await both.CancelAsync().ConfigureAwait(false);
        cancellationToken.ThrowIfCancellationRequested();
    }
}
