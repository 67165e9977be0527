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

    /// <summary>What must be known before a shard's disk is declared dead.</summary>
    /// <exception cref="AiDbException"><see cref="AiDbErrorKind.NotFound"/>: there is no such shard;
    /// <see cref="AiDbErrorKind.PreconditionFailed"/>: its disk is not to be replaced so: it has several, or its node is
    /// alive.</exception>
    public static async ValueTask<ShardDescriptor> FindDeadAsync(
        IMetadataStore store, uint shardId, CancellationToken cancellationToken = default)
    {
        string key = MetadataKeys.Shard(shardId);
        MetadataKeyValue item = (await store.RangeAsync(key, cancellationToken: cancellationToken)).Single
            ?? throw new AiDbException(AiDbErrorKind.NotFound, $"The cluster has no shard {shardId}.");
        ShardDescriptor shard = MetadataJson.ReadShard(key, item.Value).ToDescriptor(item.ModRevision);
        if (shard.Voters.Count != 1)
        {
            throw new AiDbException(
                AiDbErrorKind.PreconditionFailed,
                $"Shard {shardId} has {shard.Voters.Count} disks with a vote. What one of them lost, the others have: replace "
                + "that one among them, not from the backup, which may be older.");
        }

        string node = shard.Voters[0].NodeId;
        if ((await store.RangeAsync(MetadataKeys.Alive(node), cancellationToken: cancellationToken)).Single is not null)
        {
            throw new AiDbException(
                AiDbErrorKind.PreconditionFailed,
                $"Node '{node}', which holds shard {shardId}, is alive. Stop it first; if it was killed just now, wait until "
                + "its lease has ended (some 10 seconds).");
        }

        return shard;
    }

    /// <summary>Declares the only disk of a shard dead and gives its vote to another one of the same node. What the old one
    /// held beyond the new one's data is lost; a process that still serves it finds a later epoch and stops.</summary>
    /// <param name="store">The metadata store.</param>
    /// <param name="dead">What <see cref="FindDeadAsync"/> found.</param>
    /// <param name="diskId">The disk that the shard was restored to.</param>
    /// <param name="cancellationToken">Gives up.</param>
    /// <exception cref="AiDbException"><see cref="AiDbErrorKind.Aborted"/>: the shard was changed meanwhile; nothing was
    /// changed here.</exception>
    public static async ValueTask ReplaceDiskAsync(
        IMetadataStore store, ShardDescriptor dead, string diskId, CancellationToken cancellationToken = default)
    {
        string key = MetadataKeys.Shard(dead.Id);
        ShardDescriptor next = dead with
        {
            Generation = dead.Generation + 1,
            Epoch = dead.Epoch + 1,
            State = ShardState.Recovering,
            Voters = [new ShardVoter(dead.Voters[0].NodeId, diskId)],
        };
        MetadataTransactionResult result = await store.CommitAsync(
            new MetadataTransaction
            {
                Compares = [MetadataCompare.UnchangedSince(key, dead.Revision)],
                Then = [MetadataOperation.Put(key, MetadataJson.Write(ShardRecord.From(next)))],
            },
            cancellationToken);
        if (!result.Succeeded)
            throw new AiDbException(AiDbErrorKind.Aborted, $"Shard {dead.Id} was changed by another; nothing was changed here.");
    }
}
