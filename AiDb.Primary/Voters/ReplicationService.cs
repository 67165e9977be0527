using AiDb.Cluster.Model;
using AiDb.Contracts;
using AiDb.Contracts.Internal.V1;
using AiDb.Primary.Hosting;
using Grpc.Core;

namespace AiDb.Primary.Voters;

/// <summary>The voters of a primary on the wire.</summary>
internal sealed class ReplicationService(PrimaryNode node)
    : Contracts.Internal.V1.Replication.ReplicationBase
{
    /// <inheritdoc/>
    public override async Task Connect(
        IAsyncStreamReader<ReplicationFrame> requestStream, IServerStreamWriter<ReplicationClosed> responseStream,
        ServerCallContext context)
    {
        // The peer takes the headers for the sign that the stream stands.
        await context.WriteResponseHeadersAsync([]).ConfigureAwait(false);
        using var ended = CancellationTokenSource.CreateLinkedTokenSource(context.CancellationToken, node.Left);
        try
        {
            while (await requestStream.MoveNext(ended.Token).ConfigureAwait(false))
            {
                ReplicationFrame frame = requestStream.Current;
                foreach (ReplicationItem item in frame.Items)
                    node.FindVoter(item.Shard)?.Receive(frame.NodeId, item);
            }
        }
        catch (Exception exception) when (ended.IsCancellationRequested || exception is IOException)
        {
            // The peer went away, or the node stops.
        }
    }

    /// <inheritdoc/>
    public override Task CopyShard(
        CopyShardRequest request, IServerStreamWriter<ShardPiece> responseStream, ServerCallContext context) =>
        AnswerAsync(async () =>
        {
            await Find(request.Shard).CopyAsync(responseStream, context.CancellationToken).ConfigureAwait(false);
            return true;
        });

    /// <inheritdoc/>
    public override Task<GetVotersResponse> GetVoters(GetVotersRequest request, ServerCallContext context)
    {
        var response = new GetVotersResponse();
        response.Voters.AddRange(node.GetVoterStates());
        return Task.FromResult(response);
    }

    /// <inheritdoc/>
    public override Task<HandOverResponse> HandOver(HandOverRequest request, ServerCallContext context) =>
        AnswerAsync(async () =>
        {
            ShardDescriptor elected = await Find(request.Shard)
                .SwitchOverAsync(request.ToNodeId, context.CancellationToken).ConfigureAwait(false);
            return new HandOverResponse { Primary = elected.PrimaryNodeId, Epoch = elected.Epoch };
        });

    private ReplicatedShard Find(uint shard) => node.FindVoter(shard)
        ?? throw new AiDbException(AiDbErrorKind.Unavailable, $"This node keeps no copy of shard {shard} that votes with others.");

    private static async Task<T> AnswerAsync<T>(Func<Task<T>> answer)
    {
        try
        {
            return await answer().ConfigureAwait(false);
        }
        catch (Exception exception) when (exception is AiDbException or OperationCanceledException)
        {
            throw ErrorMapping.ToRpc(exception);
        }
    }
}
