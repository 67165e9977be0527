using AiDb.Cluster.Metadata;
using AiDb.Cluster.Model;

namespace AiDb.Cluster.Placement;

/// <summary>Gives a shard whose disk is gone to the disk that it was restored to. An operator's act: it declares the old
/// disk dead.</summary>
public static class ShardRecovery
{
    /// <summary>Fills an empty metadata store with what an archive holds of one, and gives the shard to the disk that it was
    /// restored to.</summary>
    /// <param name="store">The metadata store.</param>
    /// <param name="export">What <see cref="MetadataTransfer.ExportAsync"/> wrote; empty: nothing is done.</param>
    /// <param name="shardId">The shard.</param>
    /// <param name="nodeId">Only where this node holds the shard.</param>
    /// <param name="diskId">The disk that it was restored to.</param>
    /// <param name="cancellationToken">Gives up.</param>
    public static async ValueTask ImportAsync(
        IMetadataStore store, ReadOnlyMemory<byte> export, uint shardId, string nodeId, string diskId,
        CancellationToken cancellationToken = default)
    {
        if (export.IsEmpty)
            return;
        using var source = new MemoryStream(export.ToArray(), writable: false);
        await MetadataTransfer.ImportAsync(store, source, cancellationToken: cancellationToken);
        await MoveAsync(store, shardId, nodeId, diskId, cancellationToken);
    }

    /// <summary>Moves the shard's vote.</summary>
    /// <param name="store">The metadata store.</param>
    /// <param name="shardId">The shard.</param>
    /// <param name="nodeId">Only where this node holds the shard.</param>
    /// <param name="diskId">The disk that it was restored to.</param>
    /// <param name="cancellationToken">Gives up.</param>
    /// <returns>False: another node holds it; nothing was changed.</returns>
    /// <exception cref="AiDbException"><see cref="AiDbErrorKind.Aborted"/>: the shard was changed meanwhile.</exception>
    public static async ValueTask<bool> MoveAsync(
        IMetadataStore store, uint shardId, string nodeId, string diskId, CancellationToken cancellationToken = default)
    {
        string key = MetadataKeys.Shard(shardId);
        if ((await store.RangeAsync(key, cancellationToken: cancellationToken)).Single is not { } item)
            return false;
        ShardDescriptor current = MetadataJson.ReadShard(key, item.Value).ToDescriptor(item.ModRevision);
        if (!current.Voters.Any(voter => string.Equals(voter.NodeId, nodeId, StringComparison.Ordinal)))
            return false;
        if (current.IsReplicated)
        {
            throw new AiDbException(
                AiDbErrorKind.PreconditionFailed,
                $"Shard {shardId} has other copies: replace the voter with 'aidb cluster replace-voter' instead of restoring it.");
        }

        ShardDescriptor next = current with
        {
            Generation = current.Generation + 1,
            Voters = [new ShardVoter(nodeId, diskId)],
        };
        return await ShardConf.TryReplaceAsync(store, current, next, cancellationToken) is not null
            ? true
            : throw new AiDbException(AiDbErrorKind.Aborted, $"Shard {shardId} was changed by another; try again.");
    }
}
