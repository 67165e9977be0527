using AiDb.Cluster.Model;
using AiDb.Engine;
using AiDb.Primary.Shards;

namespace AiDb.Primary.Hosting;

/// <summary>Keeps a shard that is served in step with the map: which slots it owns, and what was dropped.</summary>
/// <remarks>Thread safety: none.</remarks>
internal sealed partial class MapFollower(ShardHost host, ILogger<MapFollower> logger)
{
    private readonly HashSet<uint> _dropped = [];
    private long _version = -1;

    /// <summary>Which slots a shard owns by a map.</summary>
    public static SlotOwnership OwnershipOf(ClusterMap map, uint shard) =>
        SlotOwnership.Of(
            (ulong)map.Version, slot => map.Slots[slot] == shard, (ulong)map.SlotsRevision, map.RangeTables,
            map.FindShard(shard)?.Epoch ?? 0, map.Migrations.Select(migration => migration.Id).DefaultIfEmpty().Max());

    /// <summary>Takes in a map.</summary>
    public void Follow(ClusterMap map)
    {
        if (map.Version == _version)
            return;
        _version = map.Version;
        host.Ownership = OwnershipOf(map, host.Shard);
        DropTables(map.DroppedTables, host.DropTable);
        DropTables(map.Collections.Dropped, host.DropCollection);
    }

    private void DropTables(IEnumerable<uint> dropped, Action<uint> drop)
    {
        foreach (uint table in dropped)
        {
            if (_dropped.Contains(table))
                continue;
            try
            {
                // Most were dropped in an earlier run; only what has keys is worth an entry in the log.
                using (ScanCursor cursor = host.Database.GetTableById(table).Scan())
                {
                    if (!cursor.MoveNext())
                    {
                        _dropped.Add(table);
                        continue;
                    }
                }

                drop(table);
                _dropped.Add(table);
                LogDropped(host.Shard, table);
            }
            catch (AiDbException exception)
            {
                // Tried again with the next map; the catalogue refuses its readers meanwhile.
                LogDropFailed(host.Shard, table, exception.Message);
            }
        }
    }

    [LoggerMessage(EventId = 1, Level = LogLevel.Information, Message = "Shard {Shard}: the keys of table {Table} are dropped")]
    private partial void LogDropped(uint shard, uint table);

    [LoggerMessage(
        EventId = 2, Level = LogLevel.Warning, Message = "Shard {Shard}: table {Table} could not be dropped: {Reason}")]
    private partial void LogDropFailed(uint shard, uint table, string reason);
}
