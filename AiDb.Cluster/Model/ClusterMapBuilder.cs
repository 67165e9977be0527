using System.Text;
using AiDb.Cluster.Metadata;
using AiDb.Cluster.Migration;

namespace AiDb.Cluster.Model;

/// <summary>Makes maps of the store's keys as they change.</summary>
internal sealed class ClusterMapBuilder
{
    private readonly Dictionary<string, MemberRecord> _members = new(StringComparer.Ordinal);
    private readonly Dictionary<string, AliveRecord> _alive = new(StringComparer.Ordinal);
    private readonly Dictionary<uint, ShardDescriptor> _shards = [];
    private readonly Dictionary<string, TableDescriptor> _tables = new(StringComparer.Ordinal);
    private readonly HashSet<uint> _dropped = [];
    private CollectionMap _collections = CollectionMap.Empty;
    private SlotMap _slots = SlotMap.Empty;
    private readonly SortedDictionary<ulong, SlotMigration> _migrations = [];
    private readonly HashSet<uint> _draining = [];
    private RebalanceOrder? _rebalance;
    private long _slotsRevision;
    private string _clusterId = "";
    private bool _isImporting;

    /// <summary>The map of a range read over all keys.</summary>
    public static ClusterMap Build(MetadataRange range)
    {
        ClusterMapBuilder builder = new();
        builder.Load(range);
        return builder.Build(range.Revision);
    }

    public void Load(MetadataRange range)
    {
        foreach (MetadataKeyValue item in range.Items)
            Apply(new MetadataEvent(item.Key, item));
    }

    public void Apply(MetadataEvent change)
    {
        string key = change.Key;
        MetadataKeyValue? item = change.Current;
        if (TryName(key, MetadataKeys.MemberPrefix, out string name))
            Set(_members, name, item is null ? null : MetadataJson.ReadMember(key, item.Value));
        else if (TryName(key, MetadataKeys.AlivePrefix, out name))
            Set(_alive, name, item is null ? null : MetadataJson.ReadAlive(key, item.Value));
        else if (TryName(key, MetadataKeys.TablePrefix, out name))
            Set(_tables, name, item is null ? null : MetadataJson.ReadTable(key, item.Value).ToDescriptor());
        else if (TryName(key, MetadataKeys.ShardPrefix, out name) && uint.TryParse(name, out uint shard))
            Set(_shards, shard, item is null ? null : MetadataJson.ReadShard(key, item.Value).ToDescriptor(item.ModRevision));
        else if (TryName(key, MetadataKeys.DroppedPrefix, out name) && uint.TryParse(name, out uint table))
            _ = item is null ? _dropped.Remove(table) : _dropped.Add(table);
        else if (TryName(key, MetadataKeys.CollectionPrefix, out name))
            _collections = item is null
                ? _collections.Without(Uri.UnescapeDataString(name))
                : _collections.With(CollectionJson.Read(item));
        else if (TryName(key, MetadataKeys.DroppedCollectionPrefix, out name) && uint.TryParse(name, out uint collection))
            _collections = _collections.WithDropped(collection, item is not null);
        else if (string.Equals(key, MetadataKeys.CollectionAliases, StringComparison.Ordinal))
            _collections = _collections.WithAliases(item is null ? null : CollectionJson.ReadAliases(item));
        else if (string.Equals(key, MetadataKeys.Slots, StringComparison.Ordinal))
            (_slots, _slotsRevision) = item is null ? (SlotMap.Empty, 0) : (ReadSlots(item), item.ModRevision);
        else if (TryName(key, MetadataKeys.MigrationPrefix, out name) && ulong.TryParse(name, out ulong migration))
            _ = item is null ? _migrations.Remove(migration) : Put(_migrations, migration, MigrationJson.Read(item));
        else if (TryName(key, MetadataKeys.DrainingPrefix, out name) && uint.TryParse(name, out uint draining))
            _ = item is null ? _draining.Remove(draining) : _draining.Add(draining);
        else if (string.Equals(key, MetadataKeys.Rebalance, StringComparison.Ordinal))
            _rebalance = item is null ? null : MigrationJson.ReadOrder(item);
        else if (string.Equals(key, MetadataKeys.ClusterId, StringComparison.Ordinal))
            _clusterId = item is null ? "" : Encoding.UTF8.GetString(item.Value.Span);
        else if (string.Equals(key, MetadataKeys.UnfinishedImport, StringComparison.Ordinal))
            _isImporting = item is not null;
    }

    public ClusterMap Build(long version) => new(
        version,
        _clusterId,
        _slots,
        [.. _members.Values.Select(member => member.ToDescriptor(_alive.GetValueOrDefault(member.Id)))],
        _shards.Values,
        _tables.Values,
        _dropped)
    {
        Collections = _collections,
        SlotsRevision = _slotsRevision,
        Migrations = [.. _migrations.Values],
        Draining = _draining.ToHashSet(),
        Rebalance = _rebalance,
        IsImporting = _isImporting,
    };

    private static bool Put(SortedDictionary<ulong, SlotMigration> items, ulong id, SlotMigration migration)
    {
        items[id] = migration;
        return true;
    }

    private static void Set<TKey, TValue>(Dictionary<TKey, TValue> items, TKey key, TValue? value)
        where TKey : notnull
        where TValue : class
    {
        if (value is null)
            items.Remove(key);
        else
            items[key] = value;
    }

    private static bool TryName(string key, string prefix, out string name)
    {
        bool matches = key.StartsWith(prefix, StringComparison.Ordinal);
        name = matches ? key[prefix.Length..] : "";
        return matches;
    }

    /// <summary>The slot map that a key holds.</summary>
    /// <exception cref="AiDbException"><see cref="AiDbErrorKind.DataLoss"/>: it is malformed.</exception>
    internal static SlotMap ReadSlots(MetadataKeyValue item)
    {
        try
        {
            return SlotMap.Parse(Encoding.ASCII.GetString(item.Value.Span));
        }
        catch (FormatException error)
        {
            throw new AiDbException(
                AiDbErrorKind.DataLoss, $"The metadata key '{item.Key}' does not hold a slot map: {error.Message}", error);
        }
    }
}
