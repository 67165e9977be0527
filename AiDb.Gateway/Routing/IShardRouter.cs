using AiDb.Cluster.Balancing;
using AiDb.Cluster.Model;
using AiDb.Contracts;

namespace AiDb.Gateway.Routing;

/// <summary>Where the shards are, and ways to their nodes.</summary>
/// <remarks>Thread safety: all members may be called concurrently.</remarks>
internal interface IShardRouter
{
    /// <summary>The newest map that is known here.</summary>
    ClusterMap Map { get; }

    /// <summary>Chooses the nodes of reads.</summary>
    ReadBalancer Balancer { get; }

    /// <summary>The way to a node; null when it is not known.</summary>
    IShardClient? FindNode(string nodeId);

    /// <summary>Calls back once when a shard has a later epoch than the given one, at once where it has; until the result is
    /// disposed.</summary>
    IDisposable WatchEpoch(uint shard, ulong epoch, Action onLater);

    /// <summary>Waits for a map that is newer than a version.</summary>
    ValueTask WaitForNewerMapAsync(long version, CancellationToken cancellationToken);
}
