using System.IO.Hashing;

namespace AiDb.Engine.Collections.Payloads;

/// <summary>Numbers for byte strings: each string that is added gets a small number, which is given away again once the string was
/// removed. Strings lie one after the other in chunks, so that a million of them are a few arrays and no
/// objects.</summary>
/// <remarks>
/// Open addressing with linear probing; removal shifts back what follows, so that there are no tombstones.
/// Thread safety: none; see <see cref="PayloadIndexSet"/>.
/// </remarks>
internal sealed class ByteTable
{
    private const int MinSlots = 8;
    private const long MinGarbageBytes = 1 << 16;
    private int[] _slots = [];
    private Entry[] _entries = [];
    private int _used;
    private int _firstFree = -1;
    private byte[] _bytes = [];
    private long _end;
    private long _garbage;

    /// <summary>Strings in the table.</summary>
    public int Count { get; private set; }

    /// <summary>Numbers are below this.</summary>
    public int Limit => _used;

    /// <summary>Bytes that it takes.</summary>
    public long MemoryBytes => (_slots.Length * 4L) + (_entries.Length * 12L) + _bytes.LongLength;

    /// <summary>The string of a number that is in use.</summary>
    public ReadOnlySpan<byte> this[int id]
    {
        get
        {
            ref readonly Entry entry = ref _entries[id];
            return _bytes.AsSpan((int)entry.Start, entry.Length);
        }
    }

    /// <summary>Whether a number is in use.</summary>
    public bool IsUsed(int id) => _entries[id].Length >= 0;

    /// <summary>The number of a string; -1: it is not in the table.</summary>
    public int Find(ReadOnlySpan<byte> key)
    {
        if (_slots.Length == 0)
            return -1;
        uint hash = Hash(key);
        for (int slot = (int)(hash & (uint)(_slots.Length - 1)); ; slot = (slot + 1) & (_slots.Length - 1))
        {
            int id = _slots[slot] - 1;
            if (id < 0)
                return -1;
            if (_entries[id].Hash == hash && this[id].SequenceEqual(key))
                return id;
        }
    }

    /// <summary>The number of a string, which is added where it is not in the table.</summary>
    /// <exception cref="AiDbException"><see cref="AiDbErrorKind.ResourceExhausted"/>: the strings together exceed
    /// 2 GiB.</exception>
    public int Add(ReadOnlySpan<byte> key)
    {
        int found = Find(key);
        if (found >= 0)
            return found;
        if ((Count + 1) * 4L > _slots.Length * 3L)
            Rehash(Math.Max(MinSlots, _slots.Length * 2));
        int id = _firstFree;
        if (id >= 0)
        {
            _firstFree = (int)_entries[id].Start;
        }
        else
        {
            id = _used++;
            if (id == _entries.Length)
                Array.Resize(ref _entries, Math.Max(MinSlots, _entries.Length * 3 / 2));
        }

        uint hash = Hash(key);
        _entries[id] = new Entry((uint)Append(key), key.Length, hash);
        Insert(id, hash);
        Count++;
        return id;
    }

    /// <summary>Takes a string out; its number may be given to another one.</summary>
    public void Remove(int id)
    {
        RemoveSlot(id);
        _garbage += _entries[id].Length;
        _entries[id] = new Entry(unchecked((uint)_firstFree), -1, 0);
        _firstFree = id;
        Count--;
        if (_garbage > MinGarbageBytes && _garbage > _end / 2)
            Compact();
    }

    private static uint Hash(ReadOnlySpan<byte> key)
    {
        ulong hash = XxHash3.HashToUInt64(key);
        return (uint)(hash ^ (hash >> 32));
    }

    private int Append(ReadOnlySpan<byte> key)
    {
        long needed = _end + key.Length;
        if (needed > Array.MaxLength)
        {
            throw new AiDbException(
                AiDbErrorKind.ResourceExhausted,
                "the different values of an indexed payload field exceed 2 GiB; drop the index or shorten the values.");
        }

        if (needed > _bytes.Length)
            Array.Resize(ref _bytes, (int)Math.Min(Math.Max(needed, Math.Max(64, _bytes.Length * 3L / 2)), Array.MaxLength));
        key.CopyTo(_bytes.AsSpan((int)_end));
        int start = (int)_end;
        _end = needed;
        return start;
    }

    private void Insert(int id, uint hash)
    {
        int slot = (int)(hash & (uint)(_slots.Length - 1));
        while (_slots[slot] != 0)
            slot = (slot + 1) & (_slots.Length - 1);
        _slots[slot] = id + 1;
    }

    private void RemoveSlot(int id)
    {
        int mask = _slots.Length - 1;
        int hole = (int)(_entries[id].Hash & (uint)mask);
        while (_slots[hole] != id + 1)
            hole = (hole + 1) & mask;
        for (int next = (hole + 1) & mask; _slots[next] != 0; next = (next + 1) & mask)
        {
            int home = (int)(_entries[_slots[next] - 1].Hash & (uint)mask);
            // What lies between the hole and its home, cyclically, must not move in front of its home.
            if (((next - home) & mask) < ((next - hole) & mask))
                continue;
            _slots[hole] = _slots[next];
            hole = next;
        }

        _slots[hole] = 0;
    }

    private void Rehash(int slots)
    {
        _slots = new int[slots];
        for (int id = 0; id < _used; id++)
        {
            if (IsUsed(id))
                Insert(id, _entries[id].Hash);
        }
    }

    private void Compact()
    {
        byte[] bytes = new byte[Math.Max(64, (_end - _garbage) * 5 / 4)];
        int end = 0;
        for (int id = 0; id < _used; id++)
        {
            if (!IsUsed(id))
                continue;
            ReadOnlySpan<byte> key = this[id];
            key.CopyTo(bytes.AsSpan(end));
            _entries[id] = new Entry((uint)end, key.Length, _entries[id].Hash);
            end += key.Length;
        }

        (_bytes, _end, _garbage) = (bytes, end, 0);
    }

    // Start of the string, or the next free number where the length is -1.
    private readonly record struct Entry(uint Start, int Length, uint Hash);
}
