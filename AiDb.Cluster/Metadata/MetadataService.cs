using AiDb.Contracts.Internal.V1;
using Grpc.Core;
using MetadataBase = AiDb.Contracts.Internal.V1.Metadata.MetadataBase;

namespace AiDb.Cluster.Metadata;

/// <summary>Serves a metadata store to the other nodes of a cluster. The host checks the cluster's
/// secret.</summary>
public sealed class MetadataService(IMetadataStore store) : MetadataBase
{
    /// <inheritdoc/>
    public override Task<MetadataRangeResponse> Range(MetadataRangeRequest request, ServerCallContext context) =>
        AnswerAsync(async () => MetadataMessages.ToMessage(
            await store.RangeAsync(request.Key, request.Prefix, context.CancellationToken)));

    /// <inheritdoc/>
    public override Task<MetadataTxnResponse> Txn(MetadataTxnRequest request, ServerCallContext context) =>
        AnswerAsync(async () => MetadataMessages.ToMessage(
            await store.CommitAsync(MetadataMessages.FromMessage(request), context.CancellationToken)));

    /// <inheritdoc/>
    public override async Task Watch(
        MetadataWatchRequest request, IServerStreamWriter<MetadataWatchResponse> responseStream, ServerCallContext context)
    {
        try
        {
            await foreach (MetadataChange change in store.WatchAsync(
                request.Prefix, request.FromRevision, context.CancellationToken))
            {
                await responseStream.WriteAsync(MetadataMessages.ToMessage(change), context.CancellationToken);
            }
        }
        catch (AiDbException error)
        {
            throw ToRpcException(error);
        }
    }

    /// <inheritdoc/>
    public override Task<LeaseGrantResponse> LeaseGrant(LeaseGrantRequest request, ServerCallContext context) =>
        AnswerAsync(async () => new LeaseGrantResponse
        {
            LeaseId = await store.GrantLeaseAsync(
                TimeSpan.FromMilliseconds(Math.Clamp(request.TtlMs, 0, int.MaxValue)), context.CancellationToken),
            TtlMs = request.TtlMs,
        });

    /// <inheritdoc/>
    public override Task<LeaseKeepAliveResponse> LeaseKeepAlive(LeaseKeepAliveRequest request, ServerCallContext context) =>
        AnswerAsync(async () => new LeaseKeepAliveResponse
        {
            TtlMs = await store.KeepLeaseAliveAsync(request.LeaseId, context.CancellationToken) ? 1 : 0,
        });

    /// <inheritdoc/>
    public override Task<LeaseRevokeResponse> LeaseRevoke(LeaseRevokeRequest request, ServerCallContext context) =>
        AnswerAsync(async () =>
        {
            await store.RevokeLeaseAsync(request.LeaseId, context.CancellationToken);
            return new LeaseRevokeResponse();
        });

    private static async Task<T> AnswerAsync<T>(Func<Task<T>> answer)
    {
        try
        {
            return await answer();
        }
        catch (AiDbException error)
        {
            throw ToRpcException(error);
        }
    }

    private static RpcException ToRpcException(AiDbException error) =>
        new(new Status(MetadataErrors.ToStatusCode(error.Kind), error.Message, error));
}
