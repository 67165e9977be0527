using AiDb.Engine.Replication;
using Microsoft.Extensions.Logging;

namespace AiDb.Engine.Log;

/// <summary>The log of a shard: one sequence of numbered records on disk. It is what recovery replays and
/// what replicas, caches
/// and backups follow. Format: docs/formats/log.md.</summary>
/// <remarks>
/// Thread safety: one appender at a time calls <see cref="Append"/>, <see cref="WriteGroup"/>,
/// <see cref="DiscardGroup"/> and
/// <see cref="TruncateAfter"/>; everything else may be called concurrently with it, <see cref="Dispose"/>
/// last.
/// Invariants: what lies in a segment that has a successor is durable; <see cref="CommittedLsn"/> and, apart
/// from cuts,
/// <see cref="DurableLsn"/> never go back and never exceed <see cref="AppendedLsn"/>. After a failed sync
/// nothing is written or
/// synced any more.
/// </remarks>
internal sealed partial class WriteAheadLog : IDisposable
{
    /// <summary>Bytes that a record takes besides its payload.</summary>
    public const int RecordOverheadBytes = LogFormat.RecordOverheadBytes;

    private readonly LogOptions _options;
    private readonly LogDirectory _directory;
    private readonly LogGroup _group = new();

    /// <summary>Guards the segment list, the positions as a whole, and the epochs. Never held over disk
    /// work.</summary>
    private readonly Lock _gate = new();

    /// <summary>One sync or cut at a time. Taken before <see cref="_gate"/>.</summary>
    private readonly Lock _syncGate = new();

    private readonly List<LogSegment> _segments;
    private readonly List<EpochStart> _epochs;
    private readonly List<ulong> _cutPoints = [];

    /// <summary>What the next group continues; the appender's own.</summary>
    private LogChain _end;

    private LogSegment _active;
    private ulong _firstLsn;
    private ulong _appendedLsn;
    private ulong _durableLsn;
    private ulong _committedLsn;
    private ulong _archivedLsn;
    private ulong _epoch;
    private ulong _lastTimestamp;
    private volatile int _cuts;
    private volatile AiDbException? _failure;

    private WriteAheadLog(LogOptions options, LogOpenState state, LogDirectory directory, LogRecovery recovery)
    {
        _options = options;
        _directory = directory;
        _segments = [.. recovery.Segments];
        _epochs = [.. recovery.Epochs];
        _active = _segments[^1];
        _end = recovery.End;
        _firstLsn = _segments[0].FirstLsn;
        _appendedLsn = _end.NextLsn - 1;
        _durableLsn = _appendedLsn;
        _committedLsn = state.FirstLsn - 1;
        _epoch = _end.Epoch;
        _lastTimestamp = _end.Timestamp;
        _group.Begin(_end);
        if (!_active.IsSealed)
            ExpectWrites(_active);
    }

    /// <summary>The first entry that is kept; <see cref="AppendedLsn"/> + 1 when there is none.</summary>
    public ulong FirstLsn => Volatile.Read(ref _firstLsn);

    /// <summary>The last entry that was written (<see cref="WriteGroup"/>).</summary>
    public ulong AppendedLsn => Volatile.Read(ref _appendedLsn);

    /// <summary>The last entry that a loss of power would not take.</summary>
    public ulong DurableLsn => Volatile.Read(ref _durableLsn);

    /// <summary>The last committed entry; after opening, the one before
    /// <see cref="LogOpenState.FirstLsn"/>.</summary>
    public ulong CommittedLsn => Volatile.Read(ref _committedLsn);

    /// <summary>The timestamp of the last written entry.</summary>
    public ulong LastTimestamp => Volatile.Read(ref _lastTimestamp);

    /// <summary>The epoch of the last written entry.</summary>
    public ulong Epoch => Volatile.Read(ref _epoch);

    /// <summary>Why the log takes nothing any more; null while it works.</summary>
    public AiDbException? FailedReason => _failure;

    /// <summary>Bytes on disk, spares not counted.</summary>
    public long SizeBytes
    {
        get
        {
            lock (_gate)
                return _segments.Sum(static segment => segment.AllocatedBytes);
        }
    }

    /// <summary>Where each epoch begins, oldest first; the first one at <see cref="FirstLsn"/> when it began
    /// earlier.</summary>
    public IReadOnlyList<EpochStart> EpochHistory
    {
        get
        {
            lock (_gate)
                return [.. _epochs];
        }
    }

    /// <summary>Counts <see cref="TruncateAfter"/>.</summary>
    internal int Cuts => _cuts;

    /// <summary>Opens the log, checks its end and cuts a torn tail off. Everything that is found is durable
    /// then.</summary>
    /// <exception cref="AiDbException"><see cref="AiDbErrorKind.DataLoss"/>: durable entries are damaged or
    /// missing.
    /// <see cref="AiDbErrorKind.Unimplemented"/>: a newer program wrote it.
    /// <see cref="AiDbErrorKind.Unavailable"/>,
    /// <see cref="AiDbErrorKind.ResourceExhausted"/>: the disk failed or is full.</exception>
    public static WriteAheadLog Open(LogOptions options, LogOpenState state)
    {
        if (state.FirstLsn == 0)
            throw new ArgumentException("Entries are numbered from 1.", nameof(state));
        var directory = new LogDirectory(options);
        try
        {
            return new WriteAheadLog(options, state, directory, LogRecovery.Run(options, state, directory));
        }
        catch (IOException error)
        {
            throw LogErrors.NothingDone($"open the log in '{options.Directory}'", error);
        }
    }

    /// <summary>Puts a record into the group. Nothing is written before <see cref="WriteGroup"/>.</summary>
    /// <param name="type">What it is.</param>
    /// <param name="epoch">Not less than the entry's before.</param>
    /// <param name="lsn">The entry's before, plus 1.</param>
    /// <param name="timestamp">Greater than the entry's before.</param>
    /// <param name="payload">Copied.</param>
    /// <exception cref="AiDbException"><see cref="AiDbErrorKind.Unavailable"/>: the log has failed; the group
    /// is empty.
    /// </exception>
    public void Append(LogRecordType type, ulong epoch, ulong lsn, ulong timestamp, ReadOnlySpan<byte> payload)
    {
        if (_failure is { } failure)
        {
            DiscardGroup();
            throw Repeat(failure);
        }

        _group.Add(type, epoch, lsn, timestamp, payload);
    }

    /// <summary>Drops what was appended since the last <see cref="WriteGroup"/>.</summary>
    public void DiscardGroup() => _group.Begin(_end);

    /// <summary>Writes the group with one write: all of it or nothing. Whatever happens, the group is empty
    /// afterwards.</summary>
    /// <exception cref="AiDbException"><see cref="AiDbErrorKind.ResourceExhausted"/> (disk full) and
    /// <see cref="AiDbErrorKind.Unavailable"/>: nothing was written.
    /// <see cref="AiDbErrorKind.OutcomeUnknown"/>: the entries may
    /// come back after a restart; the log has failed.</exception>
    public void WriteGroup()
    {
        if (_group.IsEmpty)
            return;
        try
        {
            if (_failure is { } failure)
                throw Repeat(failure);
            EnsureRoom(_group.Length + LogFormat.SealBytes);
            WriteRecords(_group.Complete(_active.ChecksumSeed, DurableLsn, _end.Checksum, out LogChain end), "append to the log");
            Publish(end);
        }
        finally
        {
            DiscardGroup();
        }
    }

    /// <summary>Makes everything that was written before the call durable. One sync serves all who wait for
    /// it.</summary>
    /// <exception cref="AiDbException"><see cref="AiDbErrorKind.OutcomeUnknown"/>: entries that were written
    /// may be lost; the
    /// log has failed.</exception>
    public void Sync()
    {
        ulong wanted = AppendedLsn;
        if (DurableLsn >= wanted)
            return;
        lock (_syncGate)
        {
            if (DurableLsn >= wanted)
                return;
            if (_failure is { } failure)
                throw LogErrors.Unknown("sync the log", failure.InnerException ?? failure);
            LogSegment segment;
            ulong written;
            lock (_gate)
            {
                segment = _active;
                written = _appendedLsn;
                segment.AddReference();
            }

            try
            {
                segment.File.Sync();
            }
            catch (IOException error)
            {
                FailClosed("sync the log", error);
                throw LogErrors.Unknown("sync the log", error);
            }
            finally
            {
                segment.ReleaseReference();
            }

            RaiseDurable(written);
        }
    }

    /// <summary>Moves the commit position; a lower one than before changes nothing.</summary>
    public void Commit(ulong lsn)
    {
        ArgumentOutOfRangeException.ThrowIfGreaterThan(lsn, AppendedLsn);
        lock (_gate)
        {
            if (lsn > _committedLsn)
                Volatile.Write(ref _committedLsn, lsn);
        }
    }

    /// <summary>The files of the segments that are sealed and take nothing any more.</summary>
    public IReadOnlyList<string> ClosedSegments()
    {
        lock (_gate)
            return [.. _segments.Where(segment => segment != _active).Select(static segment => segment.Path)];
    }

    /// <summary>A reader that begins with <paramref name="fromLsn"/>, which may be the entry that comes
    /// next.</summary>
    /// <exception cref="AiDbException"><see cref="AiDbErrorKind.Aborted"/>: the log no longer reaches back
    /// that far.</exception>
    public LogReader OpenReader(ulong fromLsn) => new(this, fromLsn);

    /// <inheritdoc/>
    public void Dispose()
    {
        lock (_syncGate)
        {
            lock (_gate)
            {
                _failure ??= LogErrors.FailedClosed("go on", new ObjectDisposedException(nameof(WriteAheadLog)));
                foreach (LogSegment segment in _segments)
                    segment.ReleaseReference();
                _segments.Clear();
            }
        }
    }

    private void Publish(in LogChain end)
    {
        lock (_gate)
        {
            _active.Remember(new LogSegmentPosition(_active.WrittenEnd, _end));
            if (end.Epoch != _epoch || _epochs.Count == 0)
                _group.AddEpochStarts(_epochs);
            _active.WrittenEnd += _group.Length;
            _active.AllocatedBytes = Math.Max(_active.AllocatedBytes, _active.WrittenEnd);
            _end = end;
            Volatile.Write(ref _epoch, end.Epoch);
            Volatile.Write(ref _lastTimestamp, end.Timestamp);
            Volatile.Write(ref _appendedLsn, end.NextLsn - 1);
        }
    }

    private void RaiseDurable(ulong lsn)
    {
        lock (_gate)
        {
            if (lsn > _durableLsn)
                Volatile.Write(ref _durableLsn, lsn);
        }
    }

    private void FailClosed(string doing, Exception error)
    {
        _failure ??= LogErrors.FailedClosed(doing, error);
        LogFailedClosed(_options.Logger, _options.Directory, doing, error);
    }

    /// <summary>A new exception for each caller: one that is thrown twice would mix their stacks.</summary>
    private static AiDbException Repeat(AiDbException failure) => new(failure.Kind, failure.Message, failure.InnerException);

    [LoggerMessage(Level = LogLevel.Critical, Message = "The log {Directory} takes no more writes: could not {Doing}")]
    private static partial void LogFailedClosed(ILogger logger, string directory, string doing, Exception error);
}
