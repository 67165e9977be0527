using AiDb.Engine;
using AiDb.Tests.Engine.Storage;
using Microsoft.Extensions.Time.Testing;
using static AiDb.Tests.Engine.TestDatabase;

namespace AiDb.Tests.Engine;

public sealed class DatabaseTests
{
    private readonly SimulatedFileSystem _disk = NewDisk();

    [Fact]
    public void A_key_is_read_as_it_was_put_and_gone_after_its_deletion()
    {
        using Database database = Open(_disk);
        Table table = database.GetOrCreateTable("words");
        WriteResult put = table.Put("key"u8, "value"u8);
        Assert.True(put.Applied);
        Assert.True(table.TryGet("key"u8, out ValueLease lease));
        Assert.Equal("value", Text(lease.Span.ToArray()));
        Assert.Equal(put.Version, lease.Version);
        Assert.Equal(0UL, lease.ExpiresAtMs);
        lease.Dispose();

        table.Delete("key"u8);
        Assert.False(table.TryGet("key"u8, out _));
        Assert.Null(table.Get("key"u8));
    }

    [Fact]
    public async Task Reads_are_the_same_from_memtable_level_0_and_the_last_level()
    {
        using Database database = Open(_disk, Tiny with { Level0CompactionTrigger = 100, Level0SlowdownTrigger = 100, Level0StopTrigger = 101 });
        Table table = database.GetOrCreateTable("t");
        void Check(string expected)
        {
            Assert.Equal(expected, Text(table.Get("a"u8)));
            Assert.Equal([("a", expected), ("b", "1"), ("empty", "")], Walk(table));
            Assert.Equal([("empty", ""), ("b", "1"), ("a", expected)], Walk(table, ScanRange.All with { Reverse = true }));
            Assert.Null(table.Get("missing"u8));
        }

        table.Put("a"u8, "1"u8);
        table.Put("b"u8, "1"u8);
        table.Put("empty"u8, default);
        Check("1");
        await database.FlushAsync();
        Check("1");
        table.Put("a"u8, "2"u8);
        Check("2");
        await database.FlushAsync();
        Assert.Equal(2, database.GetStatistics().TablesPerLevel[0]);
        Check("2");
        await database.CompactAsync();
        Assert.Equal(0, database.GetStatistics().TablesPerLevel[0]);
        Assert.Equal(1, database.GetStatistics().TablesPerLevel[1]);
        Check("2");
    }

    [Fact]
    public void Everything_acknowledged_is_there_after_closing_and_opening()
    {
        using (Database database = Open(_disk))
        {
            Table table = database.GetOrCreateTable("t");
            for (int index = 0; index < 500; index++)
                table.Put(Bytes($"key{index:d5}"), Bytes(new string('v', 300) + index));
            table.Delete("key00007"u8);
        }

        using Database again = Open(_disk);
        Table reopened = again.FindTable("t")!;
        Assert.Equal(499, Walk(reopened).Count);
        Assert.Null(reopened.Get("key00007"u8));
        Assert.EndsWith("v499", Text(reopened.Get("key00499"u8)), StringComparison.Ordinal);
    }

    [Fact]
    public void A_batch_applies_as_a_whole_or_not_at_all()
    {
        using Database database = Open(_disk);
        Table table = database.GetOrCreateTable("t");
        WriteResult first = table.Put("a"u8, "1"u8);
        var batch = new WriteBatch();
        batch.Put(table, "b"u8, "1"u8);
        batch.Require(table, "a"u8, WriteCondition.VersionIs(first.Version + 1));
        WriteResult refused = database.TryWrite(batch);
        Assert.False(refused.Applied);
        Assert.Equal(1, refused.FailedOperation);
        Assert.Equal(first.Version, refused.CurrentVersion);
        Assert.Null(table.Get("b"u8));
        AiDbException error = Assert.Throws<AiDbException>(() => database.Write(batch));
        Assert.Equal(AiDbErrorKind.PreconditionFailed, error.Kind);

        batch.Clear();
        batch.Put(table, "b"u8, "1"u8, condition: WriteCondition.MustBeAbsent);
        batch.Put(table, "b"u8, "2"u8, condition: WriteCondition.MustBeAbsent);
        batch.Delete(table, "a"u8, WriteCondition.VersionIs(first.Version));
        batch.Require(table, "c"u8, WriteCondition.VersionIsNot(17));
        Assert.True(database.TryWrite(batch).Applied);
        Assert.Equal([("b", "2")], Walk(table));
    }

    [Fact]
    public void An_entry_is_absent_from_its_expiry_on_for_reads_and_conditions()
    {
        var time = new FakeTimeProvider(DateTimeOffset.UnixEpoch.AddDays(20_000));
        using Database database = Open(_disk, time: time);
        Table table = database.GetOrCreateTable("t");
        table.Put("a"u8, "1"u8, TimeSpan.FromMilliseconds(100));
        time.Advance(TimeSpan.FromMilliseconds(99));
        Assert.True(table.TryGet("a"u8, out ValueLease lease));
        Assert.Equal((ulong)time.GetUtcNow().ToUnixTimeMilliseconds() + 1, lease.ExpiresAtMs);
        lease.Dispose();
        time.Advance(TimeSpan.FromMilliseconds(1));
        Assert.Null(table.Get("a"u8));
        Assert.Empty(Walk(table));
        var batch = new WriteBatch();
        batch.Put(table, "a"u8, "2"u8, condition: WriteCondition.MustBeAbsent);
        Assert.True(database.TryWrite(batch).Applied);
    }

    [Fact]
    public async Task A_snapshot_sees_its_moment_whatever_is_written_and_compacted_after_it()
    {
        using Database database = Open(_disk);
        Table table = database.GetOrCreateTable("t");
        table.Put("a"u8, "1"u8);
        table.Put("b"u8, "1"u8);
        using Snapshot snapshot = database.CreateSnapshot();
        table.Put("a"u8, "2"u8);
        table.Delete("b"u8);
        table.Put("c"u8, "2"u8);
        await database.CompactAsync();
        Assert.Equal([("a", "1"), ("b", "1")], Walk(table, snapshot: snapshot));
        Assert.Equal([("b", "1"), ("a", "1")], Walk(table, ScanRange.All with { Reverse = true }, snapshot));
        Assert.Equal("1", Text(table.Get("b"u8, snapshot)));
        Assert.Equal([("a", "2"), ("c", "2")], Walk(table));
    }

    [Fact]
    public async Task A_released_snapshot_is_refused_and_does_not_read_what_compaction_left_of_it()
    {
        using Database database = Open(_disk);
        Table table = database.GetOrCreateTable("t");
        table.Put("a"u8, "old"u8);
        Snapshot snapshot = database.CreateSnapshot();
        table.Put("a"u8, "new"u8);
        using ScanCursor open = table.Scan(ScanRange.All, snapshot);
        snapshot.Dispose();
        snapshot.Dispose();
        await database.CompactAsync();
        Assert.Throws<ObjectDisposedException>(() => table.Get("a"u8, snapshot));
        Assert.Throws<ObjectDisposedException>(() => table.Scan(ScanRange.All, snapshot));
        Assert.True(open.MoveNext());
        Assert.Equal("old", Text(open.Value.ToArray()));
    }

    [Fact]
    public async Task Deletions_vanish_from_the_last_level()
    {
        using Database database = Open(_disk);
        Table table = database.GetOrCreateTable("t");
        for (int index = 0; index < 100; index++)
            table.Put(Bytes($"{index:d4}"), "x"u8);
        await database.CompactAsync();
        for (int index = 0; index < 100; index++)
            table.Delete(Bytes($"{index:d4}"));
        await database.CompactAsync();

        // What is left are the two keys of the catalogue.
        Assert.Equal(2, database.GetStatistics().EstimatedEntries);
        Assert.Empty(Walk(table));
    }

    [Fact]
    public async Task A_dropped_table_is_empty_and_its_id_is_not_used_again()
    {
        using (Database database = Open(_disk))
        {
            Table table = database.GetOrCreateTable("t");
            Table host = database.GetTableById(Table.FirstHostId + 5);
            table.Put("a"u8, "1"u8);
            host.Put("a"u8, "1"u8);
            await database.FlushAsync();
            Assert.True(database.DropTable("t"));
            Assert.False(database.DropTable("t"));
            database.DropTableById(Table.FirstHostId + 5);
            Assert.Null(table.Get("a"u8));
            Assert.Empty(Walk(host));
            table.Put("b"u8, "1"u8);
            Table next = database.GetOrCreateTable("t");
            Assert.NotEqual(table.Id, next.Id);
            Assert.Empty(Walk(next));
            next.Put("c"u8, "1"u8);
            await database.CompactAsync();
        }

        using Database again = Open(_disk);
        Assert.Equal(["t"], again.ListTables());
        Assert.Equal([("c", "1")], Walk(again.FindTable("t")!));
        Assert.Empty(Walk(again.GetTableById(Table.FirstHostId + 5)));
    }

    [Fact]
    public void Many_keys_are_read_as_of_one_moment()
    {
        using Database database = Open(_disk);
        Table table = database.GetOrCreateTable("t");
        table.Put("a"u8, "1"u8);
        table.Put("c"u8, "3"u8);
        var values = new ValueLease[3];
        table.MultiGet([Bytes("c"), Bytes("b"), Bytes("a")], values);
        Assert.Equal([true, false, true], values.Select(value => value.Found));
        Assert.Equal("3", Text(values[0].Span.ToArray()));
        foreach (ValueLease value in values)
            value.Dispose();
    }

    [Theory]
    [InlineData("b", "d", new[] { "b", "c" })]
    [InlineData("", "b", new[] { "a" })]
    [InlineData("c", "", new[] { "c", "d" })]
    [InlineData("d", "b", new string[0])]
    public void A_scan_keeps_to_its_range_in_both_directions(string start, string end, string[] expected)
    {
        using Database database = Open(_disk);
        Table before = database.GetOrCreateTable("before");
        Table table = database.GetOrCreateTable("t");
        Table after = database.GetOrCreateTable("after");
        before.Put("z"u8, "x"u8);
        after.Put("a"u8, "x"u8);
        foreach (string key in new[] { "a", "b", "c", "d" })
            table.Put(Bytes(key), "1"u8);
        var range = new ScanRange { Start = Bytes(start), End = Bytes(end) };
        Assert.Equal(expected, Walk(table, range).Select(entry => entry.Key));
        Assert.Equal(expected.Reverse(), Walk(table, range with { Reverse = true }).Select(entry => entry.Key));
    }

    [Fact]
    public void Epochs_only_rise_and_survive()
    {
        using (Database database = Open(_disk))
        {
            database.BeginEpoch(3);
            Assert.Equal(3UL, database.Epoch);
            Assert.Equal(
                AiDbErrorKind.PreconditionFailed, Assert.Throws<AiDbException>(() => database.BeginEpoch(3)).Kind);
            database.GetOrCreateTable("t").Put("a"u8, "1"u8);
            Assert.Equal(3UL, database.AppliedPosition.Epoch);
        }

        using Database again = Open(_disk);
        Assert.Equal(3UL, again.Epoch);
        Assert.Equal(3UL, again.AppliedPosition.Epoch);
    }

    [Fact]
    public void What_cannot_be_stored_is_refused_with_the_limit()
    {
        using Database database = Open(_disk);
        Table table = database.GetOrCreateTable("t");
        Assert.Contains("65536", Refused(() => table.Put(new byte[DatabaseOptions.MaxKeyBytes + 1], "x"u8)), StringComparison.Ordinal);
        Assert.Contains("1 to", Refused(() => table.Put(default, "x"u8)), StringComparison.Ordinal);
        Assert.Contains("value", Refused(() => table.Put("k"u8, new byte[DatabaseOptions.MaxValueBytes + 1])), StringComparison.Ordinal);
        Assert.Contains("timeToLive", Refused(() => table.Put("k"u8, "v"u8, TimeSpan.Zero)), StringComparison.Ordinal);
        Assert.Contains("name", Refused(() => database.GetOrCreateTable("a/b")), StringComparison.Ordinal);
        Assert.Contains("id", Refused(() => database.GetTableById(7)), StringComparison.Ordinal);
        table.Put(new byte[DatabaseOptions.MaxKeyBytes], "longest"u8);
        Assert.Equal("longest", Text(table.Get(new byte[DatabaseOptions.MaxKeyBytes])));
    }

    [Fact]
    public async Task A_checkpoint_opens_as_the_state_it_was_made_of()
    {
        using Database database = Open(_disk);
        Table table = database.GetOrCreateTable("t");
        for (int index = 0; index < 300; index++)
            table.Put(Bytes($"{index:d4}"), Bytes(new string('x', 200)));
        LogPosition position = await database.CheckpointAsync("/data/copy");
        table.Put("later"u8, "x"u8);
        await database.CompactAsync();
        using (Database copy = Open(_disk, path: "/data/copy"))
        {
            Assert.Equal(position, copy.AppliedPosition);
            Table copied = copy.FindTable("t")!;
            Assert.Equal(300, Walk(copied).Count);
            Assert.True(copied.Put("own"u8, "x"u8).Lsn > position.Lsn);
        }

        using Database again = Open(_disk, path: "/data/copy");
        Assert.Equal(301, Walk(again.FindTable("t")!).Count);
        Assert.Equal(
            AiDbErrorKind.AlreadyExists,
            (await Assert.ThrowsAsync<AiDbException>(async () => await database.CheckpointAsync("/data/copy"))).Kind);
    }

    [Fact]
    public async Task What_is_flushed_into_an_opened_checkpoint_hides_what_the_checkpoint_held()
    {
        using Database database = Open(_disk);
        Table table = database.GetOrCreateTable("t");
        for (int round = 0; round < 5; round++)
        {
            table.Put("a"u8, Bytes($"{round}"));
            await database.FlushAsync();
        }

        await database.CheckpointAsync("/data/copy");
        using Database copy = Open(_disk, Tiny with { Level0CompactionTrigger = 8 }, path: "/data/copy");
        Table copied = copy.FindTable("t")!;
        Assert.Equal("4", Text(copied.Get("a"u8)));
        copied.Put("a"u8, "own"u8);
        await copy.FlushAsync();
        Assert.Equal("own", Text(copied.Get("a"u8)));
    }

    [Theory]
    [InlineData(false)]
    [InlineData(true)]
    public async Task A_scan_that_could_not_read_a_table_fails_at_every_further_step(bool reverse)
    {
        using Database database = Open(_disk, Tiny with { Level0CompactionTrigger = 8 });
        Table table = database.GetOrCreateTable("t");
        void PutAll(string value)
        {
            for (int index = 0; index < 100; index++)
                table.Put(Bytes($"{index:d4}"), Bytes(value));
        }

        PutAll("old");
        await database.CompactAsync();
        IReadOnlyList<string> before = _disk.ListFiles(Folder);
        PutAll(new string('n', 100));
        await database.FlushAsync();
        string added = Assert.Single(
            _disk.ListFiles(Folder).Except(before),
            name => name.EndsWith(".table", StringComparison.Ordinal));
        string path = $"{Folder}/{added}";
        _disk.FlipBits(path, _disk.ReadRaw(path).Length / 3);

        using ScanCursor cursor = table.Scan(ScanRange.All with { Reverse = reverse });
        AiDbException? failure = null;
        while (failure is null)
        {
            try
            {
                Assert.True(cursor.MoveNext());
                Assert.Equal(100, cursor.Value.Length);
            }
            catch (AiDbException error)
            {
                failure = error;
            }
        }

        Assert.Equal(AiDbErrorKind.DataLoss, failure.Kind);
        Assert.True(cursor.Value.IsEmpty);
        Assert.Equal(AiDbErrorKind.DataLoss, Assert.Throws<AiDbException>(() => cursor.MoveNext()).Kind);
    }

    [Fact]
    public void A_cursor_gives_nothing_beside_its_entries_or_after_its_end()
    {
        using Database database = Open(_disk);
        Table table = database.GetOrCreateTable("t");
        table.Put("a"u8, "1"u8);
        ScanCursor cursor = table.Scan();
        Assert.True(cursor.Value.IsEmpty);
        Assert.True(cursor.MoveNext());
        Assert.Equal(1, cursor.Value.Length);
        Assert.False(cursor.MoveNext());
        Assert.True(cursor.Value.IsEmpty);
        cursor.Dispose();
        cursor.Dispose();
        Assert.True(cursor.Key.IsEmpty && cursor.Value.IsEmpty);
        Assert.False(cursor.MoveNext());
    }

    [Fact]
    public void A_tail_follows_what_is_applied_and_durable()
    {
        using Database database = Open(_disk);
        Table table = database.GetOrCreateTable("t");
        ulong from = database.AppliedPosition.Lsn + 1;
        using LogTailReader reader = new(database, from);
        table.Put("a"u8, "1"u8, durability: WriteDurability.Memory);
        Assert.Empty(reader.Read());
        table.Put("b"u8, "2"u8, durability: WriteDurability.Synced);
        Assert.Equal(["a", "b"], reader.Read());
    }

    private static string Refused(Action action)
    {
        AiDbException error = Assert.Throws<AiDbException>(action);
        Assert.Equal(AiDbErrorKind.InvalidArgument, error.Kind);
        return error.Message;
    }
}
