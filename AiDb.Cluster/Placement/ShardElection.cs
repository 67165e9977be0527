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
/// The order of a start: open the database, <see cref="ElectAsync"/>, <c>Database.BeginEpoch</c>, <see cref="ActivateAsync"/>, serve. Whoever finds a later generation than its
/// own in the map steps down: <see cref="IsSuperseded"/>.
/// </remarks>
public sealed class ShardElection(IMetadataStore store, NodeDescriptor node)
{
    /// <summary>The shards that a disk keeps a copy of, or is to.</summary>
    public static IEnumerable<ShardDescriptor> FindHeld(ClusterMap map, ShardVoter voter) =>
        map.Shards.Where(shard => shard.Holders.Contains(voter));

    /// <summary>Looks up the shard whose only copy a primary has. Shards of several voters refuse nobody: a disk without a vote is
    /// a spare.</summary>
    public static ShardAssignment FindShard(ClusterMap map, string nodeId, string diskId)
    {
        foreach (ShardDescriptor shard in map.Shards)
        {
            if (shard.IsReplicated)
                continue;
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
            ShardDescriptor current = await ShardConf.ReadAsync(store, shardId, cancellationToken);
            if (!current.Voters.Contains(new ShardVoter(node.Id, node.DiskId)))
            {
                throw new AiDbException(
                    AiDbErrorKind.PreconditionFailed,
                    $"Disk {node.DiskId} of node '{node.Id}' has no vote in shard {shardId}.");
            }

            ShardDescriptor next = ShardConf.Elected(current, node.Id, node.Incarnation, diskEpoch);
            if (await ShardConf.TryReplaceAsync(store, current, next, cancellationToken) is { } elected)
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
        ShardDescriptor current = elected;
        while (true)
        {
            ShardDescriptor next = current with { Generation = current.Generation + 1, State = ShardState.Active };
            if (await ShardConf.TryReplaceAsync(store, current, next, cancellationToken) is { } active)
                return active;
            // The answer to an earlier try may have been lost, or something else in the record has changed.
            current = await ShardConf.ReadAsync(store, elected.Id, cancellationToken);
            if (current.Epoch != elected.Epoch)
            {
                throw new AiDbException(
                    AiDbErrorKind.Aborted,
                    $"Shard {elected.Id} was given to '{current.PrimaryNodeId}' in epoch {current.Epoch}, after epoch "
                    + $"{elected.Epoch}.");
            }

            if (current.State == ShardState.Active)
                return current;
        }
    }

    /// <summary>Whether the map knows a later epoch than that of an elected shard: its primary must stop
    /// serving.</summary>
    public static bool IsSuperseded(ClusterMap map, ShardDescriptor elected) =>
        map.FindShard(elected.Id) is { } current && current.Epoch > elected.Epoch;
}
