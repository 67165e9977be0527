using AiDb.Cluster.Model;
using AiDb.Cluster.Placement;
using AiDb.Cluster.Replication;
using AiDb.Primary.Hosting;
using AiDb.Primary.Shards;

namespace AiDb.Primary.Voters;

/// <summary>A planned change of a shard's primary: nothing is written while it lasts, so nothing is of unknown outcome.</summary>
internal sealed class Handover(NodeContext context, ReplicaDriver driver, ulong ledEpoch, ShardHost host, uint shardId)
{
    /// <summary>Entries that the next primary may lack when it begins.</summary>
    private const ulong NearEnough = 10_000;

    private static readonly TimeSpan LongestPause = TimeSpan.FromSeconds(3);
    private static readonly TimeSpan LookInterval = TimeSpan.FromMilliseconds(2);

    /// <summary>Hands it over.</summary>
    /// <returns>The shard with its next primary elected.</returns>
    public async Task<ShardDescriptor> RunAsync(string toNodeId, CancellationToken cancellationToken)
    {
        ShardDescriptor shard = await ShardConf.ReadAsync(context.Store, shardId, cancellationToken).ConfigureAwait(false);
        if (shard.Epoch != ledEpoch)
            throw Replaced(shard);
        ShardVoter target = FindTarget(shard, toNodeId);
        using var limit = CancellationTokenSource.CreateLinkedTokenSource(cancellationToken);
        limit.CancelAfter(LongestPause);
        try
        {
            await host.Gate.CloseAsync(limit.Token).ConfigureAwait(false);
            while (driver.LagOf(target) != 0)
                await Task.Delay(LookInterval, context.Time, limit.Token).ConfigureAwait(false);
            NodeDescriptor node = context.Map.Current.FindNode(target.NodeId) is { Alive: true } found && found.DiskId == target.DiskId
                ? found
                : throw new AiDbException(AiDbErrorKind.Unavailable, $"'{target.NodeId}' went away; shard {shardId} stays where it is.");
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

    private ShardVoter FindTarget(ShardDescriptor shard, string toNodeId)
    {
        (ShardVoter Voter, ulong? Lag)[] there =
        [
            .. shard.Voters.Where(voter => voter != context.Self
                    && context.Map.Current.FindNode(voter.NodeId) is { Alive: true } node && node.DiskId == voter.DiskId)
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

        return there[0].Lag <= NearEnough
            ? there[0].Voter
            : throw new AiDbException(
                AiDbErrorKind.PreconditionFailed,
                $"'{there[0].Voter.NodeId}' lacks {there[0].Lag?.ToString() ?? "an unknown number of"} entries of shard {shardId}; it must "
                + "catch up first.");
    }
}
