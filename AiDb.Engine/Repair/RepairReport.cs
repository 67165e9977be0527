using AiDb.Engine.Inspection;

namespace AiDb.Engine.Repair;

/// <summary>Something that a repair could not keep.</summary>
/// <param name="File">The file that it was in.</param>
/// <param name="Entries">How many entries, where that can be told; null where it cannot.</param>
/// <param name="What">What it was: key ranges, entries of the log.</param>
public sealed record RepairLoss(string File, long? Entries, string What)
{
    /// <inheritdoc/>
    public override string ToString() => $"{File}: {What}";
}

/// <summary>Where a repair took the list of tables from.</summary>
public enum RepairSource
{
    /// <summary>From the manifest in force.</summary>
    Manifest,

    /// <summary>From a whole manifest that CURRENT does not name, since CURRENT is lost or damaged.</summary>
    FoundManifest,

    /// <summary>From the tables themselves, since no manifest can be believed. Overlapping tables are merged. Keys that
    /// were deleted shortly before may be back, if a table that a compaction had replaced was still there.</summary>
    Tables,
}

/// <summary>What a repair found and did, or with a dry run would do.</summary>
public sealed record RepairReport
{
    /// <summary>The folder.</summary>
    public required string Path { get; init; }

    /// <summary>Whether nothing was written.</summary>
    public bool IsDryRun { get; init; }

    /// <summary>Whether there was anything to repair. If not, nothing was written.</summary>
    public bool IsNeeded { get; init; }

    /// <summary>Where the list of tables comes from.</summary>
    public RepairSource Source { get; init; }

    /// <summary>What is damaged.</summary>
    public IReadOnlyList<FileDamage> Damage { get; init; } = [];

    /// <summary>Tables that are whole and stay as they are, or are merged whole.</summary>
    public int TablesKept { get; init; }

    /// <summary>Damaged tables of which a part was saved.</summary>
    public int TablesSalvaged { get; init; }

    /// <summary>Tables of which nothing is left.</summary>
    public int TablesLost { get; init; }

    /// <summary>Entries in the tables that are kept.</summary>
    public long EntriesKept { get; init; }

    /// <summary>The last entry of the log that is kept.</summary>
    public ulong LastLsn { get; init; }

    /// <summary>What is lost; empty when nothing that was written is missing.</summary>
    public IReadOnlyList<RepairLoss> Losses { get; init; } = [];

    /// <summary>Files that were moved into <c>lost/</c> beside where they lay. Delete them when the database is what it
    /// should be.</summary>
    public IReadOnlyList<string> SetAside { get; init; } = [];

    /// <summary>Tables whose names were lost with the catalogue: their ids. They are found again as
    /// <c>recovered-ID</c>.</summary>
    public IReadOnlyList<uint> Renamed { get; init; } = [];
}
