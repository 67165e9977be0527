using System.Globalization;

namespace AiDb.Cluster.Model;

/// <summary>The keys of a cluster in its metadata store; docs/formats/metadata.md tells what stands under
/// each.</summary>
internal static class MetadataKeys
{
    public const string ClusterId = "cluster/id";
    public const string Slots = "slots";
    public const string Coordinator = "coordinator";
    public const string UnfinishedImport = "import/unfinished";
    public const string NextTableId = "next-table-id";
    public const string MemberPrefix = "members/";
    public const string AlivePrefix = "alive/";
    public const string ShardPrefix = "shards/";
    public const string TablePrefix = "tables/";
    public const string DroppedPrefix = "dropped/";
    public const string CollectionPrefix = "collections/";
    public const string CollectionAliases = "collection-aliases";
    public const string DroppedCollectionPrefix = "dropped-collections/";

    public const string MigrationPrefix = "migrations/";
    public const string DrainingPrefix = "draining/";
    public const string Rebalance = "rebalance";

    public static string Migration(ulong id) => MigrationPrefix + id.ToString("D10", CultureInfo.InvariantCulture);

    public static string Draining(uint shard) => DrainingPrefix + shard.ToString("D5", CultureInfo.InvariantCulture);

    public static string Member(string nodeId) => MemberPrefix + nodeId;

    public static string Alive(string nodeId) => AlivePrefix + nodeId;

    public static string Shard(uint id) => ShardPrefix + id.ToString("D5", CultureInfo.InvariantCulture);

    public static string Table(string name) => TablePrefix + name;

    public static string Dropped(uint id) => DroppedPrefix + id.ToString("D10", CultureInfo.InvariantCulture);

    /// <summary>Names of collections may have any letters; keys are printable ASCII.</summary>
    public static string Collection(string name) => CollectionPrefix + Uri.EscapeDataString(name);

    public static string DroppedCollection(uint id) =>
        DroppedCollectionPrefix + id.ToString("D10", CultureInfo.InvariantCulture);
}
