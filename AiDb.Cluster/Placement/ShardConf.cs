using AiDb.Cluster.Metadata;
using AiDb.Cluster.Model;

namespace AiDb.Cluster.Placement;

/// <summary>Reads a shard's <c>conf</c> and changes it by compare-and-swap, which is the only way.</summary>
public static class ShardConf
{
    /// <summary>The shard as the store has it now.</summary>
    /// <exception cref="AiDbException"><see cref="AiDbErrorKind.NotFound"/>: there is none of that number; or of the
    /// store.</exception>
    public static async ValueTask<ShardDescriptor> ReadAsync(
        IMetadataStore store, uint shardId, CancellationToken cancellationToken = default)
    {
        string key = MetadataKeys.Shard(shardId);
        MetadataKeyValue item = (await store.RangeAsync(key, cancellationToken: cancellationToken)).Single
            ?? throw new AiDbException(AiDbErrorKind.NotFound, $"Shard {shardId} does not exist.");
        return MetadataJson.ReadShard(key, item.Value).ToDescriptor(item.ModRevision);
    }

    /// <summary>Puts a record in the place of one that was read, if that is still there.</summary>
    /// <returns>What stands there now; null: it was changed meanwhile, nothing was done.</returns>
    /// <exception cref="AiDbException"><see cref="AiDbErrorKind.InvalidArgument"/>: a group that cannot be safe. Others are the
    /// store's; of an unknown outcome, the record must be read again.</exception>
    public static async ValueTask<ShardDescriptor?> TryReplaceAsync(
        IMetadataStore store, ShardDescriptor current, ShardDescriptor next, CancellationToken cancellationToken = default)
    {
        next.ToGroup().Check();
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

    /// <summary>The record of an election.</summary>
    /// <param name="current">The shard.</param>
    /// <param name="nodeId">The elected.</param>
    /// <param name="incarnation">The run of its process.</param>
    /// <param name="leastEpoch">The greatest epoch that is known to be promised: the new one is greater.</param>
    public static ShardDescriptor Elected(
        ShardDescriptor current, string nodeId, string incarnation, ulong leastEpoch = 0) => current with
        {
            Generation = current.Generation + 1,
            Epoch = Math.Max(current.Epoch, leastEpoch) + 1,
            State = ShardState.Recovering,
            PrimaryNodeId = nodeId,
            PrimaryIncarnation = incarnation,
        };

    /// <summary>The record of a wish for other voters.</summary>
    public static ShardDescriptor Wanting(ShardDescriptor current, IReadOnlyList<ShardVoter> voters, int writeQuorum) =>
        current with
        {
            Generation = current.Generation + 1,
            WantedVoters = voters,
            WantedWriteQuorum = writeQuorum,
        };

    /// <summary>The record in which nothing is left of a wish: the voters are those of before. Safe at any time until the next
    /// voters are the voters: whatever was committed meanwhile is held by a quorum of each of the two groups.</summary>
    public static ShardDescriptor WishWithdrawn(ShardDescriptor current) => current with
    {
        Generation = current.Generation + 1,
        NextVoters = null,
        NextWriteQuorum = 0,
        WantedVoters = null,
        WantedWriteQuorum = 0,
    };

    /// <summary>The record after which every quorum is needed among the wanted voters, too.</summary>
    public static ShardDescriptor Joint(ShardDescriptor current) => current with
    {
        Generation = current.Generation + 1,
        NextVoters = current.WantedVoters,
        NextWriteQuorum = current.WantedWriteQuorum,
        WantedVoters = null,
        WantedWriteQuorum = 0,
    };

    /// <summary>The record after which the next voters are the voters.</summary>
    public static ShardDescriptor Final(ShardDescriptor current) => current with
    {
        Generation = current.Generation + 1,
        Voters = current.NextVoters!,
        WriteQuorum = current.NextWriteQuorum,
        NextVoters = null,
        NextWriteQuorum = 0,
    };
}
