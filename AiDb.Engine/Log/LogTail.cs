namespace AiDb.Engine.Log;

/// <summary>What a log record is; the value is part of the log format.</summary>
public enum LogRecordType : byte
{
    /// <summary>A write batch.</summary>
    Batch = 1,

    /// <summary>The first entry of an epoch.</summary>
    EpochStart = 2,
}

/// <summary>Follows a database's applied and durable entries, in order; see <see cref="Database.TailLog"/>. The feed of
/// caches, replicas and backup.</summary>
/// <remarks>Thread safety: none; one reader belongs to one caller, who disposes it (the log is kept for it until then,
/// within <see cref="DatabaseOptions.LogRetentionBytes"/>).</remarks>
public sealed class LogTail : IDisposable
{
    /// <summary>Waits until <see cref="TryRead"/> has an entry. False when the database is closed.</summary>
    public ValueTask<bool> WaitToReadAsync(CancellationToken cancellationToken = default) => throw new NotSupportedException();

    /// <summary>Reads the next entry without waiting.</summary>
    /// <exception cref="AiDbException"><see cref="AiDbErrorKind.Aborted"/>: the reader fell behind what the log keeps.</exception>
    public bool TryRead(out LogEntry entry) => throw new NotSupportedException();

    /// <inheritdoc/>
    public void Dispose() => throw new NotSupportedException();
}

/// <summary>One entry of the log.</summary>
/// <param name="Position">Where it stands.</param>
/// <param name="Type">What it is.</param>
/// <param name="Payload">Its bytes, valid until the next read; of a batch: see <see cref="LogOperationReader"/>.</param>
public readonly record struct LogEntry(LogPosition Position, LogRecordType Type, ReadOnlyMemory<byte> Payload);

/// <summary>The kinds of operation in a batch's payload; the value is part of the log format.</summary>
public enum LogOperationKind : byte
{
    /// <summary>Sets a key.</summary>
    Put = 1,

    /// <summary>Deletes a key.</summary>
    Delete = 2,

    /// <summary>Only a condition.</summary>
    Require = 3,
}

/// <summary>Walks the operations of a batch's payload.</summary>
public ref struct LogOperationReader
{
    /// <summary>Begins before the first operation.</summary>
    public LogOperationReader(ReadOnlySpan<byte> payload) => throw new NotSupportedException();

    /// <summary>Goes to the next operation; false at the end.</summary>
    /// <exception cref="AiDbException"><see cref="AiDbErrorKind.DataLoss"/>: the payload is malformed.</exception>
    public bool MoveNext() => throw new NotSupportedException();

    /// <summary>What it does.</summary>
    public readonly LogOperationKind Kind => throw new NotSupportedException();

    /// <summary>The table.</summary>
    public readonly uint TableId => throw new NotSupportedException();

    /// <summary>The key.</summary>
    public readonly ReadOnlySpan<byte> Key => throw new NotSupportedException();

    /// <summary>The value of a put.</summary>
    public readonly ReadOnlySpan<byte> Value => throw new NotSupportedException();

    /// <summary>Milliseconds that a put lives from the entry's timestamp; 0: for ever.</summary>
    public readonly ulong TimeToLiveMs => throw new NotSupportedException();

    /// <summary>The operation's condition.</summary>
    public readonly WriteCondition Condition => throw new NotSupportedException();
}
