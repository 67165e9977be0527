using AiDb.Engine.Encoding;
using AiDb.Engine.Log;
using AiDb.Engine.RangeDeletes;

namespace AiDb.Engine.MemTables;

/// <summary>The newest applied entries, until they are flushed to a table.</summary>
/// <remarks>Thread safety: one writer (the applier), any number of readers that hold a reference.</remarks>
internal sealed unsafe class MemTable : RefCounted
{
    private readonly NativeArena _arena;
    private readonly SkipList _list;
    private readonly ulong _previousLsn;
    private MemTableRangeDeletes? _rangeDeletes;
    private long _entries;

    /// <summary>Makes an empty memtable.</summary>
    /// <param name="expectedBytes">What it will hold.</param>
    /// <param name="previous">The entry before the first that it will hold.</param>
    /// <param name="ordinal">Its number: one more than that of the memtable before.</param>
    public MemTable(long expectedBytes, LogPosition previous, ulong ordinal)
    {
        Ordinal = ordinal;
        _previousLsn = previous.Lsn;
        _arena = new NativeArena(expectedBytes);
        _list = new SkipList(_arena, (previous.Timestamp * 0x9E37_79B9_7F4A_7C15) ^ 0x5DEE_CE66);
        LastPosition = previous;
    }

    /// <summary>Its number: one more than that of the memtable before.</summary>
    public ulong Ordinal { get; }

    /// <summary>Whether no log entry went into it.</summary>
    public bool IsUntouched => LastPosition.Lsn == _previousLsn;

    /// <summary>Native bytes that it takes.</summary>
    public long SizeBytes => _arena.AllocatedBytes + (RangeDeletes?.SizeBytes ?? 0);

    /// <summary>The range tombstones; null when there are none.</summary>
    public MemTableRangeDeletes? RangeDeletes => Volatile.Read(ref _rangeDeletes);

    /// <summary>Internal entries.</summary>
    public long EntryCount => Volatile.Read(ref _entries);

    /// <summary>The last log entry whose effects are in here; written by the applier, read once it is
    /// immutable.</summary>
    public LogPosition LastPosition { get; set; }

    /// <summary>Whether any entry holds merge operands.</summary>
    public bool HasMerges { get; private set; }

    /// <summary>Adds an entry; the same key with the same version (twice in one batch) takes the later
    /// value.</summary>
    public void Add(
        uint tableId, ReadOnlySpan<byte> userKey, ulong version, EntryKind kind, ulong expiryUnixMs,
        ReadOnlySpan<byte> value, ulong movedVersion = 0)
    {
        HasMerges |= kind == EntryKind.Merge;
        if (_list.Insert(tableId, userKey, version, kind, expiryUnixMs, value, movedVersion))
            Volatile.Write(ref _entries, _entries + 1);
    }

    /// <summary>Finds the places of the next keys of a batch, which are added after this in this order; see
    /// <see cref="SkipList.Locate"/>.</summary>
    public int Locate(LogOperationReader operations, ulong version) => _list.Locate(operations, version);

    /// <summary>Adds a range tombstone: of the same version, what is added before or after it is not covered by
    /// it.</summary>
    public void AddRangeDelete(RangeTombstone tombstone)
    {
        Volatile.Write(ref _rangeDeletes, MemTableRangeDeletes.Add(_rangeDeletes, tombstone));
        Volatile.Write(ref _entries, _entries + 1);
    }

    /// <summary>Finds the newest entry of a key that is not newer than
    /// <paramref name="maxVersion"/>.</summary>
    /// <returns>Whether the memtable decides the key, by a value or a deletion.</returns>
    public bool TryFind(
        uint tableId, ReadOnlySpan<byte> userKey, ulong maxVersion, out ulong version, out ReadOnlySpan<byte> internalValue)
    {
        SkipList.Node* node = _list.Find(tableId, userKey, maxVersion);
        if (node == null)
        {
            version = 0;
            internalValue = default;
            return false;
        }

        version = node->Version;
        internalValue = node->ValueSpan;
        return true;
    }

    /// <summary>Counts the entries of a key, from the newest, that hold merge operands and nothing that they apply
    /// to.</summary>
    /// <param name="tableId">The table.</param>
    /// <param name="userKey">The key.</param>
    /// <param name="most">Where counting ends.</param>
    /// <param name="version">The version of the key's newest entry; 0: it has none here.</param>
    /// <param name="internalValue">That entry.</param>
    public int CountMerges(
        uint tableId, ReadOnlySpan<byte> userKey, int most, out ulong version, out ReadOnlySpan<byte> internalValue)
    {
        SkipList.Node* node = _list.Find(tableId, userKey, ulong.MaxValue);
        version = node == null ? 0 : node->Version;
        internalValue = node == null ? default : node->ValueSpan;
        int count = 0;
        while (count < most && node != null && node->TableId == tableId && node->UserKeySpan.SequenceEqual(userKey)
            && InternalValue.Kind(node->ValueSpan) == EntryKind.Merge)
        {
            count++;
            node = SkipList.Next(node, 0);
        }

        return count;
    }

    /// <summary>Walks the entries; the iterator holds no reference, its owner does.</summary>
    public MemTableIterator CreateIterator() => new(_list);

    /// <summary>Lets an iterator walk these entries; its owner keeps the memtable alive.</summary>
    public void Open(MemTableIterator iterator) => iterator.Open(_list);

    /// <summary>A walk over all entries of a memtable that is not written any more; its owner keeps it
    /// alive.</summary>
    public OrderedWalk Walk() => new(_list);

    /// <inheritdoc/>
    protected override void OnUnreferenced() => _arena.Dispose();
}
