using AiDb.Engine.Replication;
using AiDb.Engine.Storage;
using Microsoft.Extensions.Logging;

namespace AiDb.Engine.Log;

/// <summary>Finds out where the log ends, and whether it ends there because of a crash or because of
/// damage.</summary>
internal sealed partial class LogRecovery
{
    private readonly LogOptions _options;
    private readonly LogOpenState _state;
    private readonly LogDirectory _directory;
    private readonly List<LogSegment> _segments = [];
    private readonly List<EpochStart> _epochs = [];

    private LogRecovery(LogOptions options, LogOpenState state, LogDirectory directory)
    {
        _options = options;
        _state = state;
        _directory = directory;
    }

    /// <summary>The segments, oldest first; the last is the one to append to, unless it is sealed.</summary>
    public IReadOnlyList<LogSegment> Segments => _segments;

    /// <summary>Where each epoch begins.</summary>
    public IReadOnlyList<EpochStart> Epochs => _epochs;

    /// <summary>What the next record continues.</summary>
    public LogChain End { get; private set; }

    /// <summary>Opens the segments, checks the last one and cuts its torn tail off; all that is left is
    /// durable then.</summary>
    public static LogRecovery Run(LogOptions options, LogOpenState state, LogDirectory directory)
    {
        var recovery = new LogRecovery(options, state, directory);
        try
        {
            directory.Prepare();
            directory.CollectSpares();
            recovery.OpenSegments();

            // A process that was killed may have named a segment without making the name durable; what is
            // written to it from here on must not depend on that.
            directory.SyncNames();
            recovery.FindEnd();
            recovery.FindEpochs();
            return recovery;
        }
        catch
        {
            recovery.Close();
            throw;
        }
    }

    private void Close()
    {
        foreach (LogSegment segment in _segments)
            segment.ReleaseReference();
    }

    private ulong LeastEnd => Math.Max(_state.KnownDurableLsn, _state.FirstLsn - 1);

    private void OpenSegments()
    {
        List<ulong> numbers = _directory.ListSegments();
        if (numbers.Count == 0)
        {
            if (_state.KnownDurableLsn >= _state.FirstLsn)
                throw LogErrors.Corrupt(
                    _options.Directory, 0, $"it has no segments, but entry {_state.KnownDurableLsn} was durable");
            var chain = new LogChain(_state.FirstLsn, _state.Epoch, _state.LastTimestamp, 0);
            _segments.Add(_directory.Create(1, chain, _options.SegmentBytes));
            return;
        }

        // What lies before a gap was given up by a release that a crash made half durable: its names came
        // back in part.
        int first = numbers.Count - 1;
        while (first > 0 && numbers[first - 1] == numbers[first] - 1)
            first--;
        for (int i = first; i < numbers.Count; i++)
            _segments.Add(_directory.Open(numbers[i]));
        if (_segments[0].FirstLsn > _state.FirstLsn)
            throw LogErrors.Corrupt(
                _segments[0].Path,
                0,
                $"the log begins with entry {_segments[0].FirstLsn}, but recovery needs {_state.FirstLsn}; a file is missing");
        for (int i = 0; i < first; i++)
            _directory.Delete(numbers[i]);
        for (int i = 1; i < _segments.Count; i++)
            _segments[i - 1].IsSealed = true;
    }

    private void FindEnd()
    {
        LogSegment last = _segments[^1];
        long length = last.File.Length;
        var cursor = new LogSegmentCursor(last, last.Start);
        ulong stated = LeastEnd;
        var unproven = new Queue<(ulong Lsn, long Offset)>();
        while (!last.IsSealed)
        {
            long offset = cursor.Offset;
            last.Remember(new LogSegmentPosition(offset, cursor.Chain));
            if (!cursor.TryRead(length, out LogRecordHeader header, out _))
                break;
            stated = Math.Max(stated, header.DurableLsn);
            unproven.Enqueue((header.Lsn, offset));
            while (unproven.TryPeek(out (ulong Lsn, long Offset) oldest) && oldest.Lsn <= stated)
                unproven.Dequeue();
            last.IsSealed = header.Type == LogFormat.Seal;
        }

        End = cursor.Chain;
        last.WrittenEnd = cursor.Offset;
        bool isClean = last.IsSealed;
        if (!last.IsSealed)
        {
            var scan = new LogTailScan(last, End.NextLsn, cursor.Offset, length);
            scan.Run();
            stated = Math.Max(stated, scan.StatedDurableLsn);
            isClean = scan.IsZero;
        }

        if (End.NextLsn <= stated)
            throw LogErrors.Corrupt(
                last.Path, cursor.Offset, $"no valid record of entry {End.NextLsn}, although entry {stated} was durable");
        if (!isClean)
            CutTornTail(last, cursor.Offset, length);

        // A sync of the process before may have failed, and the next one would succeed without what the system
        // has given up since.
        if (unproven.Count > 0)
            StorageFiles.WriteAnew(last.File, unproven.Peek().Offset, last.WrittenEnd);
        last.File.Sync();
    }

    /// <summary>Bytes of records that never became durable must not be met again behind the records that come
    /// next.</summary>
    private void CutTornTail(LogSegment last, long offset, long length)
    {
        LogTornTail(_options.Logger, last.Path, offset, End.NextLsn - 1);
        last.File.SetLength(offset);
        last.File.Preallocate(Math.Max(length, _options.SegmentBytes));
        last.AllocatedBytes = last.File.Length;
    }

    /// <summary>Only a segment in which the epoch changes needs reading: its header and its successor's
    /// tell.</summary>
    private void FindEpochs()
    {
        ulong epoch = 0;
        for (int i = 0; i < _segments.Count; i++)
        {
            LogSegment segment = _segments[i];
            LogChain end = i + 1 < _segments.Count ? _segments[i + 1].Header.Chain : End;
            if (end.NextLsn == segment.FirstLsn || (end.Epoch == epoch && i > 0))
                continue;
            if (end.Epoch == segment.Header.Chain.Epoch)
            {
                AddEpoch(ref epoch, end.Epoch, segment.FirstLsn);
                continue;
            }

            var cursor = new LogSegmentCursor(segment, segment.Start);
            while (cursor.Chain.NextLsn < end.NextLsn)
            {
                if (!cursor.TryRead(segment.WrittenEnd, out LogRecordHeader header, out _))
                    throw LogErrors.Corrupt(
                        segment.Path, cursor.Offset, $"no valid record of entry {cursor.Chain.NextLsn} follows");
                AddEpoch(ref epoch, header.Epoch, header.Lsn);
            }
        }
    }

    private void AddEpoch(ref ulong current, ulong epoch, ulong lsn)
    {
        if (_epochs.Count > 0 && epoch == current)
            return;
        current = epoch;
        _epochs.Add(new EpochStart(epoch, lsn));
    }

    [LoggerMessage(
        Level = LogLevel.Information,
        Message = "The log {Path} ends at byte {Offset} with entry {Lsn}; cut off what follows, which was never synced or is old")]
    private static partial void LogTornTail(ILogger logger, string path, long offset, ulong lsn);
}
