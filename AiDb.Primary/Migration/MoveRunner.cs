using System.Collections.Concurrent;
using AiDb.Cluster.Metadata;
using AiDb.Cluster.Migration;
using AiDb.Cluster.Model;
using AiDb.Primary.Shards;

namespace AiDb.Primary.Migration;

/// <summary>
/// A primary's part in migrations: takes in the slots that the metadata store gives its shard, and ends what it has in
/// its database of others by what the store decided of them. Whatever happened to it in between, the markers say what
/// there is to end, and the slot map says how.
/// </summary>
/// <remarks>Thread safety: <see cref="RunAsync"/> once.</remarks>
internal sealed partial class MoveRunner(
    ShardHost host, ClusterMapWatcher map, IMetadataStore store, string clusterSecret, TimeProvider time, ILogger logger)
{
    private static readonly TimeSpan Tick = TimeSpan.FromMilliseconds(200);

    /// <summary>How long slots stay frozen before the source asks for the end of it.</summary>
    private static readonly TimeSpan LongestFreeze = TimeSpan.FromSeconds(5);

    private readonly ConcurrentDictionary<ulong, long> _frozenSince = new();
    private readonly ConcurrentDictionary<ulong, string> _problems = new();
    private Task _work = Task.CompletedTask;
    private ulong _copying;

    /// <summary>Works until it is cancelled.</summary>
    public async Task RunAsync(CancellationToken cancellationToken)
    {
        try
        {
            while (true)
            {
                ClusterMap current = map.Current;
                bool isSettled = false;
                try
                {
                    isSettled = await StepAsync(current, cancellationToken).ConfigureAwait(false);
                }
                catch (AiDbException error)
                {
                    LogFailed(host.Shard, error.Kind, error.Message);
                }

                await WaitAsync(current.Version, isSettled, cancellationToken).ConfigureAwait(false);
            }
        }
        finally
        {
            await _work.ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
        }
    }

    /// <summary>Does what the map asks for; false: there is more to do.</summary>
    private async ValueTask<bool> StepAsync(ClusterMap current, CancellationToken cancellationToken)
    {
        // The host must have seen what is decided by.
        if (host.Moves.Slots.ByMap.MapVersion < (ulong)current.Version)
            return false;
        MoveMarker? toSweep = null;
        foreach (MoveMarker marker in host.Moves.Markers.All())
        {
            if (Volatile.Read(ref _copying) == marker.Migration)
                continue;
            SlotMigration? migration = current.Migrations.FirstOrDefault(migration => migration.Id == marker.Migration);
            if (migration is { Phase: MigrationPhase.Copying })
                await EndAsync(marker, cancellationToken).ConfigureAwait(false);
            else if (!marker.Slots.All().All(slot => current.Slots[slot] == host.Shard))
                toSweep ??= marker;
            else if (marker.Role == MoveRole.Source)
                await UnfreezeAsync(marker, cancellationToken).ConfigureAwait(false);
            else
                await host.Moves.Markers.RemoveAsync(marker.Migration, cancellationToken).ConfigureAwait(false);
        }

        if (!_work.IsCompleted)
            return true;
        if (toSweep is not null)
            _work = SweepAsync(toSweep, cancellationToken);
        else if (current.Migrations.FirstOrDefault(IsForMe) is { } next)
            _work = CopyAsync(next, cancellationToken);
        return !host.Moves.Markers.HasAny;
    }

    private bool IsForMe(SlotMigration migration) =>
        migration.Phase == MigrationPhase.Copying && migration.Target == host.Shard && !_problems.ContainsKey(migration.Id);

    /// <summary>Asks the store to abort what cannot come to its end: a copy that stopped, or a freeze that lasts.</summary>
    private async ValueTask EndAsync(MoveMarker marker, CancellationToken cancellationToken)
    {
        string problem = _problems.GetValueOrDefault(marker.Migration, $"shard {host.Shard}, the target, was opened anew");
        if (marker.Role == MoveRole.Source)
        {
            if (time.GetElapsedTime(_frozenSince.GetOrAdd(marker.Migration, _ => time.GetTimestamp())) < LongestFreeze)
                return;
            problem = $"the slots were frozen for {LongestFreeze.TotalSeconds:0} s";
        }
        else
        {
            _problems.TryAdd(marker.Migration, problem);
        }

        await MigrationRecords.AbortAsync(store, marker.Migration, problem, cancellationToken).ConfigureAwait(false);
    }

    private async ValueTask UnfreezeAsync(MoveMarker marker, CancellationToken cancellationToken)
    {
        await host.Moves.UnfreezeAsync(marker.Migration, cancellationToken).ConfigureAwait(false);
        _frozenSince.TryRemove(marker.Migration, out _);
        LogUnfrozen(host.Shard, marker.Migration);
    }

    private async Task SweepAsync(MoveMarker marker, CancellationToken cancellationToken)
    {
        try
        {
            long deleted = await SlotSweep.RunAsync(host, map, marker, time, cancellationToken).ConfigureAwait(false);
            if (marker.Role == MoveRole.Source)
                await MigrationRecords.FinishAsync(store, marker.Migration, cancellationToken).ConfigureAwait(false);
            await host.Moves.UnfreezeAsync(marker.Migration, cancellationToken).ConfigureAwait(false);
            _frozenSince.TryRemove(marker.Migration, out _);
            LogSwept(host.Shard, deleted, marker.Migration);
        }
        catch (AiDbException error)
        {
            LogFailed(host.Shard, error.Kind, error.Message);
        }
    }

    private async Task CopyAsync(SlotMigration migration, CancellationToken cancellationToken)
    {
        Volatile.Write(ref _copying, migration.Id);
        using CancellationTokenSource ended = CancellationTokenSource.CreateLinkedTokenSource(cancellationToken);
        Task watching = WatchAsync(migration.Id, ended);
        long began = time.GetTimestamp();
        try
        {
            await new MoveTarget(host, map, store, clusterSecret, time).RunAsync(migration, ended.Token).ConfigureAwait(false);
            LogTaken(host.Shard, migration.Slots.Count, migration.Source, migration.Id, time.GetElapsedTime(began).TotalSeconds);
        }
        catch (Exception error) when (error is AiDbException or OperationCanceledException && !cancellationToken.IsCancellationRequested)
        {
            _problems[migration.Id] = error.Message;
            LogNotTaken(host.Shard, migration.Id, error.Message);
            await TryAbortAsync(migration.Id, error.Message, cancellationToken).ConfigureAwait(false);
        }
        finally
        {
            host.Moves.Report(migration.Id, null);
            Volatile.Write(ref _copying, 0);
            await ended.CancelAsync().ConfigureAwait(false);
            await watching.ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
        }
    }

    // At once: while the slots are frozen at the source, everyone waits for it.
    private async ValueTask TryAbortAsync(ulong migration, string problem, CancellationToken cancellationToken)
    {
        try
        {
            await MigrationRecords.AbortAsync(store, migration, problem, cancellationToken).ConfigureAwait(false);
        }
        catch (AiDbException error)
        {
            // The marker is there: it is tried again with the next step.
            LogFailed(host.Shard, error.Kind, error.Message);
        }
    }

    /// <summary>Ends a copy whose migration is no longer under way.</summary>
    private async Task WatchAsync(ulong migration, CancellationTokenSource ended)
    {
        await map.WaitForAsync(
            current => current.Migrations.FirstOrDefault(item => item.Id == migration) is not { Phase: MigrationPhase.Copying or MigrationPhase.Committed },
            ended.Token).ConfigureAwait(false);
        await ended.CancelAsync().ConfigureAwait(false);
    }

    private async ValueTask WaitAsync(long version, bool isSettled, CancellationToken cancellationToken)
    {
        using CancellationTokenSource tick = CancellationTokenSource.CreateLinkedTokenSource(cancellationToken);
        Task pause = Task.Delay(isSettled ? Tick * 5 : Tick / 10, time, tick.Token);
        Task newer = map.WaitForNewerAsync(version, tick.Token).AsTask();
        await Task.WhenAny(pause, newer).ConfigureAwait(false);
        await tick.CancelAsync().ConfigureAwait(false);
        cancellationToken.ThrowIfCancellationRequested();
    }

    [LoggerMessage(
        EventId = 1, Level = LogLevel.Information,
        Message = "Shard {Shard} has taken {Slots} slots from shard {Source} (migration {Migration}) in {Seconds:0.0} s")]
    private partial void LogTaken(uint shard, int slots, uint source, ulong migration, double seconds);

    [LoggerMessage(
        EventId = 2, Level = LogLevel.Warning, Message = "Shard {Shard} did not take the slots of migration {Migration}: {Problem}")]
    private partial void LogNotTaken(uint shard, ulong migration, string problem);

    [LoggerMessage(
        EventId = 3, Level = LogLevel.Warning, Message = "Shard {Shard} serves the slots of migration {Migration} again: it was aborted")]
    private partial void LogUnfrozen(uint shard, ulong migration);

    [LoggerMessage(
        EventId = 4, Level = LogLevel.Information,
        Message = "Shard {Shard} has deleted {Keys} keys that are not its own any more (migration {Migration})")]
    private partial void LogSwept(uint shard, long keys, ulong migration);

    [LoggerMessage(EventId = 5, Level = LogLevel.Warning, Message = "Shard {Shard}: a migration cannot go on now ({Kind}): {Reason}")]
    private partial void LogFailed(uint shard, AiDbErrorKind kind, string reason);
}
