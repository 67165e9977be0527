using System.Collections.Concurrent;
using AiDb.Cluster.Metadata;
using AiDb.Cluster.Migration;
using AiDb.Cluster.Model;
using AiDb.Primary.Shards;

namespace AiDb.Primary.Migration;

/// <summary>
/// A primary's part in migrations: takes in the slots that the metadata store gives its shard, and ends what it has in
/// its database of others by what the store decided of them. Whatever happened to it in between, the markers say what
/// there is to end, and the store says how: a map may be from before the decision.
/// </summary>
/// <remarks>Thread safety: <see cref="RunAsync"/> once.</remarks>
internal sealed partial class MoveRunner(
    ShardHost host, ClusterMapWatcher map, IMetadataStore store, string clusterSecret, TimeProvider time, ILogger logger)
{
    /// <summary>Between looks while there is something to do, where the map does not change.</summary>
    private static readonly TimeSpan Tick = TimeSpan.FromMilliseconds(20);

    /// <summary>Between looks while there is nothing to do, and after a failure.</summary>
    private static readonly TimeSpan Pause = TimeSpan.FromSeconds(1);

    /// <summary>How long slots stay frozen before the source asks for the end of it.</summary>
    private static readonly TimeSpan LongestFreeze = TimeSpan.FromSeconds(5);

    private readonly ConcurrentDictionary<ulong, string> _problems = new();
    private Task _work = Task.CompletedTask;
    private ulong _copying;
    private ulong _sweeping;

    /// <summary>Works until it is cancelled.</summary>
    public async Task RunAsync(CancellationToken cancellationToken)
    {
        try
        {
            while (true)
            {
                ClusterMap current = map.Current;
                TimeSpan longest = Pause;
                try
                {
                    if (!await StepAsync(current, cancellationToken).ConfigureAwait(false))
                        longest = Tick;
                }
                catch (Exception error) when (!cancellationToken.IsCancellationRequested)
                {
                    // Whatever it is: the markers are there, and what is frozen needs somebody who ends that.
                    LogFailed(host.Shard, error.Message, error);
                }

                await map.WaitForChangeAsync(current.Version, longest, cancellationToken).ConfigureAwait(false);
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
        bool isBusy = !_work.IsCompleted;
        int left = 0;
        foreach (MoveMarker marker in host.Moves.Markers.All())
        {
            if (Volatile.Read(ref _copying) == marker.Migration || Volatile.Read(ref _sweeping) == marker.Migration)
                continue;
            if (current.Migrations.Any(migration => migration.Id == marker.Migration && migration.Phase == MigrationPhase.Copying))
            {
                await EndAsync(marker, cancellationToken).ConfigureAwait(false);
                left++;
                continue;
            }

            host.Moves.FreezeOf(marker.Migration)?.Mark(SlotFreeze.Step.Decided);
            if ((isBusy && !IsOwn(marker, current.Slots))
                || !await TrySettleAsync(marker, isBusy, cancellationToken).ConfigureAwait(false))
            {
                left++;
            }

            isBusy |= !_work.IsCompleted;
        }

        // A copy begins when nothing is left that a sweep could take for keys of others.
        if (!isBusy && left == 0 && current.Migrations.FirstOrDefault(IsForMe) is { } next)
            _work = CopyAsync(next, cancellationToken);
        return left == 0 && _work.IsCompleted;
    }

    private bool IsOwn(MoveMarker marker, SlotMap slots) => marker.Slots.All().All(slot => slots[slot] == host.Shard);

    /// <summary>Ends what there is of a migration by what the store says; false: it is not decided yet, or another has to be
    /// ended first.</summary>
    private async ValueTask<bool> TrySettleAsync(MoveMarker marker, bool isBusy, CancellationToken cancellationToken)
    {
        if (await IsDecidedAsync(marker, cancellationToken).ConfigureAwait(false) is not { } decision)
            return false;
        if (!IsOwn(marker, decision.Slots))
        {
            if (isBusy)
                return false;
            _work = SweepAsync(marker, decision.Slots, cancellationToken);
            return true;
        }

        if (marker.Role == MoveRole.Source)
            await UnfreezeAsync(marker, cancellationToken).ConfigureAwait(false);
        else
            await host.Moves.Markers.RemoveAsync(marker.Migration, cancellationToken).ConfigureAwait(false);
        return true;
    }

    /// <summary>What the store decided of a migration. Null: nothing yet; or this primary is none any more; or it does not go
    /// by the slots of the decision yet: were the marker gone, it would serve by the slots of before.</summary>
    private async ValueTask<MigrationDecision?> IsDecidedAsync(MoveMarker marker, CancellationToken cancellationToken)
    {
        MigrationDecision? decision = await MigrationRecords.ReadDecisionAsync(
            store, marker.Migration, host.Shard, host.Database.Epoch, cancellationToken).ConfigureAwait(false);
        return decision is not null
            && host.Moves.Slots.ByMap.SlotsVersion == (ulong)decision.SlotsRevision
            && map.Current.Version >= decision.Revision
            ? decision
            : null;
    }

    private bool IsForMe(SlotMigration migration) =>
        migration.Phase == MigrationPhase.Copying && migration.Target == host.Shard && !_problems.ContainsKey(migration.Id);

    /// <summary>Asks the store to abort what cannot come to its end: a copy that stopped, or a freeze that lasts.</summary>
    private async ValueTask EndAsync(MoveMarker marker, CancellationToken cancellationToken)
    {
        string problem = _problems.GetValueOrDefault(marker.Migration, $"shard {host.Shard}, the target, was opened anew");
        if (marker.Role == MoveRole.Source)
        {
            if (host.Moves.FreezeOf(marker.Migration) is { } freeze && freeze.Elapsed < LongestFreeze)
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
        LogUnfrozen(host.Shard, marker.Migration);
    }

    private async Task SweepAsync(MoveMarker marker, SlotMap slots, CancellationToken cancellationToken)
    {
        Volatile.Write(ref _sweeping, marker.Migration);
        if (host.Moves.FreezeOf(marker.Migration) is { } freeze)
            LogGiven(host.Shard, marker.Slots.Count, marker.Migration, freeze);

        // The scan runs far without waiting; the runner has freezes to end meanwhile.
        await Task.CompletedTask.ConfigureAwait(ConfigureAwaitOptions.ForceYielding);
        try
        {
            long deleted = await SlotSweep.RunAsync(host, map.Current, marker, slots, time, cancellationToken)
                .ConfigureAwait(false);
            if (marker.Role == MoveRole.Source)
                await MigrationRecords.FinishAsync(store, marker.Migration, cancellationToken).ConfigureAwait(false);
            await host.Moves.UnfreezeAsync(marker.Migration, cancellationToken).ConfigureAwait(false);
            LogSwept(host.Shard, deleted, marker.Migration);
        }
        catch (Exception error) when (!cancellationToken.IsCancellationRequested)
        {
            // The marker is there: it is tried again, after a while.
            LogFailed(host.Shard, error.Message, error);
            await Task.Delay(Pause, time, cancellationToken).ConfigureAwait(false);
        }
        finally
        {
            Volatile.Write(ref _sweeping, 0);
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
            TimeSpan end = await new MoveTarget(host, map, store, clusterSecret, time).RunAsync(migration, ended.Token)
                .ConfigureAwait(false);
            LogTaken(
                host.Shard, migration.Slots.Count, migration.Source, migration.Id, time.GetElapsedTime(began).TotalSeconds,
                end.TotalMilliseconds);
        }
        catch (Exception error) when (!cancellationToken.IsCancellationRequested)
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
        catch (Exception error) when (!cancellationToken.IsCancellationRequested)
        {
            // The marker is there: it is tried again with the next step.
            LogFailed(host.Shard, error.Message, error);
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

    [LoggerMessage(
        EventId = 1, Level = LogLevel.Information,
        Message = "Shard {Shard} has taken {Slots} slots from shard {Source} (migration {Migration}) in {Seconds:0.0} s, the last {End:0.0} ms from the end of the copy to its commit")]
    private partial void LogTaken(uint shard, int slots, uint source, ulong migration, double seconds, double end);

    [LoggerMessage(
        EventId = 2, Level = LogLevel.Warning, Message = "Shard {Shard} did not take the slots of migration {Migration}: {Problem}")]
    private partial void LogNotTaken(uint shard, ulong migration, string problem);

    [LoggerMessage(
        EventId = 3, Level = LogLevel.Warning, Message = "Shard {Shard} serves the slots of migration {Migration} again: it was aborted")]
    private partial void LogUnfrozen(uint shard, ulong migration);

    [LoggerMessage(
        EventId = 6, Level = LogLevel.Information,
        Message = "Shard {Shard} has given {Slots} slots away (migration {Migration}); their freeze: {Freeze}")]
    private partial void LogGiven(uint shard, int slots, ulong migration, SlotFreeze freeze);

    [LoggerMessage(
        EventId = 4, Level = LogLevel.Information,
        Message = "Shard {Shard} has deleted {Keys} keys that are not its own any more (migration {Migration})")]
    private partial void LogSwept(uint shard, long keys, ulong migration);

    [LoggerMessage(EventId = 5, Level = LogLevel.Warning, Message = "Shard {Shard}: a migration cannot go on now: {Reason}")]
    private partial void LogFailed(uint shard, string reason, Exception error);
}
