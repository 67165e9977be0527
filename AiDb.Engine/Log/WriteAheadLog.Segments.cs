using System.Buffers.Binary;

namespace AiDb.Engine.Log;

/// <content>How the log moves from segment to segment, gives them up and cuts them.</content>
internal sealed partial class WriteAheadLog
{
    /// <summary>Gives up segments whose entries are all below <paramref name="lsn"/>, the oldest first, apart
    /// from
    /// the newest <see cref="LogOptions.RetentionBytes"/> of them. A reader that still is in one is told at
    /// its next read.</summary>
    public void ReleaseBefore(ulong lsn)
    {
        List<LogSegment> released = [];
        lock (_gate)
        {
            int below = 0;
            while (below + 1 < _segments.Count && _segments[below + 1].FirstLsn <= lsn)
                below++;
            long kept = 0;
            int drop = below;
            while (drop > 0 && kept + _segments[drop - 1].AllocatedBytes <= _options.RetentionBytes)
                kept += _segments[--drop].AllocatedBytes;
            drop = HoldForArchive(drop);
            if (drop == 0)
                return;
            released.AddRange(_segments.GetRange(0, drop));
            _segments.RemoveRange(0, drop);
            foreach (LogSegment segment in released)
                segment.MarkReleased();
            Volatile.Write(ref _firstLsn, _segments[0].FirstLsn);
            TrimEpochs();
        }

        try
        {
            _directory.Release(released);
        }
        catch (LogSyncException error)
        {
            FailClosed("sync the log's folder", error);
            throw Repeat(_failure!);
        }
    }

    /// <summary>Says that entries up to <paramref name="lsn"/> need not be kept for an archive any more. Their segments go
    /// with the next release.</summary>
    public void MarkArchived(ulong lsn)
    {
        lock (_gate)
            _archivedLsn = Math.Max(_archivedLsn, lsn);
    }

    /// <summary>Where an entry stands: one that is kept, or the one right before them. Null: the log no longer
    /// knows.</summary>
    public LogPosition? FindPosition(ulong lsn)
    {
        lock (_gate)
        {
            if (lsn > _appendedLsn)
                return null;
            foreach (LogSegment segment in _segments)
            {
                LogChain chain = segment.Header.Chain;
                if (chain.NextLsn == lsn + 1)
                    return new LogPosition(chain.Epoch, lsn, chain.Timestamp);
            }

            if (lsn < _firstLsn)
                return null;
        }

        try
        {
            using LogReader reader = OpenReader(lsn);
            return reader.TryRead(lsn, out LogEntry entry) ? entry.Position : null;
        }
        catch (AiDbException error) when (error.Kind == AiDbErrorKind.Aborted)
        {
            return null;
        }
    }

    /// <summary>Of the segments that could go, the newest that are not archived yet stay, up to the limit.</summary>
    private int HoldForArchive(int drop)
    {
        long held = 0;
        while (drop > 0 && _segments[drop].FirstLsn - 1 > _archivedLsn
            && held + _segments[drop - 1].AllocatedBytes <= _options.ArchiveBytes)
        {
            held += _segments[--drop].AllocatedBytes;
        }

        return drop;
    }

    /// <summary>Cuts off what follows <paramref name="lsn"/>, durably: entries of an epoch that lost. Readers
    /// that
    /// had passed it are told.</summary>
    /// <exception cref="AiDbException"><see cref="AiDbErrorKind.OutcomeUnknown"/>: the disk failed half-way;
    /// the log has failed.
    /// </exception>
    public void TruncateAfter(ulong lsn)
    {
        if (_failure is { } failure)
            throw Repeat(failure);
        ArgumentOutOfRangeException.ThrowIfLessThan(lsn, CommittedLsn);
        ArgumentOutOfRangeException.ThrowIfLessThan(lsn, FirstLsn - 1);
        DiscardGroup();
        if (lsn >= AppendedLsn)
            return;
        LogSegmentPosition position;
        using (LogReader reader = OpenReader(lsn + 1))
            position = reader.Position;

        lock (_syncGate)
        {
            List<LogSegment> dropped = CutInMemory(lsn, position);
            try
            {
                // The newest first, each durably: a crash may leave too much, but never a gap.
                for (int i = dropped.Count - 1; i >= 0; i--)
                    _directory.Delete(dropped[i]);
                _active.File.SetLength(position.Offset);
                _active.File.Preallocate(_options.SegmentBytes);
                _active.File.Sync();
                _active.AllocatedBytes = _active.File.Length;
                ExpectWrites(_active);
            }
            catch (IOException error)
            {
                FailClosed("cut the log", error);
                throw LogErrors.Unknown("cut the log", error);
            }
        }
    }

    /// <summary>The segment with the entry, held for a reader.</summary>
    internal LogSegment Hold(ulong lsn, out int cuts)
    {
        lock (_gate)
        {
            cuts = _cuts;
            return HoldLocked(lsn);
        }
    }

    /// <summary>The segment after one that a reader has finished.</summary>
    internal LogSegment HoldNext(LogSegment segment, ulong lsn)
    {
        lock (_gate)
        {
            foreach (LogSegment candidate in _segments)
            {
                if (candidate.Header.Number == segment.Header.Number + 1)
                {
                    candidate.AddReference();
                    return candidate;
                }
            }

            throw LogErrors.FellBehind(lsn, _firstLsn);
        }
    }

    /// <summary>The segment with a reader's next entry, unless a cut that the reader has not seen took
    /// entries before it.</summary>
    internal LogSegment HoldAfterCut(ulong nextLsn, ref int cuts)
    {
        lock (_gate)
        {
            for (; cuts < _cutPoints.Count; cuts++)
            {
                if (_cutPoints[cuts] < nextLsn - 1)
                    throw LogErrors.CutOff(_cutPoints[cuts]);
            }

            return HoldLocked(nextLsn);
        }
    }

    private LogSegment HoldLocked(ulong lsn)
    {
        if (lsn < _firstLsn || _segments.Count == 0)
            throw LogErrors.FellBehind(lsn, _firstLsn);
        ArgumentOutOfRangeException.ThrowIfGreaterThan(lsn, _appendedLsn + 1);
        int index = _segments.Count - 1;
        while (_segments[index].FirstLsn > lsn)
            index--;
        _segments[index].AddReference();
        return _segments[index];
    }

    private List<LogSegment> CutInMemory(ulong lsn, in LogSegmentPosition position)
    {
        lock (_gate)
        {
            int keep = _segments.FindLastIndex(segment => segment.FirstLsn <= lsn + 1);
            List<LogSegment> dropped = _segments.GetRange(keep + 1, _segments.Count - keep - 1);
            _segments.RemoveRange(keep + 1, dropped.Count);
            foreach (LogSegment segment in dropped)
                segment.MarkReleased();
            _cutPoints.Add(lsn);
            _cuts = _cutPoints.Count;
            _epochs.RemoveAll(epoch => epoch.StartLsn > lsn);
            _active = _segments[keep];
            _active.IsSealed = false;
            _active.ForgetBeyond(position.Offset);
            _active.WrittenEnd = position.Offset;
            _end = position.Chain;
            Volatile.Write(ref _appendedLsn, lsn);
            Volatile.Write(ref _durableLsn, Math.Min(_durableLsn, lsn));
            Volatile.Write(ref _epoch, _end.Epoch);
            Volatile.Write(ref _lastTimestamp, _end.Timestamp);
            DiscardGroup();
            return dropped;
        }
    }

    private void TrimEpochs()
    {
        while (_epochs.Count > 1 && _epochs[1].StartLsn <= _firstLsn)
            _epochs.RemoveAt(0);
        if (_epochs.Count > 0 && _epochs[0].StartLsn < _firstLsn)
            _epochs[0] = _epochs[0] with { StartLsn = _firstLsn };
    }

    /// <summary>Has an active segment with so many bytes free; a group never spans two.</summary>
    private void EnsureRoom(long bytes)
    {
        bool isBegun = _active.WrittenEnd > LogFormat.SegmentHeaderBytes;
        if (!_active.IsSealed && isBegun && _active.WrittenEnd + bytes > _options.SegmentBytes)
            SealActive();
        if (!_active.IsSealed)
            return;

        LogSegment next;
        try
        {
            next = _directory.Create(_active.Header.Number + 1, _end, LogFormat.SegmentHeaderBytes + bytes);
        }
        catch (LogSyncException error)
        {
            FailClosed("sync a new log segment", error);
            throw LogErrors.NothingDone("sync a new log segment", error);
        }
        catch (IOException error)
        {
            throw LogErrors.NothingDone("make a new log segment", error);
        }

        ExpectWrites(next);
        lock (_gate)
        {
            _segments.Add(next);
            _active = next;
        }
    }

    private void ExpectWrites(LogSegment segment)
    {
        if (_options.MapSegments)
            segment.File.ExpectSmallWrites();
    }

    /// <summary>Ends the active segment and makes it durable, before anything is written to the
    /// next.</summary>
    private void SealActive()
    {
        Span<byte> seal = stackalloc byte[LogFormat.SealBytes];
        LogRecordHeader.Write(
            seal, LogFormat.SealPayloadBytes, LogFormat.Seal, _end.Epoch, _end.NextLsn, _end.Timestamp);
        Span<byte> payload = seal[LogFormat.RecordHeaderBytes..];
        BinaryPrimitives.WriteUInt64LittleEndian(payload, _end.NextLsn - _active.FirstLsn);
        BinaryPrimitives.WriteUInt64LittleEndian(payload[8..], (ulong)_active.WrittenEnd);
        uint checksum = LogRecordHeader.Complete(seal, _active.ChecksumSeed, DurableLsn, _end.Checksum);
        WriteRecords(seal, "end a log segment");
        lock (_syncGate)
        {
            // Another's sync may have failed meanwhile: one more would succeed without what the system has
            // dropped.
            if (_failure is { } failure)
                throw Repeat(failure);
            try
            {
                _active.File.Sync();
            }
            catch (IOException error)
            {
                FailClosed("sync the log", error);
                throw LogErrors.NothingDone("sync the log", error);
            }
        }

        lock (_gate)
        {
            _active.WrittenEnd += seal.Length;
            _active.IsSealed = true;
            _end = _end with { Checksum = checksum };
            Volatile.Write(ref _durableLsn, _appendedLsn);
        }
    }

    /// <summary>Writes at the end; after a failure what was written in part is gone for good, or the log has
    /// failed.</summary>
    private void WriteRecords(ReadOnlySpan<byte> records, string doing)
    {
        long offset = _active.WrittenEnd;
        try
        {
            _active.File.Write(offset, records);
        }
        catch (IOException error)
        {
            try
            {
                // A failed sync is reported to one of two that run at once, and both must know.
                lock (_syncGate)
                {
                    _active.File.SetLength(offset);
                    _active.File.Sync();
                }
            }
            catch (IOException second)
            {
                FailClosed(doing, second);
                throw LogErrors.Unknown(doing, second);
            }

            lock (_gate)
                _active.AllocatedBytes = offset;
            throw LogErrors.NothingDone(doing, error);
        }
    }
}
