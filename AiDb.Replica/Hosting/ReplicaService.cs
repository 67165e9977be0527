using AiDb.Contracts;
using AiDb.Contracts.Internal.V1;
using AiDb.Contracts.Multiplexing;
using AiDb.Replica.Caching;
using Grpc.Core;

namespace AiDb.Replica.Hosting;

/// <summary>The caches of a replica on the wire.</summary>
internal sealed class ReplicaService(ReplicaNode node, IHostApplicationLifetime lifetime) : Shard.ShardBase
{
    /// <inheritdoc/>
    public override Task Exchange(
        IAsyncStreamReader<RequestFrame> requestStream,
        IServerStreamWriter<ResponseFrame> responseStream,
        ServerCallContext context) =>
        FrameServer<Request, Response, RequestFrame, ResponseFrame>.ServeAsync(
            ExchangeProtocol.Instance, requestStream, responseStream, context, node.SendAsync,
            stopping: lifetime.ApplicationStopping);

    /// <inheritdoc/>
    public override async Task GetHotKeys(
        HotKeysRequest request, IServerStreamWriter<HotKeysFrame> responseStream, ServerCallContext context)
    {
        int most = (int)Math.Min(request.MaxKeys, CacheWarmUp.MaxKeys);
        foreach (HotKeysFrame frame in HotKeyFrames.Of(node.GetHotKeys(request.Shard, most)))
            await responseStream.WriteAsync(frame, context.CancellationToken).ConfigureAwait(false);
    }

    /// <inheritdoc/>
    public override Task Subscribe(
        SubscribeRequest request, IServerStreamWriter<SubscribeFrame> responseStream, ServerCallContext context) =>
        throw ErrorMapping.ToRpc(new AiDbException(
            AiDbErrorKind.Unimplemented, "A cache replica has no feed; subscribe at the shard's primary."));
}
