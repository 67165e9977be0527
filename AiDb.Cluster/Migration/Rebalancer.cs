using AiDb.Cluster.Metadata;
using AiDb.Cluster.Model;
using Microsoft.Extensions.Logging;

namespace AiDb.Cluster.Migration;

/// <summary>Settings of a <see cref="Rebalancer"/>.</summary>
public sealed record RebalancerOptions
{
    /// <summary>Slots of one migration at most. More: fewer scans of the source; fewer: less to repeat after a
    /// failure. Default: 1,024.</summary>
    public int SlotsAtATime { get; init; } = 1024;

    /// <summary>Bytes per second that drains and automatic moves copy; 0: no limit. Default: 64 MiB.</summary>
    public ulong BytesPerSecond { get; init; } = 64 << 20;

    /// <summary>Whether shards that come later get their share by themselves. Default: no.</summary>
    public bool Automatic { get; init; }

    /// <summary>How long a migration may show no progress. Default: 30 s.</summary>
    public TimeSpan StallTimeout { get; init; } = TimeSpan.FromSeconds(30);

    /// <summary>Migrations that are over and stay listed. Default: 50.</summary>
    public int KeptRecords { get; init; } = 50;

    /// <summary>Reports every invalid setting at once.</summary>
    /// <exception cref="AiDbException"><see cref="AiDbErrorKind.InvalidArgument"/>, naming each setting and its
    /// range.</exception>
    public void Validate()
    {
        List<string> errors = [];
        if (SlotsAtATime is < 1 or > 16_384)
            errors.Add($"{nameof(SlotsAtATime)} must be 1 to 16384");
        if (StallTimeout <= TimeSpan.Zero)
            errors.Add($"{nameof(StallTimeout)} must be more than zero");
        if (KeptRecords < 1)
            errors.Add($"{nameof(KeptRecords)} must be 1 or more");
        if (errors.Count > 0)
        {
            throw new AiDbException(
                AiDbErrorKind.InvalidArgument, "Invalid RebalancerOptions: " + string.Join("; ", errors) + ".");
        }
    }
}

/// <summary>Has slots moved, one migration at a time: plans by a strategy while an order to rebalance stands, a shard
/// drains or - where the settings say so - a shard has none; ends migrations whose nodes are gone or that stand
/// still. It copies nothing itself: the target pulls, and commits.</summary>
/// <remarks>Everything that it needs to go on stands in the metadata store; two at once do no harm.</remarks>
public sealed partial class Rebalancer(
    IMetadataStore store,
    ClusterMapWatcher map,
    Func<ClusterMap, CancellationToken, ValueTask<PlacementInput>> figures,
    RebalancerOptions options,
    TimeProvider timeProvider,
    ILogger<Rebalancer> logger)
{
    private static readonly TimeSpan Tick = TimeSpan.FromMilliseconds(500);

    private ulong _watched;
    private (ulong Keys, ulong Frames, string Phase) _progress;
    private long _progressAt;
    private long _notBefore;
    private long _idleSince;
    private ulong _lastAborted;
    private bool _isCrowded;

    /// <summary>What would move now.</summary>
    public async ValueTask<(PlacementInput Input, IReadOnlyList<PlannedMove> Moves)> PlanAsync(
        IPlacementStrategy strategy, CancellationToken cancellationToken = default)
    {
        PlacementInput input = await figures(map.Current, cancellationToken);
        return (input, strategy.Plan(input));
    }

    /// <summary>Works until it is cancelled.</summary>
    public async Task RunAsync(CancellationToken cancellationToken)
    {
        options.Validate();
        while (true)
        {
            ClusterMap current = map.Current;
            try
            {
                await StepAsync(current, cancellationToken);
            }
            catch (AiDbException error)
            {
                LogFailed(error.Kind, error.Message);
            }

            await map.WaitForChangeAsync(current.Version, Tick, cancellationToken);
        }
    }

    private async ValueTask StepAsync(ClusterMap current, CancellationToken cancellationToken)
    {
        if (!current.Slots.IsComplete)
            return;
        await MigrationRecords.PruneAsync(store, current, options.KeptRecords, cancellationToken);

        // What is committed does not hold up others: a source that never comes back could not delete its keys.
        if (current.Migrations.FirstOrDefault(migration => migration.Phase == MigrationPhase.Copying) is { } active)
        {
            await WatchAsync(current, active, cancellationToken);
            return;
        }

        ulong aborted = current.Migrations.LastOrDefault(migration => migration.Phase == MigrationPhase.Aborted)?.Id ?? 0;
        if (aborted > _lastAborted)
        {
            // Not at once again: what went wrong may be going wrong still.
            _lastAborted = aborted;
            Pause(Tick * 2);
        }

        if (IntentOf(current) is not { } intent || timeProvider.GetTimestamp() < _notBefore)
            return;
        PlacementInput input = await figures(current, cancellationToken);
        PlannedMove[] bites = [.. intent.Strategy.Plan(input).Select(move => move.Take(options.SlotsAtATime))];
        PlannedMove? move = bites.FirstOrDefault(move => Fits(input, move));
        WarnIfCrowded(bites, move);
        if (move is null)
        {
            await WithdrawAsync(current, input, cancellationToken);
            Pause(Tick * 2);
            return;
        }

        _idleSince = 0;
        long nowMs = timeProvider.GetUtcNow().ToUnixTimeMilliseconds();
        if (await MigrationRecords.StartAsync(store, current, move, intent.BytesPerSecond, nowMs, cancellationToken))
            LogStarted(move.Slots.Count, move.From, move.To, move.Reason);
    }

    /// <summary>Ends an order that asks for nothing more. While a shard is down it may be that which slots are to move to,
    /// or from: it has a while to come back.</summary>
    private async ValueTask WithdrawAsync(ClusterMap current, PlacementInput input, CancellationToken cancellationToken)
    {
        if (current.Rebalance is null)
            return;
        if (_idleSince == 0)
            _idleSince = timeProvider.GetTimestamp();
        if (input.Shards.All(shard => shard.IsUp) || timeProvider.GetElapsedTime(_idleSince) >= options.StallTimeout)
        {
            _idleSince = 0;
            await MigrationRecords.CancelRebalanceAsync(store, cancellationToken);
        }
    }

    /// <summary>By what slots move now; null: they stay.</summary>
    private (IPlacementStrategy Strategy, ulong BytesPerSecond)? IntentOf(ClusterMap current)
    {
        // Points do not move yet: a slot would leave them behind.
        if (current.Collections.Count > 0)
            return null;
        if (current.Rebalance is { } order)
            return (PlacementStrategies.Find(order.Strategy), order.BytesPerSecond);
        if (current.Draining.Any(shard => current.Slots.Count(shard) > 0))
            return (new DrainPlacement(), options.BytesPerSecond);
        bool hasEmpty = current.Shards.Any(shard =>
            current.Slots.Count(shard.Id) == 0 && shard.State == ShardState.Active && !current.Draining.Contains(shard.Id));
        return options.Automatic && hasEmpty
            ? (PlacementStrategies.Find(PlacementStrategies.Slots), options.BytesPerSecond)
            : null;
    }

    /// <summary>Tells once that slots should move and no disk has room for them.</summary>
    private void WarnIfCrowded(PlannedMove[] bites, PlannedMove? chosen)
    {
        bool isCrowded = bites.Length > 0 && chosen is null;
        if (isCrowded && !_isCrowded)
            LogCrowded(bites[0].Slots.Count, bites[0].From, bites[0].To, bites[0].Reason);
        _isCrowded = isCrowded;
    }

    /// <summary>Whether the target has room for what moves, and as much again.</summary>
    private static bool Fits(PlacementInput input, PlannedMove move)
    {
        ShardLoad? from = input.Shards.FirstOrDefault(shard => shard.Shard == move.From);
        ShardLoad? to = input.Shards.FirstOrDefault(shard => shard.Shard == move.To);
        if (from is null || to is null)
            return false;
        double bytes = from.Bytes * move.Slots.Count / Math.Max(1, input.Slots.Count(move.From));
        return to.FreeDiskBytes <= 0 || to.FreeDiskBytes > 2 * bytes;
    }

    private async ValueTask WatchAsync(ClusterMap current, SlotMigration active, CancellationToken cancellationToken)
    {
        long now = timeProvider.GetTimestamp();
        if (_watched != active.Id)
        {
            _watched = active.Id;
            _progress = default;
            _progressAt = now;
        }

        string? problem = null;
        foreach (uint shard in new[] { active.Source, active.Target })
        {
            if (current.PrimaryOf(shard) is not { Alive: true } node)
                problem = $"shard {shard} has no primary that is alive";
            else if (current.FindShard(shard)!.State != ShardState.Active)
                problem = $"shard {shard} at node '{node.Id}' does not serve";
        }

        // A primary that starts anew is away for some seconds; what it held of the copy goes by its own markers.
        TimeSpan quiet = timeProvider.GetElapsedTime(_progressAt, now);
        if (problem is null)
        {
            PlacementInput input = await figures(current, cancellationToken);
            MoveFigures? move = input.Shards.FirstOrDefault(shard => shard.Shard == active.Target)?.Moves
                .FirstOrDefault(move => move.Migration == active.Id);
            if (move is not null && (move.Keys, move.Frames, move.Phase) != _progress)
            {
                _progress = (move.Keys, move.Frames, move.Phase);
                _progressAt = now;
                return;
            }

            if (quiet < options.StallTimeout)
                return;
            problem = $"no progress for {options.StallTimeout.TotalSeconds:0} s";
        }

        if (await MigrationRecords.AbortAsync(store, active.Id, problem, cancellationToken) == MigrationPhase.Aborted)
        {
            LogAborted(active.Id, problem);
            Pause(Tick * 4);
        }
    }

    private void Pause(TimeSpan pause)
    {
        _notBefore = timeProvider.GetTimestamp() + (long)(pause.TotalSeconds * timeProvider.TimestampFrequency);
    }

    [LoggerMessage(Level = LogLevel.Information, Message = "{Slots} slots move from shard {From} to shard {To}: {Reason}")]
    private partial void LogStarted(int slots, uint from, uint to, string reason);

    [LoggerMessage(Level = LogLevel.Warning, Message = "Migration {Id} was aborted: {Problem}")]
    private partial void LogAborted(ulong id, string problem);

    [LoggerMessage(
        Level = LogLevel.Warning,
        Message = "{Slots} slots should move from shard {From} to shard {To} ({Reason}), but neither its disk nor another has room for twice as much")]
    private partial void LogCrowded(int slots, uint from, uint to, string reason);

    [LoggerMessage(Level = LogLevel.Warning, Message = "Slots cannot be moved now ({Kind}): {Reason}")]
    private partial void LogFailed(AiDbErrorKind kind, string reason);
}
