using System.Buffers.Binary;
using System.Runtime.CompilerServices;
using AiDb.Engine.Caching;
using AiDb.Engine.Encoding;

namespace AiDb.Engine.Tables;

/// <summary>An entry of a data block, in place.</summary>
internal unsafe ref struct DataBlockEntry
{
    /// <summary>Bytes of the user key shared with the group's head.</summary>
    public int Shared;

    /// <summary>The further bytes of the user key, then the inverted version.</summary>
    public byte* Suffix;

    /// <summary>How many further bytes, without the version.</summary>
    public int SuffixLength;

    /// <summary>The internal value.</summary>
    public byte* Value;

    /// <summary>Its length.</summary>
    public int ValueLength;

    /// <summary>The further bytes of the key, the version included.</summary>
    public readonly ReadOnlySpan<byte> SuffixBytes => new(Suffix, SuffixLength + InternalKey.VersionBytes);

    /// <summary>The internal value.</summary>
    public readonly ReadOnlySpan<byte> ValueBytes => new(Value, ValueLength);

    /// <summary>The inverted version.</summary>
    public readonly ulong InvertedVersion
    {
        [MethodImpl(MethodImplOptions.AggressiveInlining)]
        get
        {
            ulong raw = Unsafe.ReadUnaligned<ulong>(Suffix + SuffixLength);
            return BitConverter.IsLittleEndian ? BinaryPrimitives.ReverseEndianness(raw) : raw;
        }
    }
}

/// <summary>Reads the content of a data block in place; the layout is in docs/formats/table.md.</summary>
/// <remarks>Only for content that passed <see cref="IsValid"/>: the other members do not check bounds. The
/// memory belongs to the caller.</remarks>
internal readonly unsafe struct DataBlock
{
    public const int FooterBytes = 16;
    public const byte WideFlag = 1;
    private const int GroupMask = (1 << TableFormat.GroupShift) - 1;

    private readonly byte* _data;
    private readonly byte* _directory;
    private readonly byte* _slots;
    private readonly int _slotCount;
    private readonly bool _wide;

    public DataBlock(in BlockLease lease)
        : this(lease.Data, lease.Length, ReadShape(lease.Span))
    {
    }

    /// <summary>A block whose shape is known, so that its footer need not be fetched.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public DataBlock(byte* data, int length, BlockShape shape)
    {
        _data = data;
        TableId = shape.TableId;
        Count = shape.Entries;
        _wide = shape.HashSlots < 0;
        _slotCount = _wide ? ~shape.HashSlots : shape.HashSlots;
        _slots = data + length - FooterBytes - 4L * _slotCount;
        _directory = _slots - (long)Count * (_wide ? 4 : 2);
    }

    /// <summary>What the footer says.</summary>
    public static BlockShape ReadShape(ReadOnlySpan<byte> content)
    {
        ReadOnlySpan<byte> footer = content[^FooterBytes..];
        int slots = BinaryPrimitives.ReadInt32LittleEndian(footer[8..]);
        return new BlockShape(
            BinaryPrimitives.ReadUInt32LittleEndian(footer),
            BinaryPrimitives.ReadInt32LittleEndian(footer[4..]),
            (footer[13] & WideFlag) != 0 ? ~slots : slots);
    }

    /// <summary>Entries in the block.</summary>
    public int Count { get; }

    /// <summary>The table id of all entries.</summary>
    public uint TableId { get; }

    /// <summary>The slot at which the search for a key begins.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static int FirstSlot(ulong keyHash, int slotCount) =>
        (int)(((keyHash & 0xffff_ffff) * (uint)slotCount) >> 32);

    /// <summary>The high half of a key's slot.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static uint Tag(ulong keyHash) => (uint)(keyHash >> 48) << 16;

    /// <summary>Whether every part of the content is within its bounds, so that reading it cannot leave
    /// them.</summary>
    public static bool IsValid(ReadOnlySpan<byte> content)
    {
        fixed (byte* data = content)
            return content.Length >= FooterBytes && FooterIsValid(data, content.Length);
    }

    private static bool FooterIsValid(byte* data, int length)
    {
        byte* footer = data + length - FooterBytes;
        uint count = Unsafe.ReadUnaligned<uint>(footer + 4);
        uint slotCount = Unsafe.ReadUnaligned<uint>(footer + 8);
        if (footer[12] != TableFormat.GroupShift || footer[13] > WideFlag
            || footer[14] != 0 || footer[15] != 0
            || count is 0 or > TableFormat.MaxBlockEntries
            || slotCount is 0 or > TableFormat.MaxBlockEntries * 2)
            return false;
        long directoryBytes = (long)count * (footer[13] == WideFlag ? 4 : 2);
        long entryBytes = length - FooterBytes - 4L * slotCount - directoryBytes;
        if (entryBytes <= 0)
            return false;
        BlockShape shape = ReadShape(new ReadOnlySpan<byte>(data, length));
        return new DataBlock(data, length, shape).PartsAreValid(data + entryBytes);
    }

    /// <summary>Reads the entry of that number.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public void Read(int index, out DataBlockEntry entry)
    {
        byte* position = _data + Offset(index);
        entry.Shared = Varint.Read(ref position);
        entry.SuffixLength = Varint.Read(ref position);
        entry.ValueLength = Varint.Read(ref position);
        entry.Suffix = position;
        entry.Value = position + entry.SuffixLength + InternalKey.VersionBytes;
    }

    /// <summary>Where an entry begins; the next one begins where its value ends.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public byte* EntryAt(int index) => _data + Offset(index);

    /// <summary>The user key of the head of an entry's group.</summary>
    public ReadOnlySpan<byte> HeadKey(int index)
    {
        Read(index & ~GroupMask, out DataBlockEntry head);
        return new ReadOnlySpan<byte>(head.Suffix, head.SuffixLength);
    }

    /// <summary>Asks for the line at which <see cref="Find"/> begins.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public void PrefetchSlot(ulong keyHash) => CpuPrefetch.Read(_slots + 4L * FirstSlot(keyHash, _slotCount));

    /// <summary>Asks for the line of the directory that <see cref="Find"/> most likely reads.</summary>
    public void PrefetchDirectory(ulong keyHash) =>
        CpuPrefetch.Read(_directory + (_wide ? 4L : 2L) * LikelyEntry(keyHash));

    /// <summary>Asks for the entry that <see cref="Find"/> most likely reads, and the head of its
    /// group.</summary>
    public void PrefetchEntry(ulong keyHash)
    {
        int index = LikelyEntry(keyHash);
        CpuPrefetch.Read(_data + Offset(index));
        CpuPrefetch.Read(_data + Offset(index & ~GroupMask));
    }

    /// <summary>The number of the newest entry of a key that is not newer than the version; -1 when there is
    /// none.</summary>
    public int Find(
        ReadOnlySpan<byte> userKey, ulong keyHash, ulong invertedVersion, out DataBlockEntry entry)
    {
        int slot = FirstSlot(keyHash, _slotCount);
        uint tag = Tag(keyHash);
        for (int probes = 0; probes < _slotCount; probes++)
        {
            uint value = Unsafe.ReadUnaligned<uint>(_slots + 4L * slot);
            if (value == 0)
                break;
            if ((value & 0xffff_0000) == tag)
            {
                int index = (int)(value & 0xffff) - 1;
                CpuPrefetch.Read(_data + Offset(index & ~GroupMask));
                Read(index, out entry);
                if (KeyEquals(index, in entry, userKey))
                {
                    return entry.InvertedVersion >= invertedVersion
                        ? index
                        : FindOlder(userKey, invertedVersion, out entry);
                }
            }

            slot = slot + 1 == _slotCount ? 0 : slot + 1;
        }

        entry = default;
        return -1;
    }

    /// <summary>The number of the first entry at or after the key and version; <see cref="Count"/> when there
    /// is none.</summary>
    public int LowerBound(ReadOnlySpan<byte> userKey, ulong invertedVersion)
    {
        // First the heads: the last group whose head is before the target holds the answer, or the next head
        // is it.
        int low = 0;
        int high = (Count + GroupMask) >> TableFormat.GroupShift;
        while (low < high)
        {
            int middle = (low + high) >>> 1;
            if (Compare(middle << TableFormat.GroupShift, userKey, invertedVersion) < 0)
                low = middle + 1;
            else
                high = middle;
        }

        if (low == 0)
            return 0;
        int first = ((low - 1) << TableFormat.GroupShift) + 1;
        int end = Math.Min(low << TableFormat.GroupShift, Count);
        while (first < end)
        {
            int middle = (first + end) >>> 1;
            if (Compare(middle, userKey, invertedVersion) < 0)
                first = middle + 1;
            else
                end = middle;
        }

        return first;
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private int Offset(int index) => _wide
        ? Unsafe.ReadUnaligned<int>(_directory + 4L * index)
        : Unsafe.ReadUnaligned<ushort>(_directory + 2L * index);

    /// <summary>The entry that the first slot of a key names; 0 when it names none.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private int LikelyEntry(ulong keyHash)
    {
        uint value = Unsafe.ReadUnaligned<uint>(_slots + 4L * FirstSlot(keyHash, _slotCount));
        return Math.Max((int)(value & 0xffff) - 1, 0);
    }

    private int FindOlder(ReadOnlySpan<byte> userKey, ulong invertedVersion, out DataBlockEntry entry)
    {
        int index = LowerBound(userKey, invertedVersion);
        if (index < Count)
        {
            Read(index, out entry);
            if (KeyEquals(index, in entry, userKey))
                return index;
        }

        entry = default;
        return -1;
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private bool KeyEquals(int index, in DataBlockEntry entry, ReadOnlySpan<byte> userKey)
    {
        var suffix = new ReadOnlySpan<byte>(entry.Suffix, entry.SuffixLength);
        if (userKey.Length != entry.Shared + entry.SuffixLength
            || !userKey[entry.Shared..].SequenceEqual(suffix))
            return false;
        return entry.Shared == 0 || userKey[..entry.Shared].SequenceEqual(HeadKey(index)[..entry.Shared]);
    }

    private int Compare(int index, ReadOnlySpan<byte> userKey, ulong invertedVersion)
    {
        Read(index, out DataBlockEntry entry);
        int shared = entry.Shared;
        int order;
        if (shared > 0)
        {
            ReadOnlySpan<byte> head = HeadKey(index)[..shared];
            order = head.SequenceCompareTo(userKey.Length > shared ? userKey[..shared] : userKey);
            if (order != 0)
                return order;
        }

        order = new ReadOnlySpan<byte>(entry.Suffix, entry.SuffixLength).SequenceCompareTo(userKey[shared..]);
        return order != 0 ? order : entry.InvertedVersion.CompareTo(invertedVersion);
    }

    private bool PartsAreValid(byte* entriesEnd)
    {
        byte* position = _data;
        int headLength = 0;
        for (int index = 0; index < Count; index++)
        {
            if (Offset(index) != position - _data
                || !Varint.TryRead(ref position, entriesEnd, out int shared)
                || !Varint.TryRead(ref position, entriesEnd, out int suffixLength)
                || !Varint.TryRead(ref position, entriesEnd, out int valueLength)
                || suffixLength + (long)InternalKey.VersionBytes + valueLength > entriesEnd - position)
                return false;
            if ((index & GroupMask) == 0)
                headLength = suffixLength;
            if ((index & GroupMask) == 0 ? shared != 0 : shared > headLength)
                return false;
            position += (long)suffixLength + InternalKey.VersionBytes;
            if (!InternalValue.IsWellFormed(new ReadOnlySpan<byte>(position, valueLength)))
                return false;
            position += valueLength;
        }

        return position == entriesEnd && SlotsNameEntries();
    }

    private bool SlotsNameEntries()
    {
        for (int slot = 0; slot < _slotCount; slot++)
        {
            uint value = Unsafe.ReadUnaligned<uint>(_slots + 4L * slot);
            uint number = value & 0xffff;
            if (number > (uint)Count || (value != 0 && number == 0))
                return false;
        }

        return true;
    }
}
