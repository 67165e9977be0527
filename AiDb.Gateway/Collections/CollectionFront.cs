using AiDb.Cluster.Collections;
using AiDb.Cluster.Model;
using AiDb.Contracts.Internal.V1;
using AiDb.Contracts.V1;
using AiDb.Engine;
using AiDb.Engine.Collections;
using AiDb.Engine.Collections.Queries;
using Wire = AiDb.Contracts.QdrantApi;

namespace AiDb.Gateway.Collections;

/// <summary>Collections over the shards of the cluster, for REST and gRPC alike: names, aliases and settings are the
/// catalogue's, points live where the slot of their id does, and reads ask all shards and merge.</summary>
/// <remarks>
/// Thread safety: all members may be called concurrently. Reads go to the primaries; they see every acknowledged
/// write. A write that several shards take part in is checked whole before any of them sees it, and is atomic on each of
/// them, not over all. The edges bound how many requests are in hand.
/// </remarks>
internal sealed class CollectionFront(CollectionCatalogue catalogue, CollectionCaller caller) : ICollections
{
    private const int MaxFacetLimit = 1_000_000;

    /// <inheritdoc/>
    public ValueTask<IReadOnlyList<string>> ListAsync(CancellationToken cancellationToken = default) =>
        ValueTask.FromResult<IReadOnlyList<string>>([.. catalogue.Current.All.Select(static item => item.Name)]);

    /// <inheritdoc/>
    public ValueTask<bool> ExistsAsync(string collection, CancellationToken cancellationToken = default) =>
        ValueTask.FromResult(catalogue.Current.Find(collection) is not null);

    /// <inheritdoc/>
    public async ValueTask<CollectionInfo> GetInfoAsync(string collection, CancellationToken cancellationToken = default)
    {
        CollectionDescriptor found = Find(collection);
        CollectionAnswer[] answers = await AskAllAsync(
            found, static call => call.Describe = new DescribeCollection(), cancellationToken);
        return InfoMerge.Of(found.Options, [.. answers.Select(static answer => answer.Describe)]);
    }

    /// <inheritdoc/>
    public async ValueTask CreateAsync(
        string collection, CollectionOptions options, CancellationToken cancellationToken = default) =>
        await catalogue.CreateAsync(collection, options, cancellationToken);

    /// <inheritdoc/>
    public async ValueTask UpdateAsync(
        string collection, CollectionUpdate update, CancellationToken cancellationToken = default)
    {
        CollectionDescriptor changed = await catalogue.UpdateAsync(collection, update.ApplyTo, cancellationToken);
        await ApplyAsync(changed, cancellationToken);
    }

    /// <inheritdoc/>
    public async ValueTask<bool> DeleteAsync(string collection, CancellationToken cancellationToken = default)
    {
        if (await catalogue.DropAsync(collection, cancellationToken) is not { } dropped)
            return false;
        try
        {
            await AskAllAsync(dropped, static call => call.Drop = new DropCollection(), cancellationToken);
        }
        catch (AiDbException)
        {
            // It is gone from the catalogue; a shard that could not be reached drops the points when it sees that.
        }

        return true;
    }

    /// <inheritdoc/>
    public ValueTask ChangeAliasesAsync(
        IReadOnlyList<AliasChange> changes, CancellationToken cancellationToken = default) =>
        catalogue.ChangeAliasesAsync(changes, cancellationToken);

    /// <inheritdoc/>
    public ValueTask<IReadOnlyList<AliasDescription>> ListAliasesAsync(
        string? collection, CancellationToken cancellationToken = default)
    {
        string? name = collection is null ? null : Find(collection).Name;
        return ValueTask.FromResult<IReadOnlyList<AliasDescription>>(
        [
            .. catalogue.Current.Aliases
                .Where(pair => name is null || string.Equals(pair.Value, name, StringComparison.Ordinal))
                .Select(static pair => new AliasDescription(pair.Key, pair.Value)),
        ]);
    }

    /// <inheritdoc/>
    public async ValueTask<PointWriteResult> CreateIndexAsync(
        string collection, string path, PayloadIndexOptions options, CancellationToken cancellationToken = default)
    {
        options.Validate();
        string field = PointChecks.CheckPath(path, "field_name");
        CollectionDescriptor changed = await catalogue.UpdateAsync(
            collection, before => before.WithPayloadIndex(field, options), cancellationToken);
        return await ApplyAsync(changed, cancellationToken);
    }

    /// <inheritdoc/>
    public async ValueTask<PointWriteResult> DropIndexAsync(
        string collection, string path, CancellationToken cancellationToken = default)
    {
        string field = PointChecks.CheckPath(path, "field_name");
        CollectionDescriptor found = Find(collection);
        if (found.Options.PayloadIndexes.ContainsKey(field))
        {
            found = await catalogue.UpdateAsync(
                collection, before => before.WithPayloadIndex(field, null), cancellationToken);
        }

        return await ApplyAsync(found, cancellationToken);
    }

    /// <inheritdoc/>
    public ValueTask<PointWriteResult> WriteAsync(
        string collection, IReadOnlyList<PointOperation> operations, PointWriteOptions? options = null,
        CancellationToken cancellationToken = default)
    {
        options ??= PointWriteOptions.Default;
        options.Validate();
        Durability durability = options.Archived ? Durability.Archived
            : options.Durability == WriteDurability.Memory ? Durability.Memory : Durability.Unspecified;
        return new CollectionWrites(caller, Find(collection), durability)
            .WriteAsync(operations, caller.NewDeadline(), cancellationToken);
    }

    /// <inheritdoc/>
    public ValueTask<IReadOnlyList<PointRecord>> RetrieveAsync(
        string collection, IReadOnlyList<PointId> ids, PayloadSelector withPayload, VectorSelector withVectors,
        CancellationToken cancellationToken = default) =>
        SourceOf(collection).RetrieveAsync(ids, withPayload, withVectors, cancellationToken);

    /// <inheritdoc/>
    public async ValueTask<ScrollPage> ScrollAsync(
        string collection, ScrollRequest request, CancellationToken cancellationToken = default)
    {
        CollectionAnswer[] answers = await AskAllAsync(
            Find(collection), call => call.Scroll = WirePages.ToWire(request), cancellationToken);
        return ShardMerge.Page(
            [.. answers.Select(answer => WirePages.FromWire(answer.Scroll, request.WithVectors.Enabled))], request);
    }

    /// <inheritdoc/>
    public async ValueTask<long> CountAsync(
        string collection, Filter? filter, bool exact = true, CancellationToken cancellationToken = default)
    {
        Wire.CountPoints count = new() { Filter = WireFilters.ToWire(filter), Exact = exact };
        CollectionAnswer[] answers =
            await AskAllAsync(Find(collection), call => call.Count = count, cancellationToken);
        return answers.Sum(static answer => (long)answer.Count.Count);
    }

    /// <inheritdoc/>
    public ValueTask<IReadOnlyList<ScoredPoint>> QueryAsync(
        string collection, QueryRequest request, CancellationToken cancellationToken = default) =>
        QueryExecutor.QueryAsync(SourceOf(collection), request, cancellationToken);

    /// <inheritdoc/>
    public ValueTask<IReadOnlyList<PointGroup>> QueryGroupsAsync(
        string collection, QueryGroupsRequest request, CancellationToken cancellationToken = default) =>
        QueryExecutor.QueryGroupsAsync(SourceOf(collection), request, cancellationToken);

    /// <inheritdoc/>
    public async ValueTask<IReadOnlyList<FacetHit>> FacetAsync(
        string collection, FacetRequest request, CancellationToken cancellationToken = default)
    {
        if (request.Limit is < 1 or > MaxFacetLimit)
        {
            throw new AiDbException(
                AiDbErrorKind.InvalidArgument, $"limit is {request.Limit}; it must be 1 to {MaxFacetLimit}.");
        }

        // What is frequent over all shards may be rare on each: over several, all values are needed.
        Wire.FacetCounts facet = new()
        {
            Key = request.Path,
            Filter = WireFilters.ToWire(request.Filter),
            Limit = (ulong)(caller.Shards.Length == 1 ? request.Limit : MaxFacetLimit),
            Exact = request.Exact,
        };
        CollectionAnswer[] answers =
            await AskAllAsync(Find(collection), call => call.Facet = facet, cancellationToken);
        return ShardMerge.Facets(
            answers.SelectMany(static answer => answer.Facet.Hits).Select(WirePages.FromWire), request.Limit);
    }

    /// <inheritdoc/>
    public ValueTask<MatrixResult> MatrixAsync(
        string collection, MatrixRequest request, CancellationToken cancellationToken = default) =>
        QueryExecutor.MatrixAsync(SourceOf(collection), request, cancellationToken);

    /// <inheritdoc/>
    public ValueTask<QueryExplanation> ExplainAsync(
        string collection, QueryRequest request, CancellationToken cancellationToken = default) =>
        QueryPlan.ExplainAsync(caller, Find(collection), SourceOf(collection), request, cancellationToken);

    /// <summary>How many points each shard holds.</summary>
    public async ValueTask<IReadOnlyList<(uint Shard, long Points)>> CountByShardAsync(
        string collection, CancellationToken cancellationToken = default)
    {
        CollectionDescriptor found = Find(collection);
        CollectionCall call = ShardedSource.CallOf(
            found, static call => call.Count = new Wire.CountPoints { Exact = true });
        return await Task.WhenAll(caller.Shards.Select(async shard =>
        {
            (CollectionAnswer answer, _) =
                await caller.AskAsync(shard, call, isRead: true, caller.NewDeadline(), cancellationToken);
            return (shard, (long)answer.Count.Count);
        }));
    }

    private CollectionDescriptor Find(string name) =>
        catalogue.Current.Find(name) ?? throw CollectionCatalogue.NotFound(name);

    private ShardedSource SourceOf(string collection) =>
        new(Find(collection), caller, Find, caller.NewDeadline());

    private ValueTask<CollectionAnswer[]> AskAllAsync(
        CollectionDescriptor collection, Action<CollectionCall> fill, CancellationToken cancellationToken) =>
        caller.AskAllAsync(
            ShardedSource.CallOf(collection, fill), isRead: true, caller.NewDeadline(), cancellationToken);

    // Making an index reads the whole collection.
    private async ValueTask<PointWriteResult> ApplyAsync(
        CollectionDescriptor collection, CancellationToken cancellationToken)
    {
        CollectionAnswer[] answers = await caller.AskAllAsync(
            ShardedSource.CallOf(collection, static call => call.Apply = new ApplySettings()), isRead: true,
            caller.NewLongDeadline(), cancellationToken);
        return CollectionWrites.Newest(answers.Select(static answer => answer.Apply));
    }
}
