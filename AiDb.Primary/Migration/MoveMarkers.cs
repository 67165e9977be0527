using System.Buffers.Binary;
using System.Text;
using AiDb.Cluster.Migration;
using AiDb.Engine;

namespace AiDb.Primary.Migration;

/// <summary>What a shard must remember of a migration.</summary>
internal enum MoveRole : byte
{
    /// <summary>Its slots are frozen here, or its keys are still to be deleted here.</summary>
    Source = 1,

    /// <summary>A copy of its keys may be here.</summary>
    Target = 2,

    /// <summary>A complete copy is here.</summary>
    Ready = 3,
}

/// <summary>A migration that left something in a shard's database.</summary>
internal sealed record MoveMarker(ulong Migration, MoveRole Role, SlotSet Slots);

/// <summary>The markers of migrations in a shard's database, so that whoever opens it knows what is frozen and what may be
/// half copied or half deleted; see docs/formats/shard-tables.md.</summary>
/// <remarks>They are ordinary entries of the log: whatever follows the log has them too. Thread safety: all members may be
/// called concurrently.</remarks>
internal sealed class MoveMarkers
{
    /// <summary>The table's name.</summary>
    public const string TableName = "aidb.moves";

    private const int KeyBytes = sizeof(ulong);

    private readonly Database _database;
    private readonly Lock _gate = new();
    private readonly Dictionary<ulong, MoveMarker> _markers = [];
    private Table? _table;

    public MoveMarkers(Database database)
    {
        _database = database;
        _table = database.FindTable(TableName);
        if (_table is null)
            return;
        using ScanCursor cursor = _table.Scan();
        while (cursor.MoveNext())
        {
            ulong migration = BinaryPrimitives.ReadUInt64BigEndian(cursor.Key);
            string slots = Encoding.ASCII.GetString(cursor.Value[1..]);
            _markers.Add(migration, new MoveMarker(migration, (MoveRole)cursor.Value[0], SlotSet.Parse(slots)));
        }
    }

    /// <summary>All of them.</summary>
    public IReadOnlyList<MoveMarker> All()
    {
        lock (_gate)
            return [.. _markers.Values];
    }

    /// <summary>Whether there is any: the database may hold keys of slots that are not the shard's.</summary>
    public bool HasAny
    {
        get
        {
            lock (_gate)
                return _markers.Count > 0;
        }
    }

    /// <summary>Whether an operation of the log says that what caches hold of slots may be out of date from here
    /// on.</summary>
    public bool EndsCaches(uint tableId, ReadOnlySpan<byte> value) =>
        Volatile.Read(ref _table) is { } table && table.Id == tableId && !value.IsEmpty
        && (MoveRole)value[0] is MoveRole.Source or MoveRole.Ready;

    /// <summary>Writes a marker, durably.</summary>
    /// <returns>Where it stands in the log.</returns>
    public async ValueTask<ulong> PutAsync(MoveMarker marker, CancellationToken cancellationToken)
    {
        Table table = Volatile.Read(ref _table) ?? _database.GetOrCreateTable(TableName);
        Volatile.Write(ref _table, table);
        byte[] value = [(byte)marker.Role, .. Encoding.ASCII.GetBytes(marker.Slots.ToString())];
        var batch = new WriteBatch();
        batch.Put(table, KeyOf(marker.Migration), value);

        // Before the entry: whoever sees what comes after it must find the marker.
        lock (_gate)
            _markers[marker.Migration] = marker;
        WriteResult result = await _database.TryWriteAsync(batch, WriteDurability.Synced, cancellationToken).ConfigureAwait(false);
        return result.Lsn;
    }

    /// <summary>Removes a marker, durably.</summary>
    public async ValueTask RemoveAsync(ulong migration, CancellationToken cancellationToken)
    {
        if (Volatile.Read(ref _table) is not { } table)
            return;
        var batch = new WriteBatch();
        batch.Delete(table, KeyOf(migration));
        await _database.TryWriteAsync(batch, WriteDurability.Synced, cancellationToken).ConfigureAwait(false);
        lock (_gate)
            _markers.Remove(migration);
    }

    private static byte[] KeyOf(ulong migration)
    {
        byte[] key = new byte[KeyBytes];
        BinaryPrimitives.WriteUInt64BigEndian(key, migration);
        return key;
    }
}
