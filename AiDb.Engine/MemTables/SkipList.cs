using System.Buffers.Binary;
using System.Runtime.CompilerServices;
using AiDb.Engine.Encoding;

namespace AiDb.Engine.MemTables;

/// <summary>
/// Internal entries in internal key order, in native memory. A search compares table id and the first 8 bytes
/// of the user key as numbers before it looks at the rest.
/// </summary>
/// <remarks>
/// Thread safety: one writer; any number of readers beside it without locks. Nodes are never removed.
/// Invariant: a node is complete before a pointer to it is published, at level 0 first.
/// Source: Pugh, "Skip Lists" (1990); the single-writer variant of LevelDB.
/// </remarks>
internal sealed unsafe partial class SkipList
{
    private const int MaxHeight = 14;
    private const int BranchingBits = 2;

    private readonly NativeArena _arena;
    private readonly Node* _head;
    private readonly nint[] _previous = new nint[MaxHeight];
    private readonly nint[] _tail = new nint[MaxHeight];
    private int _height = 1;
    private ulong _random;

    /// <summary>Makes an empty list.</summary>
    public SkipList(NativeArena arena, ulong seed)
    {
        _arena = arena;
        _random = seed | 1;
        _head = AllocateNode(MaxHeight, 0);
        for (int level = 0; level < MaxHeight; level++)
        {
            _head->NextSlots[level] = null;
            _tail[level] = (nint)_head;
        }
    }

    /// <summary>A node: this head, then as many pointers as it is high, then its internal key.</summary>
    internal struct Node
    {
        private const int HeightBits = 8;

        /// <summary>The first 8 bytes of the user key, big-endian, padded with zeroes.</summary>
        public ulong KeyHead;

        /// <summary>Length (4 bytes) and bytes of the internal value; replaced as a whole.</summary>
        public nint ValueRecord;

        /// <summary>The table id.</summary>
        public uint TableId;

        private uint _lengthAndHeight;

        /// <summary>Bytes of the user key.</summary>
        public readonly int UserKeyLength
        {
            [MethodImpl(MethodImplOptions.AggressiveInlining)]
            get => (int)(_lengthAndHeight >> HeightBits);
        }

        /// <summary>Levels that it is linked in.</summary>
        public readonly int Height
        {
            [MethodImpl(MethodImplOptions.AggressiveInlining)]
            get => (byte)_lengthAndHeight;
        }

        /// <summary>The version.</summary>
        public readonly ulong Version
        {
            [MethodImpl(MethodImplOptions.AggressiveInlining)]
            get => InternalKey.Version(InternalKeySpan);
        }

        /// <summary>The pointers to the next nodes, level 0 first.</summary>
        public readonly Node** NextSlots
        {
            [MethodImpl(MethodImplOptions.AggressiveInlining)]
            get => (Node**)((byte*)Unsafe.AsPointer(ref Unsafe.AsRef(in this)) + sizeof(Node));
        }

        /// <summary>Sets the parts that decide where the others lie.</summary>
        public void SetShape(int userKeyLength, int height) =>
            _lengthAndHeight = ((uint)userKeyLength << HeightBits) | (uint)height;

        /// <summary>The internal key.</summary>
        public readonly ReadOnlySpan<byte> InternalKeySpan
        {
            [MethodImpl(MethodImplOptions.AggressiveInlining)]
            get => new((byte*)(NextSlots + Height), UserKeyLength + InternalKey.OverheadBytes);
        }

        /// <summary>The user key.</summary>
        public readonly ReadOnlySpan<byte> UserKeySpan
        {
            [MethodImpl(MethodImplOptions.AggressiveInlining)]
            get => new((byte*)(NextSlots + Height) + InternalKey.TableIdBytes, UserKeyLength);
        }

        /// <summary>The internal value.</summary>
        public readonly ReadOnlySpan<byte> ValueSpan
        {
            [MethodImpl(MethodImplOptions.AggressiveInlining)]
            get
            {
                byte* record = (byte*)Volatile.Read(in ValueRecord);
                return new ReadOnlySpan<byte>(record + sizeof(int), *(int*)record);
            }
        }
    }

    /// <summary>Adds an entry; an equal internal key gets the new value instead. True when it was
    /// added.</summary>
    public bool Insert(
        uint tableId, ReadOnlySpan<byte> userKey, ulong version, EntryKind kind, ulong expiryUnixMs,
        ReadOnlySpan<byte> value, ulong movedVersion = 0)
    {
        ulong head = KeyHead(userKey);
        Node* found = null;
        int height = NextHeight();
        bool isLocated = _nextLane < _laneCount && TryUseHint(tableId, head, userKey, version, height, out found);
        if (!isLocated && _tail[0] != (nint)_head && Compare((Node*)_tail[0], tableId, head, userKey, version) < 0)
            _tail.CopyTo(_previous, 0);
        else if (!isLocated)
            found = FindPrevious(tableId, head, userKey, version);

        byte* record = WriteValue(kind, expiryUnixMs, value, movedVersion);
        if (found != null && Compare(found, tableId, head, userKey, version) == 0)
        {
            Volatile.Write(ref found->ValueRecord, (nint)record);
            return false;
        }

        Node* node = AllocateNode(height, userKey.Length);
        node->KeyHead = head;
        node->ValueRecord = (nint)record;
        node->TableId = tableId;
        var keyBytes = new Span<byte>(node->NextSlots + height, userKey.Length + InternalKey.OverheadBytes);
        InternalKey.Write(keyBytes, tableId, userKey, version);
        if (height > _height)
            Volatile.Write(ref _height, height);
        for (int level = 0; level < height; level++)
        {
            var previous = (Node*)_previous[level];
            Node* next = previous->NextSlots[level];
            node->NextSlots[level] = next;
            Volatile.Write(ref *(nint*)(previous->NextSlots + level), (nint)node);
            if (next == null)
                _tail[level] = (nint)node;
        }

        return true;
    }

    /// <summary>The newest node of a key that is not newer than <paramref name="maxVersion"/>; null when
    /// there is none.</summary>
    public Node* Find(uint tableId, ReadOnlySpan<byte> userKey, ulong maxVersion)
    {
        Node* node = FindAtOrAfter(tableId, userKey, maxVersion);
        return node != null && node->TableId == tableId && node->UserKeySpan.SequenceEqual(userKey) ? node : null;
    }

    /// <summary>The first node at or after a place; null at the end.</summary>
    public Node* FindAtOrAfter(uint tableId, ReadOnlySpan<byte> userKey, ulong version)
    {
        ulong head = KeyHead(userKey);
        Node* node = _head;
        Node* known = null;
        for (int level = Volatile.Read(ref _height) - 1; level >= 0; level--)
        {
            while (true)
            {
                Node* next = Next(node, level);
                if (next == known || next == null || Compare(next, tableId, head, userKey, version) >= 0)
                {
                    known = next;
                    break;
                }

                node = next;
            }
        }

        return known;
    }

    /// <summary>The last node before a place; null when there is none.</summary>
    public Node* FindBefore(uint tableId, ReadOnlySpan<byte> userKey, ulong version)
    {
        ulong head = KeyHead(userKey);
        Node* node = _head;
        for (int level = Volatile.Read(ref _height) - 1; level >= 0; level--)
        {
            Node* next;
            while ((next = Next(node, level)) != null && Compare(next, tableId, head, userKey, version) < 0)
                node = next;
        }

        return node == _head ? null : node;
    }

    /// <summary>What stands before the first node: no entry, but linked in every level.</summary>
    public Node* Head => _head;

    /// <summary>The first node; null when it is empty.</summary>
    public Node* First() => Next(_head, 0);

    /// <summary>The last node; null when it is empty.</summary>
    public Node* Last()
    {
        Node* node = _head;
        for (int level = Volatile.Read(ref _height) - 1; level >= 0; level--)
        {
            Node* next;
            while ((next = Next(node, level)) != null)
                node = next;
        }

        return node == _head ? null : node;
    }

    /// <summary>The next node at a level.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Node* Next(Node* node, int level) => (Node*)Volatile.Read(ref *(nint*)(node->NextSlots + level));

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static ulong KeyHead(ReadOnlySpan<byte> userKey)
    {
        if (userKey.Length >= sizeof(ulong))
            return BinaryPrimitives.ReadUInt64BigEndian(userKey);
        ulong head = 0;
        for (int index = 0; index < userKey.Length; index++)
            head |= (ulong)userKey[index] << (56 - (8 * index));
        return head;
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static int Compare(Node* node, uint tableId, ulong head, ReadOnlySpan<byte> userKey, ulong version)
    {
        if (node->TableId != tableId)
            return node->TableId < tableId ? -1 : 1;
        if (node->KeyHead != head)
            return node->KeyHead < head ? -1 : 1;
        return CompareRest(node, userKey, version);
    }

    private static int CompareRest(Node* node, ReadOnlySpan<byte> userKey, ulong version)
    {
        int order = node->UserKeySpan.SequenceCompareTo(userKey);
        if (order != 0)
            return order;
        // A newer version comes first.
        return version.CompareTo(node->Version);
    }

    private Node* FindPrevious(uint tableId, ulong head, ReadOnlySpan<byte> userKey, ulong version)
    {
        Node* node = _head;
        Node* known = null;
        for (int level = MaxHeight - 1; level >= _height; level--)
            _previous[level] = (nint)_head;
        for (int level = _height - 1; level >= 0; level--)
        {
            while (true)
            {
                Node* next = node->NextSlots[level];
                if (next == known || next == null || Compare(next, tableId, head, userKey, version) >= 0)
                {
                    known = next;
                    break;
                }

                node = next;
            }

            _previous[level] = (nint)node;
        }

        return known;
    }

    private byte* WriteValue(EntryKind kind, ulong expiryUnixMs, ReadOnlySpan<byte> value, ulong movedVersion)
    {
        int length = InternalValue.Length(kind, value.Length);
        byte* record = _arena.Allocate(sizeof(int) + (long)length);
        *(int*)record = length;
        InternalValue.Write(new Span<byte>(record + sizeof(int), length), kind, expiryUnixMs, value, movedVersion);
        return record;
    }

    private Node* AllocateNode(int height, int userKeyLength)
    {
        var node = (Node*)_arena.Allocate(
            sizeof(Node) + ((long)height * sizeof(Node*)) + userKeyLength + InternalKey.OverheadBytes);
        *node = default;
        node->SetShape(userKeyLength, height);
        return node;
    }

    private int NextHeight()
    {
        // xorshift64: the heights need no quality, only no pattern.
        _random ^= _random << 13;
        _random ^= _random >> 7;
        _random ^= _random << 17;
        ulong bits = _random >> 8;
        int height = 1;
        while (height < MaxHeight && (bits & ((1 << BranchingBits) - 1)) == 0)
        {
            height++;
            bits >>= BranchingBits;
        }

        return height;
    }
}
