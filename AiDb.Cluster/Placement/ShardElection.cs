using AiDb.Cluster.Metadata;
using AiDb.Cluster.Model;

namespace AiDb.Cluster.Placement;

/// <summary>Which shard belongs to a primary, by the map.</summary>
/// <param name="Shard">Its shard; null: none yet.</param>
/// <param name="Refusal">Why it must not serve, and the way out; null: nothing speaks against it.</param>
public readonly record struct ShardAssignment(ShardDescriptor? Shard, string? Refusal);

/// <summary>
/// Makes this node the primary of its shard. Every start of a primary is a new election - no process resumes
/// an epoch - and an election is one compare-and-swap on the shard's <c>conf</c>.
/// </summary>
/// <remarks>
/// The order of a start: <see cref="WaitForShardAsync"/>, open the database, <see cref="ElectAsync"/>,
/// <c>Database.BeginEpoch</c>, <see cref="ActivateAsync"/>, serve. Whoever finds a later generation than its
/// own in the map steps down: <see cref="IsSuperseded"/>.
/// </remarks>
public sealed class ShardElection(IMetadataStore store, ClusterMapWatcher map, NodeDescriptor node)
{
    /// <summary>Looks up the shard of a primary.</summary>
    public static ShardAssignment FindShard(ClusterMap map, string nodeId, string diskId)
    {
        foreach (ShardDescriptor shard in map.Shards)
        {
            foreach (ShardVoter voter in shard.Voters)
            {
                bool sameNode = string.Equals(voter.NodeId, nodeId, StringComparison.Ordinal);
                bool sameDisk = string.Equals(voter.DiskId, diskId, StringComparison.Ordinal);
                if (sameNode && sameDisk)
                    return new ShardAssignment(shard, null);
                if (sameNode)
                {
                    return new ShardAssignment(shard,
                        $"Node '{nodeId}' holds shard {shard.Id} on disk {voter.DiskId}, but its data folder is disk {diskId}. "
                        + "Start it with the original data folder, or give the new folder's node another id.");
                }

                if (sameDisk)
                {
                    return new ShardAssignment(shard,
                        $"The data folder is disk {diskId}, which holds shard {shard.Id} as node '{voter.NodeId}', "
                        + $"but this node is called '{nodeId}'. Set AiDb:Node:Id to '{voter.NodeId}'.");
                }
            }
        }

        return default;
    }

    /// <summary>Waits until the coordinator has given this node a shard.</summary>
    /// <exception cref="AiDbException"><see cref="AiDbErrorKind.PreconditionFailed"/>: its disk is not the
    /// shard's.</exception>
    public async ValueTask<ShardDescriptor> WaitForShardAsync(CancellationToken cancellationToken = default)
    {
        ClusterMap found = await map.WaitForAsync(
            current => FindShard(current, node.Id, node.DiskId) != default, cancellationToken);
        return Accept(FindShard(found, node.Id, node.DiskId));
    }

    /// <summary>Takes a new epoch of the shard for this run of this node.</summary>
    /// <param name="shardId">The shard.</param>
    /// <param name="diskEpoch">The epoch of the shard's database: the new one is greater, even where the
    /// store was restored from an older export.</param>
    /// <param name="cancellationToken">Gives up waiting. The epoch may be taken nevertheless, which does no
    /// harm.</param>
    /// <returns>The shard in state <see cref="ShardState.Recovering"/>, with the epoch to begin.</returns>
    /// <exception cref="AiDbException"><see cref="AiDbErrorKind.PreconditionFailed"/>: this disk has no vote
    /// in it.</exception>
    public async ValueTask<ShardDescriptor> ElectAsync(
        uint shardId, ulong diskEpoch, CancellationToken cancellationToken = default)
    {
        while (true)
        {
            ShardDescriptor current = await ReadAsync(shardId, cancellationToken);
            if (!current.Voters.Contains(new ShardVoter(node.Id, node.DiskId)))
            {
                throw new AiDbException(
                    AiDbErrorKind.PreconditionFailed,
                    $"Disk {node.DiskId} of node '{node.Id}' has no vote in shard {shardId}.");
            }

            ShardDescriptor next = current with
            {
                Generation = current.Generation + 1,
                Epoch = Math.Max(current.Epoch, diskEpoch) + 1,
                State = ShardState.Recovering,
                PrimaryNodeId = node.Id,
                PrimaryIncarnation = node.Incarnation,
            };
            if (await TryReplaceAsync(current, next, cancellationToken) is { } elected)
                return elected;
        }
    }

    /// <summary>Says that the elected primary serves.</summary>
    /// <param name="elected">What <see cref="ElectAsync"/> returned.</param>
    /// <param name="cancellationToken">Gives up waiting.</param>
    /// <exception cref="AiDbException"><see cref="AiDbErrorKind.Aborted"/>: another was elected
    /// meanwhile.</exception>
    public async ValueTask<ShardDescriptor> ActivateAsync(
        ShardDescriptor elected, CancellationToken cancellationToken = default)
    {
        ShardDescriptor next = elected with { Generation = elected.Generation + 1, State = ShardState.Active };
        if (await TryReplaceAsync(elected, next, cancellationToken) is { } active)
            return active;
        // The answer to an earlier try may have been lost.
        ShardDescriptor current = await ReadAsync(elected.Id, cancellationToken);
        if (current.Epoch == elected.Epoch && current.State == ShardState.Active)
            return current;
        throw new AiDbException(
            AiDbErrorKind.Aborted,
            $"Shard {elected.Id} was given to '{current.PrimaryNodeId}' in epoch {current.Epoch}, after epoch {elected.Epoch}.");
    }

    /// <summary>Whether the map knows a later epoch than that of an elected shard: its primary must stop
    /// serving.</summary>
    public static bool IsSuperseded(ClusterMap map, ShardDescriptor elected) =>
        map.FindShard(elected.Id) is { } current && current.Epoch > elected.Epoch;

    private static ShardDescriptor Accept(ShardAssignment assignment) => assignment.Refusal is { } refusal
        ? throw new AiDbException(AiDbErrorKind.PreconditionFailed, refusal)
        : assignment.Shard!;

    private async ValueTask<ShardDescriptor> ReadAsync(uint shardId, CancellationToken cancellationToken)
    {
        string key = MetadataKeys.Shard(shardId);
        MetadataKeyValue item = (await store.RangeAsync(key, cancellationToken: cancellationToken)).Single
            ?? throw new AiDbException(AiDbErrorKind.NotFound, $"Shard {shardId} does not exist.");
        return MetadataJson.ReadShard(key, item.Value).ToDescriptor(item.ModRevision);
    }

    private async ValueTask<ShardDescriptor?> TryReplaceAsync(
        ShardDescriptor current, ShardDescriptor next, CancellationToken cancellationToken)
    {
        string key = MetadataKeys.Shard(current.Id);
        MetadataTransactionResult result = await store.CommitAsync(
            new MetadataTransaction
            {
                Compares = [MetadataCompare.UnchangedSince(key, current.Revision)],
                Then = [MetadataOperation.Put(key, MetadataJson.Write(ShardRecord.From(next)))],
            },
            cancellationToken);
        return result.Succeeded ? next with { Revision = result.Revision } : null;
    }
}
