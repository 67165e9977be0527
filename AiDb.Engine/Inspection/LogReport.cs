using AiDb.Engine.Log;

namespace AiDb.Engine.Inspection;

/// <summary>A record of the log, as it was read.</summary>
/// <param name="Offset">Where it begins in its file.</param>
/// <param name="Position">Epoch, LSN and timestamp.</param>
/// <param name="Type">What it is.</param>
/// <param name="DurableLsn">The last entry that was known to be durable when it was written.</param>
/// <param name="Payload">A batch's operations, for <see cref="LogOperationReader"/>; valid until the next record is
/// read.</param>
public sealed record LogRecordReport(
    long Offset, LogPosition Position, LogRecordType Type, ulong DurableLsn, ReadOnlyMemory<byte> Payload);

/// <summary>How a segment of the log ends.</summary>
public enum LogSegmentEnd
{
    /// <summary>With a seal: it is complete.</summary>
    Sealed,

    /// <summary>With reserved space: it is the one that was written to last.</summary>
    Open,

    /// <summary>With bytes that are no record and that never were durable: what a crash leaves, or old bytes of a
    /// segment that is used again. The next start cuts them off.</summary>
    Torn,

    /// <summary>With damage: records that were durable are missing.</summary>
    Damaged,
}

/// <summary>What is in a segment of the log.</summary>
public sealed record LogReport
{
    /// <summary>The file.</summary>
    public required string Path { get; init; }

    /// <summary>Bytes of the file.</summary>
    public long Bytes { get; init; }

    /// <summary>The segment's number.</summary>
    public ulong Number { get; init; }

    /// <summary>Its random identity.</summary>
    public UInt128 FileId { get; init; }

    /// <summary>The LSN of its first record.</summary>
    public ulong FirstLsn { get; init; }

    /// <summary>The LSN of its last valid record; one less than <see cref="FirstLsn"/> when there is none.</summary>
    public ulong LastLsn { get; init; }

    /// <summary>The epoch of its last valid record.</summary>
    public ulong LastEpoch { get; init; }

    /// <summary>The timestamp of its last valid record.</summary>
    public ulong LastTimestamp { get; init; }

    /// <summary>Where the valid records end.</summary>
    public long EndOffset { get; init; }

    /// <summary>How it ends.</summary>
    public LogSegmentEnd End { get; init; }

    /// <summary>What is wrong; null unless <see cref="End"/> is <see cref="LogSegmentEnd.Damaged"/>.</summary>
    public FileDamage? Damage { get; init; }
}
