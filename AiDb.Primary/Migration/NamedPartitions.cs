using System.Buffers.Binary;
using System.Security.Cryptography;
using AiDb.Engine;

namespace AiDb.Primary.Migration;

/// <summary>The slots of keys whose writers named the partition: the key alone does not tell them, and a migration must
/// know them. A table of the shard's own database, written in the batch that writes the key; see
/// docs/formats/shard-tables.md.</summary>
/// <remarks>Thread safety: all members may be called concurrently.</remarks>
internal sealed class NamedPartitions
{
    /// <summary>The table's name.</summary>
    public const string TableName = "aidb.partitions";

    private const byte WholeKey = 0;
    private const byte HashedKey = 1;
    private const int HeadBytes = 1 + sizeof(uint);

    private readonly Database _database;
    private Table? _table;

    public NamedPartitions(Database database)
    {
        _database = database;
        _table = database.FindTable(TableName);
    }

    /// <summary>Whether any key ever had one.</summary>
    public bool HasAny => Volatile.Read(ref _table) is not null;

    /// <summary>Notes the slot of a key that the batch sets.</summary>
    public void Put(WriteBatch batch, uint tableId, ReadOnlySpan<byte> key, int slot, TimeSpan? timeToLive)
    {
        Span<byte> value = stackalloc byte[sizeof(ushort)];
        BinaryPrimitives.WriteUInt16LittleEndian(value, (ushort)slot);
        batch.Put(OpenTable(), KeyOf(tableId, key), value, timeToLive);
    }

    /// <summary>Notes the slot of a key that the batch moves here.</summary>
    public void PutMoved(WriteBatch batch, uint tableId, ReadOnlySpan<byte> key, int slot, ulong version, ulong expiresAtMs)
    {
        Span<byte> value = stackalloc byte[sizeof(ushort)];
        BinaryPrimitives.WriteUInt16LittleEndian(value, (ushort)slot);
        batch.PutMoved(OpenTable(), KeyOf(tableId, key), value, version, expiresAtMs);
    }

    /// <summary>Forgets the slot of a key that the batch deletes.</summary>
    public void Delete(WriteBatch batch, uint tableId, ReadOnlySpan<byte> key)
    {
        if (Volatile.Read(ref _table) is { } table)
            batch.Delete(table, KeyOf(tableId, key));
    }

    /// <summary>The slot that was noted of a key; null: none was.</summary>
    public int? Find(uint tableId, ReadOnlySpan<byte> key, Snapshot? snapshot = null)
    {
        if (Volatile.Read(ref _table) is not { } table || !table.TryGet(KeyOf(tableId, key), out ValueLease lease, snapshot))
            return null;
        using (lease)
            return BinaryPrimitives.ReadUInt16LittleEndian(lease.Span);
    }

    /// <summary>Forgets all keys of a table.</summary>
    public void DropTable(uint tableId)
    {
        if (Volatile.Read(ref _table) is not { } table)
            return;
        foreach (byte kind in new[] { WholeKey, HashedKey })
        {
            byte[] first = new byte[HeadBytes];
            byte[] end = new byte[HeadBytes];
            first[0] = end[0] = kind;
            BinaryPrimitives.WriteUInt32BigEndian(first.AsSpan(1), tableId);
            BinaryPrimitives.WriteUInt32BigEndian(end.AsSpan(1), tableId + 1);
            table.DeleteRange(first, end, WriteDurability.Memory);
        }
    }

    private Table OpenTable()
    {
        Table table = Volatile.Read(ref _table) ?? _database.GetOrCreateTable(TableName);
        Volatile.Write(ref _table, table);
        return table;
    }

    // The longest keys leave no room for the table's id in front.
    private static byte[] KeyOf(uint tableId, ReadOnlySpan<byte> key)
    {
        bool isWhole = HeadBytes + key.Length <= DatabaseOptions.MaxKeyBytes;
        byte[] full = new byte[HeadBytes + (isWhole ? key.Length : SHA256.HashSizeInBytes)];
        full[0] = isWhole ? WholeKey : HashedKey;
        BinaryPrimitives.WriteUInt32BigEndian(full.AsSpan(1), tableId);
        if (isWhole)
            key.CopyTo(full.AsSpan(HeadBytes));
        else
            SHA256.HashData(key, full.AsSpan(HeadBytes));
        return full;
    }
}
