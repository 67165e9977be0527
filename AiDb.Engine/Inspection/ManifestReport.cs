namespace AiDb.Engine.Inspection;

/// <summary>What a manifest says of a table.</summary>
/// <param name="Level">Its level.</param>
/// <param name="File">Its file's name.</param>
/// <param name="Sequence">Grows with every table; in level 0 the greater one is newer.</param>
/// <param name="Bytes">Bytes of the file.</param>
/// <param name="Checksum">XxHash3 of the whole file.</param>
/// <param name="Entries">Entries of every kind.</param>
/// <param name="Deletions">Deletions among them.</param>
/// <param name="Smallest">The first key, in words.</param>
/// <param name="Largest">The last key, in words.</param>
public sealed record ManifestTableReport(
    int Level, string File, ulong Sequence, long Bytes, ulong Checksum, long Entries, long Deletions, string Smallest,
    string Largest);

/// <summary>What is in a manifest.</summary>
public sealed record ManifestReport
{
    /// <summary>The file.</summary>
    public required string Path { get; init; }

    /// <summary>Bytes of the file.</summary>
    public long Bytes { get; init; }

    /// <summary>The number that its header states.</summary>
    public ulong Number { get; init; }

    /// <summary>The version of its format.</summary>
    public int FormatVersion { get; init; }

    /// <summary>The file's random identity.</summary>
    public UInt128 FileId { get; init; }

    /// <summary>Valid edits.</summary>
    public ulong Edits { get; init; }

    /// <summary>Where the valid edits end.</summary>
    public long EndOffset { get; init; }

    /// <summary>The identity of the database.</summary>
    public UInt128 DatabaseId { get; init; }

    /// <summary>The next number for tables and manifests.</summary>
    public ulong NextNumber { get; init; }

    /// <summary>The last log entry whose effects are in tables.</summary>
    public LogPosition Flushed { get; init; }

    /// <summary>A log entry known to be durable.</summary>
    public ulong KnownDurableLsn { get; init; }

    /// <summary>The tables, by level, then sequence.</summary>
    public IReadOnlyList<ManifestTableReport> Tables { get; init; } = [];

    /// <summary>The value files that the tables point into.</summary>
    public IReadOnlyList<string> ValueFiles { get; init; } = [];

    /// <summary>What is wrong; null when nothing is. What is said above is then true as of the last valid
    /// edit.</summary>
    public FileDamage? Damage { get; init; }
}

/// <summary>What is in a database's folder.</summary>
public sealed record DatabaseReport
{
    /// <summary>The folder.</summary>
    public required string Path { get; init; }

    /// <summary>The manifest in force; null when none can be told.</summary>
    public ManifestReport? Manifest { get; init; }

    /// <summary>The tables that the manifest lists (or, without one, that lie there), as far as they exist.</summary>
    public IReadOnlyList<TableReport> Tables { get; init; } = [];

    /// <summary>The segments of the log.</summary>
    public IReadOnlyList<LogReport> Log { get; init; } = [];

    /// <summary>Files that nothing refers to: an interrupted flush or compaction left them, and the next start removes
    /// them.</summary>
    public IReadOnlyList<string> Orphans { get; init; } = [];

    /// <summary>All damage that was found; empty when the database opens and reads whole.</summary>
    public IReadOnlyList<FileDamage> Damage { get; init; } = [];
}
