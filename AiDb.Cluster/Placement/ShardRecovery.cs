using AiDb.Cluster.Metadata;
using AiDb.Cluster.Model;

namespace AiDb.Cluster.Placement;

/// <summary>Gives a shard whose disk is gone to the disk that it was restored to. An operator's act: it declares the old
/// disk dead.</summary>
public static class ShardRecovery
{
    /// <summary>Fills a metadata store that is empty, or that an earlier try of this began to fill, with what an archive holds
    /// of one, and gives the shard to the disk that it was
    /// restored to.</summary>
    /// <param name="store">The metadata store.</param>
    /// <param name="export">What <see cref="MetadataTransfer.ExportAsync"/> wrote; empty: nothing is done.</param>
    /// <param name="shardId">The shard.</param>
    /// <param name="nodeId">The node, which must hold the shard.</param>
    /// <param name="diskId">The disk that it was restored to.</param>
    /// <param name="cancellationToken">Gives up.</param>
    /// <exception cref="AiDbException"><see cref="AiDbErrorKind.PreconditionFailed"/>: the archive is of a cluster, in which
    /// another node holds the shard, or several do.</exception>
    public static async ValueTask ImportAsync(
        IMetadataStore store, ReadOnlyMemory<byte> export, uint shardId, string nodeId, string diskId,
        CancellationToken cancellationToken = default)
    {
        if (export.IsEmpty)
            return;
        using var source = new MemoryStream(export.ToArray(), writable: false);
        await MetadataTransfer.ImportAsync(store, source, new MetadataImportOptions { Replace = true }, cancellationToken);
        await MoveAsync(store, shardId, nodeId, diskId, cancellationToken);
    }

    /// <summary>What must be known before a shard's disk is declared dead.</summary>
    /// <exception cref="AiDbException"><see cref="AiDbErrorKind.NotFound"/>: there is no such shard;
    /// <see cref="AiDbErrorKind.PreconditionFailed"/>: its disk is not to be replaced so: it has several, or its node is
    /// alive.</exception>
    public static async ValueTask<ShardDescriptor> FindDeadAsync(
        IMetadataStore store, uint shardId, CancellationToken cancellationToken = default)
    {
        ShardDescriptor shard = await ShardConf.ReadAsync(store, shardId, cancellationToken);
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
        ShardDescriptor next = dead with
        {
            Generation = dead.Generation + 1,
            Epoch = dead.Epoch + 1,
            State = ShardState.Recovering,
            Voters = [new ShardVoter(dead.Voters[0].NodeId, diskId)],
        };
        if (await ShardConf.TryReplaceAsync(store, dead, next, cancellationToken) is null)
            throw new AiDbException(AiDbErrorKind.Aborted, $"Shard {dead.Id} was changed by another; nothing was changed here.");
    }

    private static async ValueTask MoveAsync(
        IMetadataStore store, uint shardId, string nodeId, string diskId, CancellationToken cancellationToken)
    {
        ShardDescriptor current = await ShardConf.ReadAsync(store, shardId, cancellationToken);
        if (current.IsReplicated || current.Voters.Count != 1
            || !string.Equals(current.Voters[0].NodeId, nodeId, StringComparison.Ordinal))
        {
            throw new AiDbException(
                AiDbErrorKind.PreconditionFailed,
                $"The archive is of a cluster: shard {shardId} is held by "
                + $"{string.Join(", ", current.Voters.Select(static voter => $"'{voter.NodeId}'"))}, not by '{nodeId}' alone. "
                + "Start with another location, then copy the backup into it with 'aidb backup copy'.");
        }

        ShardDescriptor next = current with
        {
            Generation = current.Generation + 1,
            Voters = [new ShardVoter(nodeId, diskId)],
        };
        if (await ShardConf.TryReplaceAsync(store, current, next, cancellationToken) is null)
            throw new AiDbException(AiDbErrorKind.Aborted, $"Shard {shardId} was changed by another; try again.");
    }
}
