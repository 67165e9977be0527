using AiDb.Engine;
using AiDb.Engine.Log;
using AiDb.Engine.Manifest;
using AiDb.Engine.State;
using AiDb.Tests.Engine.Storage;
using static AiDb.Tests.Engine.TestDatabase;

namespace AiDb.Tests.Engine.RangeDeletes;

public sealed class DeleteRangeTests
{
    [Fact]
    public void Within_a_batch_a_range_deletes_what_came_before_it_and_nothing_after()
    {
        using Database database = Open(NewDisk());
        Table table = database.GetOrCreateTable("t", BuiltInMergeOperators.Append.Name);
        table.Put("b"u8, "old"u8);
        var batch = new WriteBatch();
        batch.Put(table, "a"u8, "1"u8);
        batch.Merge(table, "c"u8, "1"u8);
        batch.DeleteRange(table, "a"u8, "d"u8);
        batch.Put(table, "b"u8, "2"u8);
        batch.Merge(table, "c"u8, "2"u8);
        batch.Put(table, "d"u8, "2"u8);
        batch.DeleteRange(table, "d"u8, default);
        batch.Put(table, "e"u8, "3"u8);
        database.Write(batch);
        Assert.Equal([("b", "2"), ("c", "2"), ("e", "3")], Walk(table));
        Assert.Equal([("e", "3"), ("c", "2"), ("b", "2")], Walk(table, new ScanRange { Reverse = true }));
    }

    [Fact]
    public async Task A_range_reaches_over_flushes_compactions_and_restarts_and_snapshots_see_what_was_before()
    {
        SimulatedFileSystem disk = NewDisk();
        using (Database database = Open(disk))
        {
            Table table = database.GetOrCreateTable("t");
            Table other = database.GetOrCreateTable("u");
            for (int number = 0; number < 100; number++)
            {
                table.Put(Bytes($"k{number:d2}"), Bytes(new string('v', 400)));
                other.Put(Bytes($"k{number:d2}"), "o"u8);
            }

            await database.CompactAsync();
            using Snapshot before = database.CreateSnapshot();
            table.DeleteRange("k10"u8, "k90"u8);
            Check(table, other, before);
            await database.FlushAsync();
            Check(table, other, before);
            await database.CompactAsync();
            Check(table, other, before);
        }

        using Database again = Open(disk);
        Check(again.FindTable("t")!, again.FindTable("u")!, null);
        await again.CompactAsync();
        Check(again.FindTable("t")!, again.FindTable("u")!, null);
        WithState(again, state => Assert.Null(state.Tree.RangeDeletes));
        Assert.Equal(20 + 100 + 3, again.GetStatistics().EstimatedEntries);
    }

    [Fact]
    public async Task A_flush_of_nothing_but_a_range_deletes_what_lies_deeper()
    {
        SimulatedFileSystem disk = NewDisk();
        using (Database database = Open(disk, Tiny with { Level0CompactionTrigger = 10, Level0SlowdownTrigger = 20, Level0StopTrigger = 30 }))
        {
            Table table = database.GetOrCreateTable("t");
            table.Put("a"u8, "1"u8);
            table.Put("z"u8, "1"u8);
            await database.FlushAsync();
            table.DeleteRange(default, default);
            await database.FlushAsync();
            WithState(database, state =>
            {
                LiveTable newest = state.Tree.Level(0)[0];
                Assert.Equal((1, 1), ((int)newest.Reader.Properties.RangeDeletions, (int)newest.Metadata.Entries));
                Assert.Equal([0, 0, 0, 2], newest.LargestPrefix.ToArray());
            });
        }

        using Database again = Open(disk);
        Assert.Empty(Walk(again.FindTable("t")!));
        again.FindTable("t")!.Put("m"u8, "2"u8);
        Assert.Equal([("m", "2")], Walk(again.FindTable("t")!));
    }

    [Fact]
    public async Task Tables_that_a_range_covers_are_taken_out_without_being_read()
    {
        SimulatedFileSystem disk = NewDisk();
        using Database database = Open(disk);
        Table table = database.GetOrCreateTable("t");
        for (int number = 0; number < 400; number++)
            table.Put(Bytes($"k{number:d3}"), Bytes(Guid.NewGuid().ToString() + Guid.NewGuid()));
        await database.CompactAsync();
        UInt128[] covered = [];
        WithState(database, state => covered = [.. AllTables(state)
            .Where(static one => one.SmallestPrefix.SequenceCompareTo("\0\0\0\u0001k010"u8) > 0
                && one.LargestPrefix.SequenceCompareTo("\0\0\0\u0001k390"u8) < 0)
            .Select(static one => one.Metadata.Id)]);
        Assert.NotEmpty(covered);
        table.DeleteRange("k010"u8, "k390"u8);
        await database.FlushAsync();
        foreach (UInt128 id in covered)
        {
            string path = $"{Folder}/{id:x32}.table";
            disk.FlipBits(path, 300, 0xFF);
        }

        await database.CompactAsync();
        Assert.Equal(20, Walk(table).Count);
    }

    [Fact]
    public void Bounds_without_a_key_between_them_are_refused()
    {
        using Database database = Open(NewDisk());
        Table table = database.GetOrCreateTable("t");
        foreach ((string start, string end) in new[] { ("b", "a"), ("a", "a"), ("", "\0") })
        {
            AiDbException error = Assert.Throws<AiDbException>(() => table.DeleteRange(Bytes(start), Bytes(end)));
            Assert.Equal(AiDbErrorKind.InvalidArgument, error.Kind);
        }

        AiDbException last = Assert.Throws<AiDbException>(
            () => database.GetTableById(uint.MaxValue).DeleteRange("a"u8, default));
        Assert.Equal(AiDbErrorKind.InvalidArgument, last.Kind);
        AiDbException tooLong = Assert.Throws<AiDbException>(
            () => table.DeleteRange("a"u8, new byte[DatabaseOptions.MaxKeyBytes + 1]));
        Assert.Equal(AiDbErrorKind.InvalidArgument, tooLong.Kind);
    }

    [Fact]
    public void Conditions_find_deleted_what_a_range_covers_and_the_change_feed_tells_of_it()
    {
        using Database database = Open(NewDisk(), Tiny with { LogRetentionBytes = 1 << 20 });
        using ChangeFeed feed = database.OpenChangeFeed();
        Table table = database.GetOrCreateTable("t", BuiltInMergeOperators.Append.Name);
        table.Put("k"u8, "1"u8);
        table.DeleteRange("k"u8, "l"u8, WriteDurability.Synced);
        var batch = new WriteBatch();
        batch.Merge(table, "k"u8, "2"u8, WriteCondition.MustBeAbsent);
        Assert.True(database.TryWrite(batch, WriteDurability.Synced).Applied);
        List<Change> changes = [];
        while (feed.TryRead(out Change change))
            changes.Add(change);
        Assert.Equal(
            [ChangeKind.CreateTable, ChangeKind.Put, ChangeKind.DeleteRange, ChangeKind.Merge],
            changes.Select(static change => change.Kind));
        Assert.Equal(("k", "l"), (Text(changes[2].Key.ToArray()), Text(changes[2].EndKey.ToArray())));
        Assert.Equal(("k", "2"), (Text(changes[3].Key.ToArray()), Text(changes[3].Value.ToArray())));
    }

    [Fact]
    public void The_log_operations_have_the_documented_bytes()
    {
        var writer = new LogOperationWriter();
        writer.DeleteRange(300, "from"u8, "to"u8);
        writer.DeleteRange(1, "x"u8, default);
        writer.Merge(2, "k"u8, "op"u8, WriteCondition.MustExist);
        Assert.Equal("04AC020466726F6D02746F" + "0401017800" + "2502016B026F70", Convert.ToHexString(writer.WrittenSpan));
        foreach (string malformed in new[] { "14010161016200", "04010162016100", "040100016100", "0401016101610" + "0" })
        {
            AiDbException error = Assert.Throws<AiDbException>(() =>
            {
                var reader = new LogOperationReader(Convert.FromHexString(malformed));
                reader.MoveNext();
            });
            Assert.Equal(AiDbErrorKind.DataLoss, error.Kind);
        }
    }

    private static void Check(Table table, Table other, Snapshot? before)
    {
        Assert.Equal(20, Walk(table).Count);
        Assert.Equal(20, Walk(table, new ScanRange { Reverse = true }).Count);
        Assert.Equal(100, Walk(other).Count);
        Assert.Null(table.Get("k10"u8));
        Assert.Null(table.Get("k89"u8));
        Assert.NotNull(table.Get("k09"u8));
        Assert.NotNull(table.Get("k90"u8));
        if (before is null)
            return;
        Assert.Equal(100, Walk(table, default, before).Count);
        Assert.NotNull(table.Get("k50"u8, before));
    }

    private static void WithState(Database database, Action<ReadState> look)
    {
        ReadState state = database.AcquireState(null, out _);
        try
        {
            look(state);
        }
        finally
        {
            state.Release();
        }
    }

    private static IEnumerable<LiveTable> AllTables(ReadState state) =>
        Enumerable.Range(0, VersionEdit.Levels).SelectMany(level => state.Tree.LevelArray(level));
}
