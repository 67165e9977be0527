namespace AiDb.Engine.Collections.Payloads;

/// <summary>Pairs of a 64-bit key and an offset, in order, in blocks of up to 512: what a number index walks. A block that is full is halved, or,
/// where keys only grow, left full.</summary>
/// <remarks>Thread safety: none; see <see cref="PayloadIndexSet"/>.</remarks>
internal sealed class SortedEntries
{
    private const int BlockLength = 512;
    private const int SmallLength = 32;

    // Per block, in arrays of their own, so that a search touches few cache lines.
    private long[] _firstKeys = [];
    private uint[] _firstOffsets = [];
    private int[] _counts = [];
    private long[][] _keys = [];
    private uint[][] _offsets = [];
    private int _blocks;

    /// <summary>How many pairs.</summary>
    public long Count { get; private set; }

    /// <summary>Bytes that it takes.</summary>
    public long MemoryBytes => (_blocks * ((BlockLength * 12L) + 48)) + (_counts.Length * 32L);

    /// <summary>The position before the first pair.</summary>
    public static EntryPosition Start => default;

    /// <summary>The position behind the last pair.</summary>
    public EntryPosition End => new(_blocks, 0);

    /// <summary>Adds a pair that is not there.</summary>
    public void Add(long key, uint offset)
    {
        Count++;
        if (_blocks == 0)
        {
            InsertBlock(0, [key], [offset]);
            return;
        }

        int block = Math.Max(0, BlockBefore(key, offset));
        int at = Seek(block, key, offset);
        if (_counts[block] == BlockLength)
        {
            if (at == BlockLength && block == _blocks - 1)
            {
                InsertBlock(_blocks, [key], [offset]);
                return;
            }

            Split(block);
            if (at > _counts[block])
                (block, at) = (block + 1, at - _counts[block]);
        }

        int count = _counts[block];
        if (count == _keys[block].Length)
        {
            Array.Resize(ref _keys[block], BlockLength);
            Array.Resize(ref _offsets[block], BlockLength);
        }

        Array.Copy(_keys[block], at, _keys[block], at + 1, count - at);
        Array.Copy(_offsets[block], at, _offsets[block], at + 1, count - at);
        _keys[block][at] = key;
        _offsets[block][at] = offset;
        _counts[block]++;
        if (at == 0)
            (_firstKeys[block], _firstOffsets[block]) = (key, offset);
    }

    /// <summary>Takes out a pair; false: it is not there.</summary>
    public bool Remove(long key, uint offset)
    {
        int block = BlockBefore(key, offset);
        if (block < 0)
            return false;
        int at = Seek(block, key, offset);
        int count = _counts[block];
        if (at == count || _keys[block][at] != key || _offsets[block][at] != offset)
            return false;
        Count--;
        if (count == 1)
        {
            RemoveBlock(block);
            return true;
        }

        Array.Copy(_keys[block], at + 1, _keys[block], at, count - at - 1);
        Array.Copy(_offsets[block], at + 1, _offsets[block], at, count - at - 1);
        _counts[block]--;
        if (at == 0)
            (_firstKeys[block], _firstOffsets[block]) = (_keys[block][0], _offsets[block][0]);
        MergeIfSmall(block);
        return true;
    }

    /// <summary>Replaces everything by pairs that are in order.</summary>
    public void Load(ReadOnlySpan<long> keys, ReadOnlySpan<uint> offsets)
    {
        (_firstKeys, _firstOffsets, _counts, _keys, _offsets, _blocks, Count) = ([], [], [], [], [], 0, keys.Length);
        for (int start = 0; start < keys.Length; start += BlockLength)
        {
            int length = Math.Min(BlockLength, keys.Length - start);
            InsertBlock(_blocks, keys.Slice(start, length), offsets.Slice(start, length));
        }
    }

    /// <summary>The first pair whose key is this or greater.</summary>
    public EntryPosition Seek(long key)
    {
        int block = BlockBefore(key, 0);
        if (block < 0)
            return Start;
        int at = Seek(block, key, 0);
        return at < _counts[block] ? new EntryPosition(block, at) : new EntryPosition(block + 1, 0);
    }

    /// <summary>How many pairs lie from one position to another.</summary>
    public long CountBetween(EntryPosition from, EntryPosition to)
    {
        long count = (long)to.Index - from.Index;
        for (int block = from.Block; block < to.Block; block++)
            count += _counts[block];
        return count;
    }

    /// <summary>The pairs of a block from an index on: of the block of <paramref name="position"/>, up to <paramref name="end"/>.
    /// The position moves to the next block; false: there are none.</summary>
    public bool Next(ref EntryPosition position, EntryPosition end, out ReadOnlySpan<long> keys, out ReadOnlySpan<uint> offsets)
    {
        keys = default;
        offsets = default;
        if (position.CompareTo(end) >= 0 || position.Block >= _blocks)
            return false;
        int block = position.Block;
        int last = block == end.Block ? end.Index : _counts[block];
        keys = _keys[block].AsSpan(position.Index, last - position.Index);
        offsets = _offsets[block].AsSpan(position.Index, last - position.Index);
        position = new EntryPosition(block + 1, 0);
        return true;
    }

    /// <summary>The pairs of a block before a position, and not before <paramref name="start"/>. The position moves to the first of
    /// them; false: there are none.</summary>
    public bool Previous(
        ref EntryPosition position, EntryPosition start, out ReadOnlySpan<long> keys, out ReadOnlySpan<uint> offsets)
    {
        keys = default;
        offsets = default;
        if (start.CompareTo(position) >= 0)
            return false;
        if (position.Index == 0)
            position = new EntryPosition(position.Block - 1, _counts[position.Block - 1]);
        int first = position.Block == start.Block ? start.Index : 0;
        keys = _keys[position.Block].AsSpan(first, position.Index - first);
        offsets = _offsets[position.Block].AsSpan(first, position.Index - first);
        position = new EntryPosition(position.Block, first);
        return keys.Length > 0;
    }

    // The last block whose first pair is this or smaller; -1: all are greater.
    private int BlockBefore(long key, uint offset)
    {
        int low = 0;
        int high = _blocks;
        while (low < high)
        {
            int middle = (low + high) >>> 1;
            long first = _firstKeys[middle];
            if (first < key || (first == key && _firstOffsets[middle] <= offset))
                low = middle + 1;
            else
                high = middle;
        }

        return low - 1;
    }

    private int Seek(int block, long key, uint offset)
    {
        long[] keys = _keys[block];
        uint[] offsets = _offsets[block];
        int low = 0;
        int high = _counts[block];
        while (low < high)
        {
            int middle = (low + high) >>> 1;
            if (keys[middle] < key || (keys[middle] == key && offsets[middle] < offset))
                low = middle + 1;
            else
                high = middle;
        }

        return low;
    }

    private void Split(int block)
    {
        const int Half = BlockLength / 2;
        InsertBlock(block + 1, _keys[block].AsSpan(Half), _offsets[block].AsSpan(Half));
        _counts[block] = Half;
    }

    private void MergeIfSmall(int block)
    {
        if (block + 1 >= _blocks || _counts[block] + _counts[block + 1] > BlockLength / 2)
            return;
        if (_keys[block].Length < BlockLength)
            return;
        _keys[block + 1].AsSpan(0, _counts[block + 1]).CopyTo(_keys[block].AsSpan(_counts[block]));
        _offsets[block + 1].AsSpan(0, _counts[block + 1]).CopyTo(_offsets[block].AsSpan(_counts[block]));
        _counts[block] += _counts[block + 1];
        RemoveBlock(block + 1);
    }

    private void InsertBlock(int at, ReadOnlySpan<long> keys, ReadOnlySpan<uint> offsets)
    {
        // The only block of a small index stays small.
        int length = keys.Length <= SmallLength && _blocks == 0 ? SmallLength : BlockLength;
        long[] blockKeys = new long[length];
        uint[] blockOffsets = new uint[length];
        keys.CopyTo(blockKeys);
        offsets.CopyTo(blockOffsets);
        Insert(ref _firstKeys, at, keys[0]);
        Insert(ref _firstOffsets, at, offsets[0]);
        Insert(ref _counts, at, keys.Length);
        Insert(ref _keys, at, blockKeys);
        Insert(ref _offsets, at, blockOffsets);
        _blocks++;
    }

    private void Insert<T>(ref T[] array, int at, T value)
    {
        if (_blocks == array.Length)
            Array.Resize(ref array, Math.Max(1, array.Length * 5 / 4 + 1));
        Array.Copy(array, at, array, at + 1, _blocks - at);
        array[at] = value;
    }

    private void RemoveBlock(int at)
    {
        _blocks--;
        Array.Copy(_firstKeys, at + 1, _firstKeys, at, _blocks - at);
        Array.Copy(_firstOffsets, at + 1, _firstOffsets, at, _blocks - at);
        Array.Copy(_counts, at + 1, _counts, at, _blocks - at);
        Array.Copy(_keys, at + 1, _keys, at, _blocks - at);
        Array.Copy(_offsets, at + 1, _offsets, at, _blocks - at);
        (_keys[_blocks], _offsets[_blocks]) = ([], []);
    }
}

/// <summary>A place between pairs: before the pair of an index in a block.</summary>
/// <param name="Block">The block.</param>
/// <param name="Index">The pair in it.</param>
internal readonly record struct EntryPosition(int Block, int Index) : IComparable<EntryPosition>
{
    /// <inheritdoc/>
    public int CompareTo(EntryPosition other) => Block != other.Block ? Block.CompareTo(other.Block) : Index.CompareTo(other.Index);
}
