using System.Buffers.Binary;
using System.Globalization;
using System.Text;
using AiDb.Engine;

namespace AiDb.Cluster.Metadata;

/// <summary>Keeps a store's keys in a database of its own; docs/formats/metadata.md describes the
/// bytes.</summary>
internal sealed class DatabaseMetadataJournal : IMetadataJournal
{
    internal const string TableName = "metadata";
    private const byte FormatVersion = 1;
    private const int HeaderBytes = 1 + (4 * sizeof(long));

    private static readonly byte[] RevisionKey = "r"u8.ToArray();

    private readonly Database _database;
    private readonly Table _table;

    public DatabaseMetadataJournal(Database database)
    {
        _database = database;
        _table = database.GetOrCreateTable(TableName);
    }

    public MetadataImage Load()
    {
        long revision = 0;
        List<MetadataKeyValue> items = [];
        List<MetadataLease> leases = [];
        using ScanCursor cursor = _table.Scan(ScanRange.All);
        while (cursor.MoveNext())
        {
            ReadOnlySpan<byte> key = cursor.Key;
            if (key.SequenceEqual(RevisionKey))
                revision = ReadLong(cursor.Value, "r");
            else if (key.StartsWith("k/"u8))
                items.Add(DecodeItem(Encoding.ASCII.GetString(key[2..]), cursor.Value));
            else if (key.StartsWith("l/"u8))
                leases.Add(DecodeLease(Encoding.ASCII.GetString(key[2..]), cursor.Value));
        }

        return new MetadataImage(revision, items, leases);
    }

    public async ValueTask AppendAsync(MetadataJournalStep step)
    {
        WriteBatch batch = new();
        batch.Put(_table, RevisionKey, EncodeLong(step.Revision));
        foreach (MetadataEvent change in step.Events)
        {
            byte[] key = ItemKey(change.Key);
            if (change.Current is { } item)
                batch.Put(_table, key, EncodeItem(item));
            else
                batch.Delete(_table, key);
        }

        foreach (MetadataLease lease in step.GrantedLeases)
            batch.Put(_table, LeaseKey(lease.Id), EncodeLong((long)lease.TimeToLive.TotalMilliseconds));
        foreach (long lease in step.EndedLeases)
            batch.Delete(_table, LeaseKey(lease));
        await _database.TryWriteAsync(batch, WriteDurability.Synced);
    }

    public ValueTask DisposeAsync() => _database.DisposeAsync();

    internal static byte[] EncodeItem(MetadataKeyValue item)
    {
        byte[] bytes = new byte[HeaderBytes + item.Value.Length];
        bytes[0] = FormatVersion;
        BinaryPrimitives.WriteInt64LittleEndian(bytes.AsSpan(1), item.CreateRevision);
        BinaryPrimitives.WriteInt64LittleEndian(bytes.AsSpan(9), item.ModRevision);
        BinaryPrimitives.WriteInt64LittleEndian(bytes.AsSpan(17), item.Version);
        BinaryPrimitives.WriteInt64LittleEndian(bytes.AsSpan(25), item.LeaseId);
        item.Value.Span.CopyTo(bytes.AsSpan(HeaderBytes));
        return bytes;
    }

    internal static MetadataKeyValue DecodeItem(string key, ReadOnlySpan<byte> bytes)
    {
        if (bytes.Length < HeaderBytes || bytes[0] != FormatVersion)
            throw Damaged("k/" + key);
        return new MetadataKeyValue(
            key,
            bytes[HeaderBytes..].ToArray(),
            BinaryPrimitives.ReadInt64LittleEndian(bytes[1..]),
            BinaryPrimitives.ReadInt64LittleEndian(bytes[9..]),
            BinaryPrimitives.ReadInt64LittleEndian(bytes[17..]),
            BinaryPrimitives.ReadInt64LittleEndian(bytes[25..]));
    }

    private static MetadataLease DecodeLease(string name, ReadOnlySpan<byte> bytes)
    {
        if (!long.TryParse(name, NumberStyles.AllowHexSpecifier, CultureInfo.InvariantCulture, out long id))
            throw Damaged("l/" + name);
        return new MetadataLease(id, TimeSpan.FromMilliseconds(ReadLong(bytes, "l/" + name)));
    }

    private static byte[] ItemKey(string key) => Encoding.ASCII.GetBytes("k/" + key);

    private static byte[] LeaseKey(long id) =>
        Encoding.ASCII.GetBytes("l/" + id.ToString("x16", CultureInfo.InvariantCulture));

    private static byte[] EncodeLong(long value)
    {
        byte[] bytes = new byte[sizeof(long)];
        BinaryPrimitives.WriteInt64LittleEndian(bytes, value);
        return bytes;
    }

    private static long ReadLong(ReadOnlySpan<byte> bytes, string key) =>
        bytes.Length == sizeof(long) ? BinaryPrimitives.ReadInt64LittleEndian(bytes) : throw Damaged(key);

    private static AiDbException Damaged(string key) => new(
        AiDbErrorKind.DataLoss,
        $"The metadata store's record '{key}' is damaged or of a newer format. Restore the store's folder from a backup.");
}
