using AiDb.Cluster.Metadata;
using Microsoft.Extensions.Logging;

namespace AiDb.Cluster.Model;

/// <summary>Keeps the newest map of the cluster. While the store is down the last map stays.</summary>
/// <remarks>Thread safety: all members may be called concurrently; <see cref="RunAsync"/> once.</remarks>
public sealed partial class ClusterMapWatcher(IMetadataStore store, TimeProvider timeProvider, ILogger<ClusterMapWatcher> logger)
{
    private static readonly TimeSpan RetryDelay = TimeSpan.FromMilliseconds(500);

    private readonly Lock _lock = new();
    private ClusterMap _current = ClusterMap.Empty;
    private TaskCompletionSource _newer = NewSignal();
    private bool _isUnreachable;
    private bool _isFromFile;
    private long _wentBackFrom = -1;

    /// <summary>The newest map; <see cref="ClusterMap.Empty"/> before the store was first reached.</summary>
    public ClusterMap Current => Volatile.Read(ref _current);

    /// <summary>What is shown when the store cannot be reached at first; null: nothing.</summary>
    public Func<MetadataRange?>? Fallback { get; init; }

    /// <summary>Whether the map is that of <see cref="Fallback"/>: the store has not been reached since the
    /// start.</summary>
    public bool IsFromFile => Volatile.Read(ref _isFromFile);

    /// <summary>Follows the store until it is cancelled.</summary>
    public async Task RunAsync(CancellationToken cancellationToken)
    {
        while (true)
        {
            try
            {
                await FollowAsync(cancellationToken);
            }
            catch (AiDbException error) when (error.Kind == AiDbErrorKind.Aborted)
            {
                LogBehind(error.Message);
            }
            catch (AiDbException error)
            {
                // Told once per outage, not once per attempt.
                if (!_isUnreachable)
                    LogUnreachable(error.Kind, error.Message);
                _isUnreachable = true;
                FallBack();
                await Task.Delay(RetryDelay, timeProvider, cancellationToken);
            }
        }
    }

    /// <summary>Waits for a map newer than a version; one of a store that was restored from before that
    /// version is newer, too.</summary>
    public async ValueTask<ClusterMap> WaitForNewerAsync(long version, CancellationToken cancellationToken = default)
    {
        while (true)
        {
            Task newer;
            lock (_lock)
            {
                if (_current.Version > version || (_current.Version < version && version <= _wentBackFrom))
                    return _current;
                newer = _newer.Task;
            }

            await newer.WaitAsync(cancellationToken);
        }
    }

    /// <summary>Waits for a map newer than a version, but not longer than a while.</summary>
    public async ValueTask WaitForChangeAsync(long version, TimeSpan longest, CancellationToken cancellationToken = default)
    {
        using CancellationTokenSource ended = CancellationTokenSource.CreateLinkedTokenSource(cancellationToken);
        Task pause = Task.Delay(longest, timeProvider, ended.Token);
        Task newer = WaitForNewerAsync(version, ended.Token).AsTask();
        await Task.WhenAny(pause, newer);
        await ended.CancelAsync();
        cancellationToken.ThrowIfCancellationRequested();
    }

    /// <summary>Waits for a map that fulfils a condition.</summary>
    public async ValueTask<ClusterMap> WaitForAsync(
        Func<ClusterMap, bool> condition, CancellationToken cancellationToken = default)
    {
        ClusterMap map = Current;
        while (!condition(map))
            map = await WaitForNewerAsync(map.Version, cancellationToken);
        return map;
    }

    private async Task FollowAsync(CancellationToken cancellationToken)
    {
        MetadataRange range = await store.RangeAsync("", prefix: true, cancellationToken);
        if (_isUnreachable)
            LogReachable(range.Revision);
        _isUnreachable = false;
        Volatile.Write(ref _isFromFile, false);
        ClusterMapBuilder builder = new();
        builder.Load(range);
        Publish(builder.Build(range.Revision));
        await foreach (MetadataChange change in store.WatchAsync("", range.Revision + 1, cancellationToken))
        {
            foreach (MetadataEvent item in change.Events)
                builder.Apply(item);
            Publish(builder.Build(change.Revision));
        }
    }

    private void FallBack()
    {
        if (Current != ClusterMap.Empty || Fallback?.Invoke() is not { } range)
            return;
        try
        {
            ClusterMap last = ClusterMapBuilder.Build(range);
            Volatile.Write(ref _isFromFile, true);
            Publish(last);
            LogFromFile(range.Revision);
        }
        catch (AiDbException error)
        {
            LogUnreachable(error.Kind, error.Message);
        }
    }

    private void Publish(ClusterMap map)
    {
        TaskCompletionSource signal;
        lock (_lock)
        {
            if (map.Version < _current.Version)
            {
                LogRestored(_current.Version, map.Version);
                _wentBackFrom = Math.Max(_wentBackFrom, _current.Version);
            }

            Volatile.Write(ref _current, map);
            signal = _newer;
            _newer = NewSignal();
        }

        signal.TrySetResult();
    }

    private static TaskCompletionSource NewSignal() => new(TaskCreationOptions.RunContinuationsAsynchronously);

    [LoggerMessage(Level = LogLevel.Information, Message = "The cluster map is read anew: {Reason}")]
    private partial void LogBehind(string reason);

    [LoggerMessage(Level = LogLevel.Warning, Message = "The metadata store cannot be followed ({Kind}); the last map stays: {Reason}")]
    private partial void LogUnreachable(AiDbErrorKind kind, string reason);

    [LoggerMessage(
        Level = LogLevel.Warning,
        Message = "The metadata store is down: requests are served with the last map, of revision {Revision}")]
    private partial void LogFromFile(long revision);

    [LoggerMessage(Level = LogLevel.Information, Message = "The metadata store is followed again, from revision {Revision}")]
    private partial void LogReachable(long revision);

    [LoggerMessage(Level = LogLevel.Warning, Message = "The metadata store went back from revision {Before} to {After}: it was restored")]
    private partial void LogRestored(long before, long after);
}
