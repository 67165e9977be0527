using AiDb.Engine.Encoding;

namespace AiDb.Engine.Tables;

/// <summary>Builds the content of a data block; the layout is in docs/formats/table.md. Thread safety:
/// none.</summary>
internal sealed class DataBlockBuilder : IDisposable
{
    private readonly GrowingBuffer _bytes = new(32 << 10);
    private readonly GrowingBuffer _head = new(256);
    private int[] _offsets = new int[256];
    private (ulong Hash, int Entry)[] _hashes = new (ulong, int)[256];
    private uint[] _slots = [];
    private int _count;
    private int _hashCount;

    /// <summary>Entries so far.</summary>
    public int Count => _count;

    /// <summary>Bytes of the content if it were finished now, about.</summary>
    public int EstimatedBytes =>
        _bytes.Length + _count * 2 + _hashCount * 5 + DataBlock.FooterBytes;

    /// <summary>Adds an entry.</summary>
    /// <param name="internalKey">After the last one, of the same table id.</param>
    /// <param name="internalValue">The value.</param>
    /// <param name="firstOfKey">Whether it is the block's first entry of its key.</param>
    /// <param name="keyHash">The hash of the key's prefix.</param>
    public void Add(
        ReadOnlySpan<byte> internalKey, ReadOnlySpan<byte> internalValue, bool firstOfKey, ulong keyHash)
    {
        int index = _count;
        ReadOnlySpan<byte> key = InternalKey.UserKey(internalKey);
        int shared = 0;
        if ((index & ((1 << TableFormat.GroupShift) - 1)) == 0)
            _head.Set(key);
        else
            shared = _head.Span.CommonPrefixLength(key);
        if (index == _offsets.Length)
            Array.Resize(ref _offsets, 2 * index);
        _offsets[index] = _bytes.Length;
        _count = index + 1;
        if (firstOfKey)
            AddHash(keyHash, index);

        ReadOnlySpan<byte> suffix = internalKey[(InternalKey.TableIdBytes + shared)..];
        Span<byte> target = _bytes.Extend((3 * Varint.MaxBytes) + suffix.Length + internalValue.Length);
        int at = Varint.Write(target, (uint)shared);
        at += Varint.Write(target[at..], (uint)(key.Length - shared));
        at += Varint.Write(target[at..], (uint)internalValue.Length);
        suffix.CopyTo(target[at..]);
        at += suffix.Length;
        internalValue.CopyTo(target[at..]);
        _bytes.Retract(target.Length - at - internalValue.Length);
    }

    /// <summary>Adds directory, hash index and footer, and returns the content.</summary>
    public ReadOnlySpan<byte> Finish(uint tableId)
    {
        bool wide = _bytes.Length > ushort.MaxValue;
        foreach (int offset in _offsets.AsSpan(0, _count))
        {
            if (wide)
                _bytes.AppendUInt32((uint)offset);
            else
                _bytes.AppendUInt16((ushort)offset);
        }

        int slots = AppendHashIndex();
        _bytes.AppendUInt32(tableId);
        _bytes.AppendUInt32((uint)_count);
        _bytes.AppendUInt32((uint)slots);
        _bytes.Append([TableFormat.GroupShift, wide ? DataBlock.WideFlag : (byte)0, 0, 0]);
        return _bytes.Span;
    }

    /// <summary>Empties it for the next block.</summary>
    public void Clear()
    {
        _bytes.Clear();
        _head.Clear();
        _count = 0;
        _hashCount = 0;
    }

    /// <inheritdoc/>
    public void Dispose()
    {
        _bytes.Dispose();
        _head.Dispose();
    }

    private void AddHash(ulong keyHash, int entry)
    {
        if (_hashCount == _hashes.Length)
            Array.Resize(ref _hashes, 2 * _hashCount);
        _hashes[_hashCount++] = (keyHash, entry);
    }

    private int AppendHashIndex()
    {
        int count = _hashCount * 5 / 4 + 1;
        if (_slots.Length < count)
            _slots = new uint[Math.Max(count, 256)];
        Span<uint> slots = _slots.AsSpan(0, count);
        slots.Clear();
        foreach ((ulong hash, int entry) in _hashes.AsSpan(0, _hashCount))
        {
            int slot = DataBlock.FirstSlot(hash, count);
            while (slots[slot] != 0)
                slot = slot + 1 == count ? 0 : slot + 1;
            slots[slot] = DataBlock.Tag(hash) | (uint)(entry + 1);
        }

        foreach (uint slot in slots)
            _bytes.AppendUInt32(slot);
        return count;
    }
}
