using AiDb.Cluster.Replication;

namespace AiDb.Simulation.World;

/// <summary>A voter's disk: what was written, and how much of it a loss of power would leave.</summary>
/// <remarks>A loss of power keeps what was synced and any prefix of the writes after it, so a promise may be lost together
/// with the entries written after it, and a cut of the log may be undone.</remarks>
internal sealed class SimulatedLog : IReplicaLog
{
    private readonly List<Action<State>> _unsynced = [];
    private readonly State _durable = new();
    private readonly State _current = new();
    private int _cuts;
    private int _written;
    private int _syncedWrites;

    /// <summary>Called with every entry that is appended, for the checks.</summary>
    public Action<ReplicaEntry>? Appending { get; set; }

    /// <inheritdoc/>
    public ulong Promised => _current.Promised;

    /// <inheritdoc/>
    public ulong Generation => _current.Generation;

    /// <inheritdoc/>
    public ulong FirstLsn => 1;

    /// <inheritdoc/>
    public ulong CommittedLsn => 0;

    /// <inheritdoc/>
    public ulong LastLsn => (ulong)_current.Entries.Count;

    /// <inheritdoc/>
    public ulong DurableLsn { get; private set; }

    /// <inheritdoc/>
    public ulong LastTimestamp => _current.Entries.Count == 0 ? 0 : _current.Entries[^1].Timestamp;

    /// <inheritdoc/>
    public EpochHistory History
    {
        get
        {
            var marks = new List<EpochMark>();
            foreach (EpochMark mark in _current.Marks)
                marks.Add(mark);
            return new EpochHistory(marks, LastLsn);
        }
    }

    /// <summary>The promise that a loss of power would leave at least.</summary>
    public ulong DurablePromise => _durable.Promised;

    /// <summary>Whether something was written and not synced.</summary>
    public bool IsDirty => _unsynced.Count > 0;

    /// <summary>An entry that it holds.</summary>
    public ReplicaEntry this[ulong lsn] => _current.Entries[(int)lsn - 1];

    /// <inheritdoc/>
    public ulong? EpochAt(ulong lsn) => lsn == 0 ? 0 : lsn <= LastLsn ? this[lsn].Id.Epoch : null;

    /// <inheritdoc/>
    public void Promise(ulong epoch, ulong generation) => Write(state =>
    {
        state.Promised = epoch;
        state.Generation = generation;
    });

    /// <inheritdoc/>
    public void Append(ReplicaEntry entry)
    {
        if (entry.Id.Lsn != LastLsn + 1)
            throw new InvalidOperationException($"Entry {entry.Id} does not follow {LastLsn}.");
        Appending?.Invoke(entry);
        Write(state => state.Append(entry));
    }

    /// <inheritdoc/>
    public void TruncateAfter(ulong lsn)
    {
        _cuts++;
        DurableLsn = Math.Min(DurableLsn, lsn);
        Write(state => state.TruncateAfter(lsn));
    }

    /// <inheritdoc/>
    public IReadOnlyList<ReplicaEntry> Read(ulong fromLsn, int maxBytes)
    {
        var entries = new List<ReplicaEntry>();
        int bytes = 0;
        for (ulong lsn = fromLsn; lsn <= LastLsn && (entries.Count == 0 || bytes < maxBytes); lsn++)
        {
            entries.Add(this[lsn]);
            bytes += this[lsn].Payload.Length + 48;
        }

        return entries;
    }

    /// <summary>Begins a sync of all that was written; <see cref="CompleteSync"/> ends it.</summary>
    public SyncTicket BeginSync() => new(_written, LastLsn, _cuts);

    /// <summary>What the sync covered is durable.</summary>
    public void CompleteSync(SyncTicket ticket)
    {
        int covered = ticket.Written - _syncedWrites;
        for (int i = 0; i < covered; i++)
            _unsynced[i](_durable);
        _unsynced.RemoveRange(0, covered);
        _syncedWrites = ticket.Written;
        DurableLsn = ticket.Cuts == _cuts ? Math.Max(DurableLsn, ticket.LastLsn) : DurableLsn;
    }

    /// <summary>The machine lost power: a prefix of what was not synced stays.</summary>
    public void LosePower(Random random)
    {
        int kept = random.Next(_unsynced.Count + 1);
        for (int i = 0; i < kept; i++)
            _unsynced[i](_durable);
        _unsynced.Clear();
        _syncedWrites = _written;
        _current.CopyFrom(_durable);
        DurableLsn = LastLsn;
    }

    /// <summary>The process was killed: the system still writes what was handed to it, and the restart syncs
    /// it.</summary>
    public void Restart() => CompleteSync(BeginSync());

    /// <summary>Whether an entry is durable here.</summary>
    public bool HoldsDurably(EntryId id) =>
        (ulong)_durable.Entries.Count >= id.Lsn && _durable.Entries[(int)id.Lsn - 1].Id == id;

    private void Write(Action<State> change)
    {
        change(_current);
        _unsynced.Add(change);
        _written++;
    }

    private sealed class State
    {
        public ulong Promised { get; set; }

        public ulong Generation { get; set; }

        public List<ReplicaEntry> Entries { get; } = [];

        public List<EpochMark> Marks { get; } = [];

        public void Append(ReplicaEntry entry)
        {
            if (Marks.Count == 0 || Marks[^1].Epoch != entry.Id.Epoch)
                Marks.Add(new EpochMark(entry.Id.Epoch, entry.Id.Lsn));
            Entries.Add(entry);
        }

        public void TruncateAfter(ulong lsn)
        {
            Entries.RemoveRange((int)lsn, Entries.Count - (int)lsn);
            Marks.RemoveAll(mark => mark.StartLsn > lsn);
        }

        public void CopyFrom(State other)
        {
            Promised = other.Promised;
            Generation = other.Generation;
            Entries.Clear();
            Entries.AddRange(other.Entries);
            Marks.Clear();
            Marks.AddRange(other.Marks);
        }
    }
}

/// <summary>What a sync covers.</summary>
/// <param name="Written">How many writes.</param>
/// <param name="LastLsn">The last entry among them.</param>
/// <param name="Cuts">How often the log had been cut.</param>
internal readonly record struct SyncTicket(int Written, ulong LastLsn, int Cuts);
