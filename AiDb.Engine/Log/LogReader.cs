namespace AiDb.Engine.Log;

/// <summary>Reads the log in order, also while it is appended to.</summary>
/// <remarks>Thread safety: none; one reader belongs to one caller, who disposes it. It does not keep the log:
/// when it
/// falls behind what <see cref="WriteAheadLog.ReleaseBefore"/> keeps, it says so.</remarks>
internal sealed class LogReader : IDisposable
{
    private readonly WriteAheadLog _log;
    private readonly LogSegmentCursor _cursor;
    private LogSegment _segment;
    private int _cuts;
    private bool _disposed;

    internal LogReader(WriteAheadLog log, ulong fromLsn)
    {
        _log = log;
        _segment = log.Hold(fromLsn, out _cuts);
        _cursor = new LogSegmentCursor(_segment, _segment.FindAtOrBefore(fromLsn));
        try
        {
            while (NextLsn < fromLsn)
                ReadRecord(out _, out _);
        }
        catch
        {
            Dispose();
            throw;
        }
    }

    /// <summary>The entry that <see cref="TryRead"/> gives next.</summary>
    public ulong NextLsn => _cursor.Chain.NextLsn;

    /// <summary>Where the next record stands; for cutting the log.</summary>
    internal LogSegmentPosition Position => new(_cursor.Offset, _cursor.Chain);

    /// <summary>Reads the next entry if it is at most <paramref name="limitLsn"/> and written.</summary>
    /// <exception cref="AiDbException"><see cref="AiDbErrorKind.Aborted"/>: the log no longer holds it, or
    /// what was read
    /// before has been cut off. <see cref="AiDbErrorKind.DataLoss"/>: it is damaged.</exception>
    public bool TryRead(ulong limitLsn, out LogEntry entry)
    {
        ObjectDisposedException.ThrowIf(_disposed, this);
        FollowCuts();
        if (NextLsn > Math.Min(limitLsn, _log.AppendedLsn))
        {
            entry = default;
            return false;
        }

        ReadRecord(out LogRecordHeader header, out ReadOnlyMemory<byte> payload);
        entry = new LogEntry(new LogPosition(header.Epoch, header.Lsn, header.Timestamp), header.Type, payload);
        return true;
    }

    /// <inheritdoc/>
    public void Dispose()
    {
        if (_disposed)
            return;
        _disposed = true;
        _segment.ReleaseReference();
    }

    private void ReadRecord(out LogRecordHeader header, out ReadOnlyMemory<byte> payload)
    {
        while (true)
        {
            if (_segment.IsReleased)
                throw LogErrors.FellBehind(NextLsn, _log.FirstLsn);
            if (!_cursor.TryRead(_segment.WrittenEnd, out header, out payload))
                throw _cuts != _log.Cuts ? LogErrors.CutOff(NextLsn - 1)
                    : LogErrors.Corrupt(_segment.Path, _cursor.Offset, $"no valid record of entry {NextLsn} follows");
            if (header.Type != LogFormat.Seal)
                return;

            LogSegment next = _log.HoldNext(_segment, NextLsn);
            if (next.Header.Chain != _cursor.Chain)
            {
                next.ReleaseReference();
                throw LogErrors.Corrupt(next.Path, 40, "its header does not continue the segment before");
            }

            _segment.ReleaseReference();
            _segment = next;
            _cursor.MoveTo(next, next.Start);
        }
    }

    /// <summary>Goes on in the place of the same entry when the log was cut behind the reader.</summary>
    private void FollowCuts()
    {
        if (_cuts == _log.Cuts)
            return;
        LogSegment segment = _log.HoldAfterCut(NextLsn, ref _cuts);
        LogSegmentPosition position = segment.FindAtOrBefore(NextLsn);
        ulong wanted = NextLsn;
        _segment.ReleaseReference();
        _segment = segment;
        _cursor.MoveTo(segment, position);
        while (NextLsn < wanted)
            ReadRecord(out _, out _);
    }
}
