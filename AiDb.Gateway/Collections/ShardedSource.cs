using AiDb.Cluster.Collections;
using AiDb.Cluster.Model;
using AiDb.Contracts.Internal.V1;
using AiDb.Engine.Collections;
using AiDb.Gateway.Front;
using Wire = AiDb.Contracts.QdrantApi;

namespace AiDb.Gateway.Collections;

/// <summary>One collection over its shards, as the executor of queries needs it: each scoring goes to all shards, and the
/// best of their best are the best of all.</summary>
internal sealed class ShardedSource(
    CollectionDescriptor collection, CollectionCaller caller, Func<string, CollectionDescriptor> find, Deadline deadline)
    : IQuerySource
{
    /// <inheritdoc/>
    public string Name => collection.Name;

    /// <inheritdoc/>
    public CollectionOptions Options => collection.Options;

    /// <inheritdoc/>
    public async ValueTask<IReadOnlyList<ScoredPoint>> SearchAsync(LeafQuery query, CancellationToken cancellationToken)
    {
        QueryLeaves leaves = new();
        leaves.Queries.Add(WireQueries.ToWire(query));
        CollectionAnswer[] answers = await caller.AskAllAsync(
            CallOf(collection, call => call.Query = leaves), isRead: true, deadline, cancellationToken);
        List<ScoredPoint[]> parts = new(answers.Length);
        foreach (CollectionAnswer answer in answers)
        {
            ScoredPoint[] part =
                [.. answer.Query.Results[0].Result.Select(point => WirePoints.FromWire(point, query.WithVectors.Enabled))];
            parts.Add(part);
        }

        return ShardMerge.Best(parts, query, Options);
    }

    /// <inheritdoc/>
    public ValueTask<IReadOnlyList<PointRecord>> RetrieveAsync(
        IReadOnlyList<PointId> ids, PayloadSelector withPayload, VectorSelector withVectors,
        CancellationToken cancellationToken) =>
        ids.Count == 0
            ? ValueTask.FromResult<IReadOnlyList<PointRecord>>([])
            : caller.FollowSlotsAsync(
                () => RetrieveOnceAsync(ids, withPayload, withVectors, cancellationToken), cancellationToken);

    /// <inheritdoc/>
    public ValueTask<IQuerySource> FindAsync(string collection, CancellationToken cancellationToken) =>
        ValueTask.FromResult<IQuerySource>(new ShardedSource(find(collection), caller, find, deadline));

    /// <summary>A call about a collection as the sender knows it.</summary>
    public static CollectionCall CallOf(CollectionDescriptor collection, Action<CollectionCall> fill)
    {
        CollectionCall call = new() { CollectionId = collection.Id, Revision = collection.Revision };
        fill(call);
        return call;
    }

    private async ValueTask<IReadOnlyList<PointRecord>> RetrieveOnceAsync(
        IReadOnlyList<PointId> ids, PayloadSelector withPayload, VectorSelector withVectors,
        CancellationToken cancellationToken)
    {
        Dictionary<uint, Wire.GetPoints> parts = [];
        foreach (PointId id in ids)
        {
            uint shard = caller.ShardOf(WireIds.SlotOf(id));
            if (!parts.TryGetValue(shard, out Wire.GetPoints? part))
            {
                part = new Wire.GetPoints
                {
                    WithPayload = WireSelectors.ToWire(withPayload),
                    WithVectors = WireSelectors.ToWire(withVectors),
                };
                parts.Add(shard, part);
            }

            part.Ids.Add(WireIds.ToWire(id));
        }

        (CollectionAnswer Answer, Response Response)[] answers = await Task.WhenAll(parts.Select(part => caller.AskAsync(
            part.Key, CallOf(collection, call => call.Retrieve = part.Value), isRead: true, deadline, cancellationToken)
            .AsTask()));
        Dictionary<PointId, PointRecord> found = [];
        foreach ((CollectionAnswer answer, _) in answers)
        {
            foreach (Wire.RetrievedPoint point in answer.Retrieve.Result)
            {
                PointRecord record = WirePoints.FromWire(point, withVectors.Enabled);
                found[record.Id] = record;
            }
        }

        List<PointRecord> records = new(found.Count);
        foreach (PointId id in ids)
        {
            if (found.TryGetValue(id, out PointRecord? record))
                records.Add(record);
        }

        return records;
    }
}
