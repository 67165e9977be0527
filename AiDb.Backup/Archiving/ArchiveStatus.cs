using AiDb.Backup.Format;
using AiDb.Engine;

namespace AiDb.Backup.Archiving;

/// <summary>How an archive is doing.</summary>
public enum ArchiveHealth
{
    /// <summary>It has not claimed its epoch, or has no whole snapshot yet: nothing can be restored to now.</summary>
    Starting,

    /// <summary>It follows.</summary>
    Following,

    /// <summary>It is behind by more than 80 % of the loss window.</summary>
    Behind,

    /// <summary>The last try failed; it tries again.</summary>
    Failing,

    /// <summary>Another primary has taken the archive over, or this database is not the one that is archived: it has
    /// stopped.</summary>
    Stopped,
}

/// <summary>Figures of an archive at one moment.</summary>
public sealed record ArchiveStatus
{
    /// <summary>How it is doing.</summary>
    public ArchiveHealth Health { get; init; }

    /// <summary>What is wrong, or null.</summary>
    public string? Problem { get; init; }

    /// <summary>Age of the oldest durable entry that is not archived; zero: all are.</summary>
    public TimeSpan Lag { get; init; }

    /// <summary>The last entry that a restore brings back.</summary>
    public LogPosition Archived { get; init; }

    /// <summary>The newest manifest; null: none yet.</summary>
    public ManifestId? Manifest { get; init; }

    /// <summary>When it was written; null: none yet.</summary>
    public DateTimeOffset? ManifestAt { get; init; }

    /// <summary>Bytes of the files that it names.</summary>
    public long ManifestFileBytes { get; init; }

    /// <summary>Bytes of log sent since the start.</summary>
    public long LogBytesSent { get; init; }

    /// <summary>Bytes of tables and value files sent since the start.</summary>
    public long FileBytesSent { get; init; }

    /// <summary>Bytes of log entries before compression since the start.</summary>
    public long LogBytesRead { get; init; }

    /// <summary>Objects deleted since the start.</summary>
    public long Deleted { get; init; }

    /// <summary>How often the log had gone before it was archived, so that a new snapshot was needed.</summary>
    public long Gaps { get; init; }
}
