using AiDb.Cluster.Model;
using AiDb.Contracts;

namespace AiDb.Gateway.Routing;

/// <summary>Where the shards are, and ways to their nodes.</summary>
/// <remarks>Thread safety: all members may be called concurrently.</remarks>
internal interface IShardRouter
{
    /// <summary>The newest map that is known here.</summary>
    ClusterMap Map { get; }

    /// <summary>The way to the primary of a shard; null while it has none that is alive.</summary>
    IShardClient? FindPrimary(ClusterMap map, uint shard);

    /// <summary>Chooses the cache replica that should answer a read; false: ask the primary. Whoever takes a reader
    /// reports how it went.</summary>
    bool TryTakeReader(ClusterMap map, uint shard, int slot, out ShardReader reader);

    /// <summary>Waits until the map is at least of a version, or a moment has passed.</summary>
    ValueTask RefreshAsync(long atLeastVersion, CancellationToken cancellationToken);
}

/// <summary>A cache replica that was chosen for one read.</summary>
/// <param name="Node">Its node id.</param>
/// <param name="Client">The way to it.</param>
/// <param name="Report">Told once how the read went.</param>
internal readonly record struct ShardReader(string Node, IShardClient Client, Action<ReadOutcome> Report);

/// <summary>How a read of a cache replica went.</summary>
internal enum ReadOutcome
{
    /// <summary>It answered.</summary>
    Answered,

    /// <summary>It is there, and could not answer this read.</summary>
    Declined,

    /// <summary>It could not be reached or did not answer in time.</summary>
    Failed,
}
