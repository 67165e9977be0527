using System.Buffers.Binary;
using AiDb.Engine.Catalogues;

namespace AiDb.Engine.Log;

/// <summary>The kinds of operation in a batch's payload; the value is part of the log format.</summary>
public enum LogOperationKind : byte
{
    /// <summary>Sets a key.</summary>
    Put = 1,

    /// <summary>Deletes a key.</summary>
    Delete = 2,

    /// <summary>Only a condition.</summary>
    Require = 3,

    /// <summary>Deletes every key of a range.</summary>
    DeleteRange = 4,

    /// <summary>Adds an operand for the table's merge operator to a key.</summary>
    Merge = 5,

    /// <summary>Takes files into a table; the key is their ids, 16 bytes each. The only operation of its
    /// batch.</summary>
    Ingest = 6,

    /// <summary>Sets a key that came from another shard, with the version and the end that it had
    /// there.</summary>
    PutMoved = 7,
}

/// <summary>Walks the operations of a batch's payload.</summary>
public ref struct LogOperationReader
{
    private readonly ReadOnlySpan<byte> _payload;
    private int _offset;

    /// <summary>Begins before the first operation.</summary>
    public LogOperationReader(ReadOnlySpan<byte> payload) => _payload = payload;

    /// <summary>All of the payload.</summary>
    internal readonly ReadOnlySpan<byte> Payload => _payload;

    /// <summary>What it does.</summary>
    public LogOperationKind Kind { get; private set; }

    /// <summary>The table.</summary>
    public uint TableId { get; private set; }

    /// <summary>The key; of a range, the first key (never empty).</summary>
    public ReadOnlySpan<byte> Key { get; private set; }

    /// <summary>The first key after a range; empty: the range goes to the end of the table.</summary>
    public ReadOnlySpan<byte> EndKey { get; private set; }

    /// <summary>The value of a put, or the operand of a merge.</summary>
    public ReadOnlySpan<byte> Value { get; private set; }

    /// <summary>The version that a moved key had where it came from, which is what callers see; 0: not moved.</summary>
    public ulong MovedVersion { get; private set; }

    /// <summary>Unix time in milliseconds at which a moved key expires; 0: never.</summary>
    public ulong MovedExpiryMs { get; private set; }

    /// <summary>Milliseconds that a put lives from the entry's timestamp; 0: for ever.</summary>
    public ulong TimeToLiveMs { get; private set; }

    /// <summary>The table whose keys this operation drops; null: it drops none.</summary>
    public readonly uint? DroppedTable =>
        TableId == Catalogue.SystemTableId && Kind == LogOperationKind.Put ? Catalogue.TableOfDrop(Key) : null;

    /// <summary>The table of which a cache must forget everything, since this operation drops it or may change any
    /// of its keys; null: the key alone changes.</summary>
    public readonly uint? InvalidatedTable => Kind == LogOperationKind.Ingest ? TableId : DroppedTable;

    /// <summary>The operation's condition.</summary>
    public WriteCondition Condition { get; private set; }

    /// <summary>Goes to the next operation; false at the end.</summary>
    /// <exception cref="AiDbException"><see cref="AiDbErrorKind.DataLoss"/>: the payload is
    /// malformed.</exception>
    public bool MoveNext()
    {
        if (_offset == _payload.Length)
            return false;
        int start = _offset;
        byte head = _payload[_offset++];
        var kind = (LogOperationKind)(head & 0x0F);
        var conditionKind = (WriteConditionKind)(head >> 4);
        if (kind is < LogOperationKind.Put or > LogOperationKind.PutMoved)
            throw Malformed(start, "unknown operation");
        if (conditionKind > WriteConditionKind.VersionDiffers)
            throw Malformed(start, "unknown condition");
        if (kind == LogOperationKind.DeleteRange && conditionKind != WriteConditionKind.None)
            throw Malformed(start, "a range with a condition");
        ulong tableId = ReadVarint(start);
        if (tableId > uint.MaxValue)
            throw Malformed(start, "table id out of range");
        ulong version = 0;
        if (conditionKind >= WriteConditionKind.VersionEquals)
            version = BinaryPrimitives.ReadUInt64LittleEndian(Take(sizeof(ulong), start));
        ulong movedVersion = 0;
        if (kind == LogOperationKind.PutMoved)
            movedVersion = BinaryPrimitives.ReadUInt64LittleEndian(Take(sizeof(ulong), start));
        ulong timeToLiveMs = kind == LogOperationKind.Put ? ReadVarint(start) : 0;
        ulong movedExpiryMs = kind == LogOperationKind.PutMoved ? ReadVarint(start) : 0;
        ReadOnlySpan<byte> key = Take(ReadVarint(start), start);
        ReadOnlySpan<byte> value = default;
        ReadOnlySpan<byte> endKey = default;
        if (kind is LogOperationKind.Put or LogOperationKind.Merge or LogOperationKind.PutMoved)
            value = Take(ReadVarint(start), start);
        else if (kind == LogOperationKind.DeleteRange)
            endKey = TakeEndKey(key, start);

        Kind = kind;
        TableId = (uint)tableId;
        Condition = new WriteCondition(conditionKind, version);
        MovedVersion = movedVersion;
        MovedExpiryMs = movedExpiryMs;
        TimeToLiveMs = timeToLiveMs;
        Key = key;
        EndKey = endKey;
        Value = value;
        return true;
    }

    private ReadOnlySpan<byte> TakeEndKey(ReadOnlySpan<byte> key, int start)
    {
        ReadOnlySpan<byte> endKey = Take(ReadVarint(start), start);
        bool isRange = !key.IsEmpty && (endKey.IsEmpty || key.SequenceCompareTo(endKey) < 0);
        return isRange ? endKey : throw Malformed(start, "a range without keys");
    }

    private ReadOnlySpan<byte> Take(ulong length, int start)
    {
        if (length > (ulong)(_payload.Length - _offset))
            throw Malformed(start, "length beyond the payload");
        ReadOnlySpan<byte> taken = _payload.Slice(_offset, (int)length);
        _offset += (int)length;
        return taken;
    }

    private ulong ReadVarint(int start)
    {
        ulong value = 0;
        for (int shift = 0; shift < 64; shift += 7)
        {
            if (_offset == _payload.Length)
                throw Malformed(start, "varint beyond the payload");
            byte next = _payload[_offset++];
            if (shift == 63 && next > 1)
                break;
            value |= (ulong)(next & 0x7F) << shift;
            if (next < 0x80)
                return value;
        }

        throw Malformed(start, "varint out of range");
    }

    private static AiDbException Malformed(int offset, string what) => new(
        AiDbErrorKind.DataLoss,
        $"The operation at byte {offset} of a log batch is malformed: {what}. The batch passed its checksum, so the " +
        "program that wrote it is at fault; restore from a backup and report it.");
}

/// <summary>Builds the payload of a batch; the counterpart of <see cref="LogOperationReader"/>.</summary>
/// <remarks>Thread safety: none. Keeps its memory over <see cref="Clear"/>, except what a rare big batch
/// took.</remarks>
internal sealed class LogOperationWriter
{
    private const int InitialBytes = 256;
    private const int KeptBytes = 1 << 20;
    private const int MaxVarintBytes = 10;

    private byte[] _buffer = new byte[InitialBytes];

    /// <summary>Operations written.</summary>
    public int Count { get; private set; }

    /// <summary>Bytes of the payload.</summary>
    public int SizeBytes { get; private set; }

    /// <summary>The payload; valid until the next change.</summary>
    public ReadOnlySpan<byte> WrittenSpan => _buffer.AsSpan(0, SizeBytes);

    /// <summary>The payload; valid until the next change.</summary>
    public ReadOnlyMemory<byte> WrittenMemory => _buffer.AsMemory(0, SizeBytes);

    /// <summary>Adds a put.</summary>
    /// <param name="tableId">The table.</param>
    /// <param name="key">The key.</param>
    /// <param name="value">The value.</param>
    /// <param name="timeToLiveMs">0: for ever.</param>
    /// <param name="condition">What must hold of the key.</param>
    public void Put(
        uint tableId, ReadOnlySpan<byte> key, ReadOnlySpan<byte> value, ulong timeToLiveMs, WriteCondition condition)
    {
        Begin(LogOperationKind.Put, tableId, (long)key.Length + value.Length, condition);
        WriteVarint(timeToLiveMs);
        WriteBytes(key);
        WriteBytes(value);
    }

    /// <summary>Adds a put of a key that came from another shard.</summary>
    /// <param name="tableId">The table.</param>
    /// <param name="key">The key.</param>
    /// <param name="value">The value.</param>
    /// <param name="version">The version that it had there.</param>
    /// <param name="expiryUnixMs">When it expires; 0: never.</param>
    public void PutMoved(
        uint tableId, ReadOnlySpan<byte> key, ReadOnlySpan<byte> value, ulong version, ulong expiryUnixMs)
    {
        Begin(LogOperationKind.PutMoved, tableId, (long)key.Length + value.Length, default);
        BinaryPrimitives.WriteUInt64LittleEndian(_buffer.AsSpan(SizeBytes), version);
        SizeBytes += sizeof(ulong);
        WriteVarint(expiryUnixMs);
        WriteBytes(key);
        WriteBytes(value);
    }

    /// <summary>Adds a deletion.</summary>
    public void Delete(uint tableId, ReadOnlySpan<byte> key, WriteCondition condition)
    {
        Begin(LogOperationKind.Delete, tableId, key.Length, condition);
        WriteBytes(key);
    }

    /// <summary>Adds a condition on a key that is not written.</summary>
    public void Require(uint tableId, ReadOnlySpan<byte> key, WriteCondition condition)
    {
        Begin(LogOperationKind.Require, tableId, key.Length, condition);
        WriteBytes(key);
    }

    /// <summary>Adds a deletion of the keys from <paramref name="start"/> up to and without
    /// <paramref name="end"/>.</summary>
    /// <param name="tableId">The table.</param>
    /// <param name="start">Not empty.</param>
    /// <param name="end">After <paramref name="start"/>; empty: to the end of the table.</param>
    public void DeleteRange(uint tableId, ReadOnlySpan<byte> start, ReadOnlySpan<byte> end)
    {
        Begin(LogOperationKind.DeleteRange, tableId, (long)start.Length + end.Length, default);
        WriteBytes(start);
        WriteBytes(end);
    }

    /// <summary>Adds an operand to a key.</summary>
    public void Merge(uint tableId, ReadOnlySpan<byte> key, ReadOnlySpan<byte> operand, WriteCondition condition)
    {
        Begin(LogOperationKind.Merge, tableId, (long)key.Length + operand.Length, condition);
        WriteBytes(key);
        WriteBytes(operand);
    }

    /// <summary>Adds files to a table.</summary>
    /// <param name="tableId">The table.</param>
    /// <param name="ids">Their ids, 16 bytes each.</param>
    public void Ingest(uint tableId, ReadOnlySpan<byte> ids)
    {
        Begin(LogOperationKind.Ingest, tableId, ids.Length, default);
        WriteBytes(ids);
    }

    /// <summary>Empties it.</summary>
    public void Clear()
    {
        Count = 0;
        SizeBytes = 0;
        if (_buffer.Length > KeptBytes)
            _buffer = new byte[InitialBytes];
    }

    private void Begin(LogOperationKind kind, uint tableId, long variableBytes, WriteCondition condition)
    {
        // Head, table id, version, time to live or expiry, two lengths: reserved at once, so that the parts need no
        // checks. An operation has at most one version: a moved put has no condition.
        Reserve(variableBytes + 1 + 5 + sizeof(ulong) + (3 * MaxVarintBytes));
        _buffer[SizeBytes++] = (byte)((byte)kind | ((byte)condition.Kind << 4));
        WriteVarint(tableId);
        if (condition.Kind >= WriteConditionKind.VersionEquals)
        {
            BinaryPrimitives.WriteUInt64LittleEndian(_buffer.AsSpan(SizeBytes), condition.Version);
            SizeBytes += sizeof(ulong);
        }

        Count++;
    }

    private void Reserve(long more)
    {
        long needed = SizeBytes + more;
        if (needed <= _buffer.Length)
            return;
        if (needed > Array.MaxLength)
            throw new AiDbException(
                AiDbErrorKind.InvalidArgument, $"A batch holds at most {DatabaseOptions.MaxBatchBytes} bytes; split it.");
        Array.Resize(ref _buffer, (int)Math.Min(Array.MaxLength, Math.Max(needed, _buffer.Length * 2L)));
    }

    private void WriteBytes(ReadOnlySpan<byte> bytes)
    {
        WriteVarint((ulong)bytes.Length);
        bytes.CopyTo(_buffer.AsSpan(SizeBytes));
        SizeBytes += bytes.Length;
    }

    private void WriteVarint(ulong value)
    {
        while (value >= 0x80)
        {
            _buffer[SizeBytes++] = (byte)(value | 0x80);
            value >>= 7;
        }

        _buffer[SizeBytes++] = (byte)value;
    }
}
