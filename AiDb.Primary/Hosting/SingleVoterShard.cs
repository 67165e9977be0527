using AiDb.Backup.Restoring.Lazy;
using AiDb.Cluster.Model;
using AiDb.Cluster.Placement;
using AiDb.Engine;
using AiDb.Primary.Migration;
using AiDb.Primary.Shards;
using AiDb.Primary.Voters;

namespace AiDb.Primary.Hosting;

/// <summary>A shard whose only copy is on this node: takes a new epoch of it and serves it, without anybody to wait
/// for.</summary>
internal sealed partial class SingleVoterShard(NodeContext context, uint shardId) : IHostedShard
{
    private readonly ILogger _logger = context.Loggers.CreateLogger<SingleVoterShard>();

    /// <inheritdoc/>
    public string? NotReady { get; private set; } = $"opening shard {shardId}";

    /// <inheritdoc/>
    public async Task RunAsync(CancellationToken cancellationToken)
    {
        string folder = ShardFolders.Of(context.Options.DataDirectory, shardId);
        var election = new ShardElection(context.Store, context.Node);
        LazyRestore? restore = await context.Restorer.OpenAsync(shardId, folder, reason => NotReady = reason, cancellationToken)
            .ConfigureAwait(false);
        Database? database = null;
        ShardDescriptor elected;
        ClusterMap map;
        try
        {
            database = Database.Open(
                folder, context.Options.Database,
                restore is null ? context.Components : context.Components with { FileSystem = restore.FileSystem });
            ulong leastEpoch = context.Backup is null
                ? 0
                : await context.Backup.FindEpochAsync(shardId, folder, cancellationToken).ConfigureAwait(false);
            elected = await PersistAsync(
                () => election.ElectAsync(shardId, Math.Max(database.Epoch, leastEpoch), cancellationToken), cancellationToken)
                .ConfigureAwait(false);
            database.BeginEpoch(elected.Epoch);

            // By a map that shows the election: a former process of this node may have given slots away since an earlier one,
            // and left no trace of that here.
            map = await context.Map.WaitForAsync(current => current.Version >= elected.Revision, cancellationToken)
                .ConfigureAwait(false);
        }
        catch
        {
            if (restore is not null)
                await restore.DisposeAsync().ConfigureAwait(false);
            if (database is not null)
                await database.DisposeAsync().ConfigureAwait(false);
            throw;
        }

        var host = new ShardHost(
            shardId, database, MapFollower.OwnershipOf(map, shardId), context.Options.Shards, context.Time,
            context.Loggers.CreateLogger<ShardHost>(), context.Map)
        {
            Restore = restore,
        };
        restore?.Start();
        host.Archive = context.Backup?.Start(shardId, database);
        context.Hosts[shardId] = host;
        await PersistAsync(() => election.ActivateAsync(elected, cancellationToken), cancellationToken)
            .ConfigureAwait(false);
        NotReady = null;
        LogServing(context.Node.Id, shardId, elected.Epoch, map.Slots.Count(shardId));
        using var moving = CancellationTokenSource.CreateLinkedTokenSource(cancellationToken);
        Task moves = new MoveRunner(
            host, context.Map, context.Store, context.Options.Node.ClusterSecret, context.Time, _logger).RunAsync(moving.Token);
        try
        {
            await FollowMapAsync(host, elected, map, cancellationToken).ConfigureAwait(false);
        }
        finally
        {
            await moving.CancelAsync().ConfigureAwait(false);
            await moves.ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
        }
    }

    /// <inheritdoc/>
    public async ValueTask DisposeAsync()
    {
        NotReady = $"shard {shardId} is closed";
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
        bool isTold = false;
        while (true)
        {
            if (ShardElection.IsSuperseded(map, elected))
            {
                throw new AiDbException(
                    AiDbErrorKind.Aborted,
                    $"Shard {host.Shard} has a later epoch than {elected.Epoch}: another primary was elected, and this one "
                    + "stops serving.");
            }

            // What is not fetched yet cannot be copied.
            bool isWanted = map.FindShard(shardId) is { IsReplicated: true } && host.Restore?.Completion.IsCompleted != false;
            if (isWanted && context.Options.Database.LogDirectory is { } logs)
            {
                // A voter among several has its log in its folder: as one it could not start again.
                if (!isTold)
                    LogCannotReplicate(shardId, logs);
                isTold = true;
            }
            else if (isWanted)
            {
                new ShardFolder(context.Components.FileSystem, context.Options.DataDirectory, shardId).MarkVoted();
                LogReplicated(shardId);
                return;
            }

            follower.Follow(map);
            Task<ClusterMap> newer = context.Map.WaitForNewerAsync(map.Version, cancellationToken).AsTask();
            Task restored = host.Restore is { Completion.IsCompleted: false } underWay ? underWay.Completion : newer;
            if (await Task.WhenAny(newer, restored).ConfigureAwait(false) == newer)
                map = await newer.ConfigureAwait(false);
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
        EventId = 31, Level = LogLevel.Error,
        Message = "Shard {Shard} is to get more voters, and cannot: AiDb:Engine:LogDirectory is {Directory}, and a voter among several has its log in its folder. Stop the node, move the log's files into the shard's folder, leave the setting out, and start it")]
    private partial void LogCannotReplicate(uint shard, string directory);

    [LoggerMessage(
        EventId = 7, Level = LogLevel.Information,
        Message = "Shard {Shard} shall have several voters: it is closed and opened anew as the first of them")]
    private partial void LogReplicated(uint shard);
}
