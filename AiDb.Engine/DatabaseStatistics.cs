namespace AiDb.Engine;

/// <summary>Figures of a database at one moment.</summary>
public sealed record DatabaseStatistics
{
    /// <summary>Bytes in memtables.</summary>
    public long MemtableBytes { get; init; }

    /// <summary>Bytes of the tables on disk.</summary>
    public long TableBytes { get; init; }

    /// <summary>Tables in each level, level 0 first.</summary>
    public IReadOnlyList<int> TablesPerLevel { get; init; } = [];

    /// <summary>Bytes of the log on disk.</summary>
    public long LogBytes { get; init; }

    /// <summary>Bytes in the block cache (all databases that share it).</summary>
    public long BlockCacheBytes { get; init; }

    /// <summary>Entries in memtables and tables, old versions and deletions included.</summary>
    public long EstimatedEntries { get; init; }

    /// <summary>Bytes of the tables that flushes have written since the database was opened.</summary>
    public long FlushedBytes { get; init; }

    /// <summary>Bytes of the tables that compactions have written since the database was opened.</summary>
    public long CompactedBytes { get; init; }

    /// <summary>Whether a flush or compaction runs, waits for its turn or will be tried again after an
    /// error. The active memtable is not waited for.</summary>
    public bool HasBackgroundWork { get; init; }

    /// <summary>Why writes are slowed or held up now; null when they are not.</summary>
    public string? StallCause { get; init; }
}
