using AiDb.Engine.Manifest;
using AiDb.Engine.MemTables;
using AiDb.Engine.State;

namespace AiDb.Engine.Iteration;

/// <summary>What a scan works with: iterators over the parts of a state, their merge, and buffers. A thread
/// keeps one set for its next scan, so that a short scan allocates next to nothing.</summary>
/// <remarks>Thread safety: none; a set belongs to one scan until it is given back. It holds managed memory
/// only, so a set that is not given back is no leak.</remarks>
internal sealed class StateIterators
{
    [ThreadStatic]
    private static StateIterators? _spare;

    private readonly List<InternalIterator> _children = [];
    private readonly List<MemTableIterator> _memtables = [];
    private readonly List<LevelIterator> _levels = [];
    private int _usedMemtables;
    private int _usedLevels;

    private StateIterators()
    {
    }

    /// <summary>All entries of the state.</summary>
    public MergingIterator Merged { get; } = new([]);

    /// <summary>A buffer of the scan.</summary>
    public byte[] KeyBuffer { get; set; } = new byte[128];

    /// <summary>Another.</summary>
    public byte[] SeekBuffer { get; set; } = new byte[128];

    /// <summary>Another.</summary>
    public byte[] ValueBuffer { get; set; } = [];

    /// <summary>A set over a state, which the caller holds until it gives the set back.</summary>
    public static StateIterators Open(ReadState state)
    {
        StateIterators taken = Take();
        PrefixPruning everything = default;
        taken.OpenChildren(state, ref everything);
        return taken;
    }

    /// <summary>As the other, for entries of a range only: tables whose filters tell that they have none are left
    /// out.</summary>
    public static StateIterators Open(ReadState state, PrefixScans scans, uint tableId, in ScanRange range)
    {
        if (!scans.Applies(in range))
            return Open(state);
        StateIterators taken = Take();
        int bytes = PrefixPruning.BufferBytes(in range);
        if (taken.SeekBuffer.Length < bytes)
            taken.SeekBuffer = new byte[bytes + 64];
        PrefixPruning pruning = PrefixPruning.Make(scans, tableId, in range, taken.SeekBuffer);
        taken.OpenChildren(state, ref pruning);
        scans.Count(pruning.Checked, pruning.Skipped);
        return taken;
    }

    /// <summary>Gives the set back; nobody may use it any more.</summary>
    public void Return()
    {
        Merged.Close();
        for (int index = 0; index < _usedMemtables; index++)
            _memtables[index].Open(null);
        for (int index = 0; index < _usedLevels; index++)
            _levels[index].Close();
        _children.Clear();
        _usedMemtables = 0;
        _usedLevels = 0;
        _spare ??= this;
    }

    private static StateIterators Take()
    {
        StateIterators taken = _spare ?? new StateIterators();
        _spare = null;
        return taken;
    }

    private void OpenChildren(ReadState state, scoped ref PrefixPruning pruning)
    {
        Add(state.Active);
        foreach (MemTable memtable in state.Immutable)
            Add(memtable);
        LiveTable[] level0 = state.Tree.LevelArray(0);
        for (int index = 0; index < level0.Length; index++)
        {
            if (pruning.MayHold(level0[index]))
                Add(level0, index, 1);
        }

        for (int level = 1; level < VersionEdit.Levels; level++)
        {
            LiveTable[] tables = state.Tree.LevelArray(level);
            pruning.Narrow(tables, out int first, out int count);
            if (count > 0)
                Add(tables, first, count);
        }

        Merged.Open(_children);
    }

    private void Add(MemTable memtable)
    {
        // What is added to an empty one from now on is newer than what the scan sees.
        if (memtable.EntryCount == 0)
            return;
        if (_usedMemtables == _memtables.Count)
            _memtables.Add(new MemTableIterator(null));
        MemTableIterator iterator = _memtables[_usedMemtables++];
        memtable.Open(iterator);
        _children.Add(iterator);
    }

    private void Add(LiveTable[] tables, int first, int count)
    {
        if (_usedLevels == _levels.Count)
            _levels.Add(new LevelIterator(fillCache: true, readaheadBytes: 0));
        LevelIterator iterator = _levels[_usedLevels++];
        iterator.Open(tables, first, count);
        _children.Add(iterator);
    }
}
