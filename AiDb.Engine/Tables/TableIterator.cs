using AiDb.Engine.Caching;
using AiDb.Engine.Encoding;
using AiDb.Engine.Iteration;

namespace AiDb.Engine.Tables;

/// <summary>A cursor over one table; holds one block at a time.</summary>
internal sealed unsafe class TableIterator : IInternalIterator
{
    private readonly TableReader _table;
    private readonly IndexBlock _index;
    private readonly bool _fillCache;
    private readonly ReadaheadBuffer? _readahead;
    private readonly GrowingBuffer _key = new(256);
    private BlockLease _lease;
    private DataBlock _block;
    private int _blockNumber = -1;
    private int _entry = -1;
    private byte* _value;
    private int _valueLength;
    private bool _disposed;

    public TableIterator(TableReader table, IndexBlock index, bool fillCache, int readaheadBytes)
    {
        _table = table;
        _index = index;
        _fillCache = fillCache;
        _readahead = readaheadBytes > 0 ? new ReadaheadBuffer(readaheadBytes) : null;
    }

    public bool Valid { get; private set; }

    public ReadOnlySpan<byte> Key => _key.Span;

    public ReadOnlySpan<byte> Value => new(_value, _valueLength);

    /// <summary>Builds the internal key of an entry.</summary>
    public static void WriteKey(in DataBlock block, int index, GrowingBuffer target, out DataBlockEntry entry)
    {
        block.Read(index, out entry);
        int rest = entry.SuffixLength + InternalKey.VersionBytes;
        target.Clear();
        Span<byte> key = target.Extend(InternalKey.TableIdBytes + entry.Shared + rest);
        System.Buffers.Binary.BinaryPrimitives.WriteUInt32BigEndian(key, block.TableId);
        if (entry.Shared > 0)
            block.HeadKey(index)[..entry.Shared].CopyTo(key[InternalKey.TableIdBytes..]);
        entry.SuffixBytes.CopyTo(key[(InternalKey.TableIdBytes + entry.Shared)..]);
    }

    public void SeekToFirst()
    {
        LoadBlock(0);
        MoveTo(0);
    }

    public void SeekToLast()
    {
        LoadBlock(_index.Count - 1);
        MoveTo(_block.Count - 1);
    }

    public void Seek(ReadOnlySpan<byte> internalKey)
    {
        // The index may be freed memory once the table's reference is given back.
        ObjectDisposedException.ThrowIf(_disposed, this);
        int number = _index.Find(InternalKey.Prefix(internalKey), InternalKey.InvertedVersion(internalKey));
        if (number == _index.Count)
        {
            Invalidate();
            return;
        }

        LoadBlock(number);
        int entry = LowerBound(internalKey);
        if (entry < _block.Count)
            MoveTo(entry);
        else
            MoveToBlock(number + 1, last: false);
    }

    public void SeekForPrevious(ReadOnlySpan<byte> internalKey)
    {
        Seek(internalKey);
        if (!Valid)
            SeekToLast();
        else if (InternalKey.Compare(Key, internalKey) > 0)
            Previous();
    }

    public void Next()
    {
        if (!Valid)
            return;
        if (_entry + 1 < _block.Count)
            MoveTo(_entry + 1);
        else
            MoveToBlock(_blockNumber + 1, last: false);
    }

    public void Previous()
    {
        if (!Valid)
            return;
        if (_entry > 0)
            MoveTo(_entry - 1);
        else
            MoveToBlock(_blockNumber - 1, last: true);
    }

    public void Dispose()
    {
        if (_disposed)
            return;
        _disposed = true;
        Invalidate();
        ReleaseBlock();
        _readahead?.Dispose();
        _key.Dispose();
        _table.Release();
    }

    private int LowerBound(ReadOnlySpan<byte> internalKey)
    {
        uint tableId = InternalKey.TableId(internalKey);
        if (tableId != _block.TableId)
            return tableId < _block.TableId ? 0 : _block.Count;
        return _block.LowerBound(InternalKey.UserKey(internalKey), InternalKey.InvertedVersion(internalKey));
    }

    private void MoveToBlock(int number, bool last)
    {
        if (number < 0 || number >= _index.Count)
        {
            Invalidate();
            return;
        }

        LoadBlock(number);
        MoveTo(last ? _block.Count - 1 : 0);
    }

    private void MoveTo(int entry)
    {
        _entry = entry;
        WriteKey(in _block, entry, _key, out DataBlockEntry parts);
        _value = parts.Value;
        _valueLength = parts.ValueLength;
        Valid = true;
    }

    private void LoadBlock(int number)
    {
        ObjectDisposedException.ThrowIf(_disposed, this);
        if (number == _blockNumber)
            return;
        Invalidate();
        ReleaseBlock();
        _lease = _fillCache
            ? _table.GetBlock(number, touch: false)
            : _table.GetBlockUncached(number, _readahead);
        _block = new DataBlock(in _lease);
        _blockNumber = number;
    }

    private void ReleaseBlock()
    {
        // The memory may be gone after this: nothing may lead to it, also when loading the next block fails.
        _blockNumber = -1;
        _entry = -1;
        _block = default;
        _lease.Dispose();
        _lease = default;
    }

    private void Invalidate()
    {
        Valid = false;
        _value = null;
        _valueLength = 0;
    }
}
