using AiDb.Engine;
using AiDb.Engine.Encoding;
using AiDb.Engine.Log;
using AiDb.Tests.Engine.Storage;
using AiDb.Tests.TestSupport;
using static AiDb.Tests.Engine.TestDatabase;

namespace AiDb.Tests.Engine.Moving;

public sealed class MovedPutTests
{
    private const ulong FarExpiry = 4_000_000_000_000;

    private static DatabaseOptions Options => Tiny with { SeparateValuesFromBytes = 400 };

    [Fact]
    public void The_log_operation_and_the_entries_have_the_documented_bytes()
    {
        var writer = new LogOperationWriter();
        writer.PutMoved(300, "k"u8, "val"u8, version: 0x0102030405060708, expiryUnixMs: 200);
        Assert.Equal("07AC02" + "0807060504030201" + "C801" + "016B" + "0376616C", Convert.ToHexString(writer.WrittenSpan));
        var reader = new LogOperationReader(writer.WrittenSpan);
        Assert.True(reader.MoveNext());
        Assert.Equal(
            (LogOperationKind.PutMoved, 300u, 0x0102030405060708ul, 200ul, 0ul),
            (reader.Kind, reader.TableId, reader.MovedVersion, reader.MovedExpiryMs, reader.TimeToLiveMs));
        Assert.Equal("val"u8, reader.Value);

        byte[] entry = new byte[32];
        int length = InternalValue.Write(entry, EntryKind.MovedPutWithExpiry, 200, "v"u8, movedVersion: 0x0102);
        Assert.Equal("08" + "C800000000000000" + "0201000000000000" + "76", Convert.ToHexString(entry.AsSpan(0, length)));
        Assert.Equal((0x0102ul, 200ul), (InternalValue.MovedVersion(entry), InternalValue.ExpiryUnixMs(entry)));
        length = InternalValue.Write(entry, EntryKind.MovedPut, 0, "v"u8, movedVersion: 0x0102);
        Assert.Equal("07" + "0201000000000000" + "76", Convert.ToHexString(entry.AsSpan(0, length)));
        Assert.True(InternalValue.IsWellFormed(entry.AsSpan(0, length)));
        Assert.False(InternalValue.IsWellFormed(entry.AsSpan(0, 8)));
        Assert.Equal(EntryKind.SeparatedMovedPutWithExpiry, InternalValue.Separated(EntryKind.MovedPutWithExpiry));
        Assert.Equal(EntryKind.MovedPut, InternalValue.Inline(EntryKind.SeparatedMovedPut));
    }

    [Fact]
    public void Conditions_transactions_and_the_change_feed_go_by_the_moved_version()
    {
        using Database database = Open(NewDisk(), Options with { LogRetentionBytes = 1 << 20 });
        Table table = database.GetOrCreateTable("t");
        using ChangeFeed feed = database.OpenChangeFeed();
        Move(database, table, "k", "old", 77, FarExpiry);
        var batch = new WriteBatch();
        batch.Put(table, "k"u8, "no"u8, condition: WriteCondition.VersionIs(database.AppliedPosition.Timestamp));
        WriteResult refused = database.TryWrite(batch);
        Assert.Equal((false, 77ul), (refused.Applied, refused.CurrentVersion));

        using (Transaction transaction = database.BeginTransaction())
        {
            Assert.Equal("old", Text(transaction.Get(table, "k"u8)));
            transaction.Put(table, "k"u8, "new"u8);
            transaction.Commit();
        }

        Assert.Equal("new", Text(table.Get("k"u8)));
        Assert.True(feed.TryRead(out Change change));
        Assert.Equal((ChangeKind.Put, 77ul, FarExpiry), (change.Kind, change.Version, change.ExpiresAtMs));
    }

    [Fact]
    public async Task Later_writes_get_greater_versions_also_after_a_restart_with_a_clock_that_is_behind()
    {
        SimulatedFileSystem disk = NewDisk();
        ulong ahead = (ulong)DateTimeOffset.UtcNow.AddDays(30).ToUnixTimeMilliseconds() << HybridClock.CounterBits;
        using (Database database = Open(disk, Options))
        {
            Table table = database.GetOrCreateTable("t");
            Move(database, table, "k", "v", ahead, 0);
            await database.FlushAsync(TestContext.Current.CancellationToken);
        }

        using Database again = Open(disk, Options);
        Table after = again.GetOrCreateTable("t");
        Assert.Equal(ahead, VersionOf(after, "k"));
        Assert.True(after.Put("k"u8, "w"u8).Version > ahead);
    }

    [Fact]
    public void A_merge_on_a_moved_key_finds_its_value()
    {
        using Database database = Open(NewDisk(), Options);
        Table table = database.GetOrCreateTable("t", BuiltInMergeOperators.Append.Name);
        var batch = new WriteBatch();
        batch.PutMoved(table, "a"u8, "1"u8, 5, FarExpiry);
        batch.Merge(table, "a"u8, "2"u8);
        batch.PutMoved(table, "b"u8, "1"u8, 5);
        database.Write(batch);
        table.Merge("b"u8, "2"u8);
        Assert.Equal([("a", "12"), ("b", "12")], Walk(table));
        Assert.True(VersionOf(table, "a") > 5);
    }

    /// <summary>Random puts, moved puts, deletions and range deletions beside a dictionary; flushes, compactions and
    /// restarts between them.</summary>
    [Fact]
    public async Task Moved_keys_keep_version_and_expiry_through_flushes_compactions_and_restarts()
    {
        int seed = TestSeed.Base;
        TestContext.Current.TestOutputHelper?.WriteLine($"seed {seed}");
        var random = new Random(seed);
        SimulatedFileSystem disk = NewDisk();
        SortedDictionary<string, (string Value, ulong Version, ulong Expiry)> model = new(StringComparer.Ordinal);
        ulong moved = 1000;
        for (int restart = 0; restart < 4; restart++)
        {
            using Database database = Open(disk, Options);
            Table table = database.GetOrCreateTable("t");
            for (int step = 0; step < 600; step++)
            {
                string key = $"k{random.Next(80):D3}";
                string value = new((char)('a' + random.Next(26)), random.Next(6) == 0 ? 900 : random.Next(40));
                switch (random.Next(10))
                {
                    case < 5:
                        ulong expiry = random.Next(3) == 0 ? FarExpiry + (ulong)step : 0;
                        Move(database, table, key, value, ++moved, expiry);
                        model[key] = (value, moved, expiry);
                        break;
                    case < 8:
                        model[key] = (value, table.Put(Bytes(key), Bytes(value)).Version, 0);
                        break;
                    case 8:
                        table.Delete(Bytes(key));
                        model.Remove(key);
                        break;
                    default:
                        string end = key + "9";
                        table.DeleteRange(Bytes(key), Bytes(end));
                        model.Remove(key);
                        break;
                }

                if (random.Next(150) == 0)
                    await database.FlushAsync(TestContext.Current.CancellationToken);
                if (random.Next(300) == 0)
                    await database.CompactAsync(TestContext.Current.CancellationToken);
            }

            Check(table, model);
            await database.FlushAsync(TestContext.Current.CancellationToken);
            Check(table, model);
        }
    }

    private static void Check(
        Table table, SortedDictionary<string, (string Value, ulong Version, ulong Expiry)> model)
    {
        List<(string, string, ulong, ulong)> expected =
            [.. model.Select(item => (item.Key, item.Value.Value, item.Value.Version, item.Value.Expiry))];
        Assert.Equal(expected, Read(table, reverse: false));
        expected.Reverse();
        Assert.Equal(expected, Read(table, reverse: true));
        ReadOnlyMemory<byte>[] keys = [.. model.Keys.Select(key => (ReadOnlyMemory<byte>)Bytes(key))];
        var leases = new ValueLease[keys.Length];
        table.MultiGet(keys, leases);
        for (int index = 0; index < keys.Length; index++)
        {
            (string value, ulong version, ulong expiry) = model[Text(keys[index].ToArray())!];
            Assert.Equal((value, version, expiry), (Text(leases[index].Span.ToArray()), leases[index].Version, leases[index].ExpiresAtMs));
            leases[index].Dispose();
            Assert.Equal(version, VersionOf(table, Text(keys[index].ToArray())!));
        }
    }

    private static List<(string, string, ulong, ulong)> Read(Table table, bool reverse)
    {
        List<(string, string, ulong, ulong)> found = [];
        using ScanCursor cursor = table.Scan(new ScanRange { Reverse = reverse });
        while (cursor.MoveNext())
        {
            found.Add((Text(cursor.Key.ToArray())!, Text(cursor.Value.ToArray())!, cursor.Version, cursor.ExpiresAtMs));
        }

        return found;
    }

    private static ulong VersionOf(Table table, string key)
    {
        Assert.True(table.TryGet(Bytes(key), out ValueLease lease));
        using (lease)
            return lease.Version;
    }

    private static void Move(Database database, Table table, string key, string value, ulong version, ulong expiry)
    {
        var batch = new WriteBatch();
        batch.PutMoved(table, Bytes(key), Bytes(value), version, expiry);
        Assert.True(database.TryWrite(batch, WriteDurability.Synced).Applied);
    }
}
