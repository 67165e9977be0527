using AiDb.Engine.Inspection;

namespace AiDb.Engine;

/// <summary>Figures of a database at one moment.</summary>
public sealed record DatabaseStatistics
{
    /// <summary>Bytes in memtables.</summary>
    public long MemtableBytes { get; init; }

    /// <summary>Bytes of the tables on disk.</summary>
    public long TableBytes { get; init; }

    /// <summary>Bytes of the value files on disk.</summary>
    public long ValueFileBytes { get; init; }

    /// <summary>Bytes of values in them that no table points to any more.</summary>
    public long ValueGarbageBytes { get; init; }

    /// <summary>Tables in each level, level 0 first.</summary>
    public IReadOnlyList<int> TablesPerLevel { get; init; } = [];

    /// <summary>Bytes of the log on disk.</summary>
    public long LogBytes { get; init; }

    /// <summary>Bytes in the block cache (all databases that share it).</summary>
    public long BlockCacheBytes { get; init; }

    /// <summary>Entries in memtables and tables, old versions and deletions included.</summary>
    public long EstimatedEntries { get; init; }

    /// <summary>What slows writes down, holds them up or has them refused now.</summary>
    public WriteStallKind Stall { get; init; }

    /// <summary>The same in words, with the setting behind it; null when there is none.</summary>
    public string? StallCause { get; init; }

    /// <summary>Since when; null when there is none.</summary>
    public DateTimeOffset? StallSince { get; init; }

    /// <summary>Bytes of tables written by flushes since the database was opened.</summary>
    public long FlushedBytes { get; init; }

    /// <summary>Bytes of tables written by compactions since the database was opened; tables that only changed
    /// their level are not counted.</summary>
    public long CompactedBytes { get; init; }

    /// <summary>Bytes of tables read by compactions since the database was opened.</summary>
    public long CompactionReadBytes { get; init; }

    /// <summary>Bytes by which the levels are beyond their targets: what compactions are behind.</summary>
    public long PendingCompactionBytes { get; init; }

    /// <summary>Tables within reach of scans whose prefix filters were asked (<see cref="DatabaseOptions.FilterPrefix"/>),
    /// since the database was opened.</summary>
    public long PrefixFilterChecks { get; init; }

    /// <summary>Those of them that the scans skipped.</summary>
    public long PrefixFilterSkips { get; init; }

    /// <summary>Whether no memtable waits for its flush, nothing runs in the background and no compaction is
    /// due.</summary>
    public bool IsBackgroundIdle { get; init; }

    /// <summary>Damaged places that scrubs found since the database was opened.</summary>
    public IReadOnlyList<FileDamage> Damage { get; init; } = [];

    /// <summary>When the last whole scrub ended; null: none has since the database was opened.</summary>
    public DateTimeOffset? LastScrub { get; init; }

    /// <summary>How often and how long there was each kind of stall since the database was opened; kinds that
    /// never were are left out.</summary>
    public IReadOnlyDictionary<WriteStallKind, WriteStallTotals> Stalls { get; init; } =
        new Dictionary<WriteStallKind, WriteStallTotals>();
}
