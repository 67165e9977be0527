using AiDb.Contracts;
using AiDb.Contracts.Internal.V1;
using AiDb.Contracts.Multiplexing;
using AiDb.Primary.Migration;
using AiDb.Primary.Shards;
using Grpc.Core;

namespace AiDb.Primary.Hosting;

/// <summary>The shards of a primary on the wire.</summary>
internal sealed class ShardService(PrimaryNode node, TimeProvider time)
    : Shard.ShardBase
{
    /// <inheritdoc/>
    public override Task Exchange(
        IAsyncStreamReader<RequestFrame> requestStream,
        IServerStreamWriter<ResponseFrame> responseStream,
        ServerCallContext context) =>
        FrameServer<Request, Response, RequestFrame, ResponseFrame>.ServeAsync(
            ExchangeProtocol.Instance, requestStream, responseStream, context, node.SendAsync,
            stopping: node.Left);

    /// <inheritdoc/>
    public override async Task MoveSlots(
        MoveSlotsRequest request, IServerStreamWriter<MoveFrame> responseStream, ServerCallContext context)
    {
        using var ended = CancellationTokenSource.CreateLinkedTokenSource(
            context.CancellationToken, node.Left);
        try
        {
            ShardHost host = node.FindShard(request.Shard)
                ?? throw new AiDbException(AiDbErrorKind.Unavailable, $"This node does not serve shard {request.Shard}.");
            await MoveSource.RunAsync(
                host, node.Map, time, request, frame => responseStream.WriteAsync(frame, ended.Token), ended.Token)
                .ConfigureAwait(false);
        }
        catch (Exception exception) when (exception is AiDbException or OperationCanceledException)
        {
            throw ErrorMapping.ToRpc(exception);
        }
    }

    /// <inheritdoc/>
    public override Task<FreezeSlotsResponse> FreezeSlots(FreezeSlotsRequest request, ServerCallContext context)
    {
        if (node.FindShard(request.Shard)?.Moves.AllowFreeze(request.Migration) == true)
            return Task.FromResult(new FreezeSlotsResponse());
        throw ErrorMapping.ToRpc(new AiDbException(
            AiDbErrorKind.Unavailable, $"Migration {request.Migration} is not under way at shard {request.Shard} here."));
    }

    /// <inheritdoc/>
    public override async Task Subscribe(
        SubscribeRequest request, IServerStreamWriter<SubscribeFrame> responseStream, ServerCallContext context)
    {
        ShardHost host = node.FindShard(request.Shard)
            ?? throw ErrorMapping.ToRpc(new AiDbException(
                AiDbErrorKind.Unavailable,
                $"This node does not serve shard {request.Shard}{(node.NotReady is { } why ? ": " + why : "")}."));
        using var ended = CancellationTokenSource.CreateLinkedTokenSource(
            context.CancellationToken, node.Left);
        try
        {
            await new SubscriptionFeed(host, time).RunAsync(request, responseStream, ended.Token).ConfigureAwait(false);
        }
        catch (OperationCanceledException) when (ended.IsCancellationRequested)
        {
            // The subscriber left, or the node stops: the feed ends cleanly.
        }
        catch (AiDbException exception)
        {
            throw ErrorMapping.ToRpc(exception);
        }
    }
}
