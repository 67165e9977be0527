using AiDb.Cluster.Balancing;
using AiDb.Cluster.Model;
using AiDb.Contracts;

namespace AiDb.Gateway.Routing;

/// <summary>Routes by the newest map of the metadata store.</summary>
internal sealed class ShardRouter(ClusterMapWatcher watcher, INodeDirectory nodes, TimeProvider clock) : IShardRouter
{
    private readonly EpochWatches _epochs = new();

    /// <inheritdoc/>
    public ClusterMap Map => watcher.Current;

    /// <inheritdoc/>
    public ReadBalancer Balancer { get; } = new(new ReadBalancerOptions(), clock);

    /// <inheritdoc/>
    public IShardClient? FindNode(string nodeId) => nodes.Find(watcher.Current, nodeId);

    /// <inheritdoc/>
    public IDisposable WatchEpoch(uint shard, ulong epoch, Action onLater) => _epochs.Watch(shard, epoch, onLater);

    /// <inheritdoc/>
    public async ValueTask WaitForNewerMapAsync(long version, CancellationToken cancellationToken) =>
        await watcher.WaitForNewerAsync(version, cancellationToken);

    /// <summary>Keeps balancer and connections in step with the map until it is cancelled.</summary>
    public async Task RunAsync(CancellationToken cancellationToken)
    {
        ClusterMap map = watcher.Current;
        while (true)
        {
            Balancer.Update(map);
            _epochs.Update(map);
            await nodes.RetainAsync(map);
            map = await watcher.WaitForNewerAsync(map.Version, cancellationToken);
        }
    }
}
