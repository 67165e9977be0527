using AiDb.Engine.Manifest;
using AiDb.Engine.MemTables;
using AiDb.Engine.Merging;

namespace AiDb.Engine.State;

/// <summary>The state that reads see: the current <see cref="ReadState"/>, how far it is applied, and the
/// snapshots.</summary>
/// <remarks>
/// Thread safety: all members may be called concurrently, but <see cref="Publish"/>, <see cref="Rotate"/> and
/// <see cref="Active"/> by the applier only. Readers take no lock. Point reads look into the current state
/// within a <see cref="ReadSection"/>; who keeps it longer takes a reference.
/// Invariants: a reader takes the state first and the visible version after it; so the version is at least
/// that of everything a compaction of that state has thrown away for. A batch lies in one memtable. The
/// snapshots' list and the visible version change under one lock, so that a compaction which lists them
/// misses no snapshot below what it sees.
/// </remarks>
internal sealed class StateHolder
{
    private readonly Lock _stateGate = new();
    private readonly Lock _snapshotGate = new();
    private readonly LinkedList<Snapshot> _snapshots = new();
    private ReadState? _current;
    private ulong _visibleVersion;
    private LogPosition _applied;

    /// <summary>Begins with a tree and no entries beyond it. Takes over the references of memtable and
    /// tree.</summary>
    public StateHolder(MemTable active, TreeVersion tree, MergeOperators merges)
    {
        _current = new ReadState(active, [], tree, merges);
        Active = active;
        _applied = active.LastPosition;
        _visibleVersion = _applied.Timestamp;
        active.Release();
        tree.Release();
    }

    /// <summary>The memtable that the applier writes to.</summary>
    public MemTable Active { get; private set; }

    /// <summary>The version of the last entry that reads see.</summary>
    public ulong VisibleVersion => Volatile.Read(ref _visibleVersion);

    /// <summary>The last entry that reads see.</summary>
    public LogPosition Applied
    {
        get
        {
            lock (_snapshotGate)
                return _applied;
        }
    }

    /// <summary>The current state, with a reference that the caller gives back.</summary>
    /// <exception cref="ObjectDisposedException">The database is closed.</exception>
    public ReadState Acquire()
    {
        while (true)
        {
            ReadState state = Volatile.Read(ref _current) ?? throw new ObjectDisposedException(nameof(Database));
            if (state.TryAddReference())
                return state;
        }
    }

    /// <summary>The current state, which stays as long as the caller is in a
    /// <see cref="ReadSection"/>.</summary>
    /// <exception cref="ObjectDisposedException">The database is closed.</exception>
    public ReadState Peek() => Volatile.Read(ref _current) ?? throw new ObjectDisposedException(nameof(Database));

    /// <summary>Lets reads see the entries up to a position.</summary>
    public void Publish(LogPosition position)
    {
        lock (_snapshotGate)
        {
            _applied = position;
            Volatile.Write(ref _visibleVersion, position.Timestamp);
        }
    }

    /// <summary>Makes the active memtable immutable and goes on with a new one, whose reference it takes
    /// over.</summary>
    public void Rotate(MemTable next)
    {
        lock (_stateGate)
        {
            ReadState old = Current();
            Swap(new ReadState(next, [old.Active, .. old.Immutable], old.Tree, old.Merges));
            Active = next;
        }

        next.Release();
    }

    /// <summary>Replaces the tree, whose reference it takes over, and drops the flushed memtable.</summary>
    public void Install(TreeVersion tree, MemTable? flushed)
    {
        lock (_stateGate)
        {
            ReadState old = Current();
            MemTable[] immutable = flushed is null
                ? old.Immutable
                : Array.FindAll(old.Immutable, memtable => memtable != flushed);
            Swap(new ReadState(old.Active, immutable, tree, old.Merges));
        }

        tree.Release();
    }

    /// <summary>Gives the state up; later reads fail.</summary>
    public void Close()
    {
        ReadState? last;
        lock (_stateGate)
        {
            last = _current;
            Volatile.Write(ref _current, null);
        }

        if (last is not null)
            ReadSection.Retire(last);
    }

    /// <summary>Holds the visible version for reads.</summary>
    public Snapshot CreateSnapshot(Database database)
    {
        ObjectDisposedException.ThrowIf(Volatile.Read(ref _current) is null, database);
        lock (_snapshotGate)
        {
            var snapshot = new Snapshot(database, _applied);
            snapshot.Node = _snapshots.AddLast(snapshot);
            return snapshot;
        }
    }

    /// <summary>Lets go of a snapshot.</summary>
    public void Release(Snapshot snapshot)
    {
        lock (_snapshotGate)
        {
            if (snapshot.Node is { } node)
                _snapshots.Remove(node);
            snapshot.Node = null;
        }
    }

    /// <summary>The versions that snapshots stand at, or may yet be made at, ascending, each once.</summary>
    /// <param name="newest">The newest version among what is to be merged or flushed. Tables of an ingest are in the tree
    /// an instant before its version is visible: readers and snapshots of that instant stand below it.</param>
    public ulong[] SnapshotVersions(ulong newest)
    {
        lock (_snapshotGate)
        {
            bool isAhead = newest > _applied.Timestamp;
            if (_snapshots.Count == 0)
                return isAhead ? [_applied.Timestamp] : [];
            List<ulong> versions = new(_snapshots.Count);
            foreach (Snapshot snapshot in _snapshots)
            {
                if (versions.Count == 0 || versions[^1] != snapshot.Version)
                    versions.Add(snapshot.Version);
            }

            if (isAhead && versions[^1] != _applied.Timestamp)
                versions.Add(_applied.Timestamp);
            return [.. versions];
        }
    }

    private ReadState Current() => _current ?? throw new ObjectDisposedException(nameof(Database));

    private void Swap(ReadState next)
    {
        ReadState? old = _current;
        Volatile.Write(ref _current, next);
        if (old is not null)
            ReadSection.Retire(old);
    }
}
