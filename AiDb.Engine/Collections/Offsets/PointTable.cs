using System.Runtime.CompilerServices;
using AiDb.Engine.Collections.Files;
using AiDb.Engine.Vectors;

namespace AiDb.Engine.Collections.Offsets;

/// <summary>The points of a collection by id and by offset, with their versions and expiries. It holds arrays of numbers
/// only, in pieces that never move, so that readers need no lock and the garbage collector has nothing to
/// follow.</summary>
/// <remarks>
/// Thread safety: one writer at a time; readers beside it see each point before or after a change. Invariant: an offset that
/// was removed is given out again only after <see cref="Reuse"/>.
/// </remarks>
internal sealed class PointTable
{
    private const int PieceBits = 8;
    private const int PieceLength = 1 << PieceBits;
    private const uint Free = uint.MaxValue;
    private const uint Deleted = uint.MaxValue - 1;
    private const int LeastSlots = 16;

    private readonly Stack<uint> _free = new();
    private Piece[] _pieces = [];
    private uint[] _slots = [];
    private int _usedSlots;
    private uint _end;
    private int _count;

    /// <summary>The offsets that have a point.</summary>
    public OffsetBitmap Live { get; } = new();

    /// <summary>Points.</summary>
    public int Count => Volatile.Read(ref _count);

    /// <summary>Offsets that were ever given out.</summary>
    public uint End => Volatile.Read(ref _end);

    /// <summary>Whether any point has an expiry.</summary>
    public bool HasExpiries { get; private set; }

    /// <summary>Bytes of the arrays.</summary>
    public long Bytes
    {
        get
        {
            long bytes = (_slots.Length * 4L) + (Live.Capacity / 8);
            foreach (Piece? piece in _pieces)
                bytes += piece?.Bytes ?? 0;
            return bytes;
        }
    }

    /// <summary>Finds a point.</summary>
    public bool TryFind(PointId id, out uint offset)
    {
        uint[] slots = Volatile.Read(ref _slots);
        offset = Free;
        if (slots.Length == 0)
            return false;
        int mask = slots.Length - 1;
        for (int slot = Hash(id) & mask; ; slot = (slot + 1) & mask)
        {
            offset = Volatile.Read(ref slots[slot]);
            if (offset == Free)
                return false;
            if (offset != Deleted && IdAt(offset) == id)
                return true;
        }
    }

    /// <summary>The id at an offset that was given out.</summary>
    public PointId IdAt(uint offset) => PieceOf(offset).IdAt((int)offset & (PieceLength - 1));

    /// <summary>The version of the point at an offset.</summary>
    public ulong VersionAt(uint offset) => PieceOf(offset).Versions[offset & (PieceLength - 1)];

    /// <summary>Unix time in milliseconds at which the point expires; 0: never.</summary>
    public ulong ExpiryAt(uint offset) =>
        PieceOf(offset).Expiries is { } expiries ? expiries[offset & (PieceLength - 1)] : 0;

    /// <summary>Gives a new point an offset; it is not live yet.</summary>
    public uint Add(PointId id)
    {
        if (!_free.TryPop(out uint offset))
        {
            if (_end >= Deleted)
                throw new AiDbException(AiDbErrorKind.ResourceExhausted, $"A collection has at most {Deleted} points.");
            offset = _end;
            if ((offset & (PieceLength - 1)) == 0)
                AddPiece(offset >> PieceBits);
        }

        PieceOf(offset).SetId((int)offset & (PieceLength - 1), id);
        if (offset == _end)
            Volatile.Write(ref _end, offset + 1);
        InsertSlot(id, offset);
        Volatile.Write(ref _count, _count + 1);
        return offset;
    }

    /// <summary>Takes over points with their offsets, into an empty table; they are not live and have the version
    /// 0.</summary>
    /// <param name="points">The points; no offset and no id comes twice.</param>
    public void Restore(IReadOnlyList<SavedPoint> points)
    {
        uint end = 0;
        foreach (SavedPoint point in points)
            end = Math.Max(end, point.Offset + 1);
        for (uint piece = 0; piece << PieceBits < end; piece++)
            AddPiece(piece);
        var taken = new OffsetBitmap(end);
        foreach (SavedPoint point in points)
        {
            taken.Set(point.Offset);
            PieceOf(point.Offset).SetId((int)point.Offset & (PieceLength - 1), point.Id);
            InsertSlot(point.Id, point.Offset);
            _count++;
        }

        _end = end;
        for (uint offset = end; offset-- > 0;)
        {
            if (!taken.Test(offset))
                _free.Push(offset);
        }
    }

    /// <summary>Sets the version and expiry of a point, which is live from now on.</summary>
    public void Publish(uint offset, ulong version, ulong expiresAtMs)
    {
        PieceOf(offset).Set((int)offset & (PieceLength - 1), version, expiresAtMs);
        HasExpiries |= expiresAtMs != 0;
        Live.Set(offset);
    }

    /// <summary>Forgets a point; its offset stays taken until <see cref="Reuse"/>.</summary>
    public void Remove(PointId id, uint offset)
    {
        Live.Clear(offset);
        uint[] slots = _slots;
        int mask = slots.Length - 1;
        int slot = Hash(id) & mask;
        while (slots[slot] != offset)
            slot = (slot + 1) & mask;

        // A slot before a free one needs no mark: no search goes on beyond it.
        bool isLast = slots[(slot + 1) & mask] == Free;
        Volatile.Write(ref slots[slot], isLast ? Free : Deleted);
        _usedSlots -= isLast ? 1 : 0;
        Volatile.Write(ref _count, _count - 1);
    }

    /// <summary>Lets a removed offset be given out again.</summary>
    public void Reuse(uint offset) => _free.Push(offset);

    private static int Hash(PointId id)
    {
        ulong mixed = (ulong)id.Bits ^ ((ulong)(id.Bits >> 64) * 0x9E3779B97F4A7C15ul);
        mixed *= 0xD6E8FEB86659FD93ul;
        mixed ^= mixed >> 32;
        mixed *= 0xD6E8FEB86659FD93ul;
        return (int)(mixed >> 33);
    }

    private void AddPiece(uint index)
    {
        Piece[] pieces = _pieces;
        if (index >= pieces.Length)
            Array.Resize(ref pieces, Math.Max(1, pieces.Length * 2));
        pieces[index] = new Piece();
        Volatile.Write(ref _pieces, pieces);
    }

    private void InsertSlot(PointId id, uint offset)
    {
        if ((_usedSlots + 1) * 3L > _slots.Length * 2L)
            Rehash();
        Insert(_slots, id, offset);
        _usedSlots++;
    }

    private static void Insert(uint[] slots, PointId id, uint offset)
    {
        int mask = slots.Length - 1;
        int slot = Hash(id) & mask;
        while (slots[slot] != Free)
            slot = (slot + 1) & mask;
        Volatile.Write(ref slots[slot], offset);
    }

    private void Rehash()
    {
        long wanted = LeastSlots;
        while (wanted * 2 < (_count + 1L) * 4)
            wanted *= 2;
        uint[] slots = new uint[wanted];
        slots.AsSpan().Fill(Free);
        foreach (uint offset in _slots)
        {
            if (offset < Deleted)
                Insert(slots, IdAt(offset), offset);
        }

        _usedSlots = _count;
        Volatile.Write(ref _slots, slots);
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private Piece PieceOf(uint offset) => Volatile.Read(ref _pieces)[offset >> PieceBits];

    /// <summary>A run of offsets. UUIDs and expiries take room only where there are any.</summary>
    private sealed class Piece
    {
        private readonly ulong[] _low = new ulong[PieceLength];
        private ulong[]? _high;
        private ulong[]? _uuids;

        public ulong[] Versions { get; } = new ulong[PieceLength];

        public ulong[]? Expiries { get; private set; }

        public long Bytes => 8L * (_low.Length + Versions.Length + (_high?.Length ?? 0) + (_uuids?.Length ?? 0)
            + (Expiries?.Length ?? 0));

        public PointId IdAt(int index)
        {
            bool isUuid = Volatile.Read(ref _uuids) is { } uuids && ((uuids[index >> 6] >> (index & 63)) & 1) != 0;
            return isUuid
                ? PointId.FromBits(new UInt128(_high![index], _low[index]), isUuid: true)
                : new PointId(_low[index]);
        }

        public void SetId(int index, PointId id)
        {
            _low[index] = (ulong)id.Bits;
            if (id.IsUuid && _uuids is null)
            {
                _high = new ulong[PieceLength];
                Volatile.Write(ref _uuids, new ulong[PieceLength / 64]);
            }

            if (_uuids is null)
                return;
            _high![index] = (ulong)(id.Bits >> 64);
            if (id.IsUuid)
                _uuids[index >> 6] |= 1UL << (index & 63);
            else
                _uuids[index >> 6] &= ~(1UL << (index & 63));
        }

        public void Set(int index, ulong version, ulong expiresAtMs)
        {
            Versions[index] = version;
            if (expiresAtMs != 0)
                Expiries ??= new ulong[PieceLength];
            if (Expiries is { } expiries)
                expiries[index] = expiresAtMs;
        }
    }
}
