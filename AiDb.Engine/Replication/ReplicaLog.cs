using AiDb.Engine.Commit;
using AiDb.Engine.Log;

namespace AiDb.Engine.Replication;

/// <summary>The log of a database that is one of several replicas, for the host that replicates it: entries are appended
/// without being applied, cut off where another primary's log parts from it, and applied once the group has committed them.
/// Beside it stands the voter's promise.</summary>
/// <remarks>
/// <para>Thread safety: the host calls <see cref="Promise"/>, <see cref="Append"/>, <see cref="Write"/>,
/// <see cref="TruncateAfter"/> and <see cref="Read"/> from one place at a time; <see cref="Sync"/>,
/// <see cref="Commit"/> and the positions may be called concurrently with it.</para>
/// <para>Invariants: what is applied is committed and durable here; nothing at or below <see cref="CommittedLsn"/> is ever cut;
/// after opening, only what the tables hold is applied, since whether the rest is committed is for the group to say.</para>
/// </remarks>
public sealed class ReplicaLog
{
    private readonly EngineContext _context;
    private readonly WriteAheadLog _log;
    private readonly LogSyncer _syncer;
    private readonly LogSignal _signal;
    private readonly ReplicaApplier _applier;
    private readonly RecentEntries _recent;

    /// <summary>One sync at a time, and none after <see cref="Close"/>.</summary>
    private readonly Lock _syncGate = new();

    private readonly List<EpochStart> _epochs;
    private VoterState _voter;
    private VoterState _savedVoter;
    private ulong _lastLsn;
    private ulong _lastTimestamp;
    private bool _closed;

    internal ReplicaLog(
        EngineContext context, WriteAheadLog log, LogSyncer syncer, LogSignal signal, ReplicaApplier applier,
        RecentEntries recent, VoterState voter)
    {
        _context = context;
        _log = log;
        _syncer = syncer;
        _signal = signal;
        _applier = applier;
        _recent = recent;
        _lastLsn = log.AppendedLsn;
        _lastTimestamp = log.LastTimestamp;
        _epochs = JoinEpochs(log, voter.Epochs);

        // Entries of an epoch may have become durable in the sync that the promise of it was to be part of.
        ulong promised = Math.Max(voter.Promised, _epochs.Count == 0 ? 0 : _epochs[^1].Epoch);
        _savedVoter = voter;
        _voter = voter with { Promised = promised, Epochs = [.. _epochs] };
    }

    /// <summary>The epoch below which this voter follows nobody.</summary>
    public ulong Promised => Volatile.Read(ref _voter).Promised;

    /// <summary>The highest generation of the configuration that it saw.</summary>
    public ulong Generation => Volatile.Read(ref _voter).Generation;

    /// <summary>The first entry that can be read; <see cref="LastLsn"/> + 1 when there is none.</summary>
    public ulong FirstLsn => _log.FirstLsn;

    /// <summary>The last entry that was appended; 0: none.</summary>
    public ulong LastLsn => Volatile.Read(ref _lastLsn);

    /// <summary>The timestamp of <see cref="LastLsn"/>.</summary>
    public ulong LastTimestamp => Volatile.Read(ref _lastTimestamp);

    /// <summary>The last entry that a loss of power would not take.</summary>
    public ulong DurableLsn => _log.DurableLsn;

    /// <summary>The last entry known to be committed and held here.</summary>
    public ulong CommittedLsn => _log.CommittedLsn;

    /// <summary>The last entry whose effects are seen.</summary>
    public ulong AppliedLsn => _applier.AppliedLsn;

    /// <summary>Where each epoch begins, oldest first. The host's own.</summary>
    public IReadOnlyList<EpochStart> Epochs => _epochs;

    /// <summary>Counts changes of <see cref="Epochs"/>.</summary>
    public int EpochsVersion { get; private set; }

    /// <summary>Why the replica can neither append nor apply any more; null while it works. The host closes it
    /// then.</summary>
    public AiDbException? Failure => _log.FailedReason ?? _context.Health.Failure;

    /// <summary>Who takes this replica's own writes; null: it is not the primary, and refuses them.</summary>
    public ILogProposer? Proposer
    {
        get => _applier.Proposer;
        set => _applier.Proposer = value;
    }

    /// <summary>A timestamp greater than all that were given or seen here.</summary>
    public ulong NextTimestamp() => _context.Clock.Next();

    /// <summary>The epoch of an entry; 0 for LSN 0; null: it is beyond the end.</summary>
    public ulong? EpochAt(ulong lsn)
    {
        if (lsn == 0)
            return 0;
        if (lsn > LastLsn)
            return null;
        for (int index = _epochs.Count - 1; index >= 0; index--)
        {
            if (_epochs[index].StartLsn <= lsn)
                return _epochs[index].Epoch;
        }

        return null;
    }

    /// <summary>Notes a promise; durable with the next <see cref="Sync"/>.</summary>
    public void Promise(ulong epoch, ulong generation)
    {
        VoterState voter = _voter;
        ArgumentOutOfRangeException.ThrowIfLessThan(epoch, voter.Promised);
        Volatile.Write(ref _voter, voter with { Promised = epoch, Generation = Math.Max(generation, voter.Generation) });
    }

    /// <summary>Appends the entry after the last; written with the next <see cref="Write"/>.</summary>
    /// <param name="entry">Its payload is kept, and must not change any more.</param>
    /// <exception cref="AiDbException"><see cref="AiDbErrorKind.Unavailable"/>: the log has failed.</exception>
    public void Append(in LogEntry entry)
    {
        LogPosition position = entry.Position;
        if (position.Lsn != LastLsn + 1)
            throw new ArgumentException($"Entry {position.Lsn} does not follow entry {LastLsn}.", nameof(entry));
        _log.Append(entry.Type, position.Epoch, position.Lsn, position.Timestamp, entry.Payload.Span);
        _context.Clock.Observe(position.Timestamp);
        _recent.Add(entry);
        if (_epochs.Count == 0 || _epochs[^1].Epoch != position.Epoch)
        {
            _epochs.Add(new EpochStart(position.Epoch, position.Lsn));
            NoteEpochs();
        }

        Volatile.Write(ref _lastTimestamp, position.Timestamp);
        Volatile.Write(ref _lastLsn, position.Lsn);
    }

    /// <summary>Writes what was appended, with one write.</summary>
    /// <exception cref="AiDbException">The disk failed or is full: the replica no longer knows what its log holds, and must
    /// be closed.</exception>
    public void Write()
    {
        if (_log.AppendedLsn == LastLsn)
            return;
        try
        {
            _log.WriteGroup();
        }
        catch (AiDbException error)
        {
            _syncer.FailDatabase(error);
            throw;
        }
    }

    /// <summary>Makes durable what was promised and written before the call.</summary>
    /// <exception cref="AiDbException"><see cref="AiDbErrorKind.Unavailable"/>: the replica is closed, nothing was done. Else
    /// the disk failed; the replica must be closed.</exception>
    public void Sync()
    {
        lock (_syncGate)
        {
            if (_closed)
                throw new AiDbException(AiDbErrorKind.Unavailable, $"The replica in {_context.Path} is closed.");
            SaveVoter();
            _syncer.Sync();
        }
    }

    /// <summary>Does <see cref="Sync"/> on the executor.</summary>
    /// <param name="done">Called afterwards, with the error or null.</param>
    public void QueueSync(Action<AiDbException?> done)
    {
        ArgumentNullException.ThrowIfNull(done);
        _context.Executor.Queue(BackgroundExecutor.SyncJob, () =>
        {
            AiDbException? failure = null;
            try
            {
                Sync();
            }
            catch (AiDbException error)
            {
                failure = error;
            }
            catch (Exception error)
            {
                failure = new AiDbException(AiDbErrorKind.Internal, $"A sync failed unexpectedly: {error.Message}", error);
                _syncer.FailDatabase(failure);
            }

            done(failure);
        });
    }

    /// <summary>Cuts off what follows an entry, durably.</summary>
    /// <exception cref="AiDbException"><see cref="AiDbErrorKind.DataLoss"/>: committed entries would go; nothing was cut. Else
    /// the disk failed, and the replica must be closed.</exception>
    public void TruncateAfter(ulong lsn)
    {
        if (lsn >= LastLsn)
            return;
        Write();
        if (lsn < CommittedLsn)
        {
            throw new AiDbException(
                AiDbErrorKind.DataLoss,
                $"The log of {_context.Path} would be cut after entry {lsn}, but entry {CommittedLsn} is committed. Nothing was cut; "
                + "restore this replica from another one, and report this.");
        }

        ulong timestamp = _log.FindPosition(lsn)?.Timestamp ?? 0;
        _recent.TruncateAfter(lsn);
        _log.TruncateAfter(lsn);
        if (_epochs.RemoveAll(epoch => epoch.StartLsn > lsn) > 0)
            NoteEpochs();
        Volatile.Write(ref _lastTimestamp, timestamp);
        Volatile.Write(ref _lastLsn, lsn);
    }

    /// <summary>Reads entries in order.</summary>
    /// <param name="fromLsn">The first.</param>
    /// <param name="maxBytes">Payload bytes; the first entry is read whatever its size.</param>
    /// <returns>Empty: there is none, or the log has given it up.</returns>
    public IReadOnlyList<LogEntry> Read(ulong fromLsn, int maxBytes)
    {
        if (fromLsn < FirstLsn || fromLsn > LastLsn)
            return [];
        List<LogEntry> entries = [];
        long bytes = 0;
        LogReader? reader = null;
        try
        {
            for (ulong lsn = fromLsn; lsn <= LastLsn && bytes < maxBytes; lsn++)
            {
                if (!_recent.TryGet(lsn, out LogEntry entry) && !TryReadFromDisk(ref reader, lsn, out entry))
                    break;
                if (entries.Count > 0 && bytes + entry.Payload.Length > maxBytes)
                    break;
                bytes += entry.Payload.Length + WriteAheadLog.RecordOverheadBytes;
                entries.Add(entry);
            }
        }
        catch (AiDbException error) when (error.Kind == AiDbErrorKind.Aborted)
        {
            // A flush released the segment meanwhile.
            return [];
        }
        finally
        {
            reader?.Dispose();
        }

        return entries;
    }

    /// <summary>Says how far the group has committed. What is durable here of it is applied, on this thread or by whoever is
    /// applying already; the rest when it is durable and this is called again.</summary>
    public void Commit(ulong lsn) => _applier.Commit(lsn);

    /// <summary>Waits until an entry is applied.</summary>
    /// <exception cref="AiDbException"><see cref="AiDbErrorKind.Unavailable"/>: it was closed before.</exception>
    public async ValueTask WaitAppliedAsync(ulong lsn, CancellationToken cancellationToken = default)
    {
        if (AppliedLsn >= lsn)
            return;
        if (!await _signal.WaitBeyondAsync(lsn - 1, cancellationToken).ConfigureAwait(false))
            throw new AiDbException(AiDbErrorKind.Unavailable, "The replica was closed.");
    }

    /// <summary>Refuses own writes from here on, and ends those that wait for their commit: what becomes of them is for the
    /// next primary to say.</summary>
    public void StopProposing(string reason)
    {
        ArgumentNullException.ThrowIfNull(reason);
        _applier.StopProposing(new AiDbException(
            AiDbErrorKind.OutcomeUnknown,
            $"The write is in this node's log, but whether it is committed is not known: {reason}. Read before writing again."));
    }

    /// <summary>Lets no sync begin any more, and waits for the one under way. A queued one may come late: the folder may be
    /// another replica's by then, whose promise must not be replaced by this one's.</summary>
    internal void Close()
    {
        lock (_syncGate)
            _closed = true;
    }

    private void SaveVoter()
    {
        VoterState voter = Volatile.Read(ref _voter);
        if (voter == _savedVoter)
            return;
        try
        {
            VoterFile.Write(_context.FileSystem, _context.Path, voter);
            _savedVoter = voter;
        }
        catch (IOException error)
        {
            var unknown = new AiDbException(
                AiDbErrorKind.OutcomeUnknown, $"The promise of {_context.Path} could not be written: {error.Message}", error);
            _syncer.FailDatabase(unknown);
            throw unknown;
        }
    }

    private bool TryReadFromDisk(ref LogReader? reader, ulong lsn, out LogEntry entry)
    {
        Write();
        if (reader?.NextLsn != lsn)
        {
            reader?.Dispose();
            reader = _log.OpenReader(lsn);
        }

        if (!reader.TryRead(lsn, out entry))
            return false;
        entry = entry with { Payload = entry.Payload.ToArray() };
        return true;
    }

    private void NoteEpochs()
    {
        EpochsVersion++;
        Volatile.Write(ref _voter, _voter with { Epochs = [.. _epochs] });
    }

    /// <summary>What the file says of epochs whose beginning the log gave up, and the log of the rest.</summary>
    private static List<EpochStart> JoinEpochs(WriteAheadLog log, IReadOnlyList<EpochStart> known)
    {
        List<EpochStart> epochs = [.. known.Where(epoch => epoch.StartLsn < log.FirstLsn)];

        // A database that had one voter until now has no file; how far back its last flushed epoch reaches nobody needs.
        ulong before = log.FirstLsn - 1;
        if (before > 0 && log.FindPosition(before) is { } position
            && (epochs.Count == 0 || epochs[^1].Epoch < position.Epoch))
        {
            epochs.Add(new EpochStart(position.Epoch, before));
        }

        foreach (EpochStart epoch in log.EpochHistory)
        {
            if (epochs.Count == 0 || epochs[^1].Epoch < epoch.Epoch)
                epochs.Add(epoch);
        }

        return epochs;
    }
}
