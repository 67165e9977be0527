using System.Text;
using AiDb.Cluster.Metadata;
using AiDb.Cluster.Model;

namespace AiDb.Cluster.Migration;

/// <summary>The steps of migrations in the metadata store. Each is one compare-and-swap, and safe to repeat: the
/// commit of a migration and the change of the slot map are one transaction, so that a slot has one owner at every
/// revision.</summary>
public static class MigrationRecords
{
    /// <summary>The number of the next migration: as long as it is not there, none has begun since the map.</summary>
    public static ulong NextId(ClusterMap map) => map.Migrations.Select(migration => migration.Id).DefaultIfEmpty().Max() + 1;

    /// <summary>Begins to move slots.</summary>
    /// <param name="store">The metadata store.</param>
    /// <param name="map">The map by which the move was planned.</param>
    /// <param name="move">The move.</param>
    /// <param name="bytesPerSecond">Bytes per second that it may copy; 0: no limit.</param>
    /// <param name="nowMs">Unix milliseconds.</param>
    /// <param name="cancellationToken">Gives up.</param>
    /// <returns>False: the slots changed meanwhile, or another began one; plan anew.</returns>
    public static async ValueTask<bool> StartAsync(
        IMetadataStore store, ClusterMap map, PlannedMove move, ulong bytesPerSecond, long nowMs,
        CancellationToken cancellationToken = default)
    {
        // Two that plan by the same map choose the same number, and one of them wins.
        ulong id = NextId(map);
        SlotMigration migration = new()
        {
            Id = id,
            Source = move.From,
            Target = move.To,
            Slots = move.Slots,
            Phase = MigrationPhase.Copying,
            Reason = move.Reason,
            BytesPerSecond = bytesPerSecond,
            CreatedAtMs = nowMs,
        };
        string key = MetadataKeys.Migration(id);
        MetadataTransactionResult result = await store.CommitAsync(
            new MetadataTransaction
            {
                Compares =
                [
                    MetadataCompare.IsAbsent(key),
                    MetadataCompare.UnchangedSince(MetadataKeys.Slots, map.SlotsRevision),
                ],
                Then = [MetadataOperation.Put(key, MigrationJson.Write(migration))],
            },
            cancellationToken);
        return result.Succeeded;
    }

    /// <summary>Reads what a commit goes by, so that it can be one step when it is due; null: there is no such
    /// migration.</summary>
    public static async ValueTask<CommitBasis?> ReadBasisAsync(
        IMetadataStore store, ulong id, CancellationToken cancellationToken = default)
    {
        if (await ReadAsync(store, id, cancellationToken) is not { } migration)
            return null;
        (SlotMap slots, long slotsRevision) = await ReadSlotsAsync(store, cancellationToken);
        return new CommitBasis(migration, slots, slotsRevision);
    }

    /// <summary>Gives the slots to the target: the commit point of a migration.</summary>
    /// <param name="store">The metadata store.</param>
    /// <param name="id">The migration.</param>
    /// <param name="keys">Keys that were copied.</param>
    /// <param name="bytes">Their bytes.</param>
    /// <param name="basis">What was read before; where it is out of date it is read again.</param>
    /// <param name="cancellationToken">Gives up.</param>
    /// <returns>The phase in which it is now: <see cref="MigrationPhase.Copying"/> never; null: there is no such
    /// migration.</returns>
    public static async ValueTask<MigrationPhase?> CommitAsync(
        IMetadataStore store, ulong id, ulong keys, ulong bytes, CommitBasis? basis = null,
        CancellationToken cancellationToken = default)
    {
        string key = MetadataKeys.Migration(id);
        while (true)
        {
            basis ??= await ReadBasisAsync(store, id, cancellationToken);
            if (basis is not var (migration, before, slotsRevision))
                return null;
            if (migration.Phase != MigrationPhase.Copying)
                return migration.Phase;
            if (migration.Slots.All().Any(slot => before[slot] != migration.Source))
            {
                throw new AiDbException(
                    AiDbErrorKind.Internal, $"Migration {id}: shard {migration.Source} does not own all of its slots.");
            }

            SlotMap after = SlotMap.Create(slot => migration.Slots.Contains(slot) ? migration.Target : before[slot]);
            MetadataTransactionResult result = await store.CommitAsync(
                new MetadataTransaction
                {
                    Compares =
                    [
                        MetadataCompare.UnchangedSince(key, migration.Revision),
                        MetadataCompare.UnchangedSince(MetadataKeys.Slots, slotsRevision),
                    ],
                    Then =
                    [
                        MetadataOperation.Put(MetadataKeys.Slots, Encoding.ASCII.GetBytes(after.Format())),
                        MetadataOperation.Put(key, MigrationJson.Write(
                            migration with { Phase = MigrationPhase.Committed, Keys = keys, Bytes = bytes })),
                    ],
                },
                cancellationToken);
            if (result.Succeeded)
                return MigrationPhase.Committed;
            basis = null;
        }
    }

    /// <summary>Ends a migration that is not committed.</summary>
    /// <returns>The phase in which it is now: <see cref="MigrationPhase.Copying"/> never; null: there is no such
    /// migration.</returns>
    public static ValueTask<MigrationPhase?> AbortAsync(
        IMetadataStore store, ulong id, string problem, CancellationToken cancellationToken = default) =>
        ChangeAsync(
            store, id, MigrationPhase.Copying,
            migration => migration with { Phase = MigrationPhase.Aborted, Problem = problem }, cancellationToken);

    /// <summary>Says that the source has deleted what a committed migration took away.</summary>
    public static ValueTask<MigrationPhase?> FinishAsync(
        IMetadataStore store, ulong id, CancellationToken cancellationToken = default) =>
        ChangeAsync(
            store, id, MigrationPhase.Committed,
            migration => migration with { Phase = MigrationPhase.Done }, cancellationToken);

    /// <summary>Reads a record; null: there is none.</summary>
    public static async ValueTask<SlotMigration?> ReadAsync(
        IMetadataStore store, ulong id, CancellationToken cancellationToken = default) =>
        (await store.RangeAsync(MetadataKeys.Migration(id), cancellationToken: cancellationToken)).Single is { } item
            ? MigrationJson.Read(item)
            : null;

    /// <summary>Reads who owns which slot, and since which revision.</summary>
    /// <exception cref="AiDbException"><see cref="AiDbErrorKind.DataLoss"/>: it is not there, or malformed.</exception>
    public static async ValueTask<(SlotMap Slots, long Revision)> ReadSlotsAsync(
        IMetadataStore store, CancellationToken cancellationToken = default)
    {
        MetadataKeyValue item = (await store.RangeAsync(MetadataKeys.Slots, cancellationToken: cancellationToken)).Single
            ?? throw new AiDbException(AiDbErrorKind.DataLoss, "The cluster has no slot map.");
        return (ClusterMapBuilder.ReadSlots(item), item.ModRevision);
    }

    /// <summary>What a shard's primary goes by to end what it has of a migration; read from the store, since a map may be
    /// from before the decision.</summary>
    /// <param name="store">The metadata store.</param>
    /// <param name="id">The migration.</param>
    /// <param name="shard">The shard.</param>
    /// <param name="epoch">The epoch in which the asking primary serves it.</param>
    /// <param name="cancellationToken">Gives up.</param>
    /// <returns>Null: the migration is under way, or the shard has another epoch by now.</returns>
    /// <remarks>The epoch is read last: whoever is elected later goes by a map that has the decision.</remarks>
    public static async ValueTask<MigrationDecision?> ReadDecisionAsync(
        IMetadataStore store, ulong id, uint shard, ulong epoch, CancellationToken cancellationToken = default)
    {
        if (await ReadAsync(store, id, cancellationToken) is { Phase: MigrationPhase.Copying })
            return null;
        (SlotMap slots, long slotsRevision) = await ReadSlotsAsync(store, cancellationToken);
        string key = MetadataKeys.Shard(shard);
        MetadataRange range = await store.RangeAsync(key, cancellationToken: cancellationToken);
        return range.Single is { } item && MetadataJson.ReadShard(key, item.Value).Epoch == epoch
            ? new MigrationDecision(slots, slotsRevision, range.Revision)
            : null;
    }

    /// <summary>Forgets migrations that are over, but for the newest.</summary>
    public static async ValueTask PruneAsync(
        IMetadataStore store, ClusterMap map, int keep, CancellationToken cancellationToken = default)
    {
        SlotMigration[] old =
        [
            .. map.Migrations.Where(migration => migration.IsOver).OrderByDescending(migration => migration.Id).Skip(keep)
                .Take(MetadataLimits.MaxTransactionSteps / 2),
        ];
        if (old.Length == 0)
            return;
        await store.CommitAsync(
            new MetadataTransaction
            {
                Compares = [.. old.Select(item => MetadataCompare.UnchangedSince(MetadataKeys.Migration(item.Id), item.Revision))],
                Then = [.. old.Select(item => MetadataOperation.Delete(MetadataKeys.Migration(item.Id)))],
            },
            cancellationToken);
    }

    /// <summary>Asks for equal weights; the coordinator moves slots until there are.</summary>
    /// <returns>The revision of the order: a map of an earlier one does not show it.</returns>
    public static async ValueTask<long> OrderRebalanceAsync(
        IMetadataStore store, RebalanceOrder order, CancellationToken cancellationToken = default)
    {
        MetadataTransactionResult result = await store.CommitAsync(
            new MetadataTransaction { Then = [MetadataOperation.Put(MetadataKeys.Rebalance, MigrationJson.Write(order))] },
            cancellationToken);
        return result.Revision;
    }

    /// <summary>Withdraws the order; a migration that is under way goes on.</summary>
    public static async ValueTask CancelRebalanceAsync(IMetadataStore store, CancellationToken cancellationToken = default) =>
        await store.CommitAsync(
            new MetadataTransaction { Then = [MetadataOperation.Delete(MetadataKeys.Rebalance)] }, cancellationToken);

    /// <summary>Says whether a shard is to be emptied.</summary>
    public static async ValueTask SetDrainingAsync(
        IMetadataStore store, uint shard, bool isDraining, CancellationToken cancellationToken = default) =>
        await store.CommitAsync(
            new MetadataTransaction
            {
                Then =
                [
                    isDraining
                        ? MetadataOperation.Put(MetadataKeys.Draining(shard), ReadOnlyMemory<byte>.Empty)
                        : MetadataOperation.Delete(MetadataKeys.Draining(shard)),
                ],
            },
            cancellationToken);

    private static async ValueTask<MigrationPhase?> ChangeAsync(
        IMetadataStore store, ulong id, MigrationPhase from, Func<SlotMigration, SlotMigration> change,
        CancellationToken cancellationToken)
    {
        string key = MetadataKeys.Migration(id);
        while (true)
        {
            if (await ReadAsync(store, id, cancellationToken) is not { } migration)
                return null;
            if (migration.Phase != from)
                return migration.Phase;
            await store.CommitAsync(
                new MetadataTransaction
                {
                    Compares = [MetadataCompare.UnchangedSince(key, migration.Revision)],
                    Then = [MetadataOperation.Put(key, MigrationJson.Write(change(migration)))],
                },
                cancellationToken);
        }
    }
}
