using System.Buffers.Binary;
using System.Runtime.CompilerServices;
using AiDb.Engine.Encoding;

namespace AiDb.Engine.Tables;

/// <summary>Searches the content of an index block in place; the layout is in
/// docs/formats/table.md.</summary>
/// <remarks>Only for content that passed <see cref="IsValid"/>. The memory belongs to the caller.</remarks>
internal readonly unsafe struct IndexBlock
{
    private const int FixedBytes = 16;
    private const int BytesPerEntry = 24;
    private readonly ulong* _heads;
    private readonly ulong* _offsets;
    private readonly uint* _lengths;
    private readonly uint* _ends;
    private readonly byte* _common;
    private readonly byte* _keys;
    private readonly int _commonLength;

    public IndexBlock(byte* data)
    {
        Count = *(int*)data;
        _commonLength = *(int*)(data + 4);
        _heads = (ulong*)(data + FixedBytes);
        _offsets = _heads + Count;
        _lengths = (uint*)(_offsets + Count);
        _ends = _lengths + Count;
        _common = (byte*)(_ends + Count);
        _keys = _common + _commonLength;
    }

    /// <summary>Blocks that it leads to.</summary>
    public int Count { get; }

    /// <summary>The first 8 bytes of a key as a number that orders as the bytes do.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static ulong Head(ReadOnlySpan<byte> key)
    {
        if (key.Length >= 8)
            return BinaryPrimitives.ReadUInt64BigEndian(key);
        ulong head = 0;
        for (int i = 0; i < key.Length; i++)
            head |= (ulong)key[i] << (56 - 8 * i);
        return head;
    }

    /// <summary>Whether every part is within its bounds and every block within the file.</summary>
    public static bool IsValid(byte* data, int length, ulong blocksEnd)
    {
        if (length < FixedBytes)
            return false;
        uint count = *(uint*)data;
        uint common = *(uint*)(data + 4);
        uint keyBytes = *(uint*)(data + 8);
        if ((ulong)length != FixedBytes + (ulong)count * BytesPerEntry + common + keyBytes || count == 0)
            return false;
        var index = new IndexBlock(data);
        uint start = 0;
        for (int i = 0; i < index.Count; i++)
        {
            uint end = index._ends[i];
            long key = (long)common + end - start;
            if (end < start || end > keyBytes || end - start < InternalKey.VersionBytes
                || key < InternalKey.OverheadBytes
                || index._offsets[i] > blocksEnd || index._lengths[i] > blocksEnd - index._offsets[i]
                || index._lengths[i] is <= TableFormat.TrailerBytes or > TableFormat.MaxStoredBytes)
                return false;
            start = end;
        }

        return start == keyBytes;
    }

    /// <summary>Where a block is.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public BlockHandle Handle(int index) => new(_offsets[index], _lengths[index]);

    /// <summary>The first block whose separator is at or after the key and version: the only one that can
    /// hold the key's newest entry not newer than the version. <see cref="Count"/> when there is
    /// none.</summary>
    public int Find(ReadOnlySpan<byte> prefix, ulong invertedVersion)
    {
        int common = _commonLength;
        int order = new ReadOnlySpan<byte>(_common, common).SequenceCompareTo(
            prefix.Length > common ? prefix[..common] : prefix);
        if (order != 0)
            return order > 0 ? 0 : Count;

        ReadOnlySpan<byte> rest = prefix[common..];
        ulong head = Head(rest);
        int low = LowerBoundOfHeads(head);
        if (low == Count || _heads[low] != head)
            return low;
        int high = Count;
        while (low < high)
        {
            int middle = (low + high) >>> 1;
            if (_heads[middle] == head ? Compare(middle, rest, invertedVersion) < 0 : _heads[middle] < head)
                low = middle + 1;
            else
                high = middle;
        }

        return low;
    }

    private int LowerBoundOfHeads(ulong head)
    {
        ulong* start = _heads;
        int length = Count;
        while (length > 0)
        {
            int half = length >>> 1;
            bool before = start[half] < head;
            start = before ? start + half + 1 : start;
            length = before ? length - half - 1 : half;
        }

        return (int)(start - _heads);
    }

    private int Compare(int index, ReadOnlySpan<byte> rest, ulong invertedVersion)
    {
        uint start = index == 0 ? 0 : _ends[index - 1];
        int length = (int)(_ends[index] - start) - InternalKey.VersionBytes;
        int order = new ReadOnlySpan<byte>(_keys + start, length).SequenceCompareTo(rest);
        if (order != 0)
            return order;
        var version = new ReadOnlySpan<byte>(_keys + start + length, InternalKey.VersionBytes);
        return BinaryPrimitives.ReadUInt64BigEndian(version).CompareTo(invertedVersion);
    }
}
