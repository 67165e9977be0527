using AiDb.Engine.Tables;

namespace AiDb.Engine.Manifest;

/// <summary>What the manifest says of a table file.</summary>
internal sealed record TableMetadata
{
    /// <summary>The file's random identity, and its name.</summary>
    public required UInt128 Id { get; init; }

    /// <summary>Grows with every table that is made; in level 0 the greater one is newer.</summary>
    public required ulong Sequence { get; init; }

    /// <summary>Bytes of the file.</summary>
    public required long SizeBytes { get; init; }

    /// <summary>XxHash3 of the whole file.</summary>
    public required ulong Checksum { get; init; }

    /// <summary>Entries of every kind.</summary>
    public required long Entries { get; init; }

    /// <summary>Deletions among them.</summary>
    public required long Deletions { get; init; }

    /// <summary>The first internal key.</summary>
    public required byte[] SmallestKey { get; init; }

    /// <summary>The last internal key.</summary>
    public required byte[] LargestKey { get; init; }

    /// <summary>The version that all entries have, of an ingested table whose file says 0; 0: each has its
    /// own.</summary>
    public ulong VersionOfAllEntries { get; init; }

    /// <summary>What a finished table is recorded as.</summary>
    public static TableMetadata From(TableProperties properties, ulong sequence) => new()
    {
        Id = properties.FileId,
        Sequence = sequence,
        SizeBytes = properties.FileBytes,
        Checksum = properties.FileChecksum,
        Entries = properties.Entries,
        Deletions = properties.Deletions,
        SmallestKey = properties.SmallestKey,
        LargestKey = properties.LargestKey,
    };

    /// <summary>Whether an opened file is the one that was recorded.</summary>
    public bool Matches(TableProperties properties) =>
        properties.FileId == Id
        && properties.FileBytes == SizeBytes
        && properties.Entries == Entries
        && properties.Deletions == Deletions
        && properties.SmallestKey.AsSpan().SequenceEqual(SmallestKey)
        && properties.LargestKey.AsSpan().SequenceEqual(LargestKey);
}
