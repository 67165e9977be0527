using System.Collections.Concurrent;
using AiDb.Cluster.Collections;
using AiDb.Cluster.Model;
using AiDb.Contracts.Internal.V1;
using AiDb.Engine;
using AiDb.Engine.Collections;
using Explanation = AiDb.Contracts.Internal.V1.Explanation;
using Wire = AiDb.Contracts.QdrantApi;

namespace AiDb.Primary.Shards;

/// <summary>The collections of one shard: opens them by what the catalogue says and carries out calls on them.</summary>
/// <remarks>Thread safety: all members may be called concurrently. Calls read and compute in the caller's thread.</remarks>
internal sealed class ShardCollections(Database database, ClusterMapWatcher? map, Func<bool> isArchived)
{
    private static readonly TimeSpan LongestWait = TimeSpan.FromSeconds(10);

    private readonly ConcurrentDictionary<uint, Opened> _opened = new();
    private readonly Lock _opening = new();

    /// <summary>Carries out a call.</summary>
    /// <param name="call">The call.</param>
    /// <param name="ownership">The shard's slots.</param>
    /// <param name="cancellationToken">Gives up.</param>
    /// <returns>The answer; or the slot that is not the shard's.</returns>
    public async ValueTask<(CollectionAnswer? Answer, uint WrongSlot)> ExecuteAsync(
        CollectionCall call, SlotOwnership ownership, CancellationToken cancellationToken)
    {
        if (call.OperationCase == CollectionCall.OperationOneofCase.Drop)
        {
            Drop(call.CollectionId);
            return (new CollectionAnswer(), 0);
        }

        CollectionDescriptor descriptor = await FindAsync(call, cancellationToken).ConfigureAwait(false);
        if (call.OperationCase == CollectionCall.OperationOneofCase.Apply)
            return (await ApplyAsync(descriptor, cancellationToken).ConfigureAwait(false), 0);
        Collection collection = Open(descriptor);
        switch (call.OperationCase)
        {
            case CollectionCall.OperationOneofCase.Write:
                return await WriteAsync(collection, call.Write, ownership, cancellationToken).ConfigureAwait(false);
            case CollectionCall.OperationOneofCase.Retrieve:
                return await RetrieveAsync(collection, call.Retrieve, ownership, cancellationToken).ConfigureAwait(false);
            default:
                return (await ReadAsync(collection, call, cancellationToken).ConfigureAwait(false), 0);
        }
    }

    /// <summary>Drops a collection's points.</summary>
    public void Drop(uint id)
    {
        lock (_opening)
        {
            _opened.TryRemove(id, out _);
            database.Collections.Close(id);
        }

        database.DropTableById(id);
    }

    private static async ValueTask<CollectionAnswer> ReadAsync(
        Collection collection, CollectionCall call, CancellationToken cancellationToken)
    {
        switch (call.OperationCase)
        {
            case CollectionCall.OperationOneofCase.Query:
                return new CollectionAnswer
                {
                    Query = await QueryAsync(collection, call.Query, cancellationToken).ConfigureAwait(false),
                };
            case CollectionCall.OperationOneofCase.Scroll:
                ScrollPage page = await collection.ScrollAsync(WirePages.FromWire(call.Scroll), cancellationToken)
                    .ConfigureAwait(false);
                return new CollectionAnswer { Scroll = WirePages.ToWire(page, PointForm.Inner) };
            case CollectionCall.OperationOneofCase.Count:
                long count = await collection.CountAsync(WireFilters.FromWire(call.Count.Filter), cancellationToken)
                    .ConfigureAwait(false);
                return new CollectionAnswer { Count = new Wire.CountResult { Count = (ulong)count } };
            case CollectionCall.OperationOneofCase.Describe:
                return new CollectionAnswer
                {
                    Describe = Describe(await collection.GetInfoAsync(cancellationToken).ConfigureAwait(false)),
                };
            case CollectionCall.OperationOneofCase.Facet:
                return new CollectionAnswer
                {
                    Facet = await FacetAsync(collection, call.Facet, cancellationToken).ConfigureAwait(false),
                };
            case CollectionCall.OperationOneofCase.Explain:
                return new CollectionAnswer
                {
                    Explain = await ExplainAsync(collection, call.Explain, cancellationToken).ConfigureAwait(false),
                };
            default:
                throw RequestLimits.Invalid("collection: the operation is missing or not known.");
        }
    }

    private async ValueTask<(CollectionAnswer? Answer, uint WrongSlot)> WriteAsync(
        Collection collection, WritePoints write, SlotOwnership ownership, CancellationToken cancellationToken)
    {
        var operations = new PointOperation[write.Operations.Count];
        for (int i = 0; i < operations.Length; i++)
        {
            operations[i] = WireOperations.FromWire(write.Operations[i], isTrusted: true, $"operations[{i}]");
            if (FindWrongSlot(operations[i], ownership) is { } wrong)
                return (null, wrong);
        }

        WriteDurability durability = ShardWrites.DurabilityOf(write.Durability, isArchived());
        PointWriteResult result = await collection.WriteAsync(
            operations, new PointWriteOptions { Durability = durability }, cancellationToken).ConfigureAwait(false);
        return (new CollectionAnswer { Write = new WrittenPoints { Version = result.Version, Lsn = result.Lsn } }, 0);
    }

    private static async ValueTask<(CollectionAnswer? Answer, uint WrongSlot)> RetrieveAsync(
        Collection collection, Wire.GetPoints get, SlotOwnership ownership, CancellationToken cancellationToken)
    {
        PointId[] ids = WireIds.FromWire(get.Ids, "ids");
        if (FindWrongSlot(ids, ownership) is { } wrong)
            return (null, wrong);
        IReadOnlyList<PointRecord> records = await collection.RetrieveAsync(
            ids, WireSelectors.FromWire(get.WithPayload, PayloadSelector.All), WireSelectors.FromWire(get.WithVectors),
            cancellationToken).ConfigureAwait(false);
        var answer = new Wire.GetResponse();
        answer.Result.AddRange(records.Select(record => WirePoints.ToWire(record, PointForm.Inner)));
        return (new CollectionAnswer { Retrieve = answer }, 0);
    }

    private static async ValueTask<FoundPoints> QueryAsync(
        Collection collection, QueryLeaves leaves, CancellationToken cancellationToken)
    {
        var found = new FoundPoints();
        foreach (Wire.QueryPoints leaf in leaves.Queries)
        {
            IReadOnlyList<ScoredPoint> points = await collection.SearchAsync(WireQueries.ToLeaf(leaf), cancellationToken)
                .ConfigureAwait(false);
            var result = new Wire.BatchResult();
            result.Result.AddRange(points.Select(point => WirePoints.ToWire(point, PointForm.Inner)));
            found.Results.Add(result);
        }

        return found;
    }

    private static async ValueTask<Wire.FacetResponse> FacetAsync(
        Collection collection, Wire.FacetCounts facet, CancellationToken cancellationToken)
    {
        IReadOnlyList<FacetHit> hits = await collection.FacetAsync(
            new FacetRequest(facet.Key, WireFilters.FromWire(facet.Filter), (int)facet.Limit, facet.Exact),
            cancellationToken).ConfigureAwait(false);
        var answer = new Wire.FacetResponse();
        answer.Hits.AddRange(hits.Select(WirePages.ToWire));
        return answer;
    }

    private static async ValueTask<Explanation> ExplainAsync(
        Collection collection, Wire.QueryPoints query, CancellationToken cancellationToken)
    {
        QueryExplanation explanation = await collection.ExplainAsync(WireQueries.FromWire(query), cancellationToken)
            .ConfigureAwait(false);
        var answer = new Explanation();
        answer.Steps.AddRange(explanation.Steps);
        answer.Warnings.AddRange(explanation.Warnings);
        return answer;
    }

    private static CollectionDescription Describe(CollectionInfo info)
    {
        var answer = new CollectionDescription
        {
            Status = (int)info.Status,
            Problem = info.Problem ?? "",
            Points = info.PointsCount,
            IndexedVectors = info.IndexedVectorsCount,
            UnindexedVectors = info.UnindexedVectorsCount,
            Segments = info.SegmentsCount,
            MemoryBytes = info.MemoryBytes,
        };
        foreach ((string path, PayloadIndexInfo index) in info.PayloadIndexes)
            answer.PayloadIndexPoints[path] = index.Points;
        return answer;
    }

    private static WrittenPoints At(Database database) =>
        new() { Version = database.AppliedPosition.Timestamp, Lsn = database.AppliedPosition.Lsn };

    private static uint? FindWrongSlot(PointOperation operation, SlotOwnership ownership) => operation switch
    {
        UpsertOperation upsert => FindWrongSlot(upsert.Points.Select(static point => point.Id), ownership),
        UpdateVectorsOperation update => FindWrongSlot(update.Points.Select(static point => point.Id), ownership),
        DeleteOperation delete => FindWrongSlot(delete.Selector.Ids ?? [], ownership),
        DeleteVectorsOperation delete => FindWrongSlot(delete.Selector.Ids ?? [], ownership),
        SetPayloadOperation set => FindWrongSlot(set.Selector.Ids ?? [], ownership),
        OverwritePayloadOperation overwrite => FindWrongSlot(overwrite.Selector.Ids ?? [], ownership),
        DeletePayloadOperation delete => FindWrongSlot(delete.Selector.Ids ?? [], ownership),
        ClearPayloadOperation clear => FindWrongSlot(clear.Selector.Ids ?? [], ownership),
        _ => null,
    };

    private static uint? FindWrongSlot(IEnumerable<PointId> ids, SlotOwnership ownership)
    {
        foreach (PointId id in ids)
        {
            uint slot = (uint)WireIds.SlotOf(id);
            if (!ownership.Owns(slot))
                return slot;
        }

        return null;
    }

    private async ValueTask<CollectionDescriptor> FindAsync(CollectionCall call, CancellationToken cancellationToken)
    {
        if (map is null)
            throw new AiDbException(AiDbErrorKind.Unimplemented, "This node follows no catalogue of collections.");
        ClusterMap current = map.Current;
        if (current.Version < call.Revision)
            current = await WaitForAsync(map, call.Revision, cancellationToken).ConfigureAwait(false);
        return current.Collections.Find(call.CollectionId)
            ?? throw new AiDbException(AiDbErrorKind.NotFound, "The collection was deleted.");
    }

    // New indexes are built before the settings that name them are in force: until then filters read payloads.
    private async ValueTask<CollectionAnswer> ApplyAsync(
        CollectionDescriptor descriptor, CancellationToken cancellationToken)
    {
        Collection collection = _opened.TryGetValue(descriptor.Id, out Opened? opened) ? opened.Collection : Open(descriptor);
        foreach ((string path, PayloadIndexOptions index) in descriptor.Options.PayloadIndexes)
            await collection.CreateIndexAsync(path, index, cancellationToken).ConfigureAwait(false);
        Open(descriptor);
        await collection.WaitLoadedAsync(cancellationToken).ConfigureAwait(false);
        return new CollectionAnswer { Apply = At(database) };
    }

    private static async ValueTask<ClusterMap> WaitForAsync(
        ClusterMapWatcher map, long revision, CancellationToken cancellationToken)
    {
        using var patience = CancellationTokenSource.CreateLinkedTokenSource(cancellationToken);
        patience.CancelAfter(LongestWait);
        try
        {
            return await map.WaitForAsync(current => current.Version >= revision, patience.Token).ConfigureAwait(false);
        }
        catch (OperationCanceledException) when (!cancellationToken.IsCancellationRequested)
        {
            throw new AiDbException(
                AiDbErrorKind.Unavailable,
                $"The shard has not seen revision {revision} of the catalogue; it stands at {map.Current.Version}.");
        }
    }

    // A call that was slower than another must not put older settings back in force.
    private Collection Open(CollectionDescriptor descriptor)
    {
        if (_opened.TryGetValue(descriptor.Id, out Opened? opened) && opened.Revision >= descriptor.Revision)
            return opened.Collection;
        lock (_opening)
        {
            if (_opened.TryGetValue(descriptor.Id, out opened) && opened.Revision >= descriptor.Revision)
                return opened.Collection;
            if (map!.Current.Collections.Find(descriptor.Id) is null)
                throw new AiDbException(AiDbErrorKind.NotFound, "The collection was deleted.");
            Collection collection = database.Collections.OpenById(descriptor.Id, descriptor.Options, descriptor.Name);
            _opened[descriptor.Id] = new Opened(collection, descriptor.Revision);
            return collection;
        }
    }

    private sealed record Opened(Collection Collection, long Revision);
}
