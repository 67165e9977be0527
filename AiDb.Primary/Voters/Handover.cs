using AiDb.Cluster.Model;
using AiDb.Cluster.Placement;
using AiDb.Cluster.Replication;
using AiDb.Contracts.Internal.V1;
using AiDb.Contracts.Multiplexing;
using AiDb.Primary.Hosting;
using AiDb.Primary.Shards;
using Grpc.Core;
using Grpc.Net.Client;

namespace AiDb.Primary.Voters;

/// <summary>A planned change of a shard's primary: nothing is written while it lasts, so nothing is of unknown outcome.</summary>
internal sealed class Handover(NodeContext context, ReplicaDriver driver, ulong ledEpoch, ShardHost host, uint shardId)
{
    /// <summary>Entries that the next primary may lack when it begins.</summary>
    private const ulong NearEnough = 10_000;

    /// <summary>Committed entries that it may not have applied: a few milliseconds of work.</summary>
    private const ulong WarmEnough = 1_000;

    private static readonly TimeSpan LongestPreparation = TimeSpan.FromSeconds(2);
    private static readonly TimeSpan AskInterval = TimeSpan.FromMilliseconds(50);
    private static readonly TimeSpan LongestPause = TimeSpan.FromSeconds(3);
    private static readonly TimeSpan LookInterval = TimeSpan.FromMilliseconds(2);

    /// <summary>Hands it over.</summary>
    /// <returns>The shard with its next primary elected.</returns>
    public async Task<ShardDescriptor> RunAsync(string toNodeId, CancellationToken cancellationToken)
    {
        ShardDescriptor shard = await ShardConf.ReadAsync(context.Store, shardId, cancellationToken).ConfigureAwait(false);
        if (shard.Epoch != ledEpoch)
            throw Replaced(shard);
        ShardVoter target = await ChooseAsync(FindCandidates(shard, toNodeId), cancellationToken).ConfigureAwait(false);
        using var limit = CancellationTokenSource.CreateLinkedTokenSource(cancellationToken);
        limit.CancelAfter(LongestPause);
        try
        {
            await host.Gate.CloseAsync(limit.Token).ConfigureAwait(false);
            while (driver.LagOf(target) != 0)
                await Task.Delay(LookInterval, context.Time, limit.Token).ConfigureAwait(false);
            NodeDescriptor node = FindNode(target)
                ?? throw new AiDbException(AiDbErrorKind.Unavailable, $"'{target.NodeId}' went away; shard {shardId} stays where it is.");
            ShardDescriptor current = await ShardConf.ReadAsync(context.Store, shardId, limit.Token).ConfigureAwait(false);
            if (current.Epoch != ledEpoch)
                throw Replaced(current);
            ShardDescriptor next = ShardConf.Elected(current, node.Id, node.Incarnation, driver.Promised);
            return await ShardConf.TryReplaceAsync(context.Store, current, next, limit.Token).ConfigureAwait(false)
                ?? throw new AiDbException(AiDbErrorKind.Aborted, $"Shard {shardId} was changed meanwhile; try again.");
        }
        catch (Exception exception)
        {
            host.Gate.Open();
            if (exception is OperationCanceledException && !cancellationToken.IsCancellationRequested)
            {
                throw new AiDbException(
                    AiDbErrorKind.Unavailable,
                    $"'{target.NodeId}' did not catch up within {LongestPause.TotalSeconds:0} s; shard {shardId} stays where it is.");
            }

            throw;
        }
    }

    private AiDbException Replaced(ShardDescriptor shard) => new(
        AiDbErrorKind.Aborted, $"Shard {shardId} has another primary meanwhile: '{shard.PrimaryNodeId}', in epoch {shard.Epoch}.");

    /// <summary>The other voters that are there and whose logs are near, the nearest first.</summary>
    private IReadOnlyList<ShardVoter> FindCandidates(ShardDescriptor shard, string toNodeId)
    {
        (ShardVoter Voter, ulong? Lag)[] there =
        [
            .. shard.Voters.Where(voter => voter != context.Self && FindNode(voter) is not null)
                .Select(voter => (voter, driver.LagOf(voter)))
                .Where(item => toNodeId.Length == 0 || item.voter.NodeId == toNodeId)
                .OrderBy(item => item.Item2 ?? ulong.MaxValue),
        ];
        if (there.Length == 0)
        {
            throw new AiDbException(
                AiDbErrorKind.PreconditionFailed,
                toNodeId.Length == 0
                    ? $"No other voter of shard {shardId} is there."
                    : $"'{toNodeId}' is no other voter of shard {shardId} that is there; its voters are "
                        + $"{string.Join(", ", shard.Voters.Select(voter => voter.NodeId))}.");
        }

        ShardVoter[] near = [.. there.Where(item => item.Lag <= NearEnough).Select(item => item.Voter)];
        return near.Length > 0
            ? near
            : throw new AiDbException(
                AiDbErrorKind.PreconditionFailed,
                $"'{there[0].Voter.NodeId}' lacks {there[0].Lag?.ToString() ?? "an unknown number of"} entries of shard {shardId}; it must "
                + "catch up first.");
    }

    /// <summary>Waits, while writes go on, for one that has applied nearly everything: what it lacks it applies before it serves. A
    /// primary of a moment ago has its memtables to fill again.</summary>
    /// <returns>The first that has; after a while the one that lacks least.</returns>
    private async Task<ShardVoter> ChooseAsync(IReadOnlyList<ShardVoter> candidates, CancellationToken cancellationToken)
    {
        long began = context.Time.GetTimestamp();
        Dictionary<ShardVoter, GrpcChannel> channels = [];
        try
        {
            foreach (ShardVoter candidate in candidates)
            {
                if (FindNode(candidate) is { } node)
                    channels[candidate] = NodeChannels.Open(node.Address);
            }

            while (true)
            {
                ulong?[] lacking = await Task.WhenAll(
                    candidates.Select(candidate => AskAsync(channels.GetValueOrDefault(candidate), cancellationToken))).ConfigureAwait(false);
                (ShardVoter best, ulong? least) = candidates.Zip(lacking).MinBy(item => item.Second ?? ulong.MaxValue);
                if (least <= WarmEnough || context.Time.GetElapsedTime(began) >= LongestPreparation)
                    return best;
                await Task.Delay(AskInterval, context.Time, cancellationToken).ConfigureAwait(false);
            }
        }
        finally
        {
            foreach (GrpcChannel channel in channels.Values)
                channel.Dispose();
        }
    }

    /// <summary>How many committed entries a voter has not applied; null: it does not say.</summary>
    private async Task<ulong?> AskAsync(GrpcChannel? channel, CancellationToken cancellationToken)
    {
        if (channel is null)
            return null;
        try
        {
            var client = new Contracts.Internal.V1.Replication.ReplicationClient(
                channel.WithSecret(context.Options.Node.ClusterSecret));
            GetVotersResponse answer = await client.GetVotersAsync(
                new GetVotersRequest(), deadline: context.Time.GetUtcNow().UtcDateTime + LongestPreparation,
                cancellationToken: cancellationToken).ConfigureAwait(false);
            ulong committed = driver.CommitLsn;
            return answer.Voters.FirstOrDefault(voter => voter.Shard == shardId) is { AppliedLsn: > 0 and var applied }
                ? committed - Math.Min(committed, applied)
                : null;
        }
        catch (RpcException) when (!cancellationToken.IsCancellationRequested)
        {
            return null;
        }
    }

    private NodeDescriptor? FindNode(ShardVoter voter) =>
        context.Map.Current.FindNode(voter.NodeId) is { Alive: true } node && node.DiskId == voter.DiskId ? node : null;
}
