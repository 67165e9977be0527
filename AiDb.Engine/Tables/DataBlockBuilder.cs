using AiDb.Engine.Encoding;

namespace AiDb.Engine.Tables;

/// <summary>Builds the content of a data block; the layout is in docs/formats/table.md. Thread safety:
/// none.</summary>
internal sealed class DataBlockBuilder : IDisposable
{
    private readonly GrowingBuffer _bytes = new(32 << 10);
    private readonly GrowingBuffer _head = new(256);
    private readonly List<int> _offsets = [];
    private readonly List<ulong> _hashes = [];
    private readonly List<int> _hashedEntries = [];
    private uint[] _slots = [];

    /// <summary>Entries so far.</summary>
    public int Count => _offsets.Count;

    /// <summary>Bytes of the content if it were finished now, about.</summary>
    public int EstimatedBytes =>
        _bytes.Length + _offsets.Count * 2 + _hashes.Count * 5 + DataBlock.FooterBytes;

    /// <summary>Adds an entry.</summary>
    /// <param name="internalKey">After the last one, of the same table id.</param>
    /// <param name="internalValue">The value.</param>
    /// <param name="firstOfKey">Whether it is the block's first entry of its key.</param>
    /// <param name="keyHash">The hash of the key's prefix.</param>
    public void Add(
        ReadOnlySpan<byte> internalKey, ReadOnlySpan<byte> internalValue, bool firstOfKey, ulong keyHash)
    {
        int index = _offsets.Count;
        ReadOnlySpan<byte> key = InternalKey.UserKey(internalKey);
        int shared = 0;
        if ((index & ((1 << TableFormat.GroupShift) - 1)) == 0)
            _head.Set(key);
        else
            shared = _head.Span.CommonPrefixLength(key);

        _offsets.Add(_bytes.Length);
        if (firstOfKey)
        {
            _hashes.Add(keyHash);
            _hashedEntries.Add(index);
        }

        _bytes.AppendVarint((uint)shared);
        _bytes.AppendVarint((uint)(key.Length - shared));
        _bytes.AppendVarint((uint)internalValue.Length);
        _bytes.Append(internalKey[(InternalKey.TableIdBytes + shared)..]);
        _bytes.Append(internalValue);
    }

    /// <summary>Adds directory, hash index and footer, and returns the content.</summary>
    public ReadOnlySpan<byte> Finish(uint tableId)
    {
        bool wide = _bytes.Length > ushort.MaxValue;
        foreach (int offset in _offsets)
        {
            if (wide)
                _bytes.AppendUInt32((uint)offset);
            else
                _bytes.AppendUInt16((ushort)offset);
        }

        int slots = AppendHashIndex();
        _bytes.AppendUInt32(tableId);
        _bytes.AppendUInt32((uint)_offsets.Count);
        _bytes.AppendUInt32((uint)slots);
        _bytes.Append([TableFormat.GroupShift, wide ? DataBlock.WideFlag : (byte)0, 0, 0]);
        return _bytes.Span;
    }

    /// <summary>Empties it for the next block.</summary>
    public void Clear()
    {
        _bytes.Clear();
        _head.Clear();
        _offsets.Clear();
        _hashes.Clear();
        _hashedEntries.Clear();
    }

    /// <inheritdoc/>
    public void Dispose()
    {
        _bytes.Dispose();
        _head.Dispose();
    }

    private int AppendHashIndex()
    {
        int count = _hashes.Count * 5 / 4 + 1;
        if (_slots.Length < count)
            _slots = new uint[Math.Max(count, 256)];
        Span<uint> slots = _slots.AsSpan(0, count);
        slots.Clear();
        for (int i = 0; i < _hashes.Count; i++)
        {
            ulong hash = _hashes[i];
            int slot = DataBlock.FirstSlot(hash, count);
            while (slots[slot] != 0)
                slot = slot + 1 == count ? 0 : slot + 1;
            slots[slot] = DataBlock.Tag(hash) | (uint)(_hashedEntries[i] + 1);
        }

        foreach (uint slot in slots)
            _bytes.AppendUInt32(slot);
        return count;
    }
}
