namespace AiDb.Engine;

/// <summary>What must hold of a key for a write to be applied, decided when the write is applied, in log order.</summary>
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

/// <summary>What a write answered.</summary>
/// <param name="Applied">False when a condition did not hold; then nothing of the batch was applied.</param>
/// <param name="Version">The version (hybrid-logical timestamp) of the write: the ETag of every key it wrote.</param>
/// <param name="Lsn">The position in the log; a reader that has applied it sees the write.</param>
/// <param name="FailedOperation">Index of the operation whose condition did not hold, or -1.</param>
/// <param name="CurrentVersion">Version of that operation's key, 0 when it is absent.</param>
public readonly record struct WriteResult(bool Applied, ulong Version, ulong Lsn, int FailedOperation = -1, ulong CurrentVersion = 0);

/// <summary>Operations that are applied together or not at all. Within a batch a later operation on a key wins over an
/// earlier one; conditions look at the state before the batch.</summary>
/// <remarks>Thread safety: none; a batch belongs to one caller and may be cleared and used again after its write was
/// answered. Keys and values are copied in.</remarks>
public sealed class WriteBatch
{
    /// <summary>Operations in the batch, checks included.</summary>
    public int Count => throw new NotSupportedException();

    /// <summary>Bytes that the batch takes in the log.</summary>
    public int SizeBytes => throw new NotSupportedException();

    /// <summary>Sets a key.</summary>
    /// <param name="table">The table, of the database that the batch is written to.</param>
    /// <param name="key">1 byte to <see cref="DatabaseOptions.MaxKeyBytes"/>.</param>
    /// <param name="value">0 bytes to <see cref="DatabaseOptions.MaxValueBytes"/>.</param>
    /// <param name="timeToLive">How long it lives from the write's timestamp, to the millisecond; null: for ever.</param>
    /// <param name="condition">What must hold of the key.</param>
    public void Put(Table table, ReadOnlySpan<byte> key, ReadOnlySpan<byte> value, TimeSpan? timeToLive = null, WriteCondition condition = default) =>
        throw new NotSupportedException();

    /// <summary>Deletes a key; deleting an absent one is no error.</summary>
    public void Delete(Table table, ReadOnlySpan<byte> key, WriteCondition condition = default) => throw new NotSupportedException();

    /// <summary>Adds a condition on a key that the batch does not write.</summary>
    public void Require(Table table, ReadOnlySpan<byte> key, WriteCondition condition) => throw new NotSupportedException();

    /// <summary>Empties the batch, keeping its memory.</summary>
    public void Clear() => throw new NotSupportedException();
}
