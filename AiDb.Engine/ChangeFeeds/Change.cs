namespace AiDb.Engine;

/// <summary>What a <see cref="Change"/> did.</summary>
public enum ChangeKind : byte
{
    /// <summary>A key was set.</summary>
    Put = 1,

    /// <summary>A key was deleted; it may have been absent.</summary>
    Delete = 2,

    /// <summary>A table was made under <see cref="Change.Name"/>.</summary>
    CreateTable = 3,

    /// <summary>A table was dropped, with all its keys.</summary>
    DropTable = 4,

    /// <summary>The keys from <see cref="Change.Key"/> up to and without <see cref="Change.EndKey"/> were
    /// deleted.</summary>
    DeleteRange = 5,

    /// <summary>An operand for the table's merge operator was added to a key.</summary>
    Merge = 6,

    /// <summary>Files were taken into a table: any of its keys may have changed.</summary>
    Ingest = 7,
}

/// <summary>One change that took effect.</summary>
public readonly record struct Change
{
    /// <summary>What happened.</summary>
    public ChangeKind Kind { get; init; }

    /// <summary>The entry of the log that did it; all changes of one batch have the same.</summary>
    public LogPosition Position { get; init; }

    /// <summary>Whether no other change of this batch follows. A consumer that keeps its place does so after
    /// such a change.</summary>
    public bool EndsBatch { get; init; }

    /// <summary>The table.</summary>
    public uint TableId { get; init; }

    /// <summary>The key of a put, a deletion or a merge, the first key of a deleted range.</summary>
    public ReadOnlyMemory<byte> Key { get; init; }

    /// <summary>The first key that a deleted range leaves; empty: it goes to the end of the table.</summary>
    public ReadOnlyMemory<byte> EndKey { get; init; }

    /// <summary>The value of a put, the operand of a merge.</summary>
    public ReadOnlyMemory<byte> Value { get; init; }

    /// <summary>Unix time in milliseconds at which a put expires; 0: never. Expiry is no change of its
    /// own.</summary>
    public ulong ExpiresAtMs { get; init; }

    /// <summary>The name of a table that was made.</summary>
    public string? Name { get; init; }

    /// <summary>The version that the key has by it.</summary>
    public ulong Version => MovedVersion != 0 ? MovedVersion : Position.Timestamp;

    /// <summary>The version that a key had in the shard from which it was moved here; 0: it was not.</summary>
    public ulong MovedVersion { get; init; }
}
