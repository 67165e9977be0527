using System.Buffers.Binary;
using System.Runtime.CompilerServices;
using System.Runtime.InteropServices;
using AiDb.Engine.Caching;
using AiDb.Engine.Encoding;
using AiDb.Engine.Iteration;

namespace AiDb.Engine.Tables;

/// <summary>A cursor over one table at a time; holds one block at a time.</summary>
/// <remarks>
/// The key is put together in a buffer. Invariant: its user key begins with <c>_intact</c> bytes of the key of
/// the group's head, so that a step copies only what the entry does not share, and what the head has beyond
/// that.
/// </remarks>
internal sealed unsafe class TableIterator : InternalIterator
{
    private const int GroupMask = (1 << TableFormat.GroupShift) - 1;

    private readonly bool _fillCache;
    private readonly ReadaheadBuffer? _readahead;
    private TableReader? _table;
    private PartitionHold _hold;
    private int _blockCount;
    private BlockLease _lease;
    private DataBlock _block;
    private byte[] _keyBuffer = GC.AllocateUninitializedArray<byte>(128, pinned: true);
    private byte* _key;
    private byte* _next;
    private byte* _head;
    private int _intact;
    private int _group = -1;
    private int _blockNumber = -1;
    private int _entry = -1;
    private bool _ownsReference;

    /// <summary>Makes a cursor that has no table yet.</summary>
    /// <param name="fillCache">Whether the blocks that it reads enter the cache.</param>
    /// <param name="readaheadBytes">Bytes to read at once; 0 reads block by block.</param>
    public TableIterator(bool fillCache, int readaheadBytes)
    {
        _fillCache = fillCache;
        _readahead = readaheadBytes > 0 ? new ReadaheadBuffer(readaheadBytes) : null;
        UseKeyBuffer();
    }

    /// <summary>Whether it has a table.</summary>
    public bool IsOpen => _table is not null;

    /// <summary>Takes another table.</summary>
    /// <param name="table">The table.</param>
    /// <param name="ownsReference">Whether it gives a reference to the table back with it; else its owner keeps
    /// the table alive.</param>
    public void Open(TableReader table, bool ownsReference)
    {
        Close();
        _readahead?.Clear();
        _table = table;
        _blockCount = table.BlockCount;
        _ownsReference = ownsReference;
    }

    /// <summary>Lets go of its table.</summary>
    public void Close()
    {
        StandNowhere();
        ReleaseBlock();
        TableReader? table = _table;
        _table = null;
        _hold.Release();
        _blockCount = 0;
        if (_ownsReference)
            table?.Release();
        _ownsReference = false;
    }

    /// <summary>Builds the internal key of an entry.</summary>
    public static void WriteKey(in DataBlock block, int index, GrowingBuffer target, out DataBlockEntry entry)
    {
        block.Read(index, out entry);
        int rest = entry.SuffixLength + InternalKey.VersionBytes;
        target.Clear();
        Span<byte> key = target.Extend(InternalKey.TableIdBytes + entry.Shared + rest);
        BinaryPrimitives.WriteUInt32BigEndian(key, block.TableId);
        if (entry.Shared > 0)
            block.HeadKey(index)[..entry.Shared].CopyTo(key[InternalKey.TableIdBytes..]);
        entry.SuffixBytes.CopyTo(key[(InternalKey.TableIdBytes + entry.Shared)..]);
    }

    public override void SeekToFirst()
    {
        LoadBlock(0);
        MoveTo(0);
    }

    public override void SeekToLast()
    {
        LoadBlock(_blockCount - 1);
        MoveTo(_block.Count - 1);
    }

    public override void Seek(ReadOnlySpan<byte> internalKey)
    {
        ObjectDisposedException.ThrowIf(_table is null, this);
        int number = _table.FindBlock(
            InternalKey.Prefix(internalKey), InternalKey.InvertedVersion(internalKey), ref _hold);
        if (number == _blockCount)
        {
            StandNowhere();
            return;
        }

        LoadBlock(number);
        int entry = LowerBound(internalKey);
        if (entry < _block.Count)
            MoveTo(entry);
        else
            MoveToBlock(number + 1, last: false);
    }

    public override void SeekForPrevious(ReadOnlySpan<byte> internalKey)
    {
        Seek(internalKey);
        if (!Valid)
            SeekToLast();
        else if (InternalKey.Compare(Key, internalKey) > 0)
            Previous();
    }

    public override void Next()
    {
        if (!Valid)
            return;
        int entry = _entry + 1;
        if (entry < _block.Count)
            Decode(_next, entry);
        else
            MoveToBlock(_blockNumber + 1, last: false);
    }

    public override void Previous()
    {
        if (!Valid)
            return;
        if (_entry > 0)
            MoveTo(_entry - 1);
        else
            MoveToBlock(_blockNumber - 1, last: true);
    }

    public override void Dispose()
    {
        Close();
        _readahead?.Dispose();
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
        if (number < 0 || number >= _blockCount)
        {
            StandNowhere();
            return;
        }

        LoadBlock(number);
        MoveTo(last ? _block.Count - 1 : 0);
    }

    private void MoveTo(int entry) => Decode(_block.EntryAt(entry), entry);

    /// <summary>Stands on an entry, whose bytes begin at <paramref name="position"/>.</summary>
    private void Decode(byte* position, int entry)
    {
        int shared = Varint.Read(ref position);
        int suffixLength = Varint.Read(ref position);
        int valueLength = Varint.Read(ref position);
        int keyLength = InternalKey.OverheadBytes + shared + suffixLength;
        if (keyLength > _keyBuffer.Length)
            GrowKeyBuffer(keyLength);
        if ((entry >> TableFormat.GroupShift) != _group)
            EnterGroup(entry);

        byte* userKey = _key + InternalKey.TableIdBytes;
        if (shared > _intact)
            Copy(_head + _intact, userKey + _intact, shared - _intact);
        Copy(position, userKey + shared, suffixLength + InternalKey.VersionBytes);
        _intact = (entry & GroupMask) == 0 ? suffixLength : shared;
        byte* value = position + suffixLength + InternalKey.VersionBytes;
        _next = value + valueLength;
        _entry = entry;
        Stand(_key, keyLength, value, valueLength);
    }

    private void EnterGroup(int entry)
    {
        _group = entry >> TableFormat.GroupShift;
        _block.Read(entry & ~GroupMask, out DataBlockEntry head);
        _head = head.Suffix;
        _intact = 0;
    }

    /// <summary>Copies few bytes by two overlapping moves.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static void Copy(byte* source, byte* target, int length)
    {
        if (length is >= 8 and <= 16)
        {
            ulong first = Unsafe.ReadUnaligned<ulong>(source);
            ulong last = Unsafe.ReadUnaligned<ulong>(source + length - 8);
            Unsafe.WriteUnaligned(target, first);
            Unsafe.WriteUnaligned(target + length - 8, last);
        }
        else
        {
            Unsafe.CopyBlockUnaligned(target, source, (uint)length);
        }
    }

    private void LoadBlock(int number)
    {
        ObjectDisposedException.ThrowIf(_table is null, this);
        if (number == _blockNumber)
            return;
        StandNowhere();
        ReleaseBlock();
        _lease = _fillCache
            ? _table.GetBlock(number, touch: false, ref _hold)
            : _table.GetBlockUncached(number, _readahead, ref _hold);
        _block = new DataBlock(in _lease);
        _blockNumber = number;
        BinaryPrimitives.WriteUInt32BigEndian(_keyBuffer, _block.TableId);
    }

    private void ReleaseBlock()
    {
        // The memory may be gone after this: nothing may lead to it, also when loading the next block fails.
        if (_blockNumber < 0)
            return;
        _blockNumber = -1;
        _entry = -1;
        _group = -1;
        _block = default;
        _head = null;
        _next = null;
        _lease.Dispose();
        _lease = default;
    }

    private void GrowKeyBuffer(int needed)
    {
        byte[] old = _keyBuffer;
        _keyBuffer = GC.AllocateUninitializedArray<byte>(needed * 2, pinned: true);
        old.CopyTo(_keyBuffer, 0);
        UseKeyBuffer();
    }

    private void UseKeyBuffer() => _key = (byte*)Unsafe.AsPointer(ref MemoryMarshal.GetArrayDataReference(_keyBuffer));
}
