using AiDb.Client.Transport;
using AiDb.Contracts.V1;

namespace AiDb.Client;

/// <summary>Where the slots of a cluster are, and where they should be.</summary>
/// <remarks>Thread safety: all members may be called concurrently.</remarks>
public sealed class AiDbPlacement
{
    private readonly CallExecutor _calls;

    internal AiDbPlacement(CallExecutor calls) => _calls = calls;

    /// <summary>What would move, and why; nothing is done.</summary>
    /// <param name="strategy"><c>slots</c>, <c>bytes</c> or <c>load</c>.</param>
    /// <param name="cancellationToken">Gives up waiting.</param>
    public async ValueTask<PlacementDescription> GetPlanAsync(
        string strategy = "slots", CancellationToken cancellationToken = default) =>
        ToDescription(await _calls.AdministerAsync(
            CallKind.Administer, new GetPlacementRequest { Strategy = strategy },
            static (admin, message, options) => admin.GetPlacementAsync(message, options), cancellationToken)
            .ConfigureAwait(false));

    /// <summary>Has slots moved until every shard carries its share; returns with the plan, at once.</summary>
    /// <param name="strategy"><c>slots</c>, <c>bytes</c> or <c>load</c>.</param>
    /// <param name="bytesPerSecond">Bytes per second that are copied; 0: as the gateway's settings say.</param>
    /// <param name="cancellationToken">Gives up waiting.</param>
    public async ValueTask<PlacementDescription> RebalanceAsync(
        string strategy = "slots", long bytesPerSecond = 0, CancellationToken cancellationToken = default) =>
        ToDescription(await _calls.AdministerAsync(
            CallKind.ChangeCatalogue,
            new RebalanceRequest { Strategy = strategy, BytesPerSecond = (ulong)Math.Max(0, bytesPerSecond) },
            static (admin, message, options) => admin.RebalanceAsync(message, options), cancellationToken)
            .ConfigureAwait(false));

    /// <summary>The migrations, the newest first.</summary>
    public async ValueTask<MigrationList> ListMigrationsAsync(CancellationToken cancellationToken = default) =>
        ToDescription(await _calls.AdministerAsync(
            CallKind.Administer, new ListMigrationsRequest(),
            static (admin, message, options) => admin.ListMigrationsAsync(message, options), cancellationToken)
            .ConfigureAwait(false));

    /// <summary>Ends a migration, or - without a number - the order to rebalance and whatever is under way.</summary>
    /// <exception cref="AiDbException"><see cref="AiDbErrorKind.NotFound"/>: there is none of that number;
    /// <see cref="AiDbErrorKind.PreconditionFailed"/>: it is over.</exception>
    public async ValueTask<MigrationList> CancelAsync(long? id = null, CancellationToken cancellationToken = default) =>
        ToDescription(await _calls.AdministerAsync(
            CallKind.ChangeCatalogue, new CancelMigrationsRequest { Id = (ulong)Math.Max(0, id ?? 0) },
            static (admin, message, options) => admin.CancelMigrationsAsync(message, options), cancellationToken)
            .ConfigureAwait(false));

    /// <summary>Has everything moved away from a primary, so that it can be taken away.</summary>
    /// <param name="node">Its node.</param>
    /// <param name="undo">Ends that; what has moved stays where it is.</param>
    /// <param name="cancellationToken">Gives up waiting.</param>
    public async ValueTask<PlacementDescription> DrainAsync(
        string node, bool undo = false, CancellationToken cancellationToken = default) =>
        ToDescription(await _calls.AdministerAsync(
            CallKind.ChangeCatalogue, new DrainNodeRequest { Node = node, Undo = undo },
            static (admin, message, options) => admin.DrainNodeAsync(message, options), cancellationToken)
            .ConfigureAwait(false));

    private static PlacementDescription ToDescription(Placement placement) => new(
        placement.Strategy,
        [.. placement.Shards.Select(static shard => new ShardPlacementDescription(
            (int)shard.Shard, shard.Node, shard.Up, shard.Draining, (int)shard.Slots, (long)shard.Bytes,
            (long)shard.FreeDiskBytes, shard.RequestsPerSecond, shard.CpuLoad))],
        [.. placement.Moves.Select(static move => new PlannedMoveDescription(
            (int)move.From, (int)move.To, (int)move.Slots, move.Reason))],
        [.. placement.Advice]);

    private static MigrationList ToDescription(ListMigrationsResponse list) => new(
        list.Rebalance.Length == 0 ? null : list.Rebalance,
        [.. list.Migrations.Select(static migration => new MigrationDescription(
            (long)migration.Id, (int)migration.From, (int)migration.To, (int)migration.Slots, migration.Phase, migration.Step,
            (long)migration.Keys, (long)migration.Bytes, migration.Reason, migration.Problem,
            DateTimeOffset.FromUnixTimeMilliseconds((long)migration.CreatedAtMs)))]);
}

/// <summary>What the shards carry, what is to move, and what an operator should think about.</summary>
public sealed record PlacementDescription(
    string Strategy, IReadOnlyList<ShardPlacementDescription> Shards, IReadOnlyList<PlannedMoveDescription> Moves,
    IReadOnlyList<string> Advice);

/// <summary>What a shard carries.</summary>
public sealed record ShardPlacementDescription(
    int Shard, string Node, bool Up, bool Draining, int Slots, long Bytes, long FreeDiskBytes, double RequestsPerSecond,
    double CpuLoad);

/// <summary>Slots that are to move, and why.</summary>
public sealed record PlannedMoveDescription(int From, int To, int Slots, string Reason);

/// <summary>The migrations, the newest first.</summary>
/// <param name="Rebalance">The strategy of an order that is being carried out; null: there is none.</param>
/// <param name="Migrations">The migrations.</param>
public sealed record MigrationList(string? Rebalance, IReadOnlyList<MigrationDescription> Migrations);

/// <summary>Slots on their way: <c>copying</c> (step <c>copy</c>, <c>tail</c>, <c>ready</c>), <c>committed</c>,
/// <c>aborted</c> or <c>done</c>.</summary>
public sealed record MigrationDescription(
    long Id, int From, int To, int Slots, string Phase, string Step, long Keys, long Bytes, string Reason, string Problem,
    DateTimeOffset CreatedAt);
