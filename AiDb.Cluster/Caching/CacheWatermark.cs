using System.Collections.Immutable;

namespace AiDb.Cluster.Caching;

/// <summary>What a cache has heard of its shard's log, published as one object so that readers see it
/// whole.</summary>
internal sealed record CacheWatermark
{
    public static readonly CacheWatermark Cold = new();

    /// <summary>Entries of another generation are cold. Grows with every gap, reset and change of the
    /// epoch.</summary>
    public ulong Generation { get; init; }

    /// <summary>Whether the cache follows the log at all.</summary>
    public bool IsWarm { get; init; }

    /// <summary>Every write up to here has been heard of.</summary>
    public ShardPosition Position { get; init; }

    /// <summary>Where the generation began: of writes up to here, nothing is known.</summary>
    public ulong BaseLsn { get; init; }

    /// <summary>When the replica last heard that it is current, in ticks of its own clock.</summary>
    public long HeardAt { get; init; }

    /// <summary>Tables that were dropped in this generation, and the LSN below which their entries are
    /// invalid.</summary>
    public ImmutableDictionary<uint, ulong> DroppedTables { get; init; } = ImmutableDictionary<uint, ulong>.Empty;

    public bool IsDropped(uint tableId, ulong fillLsn) =>
        !DroppedTables.IsEmpty && DroppedTables.TryGetValue(tableId, out ulong lsn) && fillLsn < lsn;

    public bool Covers(CacheEntry entry) =>
        IsWarm && entry.Generation == Generation && !IsDropped(entry.TableId, entry.FillLsn);
}
