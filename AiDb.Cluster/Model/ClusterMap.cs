using System.Collections.Frozen;
using AiDb.Cluster.Migration;

namespace AiDb.Cluster.Model;

/// <summary>The cluster at one revision of the metadata store. Immutable; two maps of one version are
/// equal.</summary>
public sealed class ClusterMap
{
    /// <summary>Before anything is known.</summary>
    public static ClusterMap Empty { get; } = new(0, "", SlotMap.Empty, [], [], [], []);

    private readonly Dictionary<string, NodeDescriptor> _nodes;
    private readonly Dictionary<uint, ShardDescriptor> _shards;
    private readonly Dictionary<string, TableDescriptor> _tables;
    private readonly Dictionary<uint, TableDescriptor> _tablesById;

    internal ClusterMap(
        long version,
        string clusterId,
        SlotMap slots,
        IReadOnlyCollection<NodeDescriptor> nodes,
        IReadOnlyCollection<ShardDescriptor> shards,
        IReadOnlyCollection<TableDescriptor> tables,
        IReadOnlyCollection<uint> droppedTables)
    {
        Version = version;
        ClusterId = clusterId;
        Slots = slots;
        _nodes = nodes.ToDictionary(node => node.Id, StringComparer.Ordinal);
        _shards = shards.ToDictionary(shard => shard.Id);
        _tables = tables.ToDictionary(table => table.Name, StringComparer.Ordinal);
        _tablesById = tables.ToDictionary(table => table.Id);
        Nodes = [.. nodes.OrderBy(node => node.Id, StringComparer.Ordinal)];
        Shards = [.. shards.OrderBy(shard => shard.Id)];
        Tables = [.. tables.OrderBy(table => table.Name, StringComparer.Ordinal)];
        DroppedTables = droppedTables.ToHashSet();
        RangeTables = tables.Where(table => table.Ranges is not null).ToFrozenDictionary(table => table.Id, table => table.Ranges!);
    }

    /// <summary>The revision of the store that it shows; what requests between nodes carry.</summary>
    public long Version { get; }

    /// <summary>The cluster's name for itself; empty before the coordinator gave it.</summary>
    public string ClusterId { get; }

    /// <summary>Who owns which slot.</summary>
    public SlotMap Slots { get; }

    /// <summary>All known nodes, by id, dead ones included.</summary>
    public IReadOnlyList<NodeDescriptor> Nodes { get; }

    /// <summary>All shards, by id.</summary>
    public IReadOnlyList<ShardDescriptor> Shards { get; }

    /// <summary>All tables, by name.</summary>
    public IReadOnlyList<TableDescriptor> Tables { get; }

    /// <summary>Ids of tables that were dropped: a primary that finds keys of them drops those,
    /// too.</summary>
    public IReadOnlySet<uint> DroppedTables { get; }

    /// <summary>The ranges of the tables that are partitioned by them, by the tables' ids.</summary>
    public FrozenDictionary<uint, TableRanges> RangeTables { get; }

    /// <summary>All collections and their aliases.</summary>
    public CollectionMap Collections { get; internal init; } = CollectionMap.Empty;

    /// <summary>The revision of the store at which <see cref="Slots"/> last changed; 0: never.</summary>
    public long SlotsRevision { get; internal init; }

    /// <summary>Migrations of slots, by number; those that are over stay for a while.</summary>
    public IReadOnlyList<SlotMigration> Migrations { get; internal init; } = [];

    /// <summary>Shards that are to be emptied.</summary>
    public IReadOnlySet<uint> Draining { get; internal init; } = new HashSet<uint>();

    /// <summary>An order to rebalance that is being carried out; null: there is none.</summary>
    public RebalanceOrder? Rebalance { get; internal init; }

    /// <summary>Whether an import into the store is under way or did not finish: what is missing may be yet to
    /// come.</summary>
    public bool IsImporting { get; internal init; }

    /// <summary>The shard of a slot; null when the slot has none yet.</summary>
    public ShardDescriptor? ShardOfSlot(int slot) => FindShard(Slots[slot]);

    /// <summary>A shard by id.</summary>
    public ShardDescriptor? FindShard(uint id) => _shards.GetValueOrDefault(id);

    /// <summary>A node by id.</summary>
    public NodeDescriptor? FindNode(string id) => _nodes.GetValueOrDefault(id);

    /// <summary>The primary of a shard; null when it is not known.</summary>
    public NodeDescriptor? PrimaryOf(uint shard) => FindShard(shard) is { } found ? FindNode(found.PrimaryNodeId) : null;

    /// <summary>A table by name.</summary>
    public TableDescriptor? FindTable(string name) => _tables.GetValueOrDefault(name);

    /// <summary>A table by id.</summary>
    public TableDescriptor? FindTable(uint id) => _tablesById.GetValueOrDefault(id);
}
