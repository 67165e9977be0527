namespace AiDb.Cluster.Caching;

/// <summary>What a cache knows of a key.</summary>
public enum CacheReadStatus
{
    /// <summary>Nothing: ask the primary, and fill.</summary>
    Miss = 0,

    /// <summary>Its value.</summary>
    Hit = 1,

    /// <summary>That it does not exist.</summary>
    Absent = 2,

    /// <summary>Something older than the session must see: wait for the watermark, or ask the
    /// primary.</summary>
    Behind = 3,
}

/// <summary>What a read of a cache answered.</summary>
public readonly record struct CacheRead
{
    /// <summary>What the cache knows.</summary>
    public CacheReadStatus Status { get; init; }

    /// <summary>The value of a hit: immutable, valid for as long as it is held.</summary>
    public ReadOnlyMemory<byte> Value { get; init; }

    /// <summary>The version of a hit.</summary>
    public ulong Version { get; init; }

    /// <summary>When a hit expires, Unix milliseconds; 0: never.</summary>
    public ulong ExpiresAtMs { get; init; }

    /// <summary>What the read saw at least: max(watermark, position of the fill). The session's next
    /// token.</summary>
    public ShardPosition Position { get; init; }

    /// <summary>The answer was current at most this long ago, by the replica's own clock.</summary>
    public TimeSpan Age { get; init; }
}

/// <summary>A value as the primary answered it, to be installed.</summary>
public readonly ref struct CacheFill
{
    /// <summary>What the primary had applied when it read: the answer's position.</summary>
    public required ShardPosition Position { get; init; }

    /// <summary>Whether the key exists.</summary>
    public required bool Found { get; init; }

    /// <summary>The value; copied when it is installed.</summary>
    public ReadOnlySpan<byte> Value { get; init; }

    /// <summary>The version.</summary>
    public ulong Version { get; init; }

    /// <summary>When it expires, Unix milliseconds; 0: never.</summary>
    public ulong ExpiresAtMs { get; init; }
}

/// <summary>What <see cref="CacheState.BeginFill"/> remembers of the moment at which a fill began.</summary>
/// <param name="Generation">The cache's generation.</param>
public readonly record struct CacheFillTicket(ulong Generation);

/// <summary>Why a fill was installed or not.</summary>
public enum CacheInstallResult
{
    /// <summary>It is in the cache.</summary>
    Installed = 0,

    /// <summary>Everything became cold since it began, or it is of another epoch.</summary>
    Stale = 1,

    /// <summary>A newer write of the key, or the drop of its table, is known.</summary>
    Invalidated = 2,

    /// <summary>So many invalidations came since that a newer write of the key may have been
    /// forgotten.</summary>
    TooOld = 3,

    /// <summary>It does not fit, or a fill of a later position is there.</summary>
    NotAdmitted = 4,
}

/// <summary>Figures of a <see cref="CacheState"/>, since it was made.</summary>
/// <param name="Entries">Entries held, cold ones included.</param>
/// <param name="Bytes">Bytes they take.</param>
/// <param name="Hits">Reads answered, absent keys included.</param>
/// <param name="Misses">Reads not answered.</param>
/// <param name="Installed">Fills installed.</param>
/// <param name="Rejected">Fills that were not.</param>
/// <param name="Invalidated">Entries removed by invalidations.</param>
/// <param name="Evicted">Entries that made room for others.</param>
/// <param name="Resets">How often everything became cold.</param>
public readonly record struct CacheStatistics(
    long Entries, long Bytes, long Hits, long Misses, long Installed, long Rejected, long Invalidated, long Evicted, long Resets);

/// <summary>A key that is often read.</summary>
/// <param name="TableId">The table.</param>
/// <param name="Key">The key.</param>
public readonly record struct HotKey(uint TableId, ReadOnlyMemory<byte> Key);
