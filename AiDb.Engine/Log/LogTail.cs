namespace AiDb.Engine.Log;

/// <summary>What a log record is; the value is part of the log format.</summary>
public enum LogRecordType : byte
{
    /// <summary>A write batch.</summary>
    Batch = 1,

    /// <summary>The first entry of an epoch.</summary>
    EpochStart = 2,
}

/// <summary>One entry of the log.</summary>
/// <param name="Position">Where it stands.</param>
/// <param name="Type">What it is.</param>
/// <param name="Payload">Its bytes, valid until the next read; of a batch: see
/// <see cref="LogOperationReader"/>.</param>
public readonly record struct LogEntry(LogPosition Position, LogRecordType Type, ReadOnlyMemory<byte> Payload);

/// <summary>Follows a database's applied and durable entries, in order; see <see cref="Database.TailLog"/>.
/// The feed of
/// caches, replicas and backup.</summary>
/// <remarks>Thread safety: none; one reader belongs to one caller, who disposes it (the log is kept for it
/// until then,
/// within <see cref="DatabaseOptions.LogRetentionBytes"/>).</remarks>
public sealed class LogTail : IDisposable
{
    private readonly LogReader _reader;
    private readonly LogSignal _signal;

    /// <summary>Begins at <paramref name="fromLsn"/>, which may be the entry that comes next.</summary>
    /// <exception cref="AiDbException"><see cref="AiDbErrorKind.Aborted"/>: the log no longer reaches back
    /// that far.</exception>
    internal LogTail(WriteAheadLog log, LogSignal signal, ulong fromLsn)
    {
        _reader = log.OpenReader(fromLsn);
        _signal = signal;
    }

    /// <summary>Waits until <see cref="TryRead"/> has an entry. False when the database is closed.</summary>
    public ValueTask<bool> WaitToReadAsync(CancellationToken cancellationToken = default) =>
        _signal.WaitBeyondAsync(_reader.NextLsn - 1, cancellationToken);

    /// <summary>Reads the next entry without waiting.</summary>
    /// <exception cref="AiDbException"><see cref="AiDbErrorKind.Aborted"/>: the reader fell behind what the
    /// log keeps.</exception>
    public bool TryRead(out LogEntry entry)
    {
        if (!_signal.IsClosed)
            return _reader.TryRead(_signal.ReadableLsn, out entry);
        entry = default;
        return false;
    }

    /// <inheritdoc/>
    public void Dispose() => _reader.Dispose();
}
