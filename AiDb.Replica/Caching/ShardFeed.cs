using AiDb.Cluster.Caching;
using AiDb.Contracts.Internal.V1;
using AiDb.Replica.Hosting;
using Grpc.Core;

namespace AiDb.Replica.Caching;

/// <summary>Keeps the cache of one shard subscribed to its primary.</summary>
/// <remarks>A feed that breaks is opened anew from the cache's position. Whether that works without a gap is
/// the primary's to say: if the log does not reach back, or the epoch is another one, its first frame makes
/// everything cold. Until then the cache goes on answering, and the age it tells grows.</remarks>
internal sealed partial class ShardFeed(
    uint shard, CacheState cache, ReplicaOptions options, TimeProvider time, ILogger<ShardFeed> logger)
{
    private static readonly TimeSpan MinPause = TimeSpan.FromMilliseconds(50);
    private static readonly TimeSpan MaxPause = TimeSpan.FromSeconds(1);

    /// <summary>Subscribes again and again until it is cancelled.</summary>
    /// <param name="primary">The connection to the shard's primary of the moment; null: not known.</param>
    /// <param name="cancellationToken">Ends it.</param>
    public async Task RunAsync(Func<PrimaryConnection?> primary, CancellationToken cancellationToken)
    {
        TimeSpan pause = MinPause;
        bool broken = false;
        while (true)
        {
            if (primary() is { } connection)
            {
                try
                {
                    if (await FollowAsync(connection, primary, broken, cancellationToken).ConfigureAwait(false))
                    {
                        pause = MinPause;
                        broken = false;
                    }
                }
                catch (Exception exception) when (
                    exception is RpcException or OperationCanceledException or IOException or ObjectDisposedException
                    && !cancellationToken.IsCancellationRequested)
                {
                    // Told once per outage, not once per attempt.
                    if (!broken)
                        LogBroken(shard, connection.Address, exception is RpcException rpc ? rpc.Status.Detail : exception.Message);
                    broken = true;
                }
            }

            await Task.Delay(pause, time, cancellationToken).ConfigureAwait(false);
            pause = pause * 2 < MaxPause ? pause * 2 : MaxPause;
        }
    }

    /// <summary>Takes frames until the feed ends; whether any came.</summary>
    private async Task<bool> FollowAsync(
        PrimaryConnection connection, Func<PrimaryConnection?> primary, bool wasBroken, CancellationToken cancellationToken)
    {
        var request = new SubscribeRequest
        {
            Shard = shard,
            From = cache.Position.ToMessage(),
            Subscriber = options.Node.NodeId,
        };
        using var silence = CancellationTokenSource.CreateLinkedTokenSource(cancellationToken);
        silence.CancelAfter(options.FeedTimeout);
        bool any = false;
        using AsyncServerStreamingCall<SubscribeFrame> call =
            new Shard.ShardClient(connection.Invoker).Subscribe(request, cancellationToken: silence.Token);
        try
        {
            while (await call.ResponseStream.MoveNext(silence.Token).ConfigureAwait(false))
            {
                silence.CancelAfter(options.FeedTimeout);
                SubscribeFrame frame = call.ResponseStream.Current;
                cache.OnFrame(frame);
                if (!any)
                    LogFollowing(shard, connection.Address, frame.Position.Epoch, frame.Position.Lsn, frame.Reset, wasBroken);
                any = true;
                // The map names another primary: this feed may be of one that has been replaced.
                if (!ReferenceEquals(primary(), connection))
                    return any;
            }
        }
        catch (RpcException) when (any && !cancellationToken.IsCancellationRequested)
        {
            // It stood and broke; it is opened anew at once.
        }

        return any;
    }

    [LoggerMessage(
        EventId = 1, Level = LogLevel.Information,
        Message = "Shard {Shard} is followed at {Address} from {Epoch}/{Lsn} (cold: {Reset}, after an outage: {WasBroken})")]
    private partial void LogFollowing(uint shard, string address, ulong epoch, ulong lsn, bool reset, bool wasBroken);

    [LoggerMessage(
        EventId = 2, Level = LogLevel.Warning,
        Message = "Shard {Shard} cannot be followed at {Address}; the cache ages until it can: {Reason}")]
    private partial void LogBroken(uint shard, string address, string reason);
}
