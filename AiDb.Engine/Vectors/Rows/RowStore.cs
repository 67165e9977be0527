using AiDb.Engine.Caching;
using AiDb.Engine.Vectors.Files;

namespace AiDb.Engine.Vectors.Rows;

/// <summary>The vectors in full precision and which row an offset has.</summary>
/// <remarks>
/// A vector is never overwritten: a new one takes a new row, so that no search sees half of each. Thread safety:
/// <see cref="Set"/>, <see cref="Remove"/> and the members that say so hold the lock; searches read beside them
/// between <see cref="SearchContexts.Enter"/> and <see cref="SearchContexts.Leave"/>.
/// Invariants: a row is valid exactly while its offset leads to it; it is complete before its offset does; a row or
/// slot is used again only after every search that could know it has ended.
/// </remarks>
internal sealed unsafe class RowStore : IDisposable
{
    /// <summary>The most rows: a bit of their numbers is used otherwise.</summary>
    public const uint MaxRows = int.MaxValue;

    private readonly Lock _lock = new();
    private readonly SearchContexts _contexts;
    private readonly NativeRows _heads;
    private readonly NativeRows _rowOfOffset;
    private readonly NativeRows _vectors;
    private readonly Retired _freeRows;
    private readonly Retired _freeSlots;
    private uint _rowCount;
    private uint _slotCount;
    private uint _offsetCount;
    private long _liveCount;
    private long _removedLinkedCount;
    private long _removedInsertingCount;
    private long _linkedCount;

    public RowStore(NativeMemoryAccount account, SearchContexts contexts, int vectorBytes)
    {
        _contexts = contexts;
        _heads = new NativeRows(account, sizeof(RowHead));
        _rowOfOffset = new NativeRows(account, sizeof(uint), byte.MaxValue);
        VectorBytes = vectorBytes;
        _vectors = new NativeRows(account, Stride(vectorBytes));
        _freeRows = new Retired(contexts);
        _freeSlots = new Retired(contexts);
    }

    /// <summary>Bytes of a vector.</summary>
    public int VectorBytes { get; }

    /// <summary>Offsets that have a vector.</summary>
    public long Count => Volatile.Read(ref _liveCount);

    /// <summary>Rows that were ever used; all rows are below.</summary>
    public uint RowCount => Volatile.Read(ref _rowCount);

    /// <summary>All offsets are below.</summary>
    public uint OffsetCount => Volatile.Read(ref _offsetCount);

    /// <summary>Vectors that are held in full.</summary>
    public uint SlotCount => Volatile.Read(ref _slotCount);

    /// <summary>Rows that the graph does not hold yet.</summary>
    public RowSet Waiting { get; } = new();

    /// <summary>Those of <see cref="Waiting"/> that nobody inserts at this time.</summary>
    public RowSet Queued { get; } = new();

    /// <summary>Offsets that got another vector.</summary>
    public ReplacedOffsets Replaced { get; } = new();

    /// <summary>Whether the graph can lead to rows that are removed.</summary>
    public bool HasRemoved => RemovedLinkedCount + Volatile.Read(ref _removedInsertingCount) > 0;

    /// <summary>Rows of the graph that are removed, and still passed through.</summary>
    public long RemovedLinkedCount => Volatile.Read(ref _removedLinkedCount);

    /// <summary>Rows of the graph that can be found.</summary>
    public long LinkedCount => Volatile.Read(ref _linkedCount) - RemovedLinkedCount;

    /// <summary>Finds heads of rows.</summary>
    public RowAddresses Heads => _heads.Addresses;

    /// <summary>Finds vectors of slots.</summary>
    public RowAddresses Vectors => _vectors.Addresses;

    /// <summary>Bytes of what is in use.</summary>
    public long Bytes => _heads.BytesOf(RowCount) + _rowOfOffset.BytesOf(OffsetCount) + _vectors.BytesOf(SlotCount)
        + (RowCount / 4);

    /// <summary>The head of a row.</summary>
    public RowHead* Head(uint row) => (RowHead*)_heads[row];

    /// <summary>The row of an offset, or <see cref="RowHead.None"/>.</summary>
    public uint RowOf(uint offset) =>
        offset < OffsetCount ? Volatile.Read(ref *(uint*)_rowOfOffset[offset]) : RowHead.None;

    /// <summary>Whether a row is the present one of its offset.</summary>
    public bool IsValid(uint row) => RowOf(Head(row)->Offset) == row;

    /// <summary>The vector of a row; null when only its codes are kept.</summary>
    public byte* VectorOf(uint row)
    {
        uint slot = Volatile.Read(ref Head(row)->Slot);
        return slot == RowHead.None ? null : _vectors[slot];
    }

    /// <summary>Holds up all changes until it is disposed.</summary>
    public Lock.Scope HoldChanges() => _lock.EnterScope();

    /// <summary>Gives an offset a vector.</summary>
    public void Set(uint offset, ReadOnlySpan<byte> vector)
    {
        lock (_lock)
        {
            uint row = TakeRow();
            uint slot = TakeSlot();
            vector.CopyTo(new Span<byte>(_vectors[slot], VectorBytes));
            RowHead* head = Head(row);
            head->Offset = offset;
            head->Slot = slot;
            head->State &= RowHead.LevelMask;
            if (offset >= _offsetCount)
            {
                _rowOfOffset.Ensure(offset);
                Volatile.Write(ref _offsetCount, offset + 1);
            }

            uint* place = (uint*)_rowOfOffset[offset];
            uint old = *place;
            if (old != RowHead.None)
                Replaced.Begin(offset);
            Waiting.Add(row);
            Queued.Add(row);
            Volatile.Write(ref *place, row);
            if (old == RowHead.None)
            {
                _liveCount++;
                return;
            }

            Replaced.Complete();
            Drop(old);
        }
    }

    /// <summary>Takes an offset's vector away; false: it had none.</summary>
    public bool Remove(uint offset)
    {
        lock (_lock)
        {
            uint row = RowOf(offset);
            if (row == RowHead.None)
                return false;
            Volatile.Write(ref *(uint*)_rowOfOffset[offset], RowHead.None);
            _liveCount--;
            Drop(row);
            return true;
        }
    }

    /// <summary>Takes the lowest queued row for inserting; false: there is none.</summary>
    public bool TryTakeQueued(out uint row)
    {
        lock (_lock)
        {
            row = RowHead.None;
            ReadOnlySpan<ulong> words = Queued.Words;
            if (Queued.Count == 0)
                return false;
            for (int word = (int)(Queued.Low / 64); word < words.Length; word++)
            {
                if (words[word] == 0)
                    continue;
                row = ((uint)word * 64) + (uint)System.Numerics.BitOperations.TrailingZeroCount(words[word]);
                Queued.Remove(row);
                return true;
            }

            return false;
        }
    }

    /// <summary>Ends what <see cref="TryTakeQueued"/> began: the row is in the graph.</summary>
    /// <param name="row">The row.</param>
    /// <param name="keepVector">Whether the vector in full precision is still needed.</param>
    public void FinishInsert(uint row, bool keepVector)
    {
        lock (_lock)
        {
            RowHead* head = Head(row);
            Interlocked.Or(ref head->State, RowHead.Linked);
            _linkedCount++;
            Waiting.Remove(row);
            if ((head->State & RowHead.Removed) != 0)
            {
                _removedLinkedCount++;
                _removedInsertingCount--;
            }

            if (!keepVector)
                DropSlot(head);
        }
    }

    /// <summary>Gives the memory of the vectors back to the system when none is in use: what is left of many that came
    /// at once and are kept as codes only.</summary>
    public void Trim()
    {
        lock (_lock)
        {
            if (_slotCount > 0 && _freeSlots.Count == _slotCount && _freeSlots.TryForget())
            {
                _vectors.Discard();
                Volatile.Write(ref _slotCount, 0);
            }
        }
    }

    /// <summary>Undoes <see cref="TryTakeQueued"/>.</summary>
    public void PutBack(uint row)
    {
        lock (_lock)
        {
            if ((Head(row)->State & RowHead.Removed) != 0)
            {
                _removedInsertingCount--;
                Waiting.Remove(row);
                Free(row);
            }
            else
            {
                Queued.Add(row);
            }
        }
    }

    /// <summary>Frees a removed row to which no link of the graph leads any more.</summary>
    public void FreeUnlinked(uint row)
    {
        lock (_lock)
        {
            _linkedCount--;
            _removedLinkedCount--;
            Interlocked.And(ref Head(row)->State, ~(RowHead.Linked | RowHead.Dead));
            Free(row);
        }
    }

    /// <summary>Writes all to a file, while nothing changes.</summary>
    public void Save(VectorIndexWriter writer, CancellationToken cancellationToken)
    {
        writer.Add(VectorSectionKind.Heads, _heads, _rowCount, cancellationToken);
        writer.Add(VectorSectionKind.RowsOfOffsets, _rowOfOffset, _offsetCount, cancellationToken);
        writer.Add(VectorSectionKind.Vectors, _vectors, _slotCount, cancellationToken);
    }

    /// <summary>Reads all from a file into an empty store, and checks that rows, offsets and slots fit each
    /// other.</summary>
    public void Load(VectorIndexReader reader)
    {
        VectorIndexHeader header = reader.Header;
        reader.Read(VectorSectionKind.Heads, _heads, header.Rows);
        reader.Read(VectorSectionKind.RowsOfOffsets, _rowOfOffset, header.Offsets);
        reader.Read(VectorSectionKind.Vectors, _vectors, header.Slots);
        if (header.Rows > MaxRows)
            throw reader.Wrong(VectorSectionKind.Heads, "there are too many rows");
        _rowCount = header.Rows;
        _offsetCount = header.Offsets;
        _slotCount = header.Slots;
        OffsetBitmap usedSlots = new(header.Slots);
        for (uint row = 0; row < _rowCount; row++)
            LoadRow(reader, row, usedSlots);
        for (uint offset = 0; offset < _offsetCount; offset++)
        {
            uint row = RowOf(offset);
            if (row == RowHead.None)
                continue;
            if (row >= _rowCount || Head(row)->Offset != offset)
                throw reader.Wrong(VectorSectionKind.RowsOfOffsets, $"offset {offset} leads to a row of another");
            _liveCount++;
        }

        for (uint slot = 0; slot < _slotCount; slot++)
        {
            if (!usedSlots.Test(slot))
                _freeSlots.Add(slot);
        }
    }

    /// <inheritdoc/>
    public void Dispose()
    {
        _heads.Dispose();
        _rowOfOffset.Dispose();
        _vectors.Dispose();
    }

    private void LoadRow(VectorIndexReader reader, uint row, OffsetBitmap usedSlots)
    {
        RowHead* head = Head(row);
        head->State &= RowHead.LevelMask | RowHead.Removed | RowHead.Linked;
        bool linked = (head->State & RowHead.Linked) != 0;
        bool valid = RowOf(head->Offset) == row;
        if (!valid && !linked)
        {
            head->Slot = RowHead.None;
            _freeRows.Add(row);
            return;
        }

        if (head->Slot != RowHead.None)
        {
            if (head->Slot >= _slotCount || usedSlots.Test(head->Slot))
                throw reader.Wrong(VectorSectionKind.Heads, $"row {row} has no slot of its own");
            usedSlots.Set(head->Slot);
        }
        else if (!linked)
        {
            throw reader.Wrong(VectorSectionKind.Heads, $"row {row} has no vector");
        }

        head->State = (head->State & ~RowHead.Removed) | (valid ? 0 : RowHead.Removed);
        if (!linked)
        {
            Waiting.Add(row);
            Queued.Add(row);
            return;
        }

        _linkedCount++;
        if (!valid)
            _removedLinkedCount++;
    }

    private static int Stride(int vectorBytes)
    {
        int alignment = vectorBytes >= 64 ? 64 : 16;
        return (vectorBytes + alignment - 1) / alignment * alignment;
    }

    private uint TakeRow()
    {
        if (_freeRows.TryTake(out uint row))
            return row;
        if (_rowCount == MaxRows)
            throw new AiDbException(AiDbErrorKind.ResourceExhausted, $"The index is full: {MaxRows} vectors.");
        row = _rowCount;
        _heads.Ensure(row);
        *Head(row) = new RowHead { Offset = RowHead.None, Slot = RowHead.None, Upper = RowHead.None };
        Volatile.Write(ref _rowCount, row + 1);
        return row;
    }

    private uint TakeSlot()
    {
        if (_freeSlots.TryTake(out uint slot))
            return slot;
        slot = _slotCount;
        _vectors.Ensure(slot);
        Volatile.Write(ref _slotCount, slot + 1);
        return slot;
    }

    // The offset leads elsewhere already.
    private void Drop(uint row)
    {
        int before = Interlocked.Or(ref Head(row)->State, RowHead.Removed);
        if (Queued.Remove(row))
        {
            Waiting.Remove(row);
            Free(row);
        }
        else if ((before & RowHead.Linked) != 0)
        {
            _removedLinkedCount++;
        }
        else
        {
            _removedInsertingCount++;
        }
    }

    private void Free(uint row)
    {
        DropSlot(Head(row));
        _freeRows.Add(row);
    }

    private void DropSlot(RowHead* head)
    {
        uint slot = head->Slot;
        if (slot == RowHead.None)
            return;
        Volatile.Write(ref head->Slot, RowHead.None);
        _freeSlots.Add(slot);
    }
}
