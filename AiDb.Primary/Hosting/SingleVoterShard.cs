using AiDb.Cluster.Model;
using AiDb.Cluster.Placement;
using AiDb.Engine;
using AiDb.Primary.Shards;
using AiDb.Primary.Voters;

namespace AiDb.Primary.Hosting;

/// <summary>A shard whose only copy is on this node: takes a new epoch of it and serves it, without anybody to wait
/// for.</summary>
internal sealed partial class SingleVoterShard(NodeContext context, uint shardId) : IHostedShard
{
    private readonly ILogger _logger = context.Loggers.CreateLogger<SingleVoterShard>();

    /// <inheritdoc/>
    public bool IsReady { get; private set; }

    /// <inheritdoc/>
    public async Task RunAsync(CancellationToken cancellationToken)
    {
        string folder = ShardFolder.Of(context.Options.DataDirectory, shardId);
        var election = new ShardElection(context.Store, context.Map, context.Node);
        Database database = Database.Open(folder, context.Options.Database, context.Components);
        ShardDescriptor elected;
        try
        {
            ulong leastEpoch = context.Backup is null
                ? 0
                : await context.Backup.FindEpochAsync(shardId, folder, cancellationToken).ConfigureAwait(false);
            elected = await PersistAsync(
                () => election.ElectAsync(shardId, Math.Max(database.Epoch, leastEpoch), cancellationToken), cancellationToken)
                .ConfigureAwait(false);
            database.BeginEpoch(elected.Epoch);
        }
        catch
        {
            await database.DisposeAsync().ConfigureAwait(false);
            throw;
        }

        ClusterMap map = context.Map.Current;
        var host = new ShardHost(
            shardId, database, MapFollower.OwnershipOf(map, shardId), context.Options.Shards, context.Time,
            context.Loggers.CreateLogger<ShardHost>(), context.Map)
        {
            Archive = context.Backup?.Start(shardId, database),
        };
        context.Hosts[shardId] = host;
        await PersistAsync(() => election.ActivateAsync(elected, cancellationToken), cancellationToken)
            .ConfigureAwait(false);
        IsReady = true;
        LogServing(context.Node.Id, shardId, elected.Epoch, map.Slots.Count(shardId));
        await FollowMapAsync(host, elected, map, cancellationToken).ConfigureAwait(false);
    }

    /// <inheritdoc/>
    public async ValueTask DisposeAsync()
    {
        IsReady = false;
        if (context.Hosts.TryRemove(shardId, out ShardHost? host))
        {
            await host.DisposeAsync().ConfigureAwait(false);
            LogClosed(shardId);
        }

    }

    private async Task FollowMapAsync(
        ShardHost host, ShardDescriptor elected, ClusterMap map, CancellationToken cancellationToken)
    {
        var follower = new MapFollower(host, context.Loggers.CreateLogger<MapFollower>());
        while (true)
        {
            if (ShardElection.IsSuperseded(map, elected))
            {
                throw new AiDbException(
                    AiDbErrorKind.Aborted,
                    $"Shard {host.Shard} has a later epoch than {elected.Epoch}: another primary was elected, and this one "
                    + "stops serving.");
            }

            if (map.FindShard(shardId) is { IsReplicated: true })
            {
                LogReplicated(shardId);
                return;
            }

            follower.Follow(map);
            map = await context.Map.WaitForNewerAsync(map.Version, cancellationToken).ConfigureAwait(false);
        }
    }

    private Task<ShardDescriptor> PersistAsync(Func<ValueTask<ShardDescriptor>> step, CancellationToken cancellationToken) =>
        StoreRetry.RunAsync(
            step, reason => LogStoreUnreachable(context.Options.Node.MetadataAddress, reason), context.Time, cancellationToken);

    [LoggerMessage(
        EventId = 2, Level = LogLevel.Information,
        Message = "Primary {Node} serves shard {Shard} in epoch {Epoch} with {Slots} slots")]
    private partial void LogServing(string node, uint shard, ulong epoch, int slots);

    [LoggerMessage(
        EventId = 3, Level = LogLevel.Warning, Message = "The metadata store at {Address} cannot be reached: {Reason}")]
    private partial void LogStoreUnreachable(string address, string reason);

    [LoggerMessage(EventId = 6, Level = LogLevel.Information, Message = "Shard {Shard} is synced and closed")]
    private partial void LogClosed(uint shard);

    [LoggerMessage(
        EventId = 7, Level = LogLevel.Information,
        Message = "Shard {Shard} shall have several voters: it is closed and opened anew as the first of them")]
    private partial void LogReplicated(uint shard);
}
