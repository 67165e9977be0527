using AiDb.Engine.Replication;

namespace AiDb.Engine.Log;

/// <summary>The records of one write. They are laid out as they arrive; what depends on the segment
/// (checksums, chain) is
/// filled in when it is known.</summary>
/// <remarks>Thread safety: none; the log's appender owns it.</remarks>
internal sealed class LogGroup
{
    private const int InitialBytes = 64 << 10;
    private const int KeptBytes = 4 << 20;

    private byte[] _buffer = new byte[InitialBytes];
    private LogChain _chain;

    /// <summary>Bytes of the group.</summary>
    public int Length { get; private set; }

    public bool IsEmpty => Length == 0;

    /// <summary>Empties it; its first record must continue <paramref name="chain"/>.</summary>
    public void Begin(in LogChain chain)
    {
        _chain = chain;
        Length = 0;
        if (_buffer.Length > KeptBytes)
            _buffer = new byte[InitialBytes];
    }

    public void Add(LogRecordType type, ulong epoch, ulong lsn, ulong timestamp, ReadOnlySpan<byte> payload)
    {
        ArgumentOutOfRangeException.ThrowIfNotEqual(lsn, _chain.NextLsn);
        ArgumentOutOfRangeException.ThrowIfLessThan(epoch, _chain.Epoch);
        ArgumentOutOfRangeException.ThrowIfLessThanOrEqual(timestamp, _chain.Timestamp);
        if (payload.Length > LogFormat.MaxPayloadBytes)
            throw new AiDbException(
                AiDbErrorKind.InvalidArgument,
                $"A log record holds at most {LogFormat.MaxPayloadBytes} bytes, not {payload.Length}.");
        if (type is not (LogRecordType.Batch or LogRecordType.EpochStart))
            throw new ArgumentOutOfRangeException(nameof(type));

        int recordBytes = LogFormat.RecordOverheadBytes + payload.Length;
        Reserve(recordBytes);
        Span<byte> record = _buffer.AsSpan(Length, recordBytes);
        LogRecordHeader.Write(record, payload.Length, type, epoch, lsn, timestamp);
        payload.CopyTo(record[LogFormat.RecordHeaderBytes..]);
        Length += recordBytes;
        _chain = new LogChain(lsn + 1, epoch, timestamp, 0);
    }

    /// <summary>Fills in what the segment decides.</summary>
    /// <returns>The bytes to write.</returns>
    public ReadOnlySpan<byte> Complete(uint seed, ulong durableLsn, uint previousChecksum, out LogChain end)
    {
        uint checksum = previousChecksum;
        for (int offset = 0; offset < Length;)
        {
            int recordBytes = LogRecordHeader.Read(_buffer.AsSpan(offset)).RecordBytes;
            checksum = LogRecordHeader.Complete(_buffer.AsSpan(offset, recordBytes), seed, durableLsn, checksum);
            offset += recordBytes;
        }

        end = _chain with { Checksum = checksum };
        return _buffer.AsSpan(0, Length);
    }

    /// <summary>Adds the epochs that begin in the group.</summary>
    public void AddEpochStarts(List<EpochStart> epochs)
    {
        for (int offset = 0; offset < Length;)
        {
            LogRecordHeader header = LogRecordHeader.Read(_buffer.AsSpan(offset));
            if (epochs.Count == 0 || epochs[^1].Epoch != header.Epoch)
                epochs.Add(new EpochStart(header.Epoch, header.Lsn));
            offset += header.RecordBytes;
        }
    }

    private void Reserve(int more)
    {
        long needed = (long)Length + more;
        if (needed <= _buffer.Length)
            return;
        if (needed > Array.MaxLength)
            throw new AiDbException(AiDbErrorKind.InvalidArgument, "A group of log records is limited to 2 GiB.");
        Array.Resize(ref _buffer, (int)Math.Min(Array.MaxLength, Math.Max(needed, _buffer.Length * 2L)));
    }
}
