namespace AiDb.Engine;

/// <summary>What must hold of a key for a write to be applied, decided when the write is applied, in log
/// order.</summary>
/// <param name="Kind">What is compared.</param>
/// <param name="Version">The version for <see cref="WriteConditionKind.VersionEquals"/>.</param>
public readonly record struct WriteCondition(WriteConditionKind Kind, ulong Version = 0)
{
    /// <summary>The key must be absent (or expired).</summary>
    public static WriteCondition MustBeAbsent => new(WriteConditionKind.Absent);

    /// <summary>The key must exist.</summary>
    public static WriteCondition MustExist => new(WriteConditionKind.Exists);

    /// <summary>The key must exist with exactly this version.</summary>
    public static WriteCondition VersionIs(ulong version) => new(WriteConditionKind.VersionEquals, version);

    /// <summary>The key must not have exactly this version.</summary>
    public static WriteCondition VersionIsNot(ulong version) => new(WriteConditionKind.VersionDiffers, version);
}

/// <summary>The kinds of <see cref="WriteCondition"/>; the value is part of the log format.</summary>
public enum WriteConditionKind : byte
{
    /// <summary>No condition.</summary>
    None = 0,

    /// <summary>The key must be absent.</summary>
    Absent = 1,

    /// <summary>The key must exist.</summary>
    Exists = 2,

    /// <summary>The key must exist with the given version.</summary>
    VersionEquals = 3,

    /// <summary>The key must not have the given version (it may be absent).</summary>
    VersionDiffers = 4,
}
