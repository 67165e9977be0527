using AiDb.Cluster.Collections;
using AiDb.Contracts.QdrantApi;
using AiDb.Engine.Collections;
using AiDb.Gateway.Qdrant.Rest;
using AiDb.Gateway.Rest;
using Grpc.Core;

namespace AiDb.Gateway.Qdrant.Grpc;

/// <summary>Changes of points. A change is there, and durable, when it is answered; who did not ask to wait is told
/// "acknowledged", as Qdrant tells them.</summary>
internal sealed class PointWriteCalls(ICollections collections, GrpcCalls calls)
{
    private static readonly Action<PointsOperationResponse, double> SetTime = static (answer, time) => answer.Time = time;

    public Task<PointsOperationResponse> UpsertAsync(UpsertPoints request, ServerCallContext context) => WriteAsync(
        context, request.CollectionName, request.Wait, request.Timeout, request.Ordering, request.ShardKeySelector,
        () => WireOperations.Upsert(request.Points, request.UpdateFilter, request.UpdateMode, isTrusted: false));

    public Task<PointsOperationResponse> DeleteAsync(DeletePoints request, ServerCallContext context) => WriteAsync(
        context, request.CollectionName, request.Wait, request.Timeout, request.Ordering, request.ShardKeySelector,
        () => new DeleteOperation(WireOperations.FromWire(request.Points)));

    public Task<PointsOperationResponse> UpdateVectorsAsync(UpdatePointVectors request, ServerCallContext context) =>
        WriteAsync(
            context, request.CollectionName, request.Wait, request.Timeout, request.Ordering, request.ShardKeySelector,
            () => WireOperations.UpdateVectors(request.Points, request.UpdateFilter));

    public Task<PointsOperationResponse> DeleteVectorsAsync(DeletePointVectors request, ServerCallContext context) =>
        WriteAsync(
            context, request.CollectionName, request.Wait, request.Timeout, request.Ordering, request.ShardKeySelector,
            () => new DeleteVectorsOperation(
                WireOperations.FromWire(request.PointsSelector),
                [.. request.Vectors?.Names ?? throw GrpcCalls.Invalid("vectors is missing")]));

    public Task<PointsOperationResponse> SetPayloadAsync(SetPayloadPoints request, ServerCallContext context) =>
        WriteAsync(
            context, request.CollectionName, request.Wait, request.Timeout, request.Ordering, request.ShardKeySelector,
            () => WireOperations.SetPayload(
                request.Payload, request.PayloadJson, request.PointsSelector, request.HasKey ? request.Key : null,
                isTrusted: false));

    public Task<PointsOperationResponse> OverwritePayloadAsync(SetPayloadPoints request, ServerCallContext context) =>
        WriteAsync(
            context, request.CollectionName, request.Wait, request.Timeout, request.Ordering, request.ShardKeySelector,
            () => WireOperations.OverwritePayload(
                request.Payload, request.PayloadJson, request.PointsSelector, request.HasKey ? request.Key : null,
                isTrusted: false));

    public Task<PointsOperationResponse> DeletePayloadAsync(DeletePayloadPoints request, ServerCallContext context) =>
        WriteAsync(
            context, request.CollectionName, request.Wait, request.Timeout, request.Ordering, request.ShardKeySelector,
            () => new DeletePayloadOperation(WireOperations.FromWire(request.PointsSelector), [.. request.Keys]));

    public Task<PointsOperationResponse> ClearPayloadAsync(ClearPayloadPoints request, ServerCallContext context) =>
        WriteAsync(
            context, request.CollectionName, request.Wait, request.Timeout, request.Ordering, request.ShardKeySelector,
            () => new ClearPayloadOperation(WireOperations.FromWire(request.Points)));

    public Task<PointsOperationResponse> CreateFieldIndexAsync(
        CreateFieldIndexCollection request, ServerCallContext context) => calls.AnswerAsync(
            context, request.Timeout,
            async ct =>
            {
                GrpcCalls.Check(request.Ordering);
                PointWriteResult result = await collections.CreateIndexAsync(
                    request.CollectionName, FieldNameOf(request.FieldName),
                    IndexSettings.FromWire(
                        request.HasFieldType ? request.FieldType : null, request.FieldIndexParams), ct);
                return AnswerOf(result, request.Wait);
            },
            SetTime);

    public Task<PointsOperationResponse> DeleteFieldIndexAsync(
        DeleteFieldIndexCollection request, ServerCallContext context) => calls.AnswerAsync(
            context, request.Timeout,
            async ct =>
            {
                GrpcCalls.Check(request.Ordering);
                return AnswerOf(
                    await collections.DropIndexAsync(request.CollectionName, FieldNameOf(request.FieldName), ct),
                    request.Wait);
            },
            SetTime);

    public Task<UpdateBatchResponse> UpdateBatchAsync(UpdateBatchPoints request, ServerCallContext context) =>
        calls.AnswerAsync(
            context, request.Timeout,
            async ct =>
            {
                GrpcCalls.Check(request.Ordering);
                var operations = new PointOperation[request.Operations.Count];
                for (int i = 0; i < operations.Length; i++)
                {
                    operations[i] = WireOperations.FromWire(
                        request.Operations[i], isTrusted: false, $"operations[{i}]");
                }

                PointWriteResult result = await collections.WriteAsync(
                    request.CollectionName, operations, OptionsOf(context), ct);
                UpdateBatchResponse answer = new();
                for (int i = 0; i < operations.Length; i++)
                    answer.Result.Add(ResultOf(result, request.Wait));
                return answer;
            },
            static (answer, time) => answer.Time = time);

    private Task<PointsOperationResponse> WriteAsync(
        ServerCallContext context, string collection, bool wait, ulong timeout, WriteOrdering? ordering,
        ShardKeySelector? shardKeys, Func<PointOperation> read) => calls.AnswerAsync(
            context, timeout,
            async ct =>
            {
                GrpcCalls.Check(ordering, shardKeys);
                return AnswerOf(await collections.WriteAsync(collection, [read()], OptionsOf(context), ct), wait);
            },
            SetTime);

    /// <summary>What a write is to reach: a header of the call, beyond Qdrant's API.</summary>
    private static PointWriteOptions? OptionsOf(ServerCallContext context) => PointWritesApi.WriteOptionsOf(
        RestQuery.ParseDurability(context.RequestHeaders.GetValue(RestHeaders.Durability.ToLowerInvariant())));

    private static string FieldNameOf(string name) =>
        name.Length > 0 ? name : throw GrpcCalls.Invalid("field_name is missing");

    private static PointsOperationResponse AnswerOf(PointWriteResult result, bool wait) =>
        new() { Result = ResultOf(result, wait) };

    private static UpdateResult ResultOf(PointWriteResult result, bool wait) => new()
    {
        OperationId = result.Lsn,
        Status = wait ? UpdateStatus.Completed : UpdateStatus.Acknowledged,
    };
}
