using AiDb.Cluster.Migration;
using AiDb.Cluster.Model;
using AiDb.Contracts.V1;
using AiDb.Gateway.Hosting;
using Wire = AiDb.Contracts.V1;

namespace AiDb.Gateway.Moving;

/// <summary>Where the slots are and where they should be, for REST and gRPC alike.</summary>
/// <remarks>Thread safety: all members may be called concurrently. Errors are <see cref="AiDbException"/>.</remarks>
internal sealed class PlacementFront(ClusterHost cluster, GatewayOptions options)
{
    /// <summary>What would move.</summary>
    public async ValueTask<Wire.Placement> PlanAsync(string strategy, CancellationToken cancellationToken)
    {
        IPlacementStrategy chosen = PlacementStrategies.Find(strategy.Length == 0 ? PlacementStrategies.Slots : strategy);
        (PlacementInput input, IReadOnlyList<PlannedMove> moves) = await cluster.Rebalancer.PlanAsync(chosen, cancellationToken);
        Wire.Placement placement = new() { Strategy = chosen.Name };
        placement.Shards.AddRange(input.Shards.Select(shard => new ShardPlacement
        {
            Shard = shard.Shard,
            Node = shard.Node,
            Up = shard.IsUp,
            Draining = shard.IsDraining,
            Slots = (uint)input.Slots.Count(shard.Shard),
            Bytes = (ulong)shard.Bytes,
            FreeDiskBytes = (ulong)shard.FreeDiskBytes,
            RequestsPerSecond = Math.Round(shard.RequestsPerSecond.Sum(), 1),
            CpuLoad = Math.Round(shard.CpuLoad, 3),
        }));
        placement.Moves.AddRange(moves.Select(move => new MovePlan
        {
            From = move.From,
            To = move.To,
            Slots = (uint)move.Slots.Count,
            Reason = move.Reason,
        }));
        placement.Advice.AddRange(ScalingAdvice.Of(input));
        return placement;
    }

    /// <summary>Has slots moved until the strategy is content.</summary>
    public async ValueTask<Wire.Placement> RebalanceAsync(
        string strategy, ulong bytesPerSecond, CancellationToken cancellationToken)
    {
        CheckMovable();
        Wire.Placement plan = await PlanAsync(strategy, cancellationToken);
        if (plan.Moves.Count > 0)
        {
            RebalanceOrder order = new(
                plan.Strategy, bytesPerSecond == 0 ? options.Rebalancing.BytesPerSecond : bytesPerSecond);
            long revision = await MigrationRecords.OrderRebalanceAsync(cluster.Store, order, cancellationToken);

            // Whoever looks at the migrations next must not take an order that is not seen yet for one that is carried out.
            await cluster.Map.WaitForAsync(map => map.Version >= revision, cancellationToken);
        }

        return plan;
    }

    /// <summary>The migrations, the newest first.</summary>
    public async ValueTask<ListMigrationsResponse> ListAsync(CancellationToken cancellationToken)
    {
        ClusterMap map = cluster.Map.Current;
        (PlacementInput input, _) = map.Migrations.Any(migration => migration.Phase == MigrationPhase.Copying)
            ? await cluster.Rebalancer.PlanAsync(PlacementStrategies.Find(PlacementStrategies.Slots), cancellationToken)
            : (new PlacementInput(map.Slots, []), []);
        ListMigrationsResponse response = new() { Rebalance = map.Rebalance?.Strategy ?? "" };
        response.Migrations.AddRange(map.Migrations.Reverse().Select(migration =>
        {
            MoveFigures? move = input.Shards.SelectMany(shard => shard.Moves).FirstOrDefault(move => move.Migration == migration.Id);
            return new MigrationInfo
            {
                Id = migration.Id,
                From = migration.Source,
                To = migration.Target,
                Slots = (uint)migration.Slots.Count,
                Phase = migration.Phase.ToString().ToLowerInvariant(),
                Step = move?.Phase.ToLowerInvariant() ?? "",
                Keys = move?.Keys ?? migration.Keys,
                Bytes = move?.Bytes ?? migration.Bytes,
                Reason = migration.Reason,
                Problem = migration.Problem,
                CreatedAtMs = (ulong)migration.CreatedAtMs,
            };
        }));
        return response;
    }

    /// <summary>Ends one migration, or the order and whatever is under way.</summary>
    /// <exception cref="AiDbException"><see cref="AiDbErrorKind.NotFound"/>: there is none of that number;
    /// <see cref="AiDbErrorKind.PreconditionFailed"/>: it is over.</exception>
    public async ValueTask<ListMigrationsResponse> CancelAsync(ulong id, CancellationToken cancellationToken)
    {
        ClusterMap map = cluster.Map.Current;
        if (id == 0)
            await MigrationRecords.CancelRebalanceAsync(cluster.Store, cancellationToken);
        foreach (SlotMigration migration in map.Migrations.Where(migration =>
            id == 0 ? migration.Phase == MigrationPhase.Copying : migration.Id == id))
        {
            MigrationPhase? phase = await MigrationRecords.AbortAsync(
                cluster.Store, migration.Id, "cancelled by an operator", cancellationToken);
            if (id != 0 && phase != MigrationPhase.Aborted)
                throw new AiDbException(AiDbErrorKind.PreconditionFailed, $"Migration {id} is over: its slots have moved.");
        }

        if (id != 0 && map.Migrations.All(migration => migration.Id != id))
            throw new AiDbException(AiDbErrorKind.NotFound, $"There is no migration {id}.");
        return await ListAsync(cancellationToken);
    }

    /// <summary>Empties the shards of a node, or ends that.</summary>
    /// <exception cref="AiDbException"><see cref="AiDbErrorKind.NotFound"/>: it is primary of none;
    /// <see cref="AiDbErrorKind.PreconditionFailed"/>: nobody could take its slots.</exception>
    public async ValueTask<Wire.Placement> DrainAsync(string node, bool undo, CancellationToken cancellationToken)
    {
        ClusterMap map = cluster.Map.Current;
        ShardDescriptor[] shards =
            [.. map.Shards.Where(shard => string.Equals(shard.PrimaryNodeId, node, StringComparison.Ordinal))];
        if (shards.Length == 0)
            throw new AiDbException(AiDbErrorKind.NotFound, $"There is no primary '{node}'.");
        if (!undo)
        {
            CheckMovable();
            if (map.Shards.All(shard => shards.Contains(shard) || map.Draining.Contains(shard.Id)))
                throw new AiDbException(AiDbErrorKind.PreconditionFailed, "No other primary could take the slots; add one first.");
        }

        foreach (ShardDescriptor shard in shards)
            await MigrationRecords.SetDrainingAsync(cluster.Store, shard.Id, !undo, cancellationToken);
        await cluster.Map.WaitForAsync(
            current => shards.All(shard => current.Draining.Contains(shard.Id) == !undo), cancellationToken);
        return await PlanAsync("", cancellationToken);
    }

    private void CheckMovable()
    {
        if (cluster.Map.Current.Collections.Count > 0)
        {
            throw new AiDbException(
                AiDbErrorKind.PreconditionFailed,
                "The cluster has collections, whose points do not move yet: no slot moves while there are any.");
        }
    }
}
