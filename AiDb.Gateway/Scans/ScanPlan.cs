using AiDb.Cluster.Model;
using AiDb.Contracts.V1;

namespace AiDb.Gateway.Scans;

/// <summary>Which shards a scan of a table reads whose keys are spread by hashes, and from where.</summary>
internal sealed class ScanPlan
{
    private ScanPlan(
        uint tableId, ScanRequest call, ScanBounds bounds, ScanCursor? cursor, IReadOnlyList<uint> shards, ClusterMap map)
    {
        MapVersion = map.Version;
        SlotsVersion = cursor?.SlotsVersion ?? (ulong)map.SlotsRevision;
        TableId = tableId;
        Call = call;
        Bounds = bounds;
        Cursor = cursor;
        Shards = shards;
        Fingerprint = ScanCursor.FingerprintOf(tableId, call);
    }

    /// <summary>The table.</summary>
    public uint TableId { get; }

    /// <summary>What was asked.</summary>
    public ScanRequest Call { get; }

    /// <summary>The keys that remain, for a scan without a cursor.</summary>
    public ScanBounds Bounds { get; }

    /// <summary>Where an earlier page ended.</summary>
    public ScanCursor? Cursor { get; }

    /// <summary>The shards, in the order that breaks ties.</summary>
    public IReadOnlyList<uint> Shards { get; }

    /// <summary>Of the query.</summary>
    public ulong Fingerprint { get; }

    /// <summary>The version of the slot map by which all shards begin.</summary>
    public ulong SlotsVersion { get; }

    /// <summary>The version of the map by which it was planned.</summary>
    public long MapVersion { get; }

    /// <summary>What remains for one of the shards.</summary>
    public ScanBounds BoundsOf(int shardIndex) => Cursor is null
        ? Bounds
        : Cursor.Shards[shardIndex].Snapshot == ScanCursor.Done
        ? ScanBounds.None
        : Bounds.After(Cursor.LastKey, inclusive: shardIndex > Cursor.LastShardIndex, Call.Reverse);

    /// <summary>The snapshot of one of the shards; 0: none yet.</summary>
    public ulong SnapshotOf(int shardIndex) => Cursor?.Shards[shardIndex].Snapshot ?? 0;

    /// <summary>Plans a scan; one with a cursor reads the shards that it began with.</summary>
    /// <exception cref="AiDbException"><see cref="AiDbErrorKind.InvalidArgument"/>: the cursor;
    /// <see cref="AiDbErrorKind.Unavailable"/>: there are no shards yet.</exception>
    public static ScanPlan Create(TableDescriptor table, ScanRequest call, ClusterMap map)
    {
        ScanBounds bounds = ScanBounds.Of(call);
        if (call.Cursor.Length > 0)
        {
            ScanCursor cursor = ScanCursor.Parse(call.Cursor, ScanCursor.FingerprintOf(table.Id, call));
            return new ScanPlan(table.Id, call, bounds, cursor, [.. cursor.Shards.Select(entry => entry.Shard)], map);
        }

        if (!map.Slots.IsComplete)
        {
            throw new AiDbException(
                AiDbErrorKind.Unavailable, "The slots are not dealt out yet: the cluster waits for its primaries.");
        }

        uint[] shards = bounds.IsEmpty ? [] : [.. map.Shards.Select(shard => shard.Id).Where(id => map.Slots.Count(id) > 0)];
        return new ScanPlan(table.Id, call, bounds, cursor: null, shards, map);
    }
}
