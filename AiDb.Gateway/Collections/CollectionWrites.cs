using AiDb.Cluster.Model;
using AiDb.Contracts.Internal.V1;
using AiDb.Contracts.V1;
using AiDb.Engine.Collections;
using AiDb.Gateway.Front;

namespace AiDb.Gateway.Collections;

/// <summary>Writes of points over shards.</summary>
internal sealed class CollectionWrites(CollectionCaller caller, CollectionDescriptor collection, Durability durability)
{
    /// <summary>Sends each shard its part. A part is written again only where nothing of it was done; what a shard
    /// refused because slots moved is dealt out anew.</summary>
    public async ValueTask<PointWriteResult> WriteAsync(
        IReadOnlyList<PointOperation> operations, Deadline deadline, CancellationToken cancellationToken)
    {
        IReadOnlyList<uint> shards = caller.Shards;
        if (shards.Count > 1)
            PointChecks.Check(collection.Options, operations);
        return await caller.FollowSlotsAsync(
            () => WriteOnceAsync(operations, deadline, cancellationToken), cancellationToken);
    }

    /// <summary>The newest of several results.</summary>
    public static PointWriteResult Newest(IEnumerable<WrittenPoints?> results)
    {
        PointWriteResult newest = default;
        foreach (WrittenPoints? result in results)
        {
            if (result is not null && result.Version >= newest.Version)
                newest = new PointWriteResult(result.Version, result.Lsn);
        }

        return newest;
    }

    private async ValueTask<PointWriteResult> WriteOnceAsync(
        IReadOnlyList<PointOperation> operations, Deadline deadline, CancellationToken cancellationToken)
    {
        Dictionary<uint, WritePoints> parts = WriteSplit.Of(operations, caller.Shards, caller.ShardOf);
        Task<WrittenPoints?>[] writing =
            [.. parts.Select(part => WritePartAsync(part.Key, part.Value, deadline, cancellationToken))];
        return Newest(await Task.WhenAll(writing));
    }

    private async Task<WrittenPoints?> WritePartAsync(
        uint shard, WritePoints part, Deadline deadline, CancellationToken cancellationToken)
    {
        part.Durability = durability;
        (CollectionAnswer answer, _) = await caller.AskAsync(
            shard, ShardedSource.CallOf(collection, call => call.Write = part), isRead: false, deadline,
            cancellationToken);
        return answer.Write
            ?? throw new AiDbException(AiDbErrorKind.OutcomeUnknown, "A node answered a write with something else.");
    }
}
