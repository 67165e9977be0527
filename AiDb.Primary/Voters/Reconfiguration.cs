using AiDb.Cluster.Model;
using AiDb.Cluster.Placement;
using AiDb.Contracts.Internal.V1;
using AiDb.Primary.Hosting;

namespace AiDb.Primary.Voters;

/// <summary>Changes the voters of a shard, by its active primary: the wanted ones learn until they are near, become the next
/// voters, and when an entry is committed in both groups they are the voters. Offers copies to those that lack what the log gave
/// up.</summary>
/// <remarks>Thread safety: none. Where the outcome of a change is not known, the stricter rule stays until the map shows
/// it.</remarks>
internal sealed partial class Reconfiguration(NodeContext context, uint shardId, OpenVoter open)
{
    /// <summary>Entries that a learner may lack when it becomes a next voter.</summary>
    private const ulong NearEnough = 64;

    private static readonly TimeSpan OfferInterval = TimeSpan.FromSeconds(2);

    private readonly ILogger _logger = context.Loggers.CreateLogger<Reconfiguration>();
    private TimeSpan? _offeredAt;

    /// <summary>The step under way.</summary>
    public Task Running { get; private set; } = Task.CompletedTask;

    /// <summary>Does what is due.</summary>
    public void Turn(ShardDescriptor shard, CancellationToken cancellationToken)
    {
        // Also before it is active: of three voters with one dead and one far behind, only the copy makes a quorum.
        Offer();
        if (open.Host is null || !Running.IsCompleted)
            return;
        if (shard.NextVoters is not null)
        {
            if (open.Driver.IsReconfigurationCommitted)
                Running = ReplaceAsync(shard, ShardConf.Final(shard), "the next voters are the voters", cancellationToken);
            return;
        }

        if (shard.WantedVoters is not { } wanted)
            return;
        ShardVoter[] learning = [.. wanted.Where(voter => !shard.Voters.Contains(voter))];
        foreach (ShardVoter learner in learning)
            open.Driver.AddLearner(learner);
        if (learning.All(learner => open.Driver.LagOf(learner) <= NearEnough))
            Running = ReplaceAsync(shard, ShardConf.Joint(shard), "the wanted voters have learnt enough", cancellationToken);
    }

    private void Offer()
    {
        if (open.Age - _offeredAt < OfferInterval)
            return;
        foreach (ShardVoter voter in open.Driver.NeedSnapshot)
        {
            _offeredAt = open.Age;
            context.Transport.Send(voter.NodeId, new ReplicationItem { Shard = shardId, CopyOffer = new CopyOffer() });
        }
    }

    private async Task ReplaceAsync(
        ShardDescriptor shard, ShardDescriptor next, string what, CancellationToken cancellationToken)
    {
        try
        {
            if (await ShardConf.TryReplaceAsync(context.Store, shard, next, cancellationToken).ConfigureAwait(false) is null)
                return;
            LogChanged(shardId, what, string.Join(", ", next.AllVoters.Select(voter => voter.NodeId)));

            // The next step goes by the map that shows this one.
            await context.Map.WaitForAsync(
                map => map.FindShard(shardId)?.Generation >= next.Generation, cancellationToken).ConfigureAwait(false);
        }
        catch (AiDbException error)
        {
            LogFailed(shardId, what, error.Message);
        }
        catch (OperationCanceledException)
        {
            // Its epoch is over.
        }
    }

    [LoggerMessage(EventId = 1, Level = LogLevel.Information, Message = "Shard {Shard}: {What}; votes have {Voters}")]
    private partial void LogChanged(uint shard, string what, string voters);

    [LoggerMessage(EventId = 2, Level = LogLevel.Warning, Message = "Shard {Shard}: {What}, but the store could not be told: {Reason}")]
    private partial void LogFailed(uint shard, string what, string reason);
}
