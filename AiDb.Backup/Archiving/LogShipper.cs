using AiDb.Backup.Format;
using AiDb.Engine;
using AiDb.Engine.Log;

namespace AiDb.Backup.Archiving;

/// <summary>Sends a database's log, entry by entry, in objects that follow one another.</summary>
/// <remarks>
/// Memory is bounded by <see cref="ArchiveOptions.ConcurrentUploads"/> objects of <see cref="ArchiveOptions.LogBytes"/>
/// and one entry; what cannot be sent stays in the database's log. Thread safety: none but the properties.
/// </remarks>
internal sealed class LogShipper(
    Database database, ArchivePublisher publisher, uint shard, ulong epoch, UInt128 databaseId, ArchiveOptions options,
    ArchiveComponents components, TransferRate rate) : IDisposable
{
    private readonly List<Outgoing> _outgoing = [];
    private LogTail? _tail;
    private LogObjectBuilder _gathering = new();
    private long _gatheringSince;
    private LogPosition _read;
    private byte[] _hostState = [];

    /// <summary>The last entry that is in the archive, with all before it.</summary>
    public LogPosition Archived { get; private set; }

    /// <summary>When the oldest entry that was read and is not archived was written, Unix milliseconds; null: there is
    /// none.</summary>
    public long? OldestPendingMs
    {
        get
        {
            lock (_outgoing)
            {
                return _outgoing.Count > 0 ? TimeOf(_outgoing[0].First)
                    : _gathering.Count > 0 ? TimeOf(_gathering.First) : null;
            }
        }
    }

    /// <summary>Bytes of entries that were read and are not archived.</summary>
    public long BufferedBytes
    {
        get
        {
            lock (_outgoing)
                return _outgoing.Sum(static outgoing => (long)outgoing.Bytes.Length) + _gathering.SizeBytes;
        }
    }

    /// <summary>The last entry that took files in, which are in no log: only a snapshot has them. 0: none.</summary>
    public ulong LastIngestLsn { get; private set; }

    public long SentBytes { get; private set; }

    public long ReadBytes { get; private set; }

    /// <summary>Begins after an entry.</summary>
    /// <exception cref="AiDbException"><see cref="AiDbErrorKind.Aborted"/>: the log no longer has the next
    /// one.</exception>
    public void Begin(LogPosition after)
    {
        LogTail tail = database.TailLog(after.Lsn + 1);
        _tail?.Dispose();
        _tail = tail;
        lock (_outgoing)
        {
            _outgoing.Clear();
            _gathering = new LogObjectBuilder();
            Archived = after;
        }

        _read = after;
        _hostState = [];
    }

    /// <summary>Sends what there is.</summary>
    /// <param name="isUrgent">Whether entries must not wait for more to come.</param>
    /// <param name="cancellationToken">Gives up; what was not sent is sent the next time.</param>
    /// <returns>Whether some entries wait for more to come.</returns>
    public async Task<bool> ShipAsync(bool isUrgent, CancellationToken cancellationToken)
    {
        while (true)
        {
            // Objects that failed before go first, as they were.
            await SendAsync(cancellationToken).ConfigureAwait(false);
            while (_outgoing.Count < options.ConcurrentUploads)
            {
                Gather();
                bool isFull = _gathering.SizeBytes >= options.LogBytes;
                if (_gathering.Count == 0 || !(isFull || isUrgent || IsDue()))
                    break;
                await EncodeAsync(cancellationToken).ConfigureAwait(false);
                if (!isFull)
                    break;
            }

            if (_outgoing.Count == 0)
                return _gathering.Count > 0;
        }
    }

    /// <summary>Waits until there is something to send.</summary>
    public ValueTask<bool> WaitAsync(CancellationToken cancellationToken) =>
        _tail!.WaitToReadAsync(cancellationToken);

    public void Dispose() => _tail?.Dispose();

    private bool IsDue() => components.TimeProvider.GetElapsedTime(_gatheringSince) >= options.LogInterval;

    /// <summary>Reads entries until the object is full or there is none.</summary>
    private void Gather()
    {
        while (_gathering.SizeBytes < options.LogBytes && _tail!.TryRead(out LogEntry entry))
        {
            if (entry.Type == LogRecordType.Batch && IsIngest(entry.Payload.Span))
                LastIngestLsn = entry.Position.Lsn;
            Add(entry);
        }
    }

    private void Add(in LogEntry entry)
    {
        lock (_outgoing)
        {
            if (_gathering.Count == 0)
                _gatheringSince = components.TimeProvider.GetTimestamp();
            _gathering.Add(entry);
        }
    }

    private static bool IsIngest(ReadOnlySpan<byte> payload)
    {
        var operations = new LogOperationReader(payload);
        return operations.MoveNext() && operations.Kind == LogOperationKind.Ingest;
    }

    private async Task EncodeAsync(CancellationToken cancellationToken)
    {
        // Asked after the entries were read: tables that they use are in it.
        ReadOnlyMemory<byte> state = await components.HostState(cancellationToken).ConfigureAwait(false);
        bool isNew = !state.Span.SequenceEqual(_hostState);
        LogObjectBuilder entries = _gathering;
        byte[] bytes = LogObjectCodec.Encode(
            entries, shard, epoch, databaseId, _read, isNew ? state.Span : default, options.LogCompression);
        if (isNew)
            _hostState = state.ToArray();
        ReadBytes += entries.SizeBytes;
        _read = entries.Last;
        lock (_outgoing)
        {
            _outgoing.Add(new Outgoing(entries.First, entries.Last, bytes));
            _gathering = new LogObjectBuilder();
        }
    }

    private async Task SendAsync(CancellationToken cancellationToken)
    {
        if (_outgoing.Count == 0)
            return;
        Task[] sending = [.. _outgoing.Select(outgoing => SendAsync(outgoing, cancellationToken))];
        Task all = Task.WhenAll(sending);
        await all.ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
        int done = 0;
        while (done < sending.Length && sending[done].IsCompletedSuccessfully)
            done++;
        if (done > 0)
        {
            // Whoever is told that its write is archived must be able to count on it: a later primary that has not seen
            // these objects claims after this look, and one that claimed before it is seen here.
            await publisher.CheckEpochAsync(cancellationToken).ConfigureAwait(false);
            lock (_outgoing)
            {
                Archived = _outgoing[done - 1].Last;
                _outgoing.RemoveRange(0, done);
            }

            database.MarkArchived(Archived.Lsn);
        }

        await all.ConfigureAwait(false);
    }

    private async Task SendAsync(Outgoing outgoing, CancellationToken cancellationToken)
    {
        if (outgoing.IsSent)
            return;
        rate.Take(outgoing.Bytes.Length);
        string name = ArchiveNames.Log(shard, new LogObjectId(epoch, outgoing.First.Lsn, outgoing.Last.Lsn));
        await publisher.CreateAsync(name, outgoing.Bytes, cancellationToken).ConfigureAwait(false);
        outgoing.IsSent = true;
        SentBytes += outgoing.Bytes.Length;
    }

    private static long TimeOf(LogPosition position) => (long)(position.Timestamp >> 16);

    private sealed record Outgoing(LogPosition First, LogPosition Last, byte[] Bytes)
    {
        public bool IsSent { get; set; }
    }
}
