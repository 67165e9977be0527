using System.Buffers.Binary;
using AiDb.Engine;
using AiDb.Engine.Storage;
using AiDb.Tests.Engine.Storage;
using Microsoft.Extensions.Time.Testing;
using static AiDb.Tests.Engine.TestDatabase;

namespace AiDb.Tests.Engine.Merging;

public sealed class MergeTests
{
    [Fact]
    public async Task A_counter_counts_over_flushes_compactions_snapshots_and_restarts()
    {
        SimulatedFileSystem disk = NewDisk();
        long total = 0;
        for (int restart = 0; restart < 3; restart++)
        {
            using Database database = Open(disk);
            Table table = database.GetOrCreateTable("t", BuiltInMergeOperators.Int64Add.Name);
            for (int number = 0; number < 150; number++)
            {
                table.Merge("n"u8, Number(number));
                using Snapshot? snapshot = number % 40 == 7 ? database.CreateSnapshot() : null;
                long then = total += number;
                table.Merge("n"u8, Number(1));
                total++;
                if (snapshot is not null)
                {
                    await database.CompactAsync();
                    Assert.Equal(then, Read(table, snapshot));
                }
                else if (number % 50 == 3)
                {
                    await database.FlushAsync();
                }

                Assert.Equal(total, Read(table, null));
            }
        }

        using Database last = Open(disk);
        await last.CompactAsync();
        Assert.Equal(total, Read(last.FindTable("t")!, null));
        using ScanCursor cursor = last.FindTable("t")!.Scan();
        Assert.True(cursor.MoveNext());
        Assert.Equal(total, BinaryPrimitives.ReadInt64LittleEndian(cursor.Value));
    }

    [Theory]
    [InlineData(false)]
    [InlineData(true)]
    public async Task What_is_merged_expires_with_what_it_was_merged_into_and_begins_anew_after_it(bool compact)
    {
        var time = new FakeTimeProvider(DateTimeOffset.UnixEpoch.AddDays(20_000));
        using Database database = Open(NewDisk(), time: time);
        Table table = database.GetOrCreateTable("t", BuiltInMergeOperators.AppendComma.Name);
        table.Put("k"u8, "a"u8, TimeSpan.FromSeconds(10));
        table.Put("j"u8, "a"u8, TimeSpan.FromSeconds(10));
        await MaintainAsync(database, compact);
        time.Advance(TimeSpan.FromSeconds(4));
        table.Merge("k"u8, "b"u8);
        table.Merge("j"u8, "b"u8);
        Assert.Equal("a,b", Text(table.Get("k"u8)));
        time.Advance(TimeSpan.FromSeconds(5));
        await MaintainAsync(database, compact);
        Assert.Equal("a,b", Text(table.Get("k"u8)));
        time.Advance(TimeSpan.FromSeconds(2));
        Assert.Null(table.Get("k"u8));
        Assert.Empty(Walk(table));
        table.Put("x"u8, "now is flushed"u8);
        await MaintainAsync(database, compact);
        var batch = new WriteBatch();
        batch.Merge(table, "k"u8, "c"u8, WriteCondition.MustBeAbsent);
        Assert.True(database.TryWrite(batch).Applied);
        await MaintainAsync(database, compact);
        time.Advance(TimeSpan.FromSeconds(100));
        Assert.Equal("c", Text(table.Get("k"u8)));
        Assert.Null(table.Get("j"u8));
        Assert.Equal([("k", "c"), ("x", "now is flushed")], Walk(table));
    }

    [Fact]
    public async Task A_base_that_expired_in_a_deeper_level_takes_the_operands_above_it_along()
    {
        var time = new FakeTimeProvider(DateTimeOffset.UnixEpoch.AddDays(20_000));
        DatabaseOptions options = Tiny with { Level0CompactionTrigger = 10, Level0SlowdownTrigger = 20, Level0StopTrigger = 30 };
        using Database database = Open(NewDisk(), options, time);
        Table table = database.GetOrCreateTable("t", BuiltInMergeOperators.Append.Name);
        table.Put("k"u8, "a"u8, TimeSpan.FromSeconds(10));
        await database.CompactAsync();
        table.Merge("k"u8, "b"u8);
        await database.FlushAsync();
        time.Advance(TimeSpan.FromSeconds(20));
        table.Put("x"u8, "later"u8);
        await database.FlushAsync();
        Assert.Null(table.Get("k"u8));
        await database.CompactAsync();
        Assert.Null(table.Get("k"u8));
    }

    [Fact]
    public async Task Reads_of_operands_whose_operator_is_not_registered_fail_and_nothing_else_does()
    {
        SimulatedFileSystem disk = NewDisk();
        IMergeOperator own = BuiltInMergeOperators.AppendWith("semicolons", ";"u8);
        using (Database database = Open(disk, own))
        {
            Table table = database.GetOrCreateTable("t", own.Name);
            table.Put("k"u8, "1"u8);
            table.Merge("k"u8, "2"u8);
            table.Put("z"u8, "plain"u8);
        }

        using (Database database = Open(disk))
        {
            Table table = database.FindTable("t")!;
            AiDbException error = Assert.Throws<AiDbException>(() => table.Get("k"u8));
            Assert.Equal(AiDbErrorKind.PreconditionFailed, error.Kind);
            Assert.Contains("semicolons", error.Message, StringComparison.Ordinal);
            Assert.Equal("plain", Text(table.Get("z"u8)));
            var batch = new WriteBatch();
            batch.Merge(table, "k"u8, "3"u8, WriteCondition.MustExist);
            Assert.True(database.TryWrite(batch).Applied);
            for (int number = 0; number < 100; number++)
                table.Merge("many"u8, Bytes($"{number}"));
            await database.CompactAsync();
            Assert.Throws<AiDbException>(() => table.Get("k"u8));
        }

        using (Database database = Open(disk, own))
        {
            Table table = database.FindTable("t")!;
            Assert.Equal("1;2;3", Text(table.Get("k"u8)));
            Assert.Equal(string.Join(';', Enumerable.Range(0, 100)), Text(table.Get("many"u8)));
            await database.CompactAsync();
            Assert.Equal("1;2;3", Text(table.Get("k"u8)));
        }

        using Database last = Open(disk);
        Assert.Equal("1;2;3", Text(last.FindTable("t")!.Get("k"u8)));
    }

    [Fact]
    public async Task Operands_that_the_operator_refuses_fail_the_reads_of_their_key_until_it_is_set()
    {
        using Database database = Open(NewDisk());
        Table table = database.GetOrCreateTable("t", BuiltInMergeOperators.Int64Add.Name);
        table.Merge("n"u8, "no number"u8);
        table.Merge("n"u8, Number(1));
        AiDbException error = Assert.Throws<AiDbException>(() => table.Get("n"u8));
        Assert.Equal(AiDbErrorKind.InvalidArgument, error.Kind);
        Assert.Contains("int64-add", error.Message, StringComparison.Ordinal);
        await database.CompactAsync();
        Assert.Throws<AiDbException>(() => table.Get("n"u8));
        table.Put("n"u8, Number(5));
        table.Merge("n"u8, Number(2));
        await database.CompactAsync();
        Assert.Equal(7, Read(table, null));
    }

    [Fact]
    public void The_operator_of_a_table_is_chosen_once()
    {
        SimulatedFileSystem disk = NewDisk();
        using (Database database = Open(disk))
        {
            Table plain = database.GetOrCreateTable("t");
            Assert.Equal(AiDbErrorKind.PreconditionFailed, Assert.Throws<AiDbException>(() => plain.Merge("k"u8, "1"u8)).Kind);
            database.SetMergeOperator(plain, "append");
            database.SetMergeOperator(plain, "append");
            plain.Merge("k"u8, "1"u8);
            Assert.Equal(
                AiDbErrorKind.PreconditionFailed,
                Assert.Throws<AiDbException>(() => database.GetOrCreateTable("t", "int64-add")).Kind);
            Table ofHost = database.GetTableById(Table.FirstHostId + 5);
            database.SetMergeOperator(ofHost, "int64-max");
            ofHost.Merge("n"u8, Number(9));
            ofHost.Merge("n"u8, Number(4));
        }

        using Database again = Open(disk);
        Assert.Equal("1", Text(again.FindTable("t")!.Get("k"u8)));
        Assert.Equal(9, Read(again.GetTableById(Table.FirstHostId + 5), null));
        Assert.Equal(
            AiDbErrorKind.InvalidArgument,
            Assert.Throws<AiDbException>(() => again.SetMergeOperator(again.FindTable("t")!, "no spaces")).Kind);
    }

    [Fact]
    public void Merges_of_one_batch_on_one_key_all_count_in_their_order()
    {
        using Database database = Open(NewDisk());
        Table table = database.GetOrCreateTable("t", BuiltInMergeOperators.Append.Name);
        table.Put("k"u8, "0"u8);
        var batch = new WriteBatch();
        batch.Merge(table, "k"u8, "1"u8);
        batch.Merge(table, "k"u8, "2"u8);
        batch.Put(table, "j"u8, "x"u8, TimeSpan.FromHours(1));
        batch.Merge(table, "j"u8, "y"u8);
        batch.Put(table, "i"u8, "x"u8);
        batch.Delete(table, "i"u8);
        batch.Merge(table, "i"u8, "z"u8);
        WriteResult written = database.Write(batch);
        Assert.Equal([("i", "z"), ("j", "xy"), ("k", "012")], Walk(table));
        Assert.True(table.TryGet("j"u8, out ValueLease lease));
        using (lease)
        {
            Assert.NotEqual(0ul, lease.ExpiresAtMs);
            Assert.Equal(written.Version, lease.Version);
        }
    }

    [Fact]
    public async Task Separated_values_take_operands()
    {
        SimulatedFileSystem disk = NewDisk();
        using Database database = TestDatabase.Open(disk, Tiny with { SeparateValuesFromBytes = 1000 });
        Table table = database.GetOrCreateTable("t", BuiltInMergeOperators.Append.Name);
        string big = new('v', 5000);
        table.Put("k"u8, Bytes(big));
        await database.CompactAsync();
        table.Merge("k"u8, "w"u8);
        Assert.Equal(big + "w", Text(table.Get("k"u8)));
        await database.CompactAsync();
        Assert.Equal(big + "w", Text(table.Get("k"u8)));
        Assert.Equal([("k", big + "w")], Walk(table));
    }

    private static async Task MaintainAsync(Database database, bool compact)
    {
        if (compact)
            await database.CompactAsync();
        else
            await database.FlushAsync();
    }

    private static Database Open(IFileSystem disk, IMergeOperator own) => Database.Open(Folder, Tiny, new DatabaseComponents
    {
        FileSystem = disk,
        BackgroundExecutor = new SynchronousExecutor(),
        MergeOperators = [own],
    });

    private static Database Open(IFileSystem disk, DatabaseOptions? options = null, TimeProvider? time = null) =>
        TestDatabase.Open(disk, options, time);

    private static byte[] Number(long number)
    {
        byte[] bytes = new byte[sizeof(long)];
        BinaryPrimitives.WriteInt64LittleEndian(bytes, number);
        return bytes;
    }

    private static long Read(Table table, Snapshot? snapshot) =>
        BinaryPrimitives.ReadInt64LittleEndian(table.Get("n"u8, snapshot));
}
