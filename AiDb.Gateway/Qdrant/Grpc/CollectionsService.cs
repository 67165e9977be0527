using AiDb.Cluster.Model;
using AiDb.Contracts.QdrantApi;
using AiDb.Engine.Collections;
using AiDb.Gateway.Collections;
using AiDb.Gateway.Routing;
using Grpc.Core;
using AliasDescription = AiDb.Engine.Collections.AliasDescription;

namespace AiDb.Gateway.Qdrant.Grpc;

/// <summary><c>qdrant.Collections</c>: collections, aliases, and where their shards are.</summary>
internal sealed class CollectionsService(
    CollectionFront collections, CollectionCaller shards, IShardRouter router, GrpcCalls calls)
    : AiDb.Contracts.QdrantApi.Collections.CollectionsBase
{
    private static readonly Action<CollectionOperationResponse, double> SetTime =
        static (answer, time) => answer.Time = time;

    public override Task<GetCollectionInfoResponse> Get(GetCollectionInfoRequest request, ServerCallContext context) =>
        calls.AnswerAsync(
            context, 0,
            async ct => new GetCollectionInfoResponse
            {
                Result = InfoWriter.ToWire(await collections.GetInfoAsync(request.CollectionName, ct), shards.Shards.Length),
            },
            static (answer, time) => answer.Time = time);

    public override Task<ListCollectionsResponse> List(ListCollectionsRequest request, ServerCallContext context) =>
        calls.AnswerAsync(
            context, 0,
            async ct =>
            {
                ListCollectionsResponse answer = new();
                answer.Collections.AddRange(
                    (await collections.ListAsync(ct)).Select(static name => new CollectionDescription { Name = name }));
                return answer;
            },
            static (answer, time) => answer.Time = time);

    public override Task<CollectionOperationResponse> Create(CreateCollection request, ServerCallContext context) =>
        calls.AnswerAsync(
            context, request.Timeout,
            async ct =>
            {
                await collections.CreateAsync(request.CollectionName, SettingsReader.FromWire(request), ct);
                return new CollectionOperationResponse { Result = true };
            },
            SetTime);

    public override Task<CollectionOperationResponse> Update(UpdateCollection request, ServerCallContext context) =>
        calls.AnswerAsync(
            context, request.Timeout,
            async ct =>
            {
                await collections.UpdateAsync(request.CollectionName, SettingsReader.FromWire(request), ct);
                return new CollectionOperationResponse { Result = true };
            },
            SetTime);

    public override Task<CollectionOperationResponse> Delete(DeleteCollection request, ServerCallContext context) =>
        calls.AnswerAsync(
            context, request.Timeout,
            async ct => new CollectionOperationResponse
            {
                Result = await collections.DeleteAsync(request.CollectionName, ct),
            },
            SetTime);

    public override Task<CollectionExistsResponse> CollectionExists(
        CollectionExistsRequest request, ServerCallContext context) => calls.AnswerAsync(
            context, 0,
            async ct => new CollectionExistsResponse
            {
                Result = new CollectionExists { Exists = await collections.ExistsAsync(request.CollectionName, ct) },
            },
            static (answer, time) => answer.Time = time);

    public override Task<CollectionOperationResponse> UpdateAliases(ChangeAliases request, ServerCallContext context) =>
        calls.AnswerAsync(
            context, request.Timeout,
            async ct =>
            {
                AliasChange[] changes = new AliasChange[request.Actions.Count];
                for (int i = 0; i < changes.Length; i++)
                    changes[i] = FromWire(request.Actions[i], i);
                await collections.ChangeAliasesAsync(changes, ct);
                return new CollectionOperationResponse { Result = true };
            },
            SetTime);

    public override Task<ListAliasesResponse> ListCollectionAliases(
        ListCollectionAliasesRequest request, ServerCallContext context) =>
        ListAliasesAsync(request.CollectionName, context);

    public override Task<ListAliasesResponse> ListAliases(ListAliasesRequest request, ServerCallContext context) =>
        ListAliasesAsync(null, context);

    public override Task<CollectionClusterInfoResponse> CollectionClusterInfo(
        CollectionClusterInfoRequest request, ServerCallContext context) => calls.AnswerAsync(
            context, 0,
            async ct => ToWire(router.Map, await collections.CountByShardAsync(request.CollectionName, ct)),
            static (answer, time) => answer.Time = time);

    public override Task<ListShardKeysResponse> ListShardKeys(ListShardKeysRequest request, ServerCallContext context) =>
        calls.AnswerAsync(
            context, 0,
            async ct =>
            {
                await RequireAsync(request.CollectionName, ct);
                return new ListShardKeysResponse();
            },
            static (answer, time) => answer.Time = time);

    public override Task<CreateShardKeyResponse> CreateShardKey(CreateShardKeyRequest request, ServerCallContext context) =>
        calls.AnswerAsync<CreateShardKeyResponse>(
            context, request.Timeout,
            async ct =>
            {
                await RequireAsync(request.CollectionName, ct);
                throw GrpcCalls.Invalid("Shard Key cannot be created with Auto sharding method");
            },
            setTime: null);

    public override Task<DeleteShardKeyResponse> DeleteShardKey(DeleteShardKeyRequest request, ServerCallContext context) =>
        calls.AnswerAsync<DeleteShardKeyResponse>(
            context, request.Timeout,
            async ct =>
            {
                await RequireAsync(request.CollectionName, ct);
                throw GrpcCalls.Invalid("Shard Key cannot be deleted with Auto sharding method");
            },
            setTime: null);

    public override Task<UpdateCollectionClusterSetupResponse> UpdateCollectionClusterSetup(
        UpdateCollectionClusterSetupRequest request, ServerCallContext context) =>
        calls.AnswerAsync<UpdateCollectionClusterSetupResponse>(
            context, request.Timeout,
            async ct =>
            {
                await RequireAsync(request.CollectionName, ct);
                throw GrpcCalls.Invalid("shards of single collections cannot be moved: the cluster's slots are moved as a whole");
            },
            setTime: null);

    private static AliasChange FromWire(AliasOperations action, int index) => action.ActionCase switch
    {
        AliasOperations.ActionOneofCase.CreateAlias =>
            new AliasChange(action.CreateAlias.AliasName, action.CreateAlias.CollectionName),
        AliasOperations.ActionOneofCase.RenameAlias =>
            new AliasChange(action.RenameAlias.NewAliasName, null, action.RenameAlias.OldAliasName),
        AliasOperations.ActionOneofCase.DeleteAlias => new AliasChange(action.DeleteAlias.AliasName, null),
        _ => throw GrpcCalls.Invalid($"actions[{index}] is empty or not known"),
    };

    // A shard is on the node that answers as far as a client can tell: it cannot reach the primaries.
    private static CollectionClusterInfoResponse ToWire(
        ClusterMap map, IReadOnlyList<(uint Shard, long Points)> shards)
    {
        CollectionClusterInfoResponse answer = new() { PeerId = 1, ShardCount = (ulong)shards.Count };
        answer.LocalShards.AddRange(shards.Select(item => new LocalShardInfo
        {
            ShardId = item.Shard,
            PointsCount = (ulong)item.Points,
            State = map.FindShard(item.Shard)?.State == ShardState.Active ? ReplicaState.Active : ReplicaState.Dead,
        }));
        return answer;
    }

    private Task<ListAliasesResponse> ListAliasesAsync(string? collection, ServerCallContext context) =>
        calls.AnswerAsync(
            context, 0,
            async ct =>
            {
                ListAliasesResponse answer = new();
                foreach (AliasDescription alias in await collections.ListAliasesAsync(collection, ct))
                {
                    answer.Aliases.Add(new AiDb.Contracts.QdrantApi.AliasDescription
                    {
                        AliasName = alias.Alias,
                        CollectionName = alias.Collection,
                    });
                }

                return answer;
            },
            static (answer, time) => answer.Time = time);

    private async ValueTask RequireAsync(string collection, CancellationToken cancellationToken)
    {
        if (!await collections.ExistsAsync(collection, cancellationToken))
            throw CollectionCatalogue.NotFound(collection);
    }
}
