namespace AiDb.Engine.Log;

/// <summary>The log.</summary>
internal sealed class WriteAheadLog : IDisposable
{
    /// <summary>Bytes that a record takes besides its payload.</summary>
    public const int RecordOverheadBytes = 48;

    /// <summary>Opens the log, checks its end and cuts a torn tail off. Everything found is made durable.</summary>
    public static WriteAheadLog Open(LogOptions options, LogOpenState state) => throw new NotSupportedException();

    /// <summary>The first entry that is kept; <see cref="AppendedLsn"/> + 1 when there is none.</summary>
    public ulong FirstLsn => throw new NotSupportedException();

    /// <summary>The last entry that was written (<see cref="WriteGroup"/>).</summary>
    public ulong AppendedLsn => throw new NotSupportedException();

    /// <summary>The last entry that a loss of power would not take.</summary>
    public ulong DurableLsn => throw new NotSupportedException();

    /// <summary>The last committed entry.</summary>
    public ulong CommittedLsn => throw new NotSupportedException();

    /// <summary>The timestamp of the last appended entry.</summary>
    public ulong LastTimestamp => throw new NotSupportedException();

    /// <summary>The epoch of the last appended entry.</summary>
    public ulong Epoch => throw new NotSupportedException();

    /// <summary>Bytes on disk, spares not counted.</summary>
    public long SizeBytes => throw new NotSupportedException();

    /// <summary>Why the log takes nothing any more; null while it works.</summary>
    public AiDbException? FailedReason => throw new NotSupportedException();

    /// <summary>The epochs in the log, oldest first.</summary>
    public IReadOnlyList<EpochStart> EpochHistory => throw new NotSupportedException();

    /// <summary>Puts a record into the group.</summary>
    public void Append(LogRecordType type, ulong epoch, ulong lsn, ulong timestamp, ReadOnlySpan<byte> payload) => throw new NotSupportedException();

    /// <summary>Writes the group: all of it or nothing.</summary>
    public void WriteGroup() => throw new NotSupportedException();

    /// <summary>Makes everything that was written before the call durable.</summary>
    public void Sync() => throw new NotSupportedException();

    /// <summary>Moves the commit position.</summary>
    public void Commit(ulong lsn) => throw new NotSupportedException();

    /// <summary>Cuts off what follows <paramref name="lsn"/>, durably.</summary>
    public void TruncateAfter(ulong lsn) => throw new NotSupportedException();

    /// <summary>A reader from an entry on.</summary>
    public LogReader OpenReader(ulong fromLsn) => throw new NotSupportedException();

    /// <summary>Gives up segments wholly below <paramref name="lsn"/>, apart from the retention.</summary>
    public void ReleaseBefore(ulong lsn) => throw new NotSupportedException();

    /// <inheritdoc/>
    public void Dispose() => throw new NotSupportedException();
}
