using System.Collections.Concurrent;
using AiDb.Cluster.Metadata;
using AiDb.Cluster.Model;
using AiDb.Engine;
using AiDb.Primary.Backup;
using AiDb.Primary.Shards;
using AiDb.Primary.Voters;

namespace AiDb.Primary.Hosting;

/// <summary>What the shards of a node share.</summary>
internal sealed record NodeContext
{
    /// <summary>The settings.</summary>
    public required PrimaryOptions Options { get; init; }

    /// <summary>This run of this node.</summary>
    public required NodeDescriptor Node { get; init; }

    /// <summary>The metadata store.</summary>
    public required IMetadataStore Store { get; init; }

    /// <summary>The cluster as the node sees it.</summary>
    public required ClusterMapWatcher Map { get; init; }

    /// <summary>Parts of the engines.</summary>
    public required DatabaseComponents Components { get; init; }

    /// <summary>The way to the other nodes' voters.</summary>
    public required ReplicationTransport Transport { get; init; }

    /// <summary>The archives; null: nothing is archived.</summary>
    public BackupHost? Backup { get; init; }

    /// <summary>Brings shards of one voter back whose data is missing.</summary>
    public required ShardRestorer Restorer { get; init; }

    /// <summary>The shards that this node serves as their primary.</summary>
    public required ConcurrentDictionary<uint, ShardHost> Hosts { get; init; }

    /// <summary>Copies of shards that are being sent.</summary>
    public required SemaphoreSlim Copies { get; init; }

    /// <summary>Its vote.</summary>
    public ShardVoter Self => new(Node.Id, Node.DiskId);

    /// <summary>The clock.</summary>
    public required TimeProvider Time { get; init; }

    /// <summary>Where logs go.</summary>
    public required ILoggerFactory Loggers { get; init; }
}
