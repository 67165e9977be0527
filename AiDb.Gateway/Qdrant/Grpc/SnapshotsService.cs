using AiDb.Contracts.QdrantApi;
using AiDb.Engine.Collections;
using AiDb.Gateway.Qdrant.Snapshots;
using Google.Protobuf.WellKnownTypes;
using Grpc.Core;

namespace AiDb.Gateway.Qdrant.Grpc;

/// <summary><c>qdrant.Snapshots</c>: snapshots of one collection, and of all. They lie in the gateway's data folder; REST
/// hands them out and recovers from them.</summary>
internal sealed class SnapshotsService(ICollections collections, SnapshotStore store, GrpcCalls calls)
    : AiDb.Contracts.QdrantApi.Snapshots.SnapshotsBase
{
    public override Task<CreateSnapshotResponse> Create(CreateSnapshotRequest request, ServerCallContext context) =>
        CreateAsync(
            context, request.CollectionName,
            (output, ct) => SnapshotWriter.WriteAsync(collections, request.CollectionName, output, ct));

    public override Task<ListSnapshotsResponse> List(ListSnapshotsRequest request, ServerCallContext context) =>
        ListAsync(context, request.CollectionName);

    public override Task<DeleteSnapshotResponse> Delete(DeleteSnapshotRequest request, ServerCallContext context) =>
        DeleteAsync(context, request.CollectionName, request.SnapshotName);

    public override Task<CreateSnapshotResponse> CreateFull(CreateFullSnapshotRequest request, ServerCallContext context) =>
        CreateAsync(
            context, null,
            async (output, ct) =>
            {
                foreach (string name in await collections.ListAsync(ct))
                    await SnapshotWriter.WriteAsync(collections, name, output, ct);
            });

    public override Task<ListSnapshotsResponse> ListFull(ListFullSnapshotsRequest request, ServerCallContext context) =>
        ListAsync(context, null);

    public override Task<DeleteSnapshotResponse> DeleteFull(DeleteFullSnapshotRequest request, ServerCallContext context) =>
        DeleteAsync(context, null, request.SnapshotName);

    private Task<CreateSnapshotResponse> CreateAsync(
        ServerCallContext context, string? collection, Func<Stream, CancellationToken, Task> write) => calls.AnswerAsync(
            context, 0,
            async ct =>
            {
                if (collection is not null)
                    _ = await collections.GetInfoAsync(collection, ct);
                SnapshotInfo info = await store.CreateAsync(collection, store.NewName(collection), write, ct);
                return new CreateSnapshotResponse { SnapshotDescription = ToWire(info) };
            },
            static (answer, time) => answer.Time = time);

    private Task<ListSnapshotsResponse> ListAsync(ServerCallContext context, string? collection) => calls.AnswerAsync(
        context, 0,
        async ct =>
        {
            if (collection is not null)
                _ = await collections.GetInfoAsync(collection, ct);
            ListSnapshotsResponse answer = new();
            answer.SnapshotDescriptions.AddRange(store.List(collection).Select(ToWire));
            return answer;
        },
        static (answer, time) => answer.Time = time);

    private Task<DeleteSnapshotResponse> DeleteAsync(ServerCallContext context, string? collection, string snapshot) =>
        calls.AnswerAsync(
            context, 0,
            _ =>
            {
                store.Delete(collection, snapshot);
                return ValueTask.FromResult(new DeleteSnapshotResponse());
            },
            static (answer, time) => answer.Time = time);

    private static SnapshotDescription ToWire(SnapshotInfo info)
    {
        SnapshotDescription description = new()
        {
            Name = info.Name,
            CreationTime = info.CreatedAt.ToTimestamp(),
            Size = info.SizeBytes,
        };
        if (info.Checksum is { } checksum)
            description.Checksum = checksum;
        return description;
    }
}
