using System.Globalization;
using AiDb.Engine;
using AiDb.Engine.Storage;
using AiDb.Tests.Engine.Recovery;
using AiDb.Tests.Engine.Storage;
using AiDb.Tests.TestSupport;

namespace AiDb.Tests.Engine.ValueFiles;

public sealed class SeparatedValueTests
{
    private static DatabaseOptions Options => TestDatabase.Tiny with { SeparateValuesFromBytes = 1000 };

    [Fact]
    public async Task Big_values_are_read_from_value_files_by_points_snapshots_and_walks_in_both_directions()
    {
        SimulatedFileSystem disk = TestDatabase.NewDisk();
        CancellationToken cancellationToken = TestContext.Current.CancellationToken;
        for (int restart = 0; restart < 2; restart++)
        {
            using Database database = TestDatabase.Open(disk, Options);
            Table table = database.GetOrCreateTable("t");
            if (restart == 0)
            {
                for (int number = 0; number < 30; number++)
                    table.Put(Key(number), Value(number, 0), number % 3 == 0 ? TimeSpan.FromHours(1) : null);
                await database.FlushAsync(cancellationToken);
            }

            Assert.NotEmpty(ValueFiles(disk));
            List<(string, string)> expected = [.. Enumerable.Range(0, 30).Select(
                number => (Text(Key(number)), Text(Value(number, 0))))];
            Assert.Equal(expected, TestDatabase.Walk(table));
            expected.Reverse();
            Assert.Equal(expected, TestDatabase.Walk(table, new ScanRange { Reverse = true }));
            ReadOnlyMemory<byte>[] keys = [Key(3), Key(31), Key(4)];
            var values = new ValueLease[3];
            table.MultiGet(keys, values);
            Assert.Equal(Value(3, 0), values[0].Span.ToArray());
            Assert.NotEqual(0ul, values[0].ExpiresAtMs);
            Assert.False(values[1].Found);
            Assert.Equal(Value(4, 0), values[2].Span.ToArray());
            foreach (ValueLease value in values)
                value.Dispose();
        }
    }

    [Fact]
    public async Task Compaction_moves_pointers_only_and_tables_stay_small()
    {
        SimulatedFileSystem disk = TestDatabase.NewDisk();
        using Database database = TestDatabase.Open(disk, Options);
        Table table = database.GetOrCreateTable("t");
        for (int number = 0; number < 200; number++)
            table.Put(Key(number), new byte[4000]);
        await database.FlushAsync(TestContext.Current.CancellationToken);
        List<string> files = ValueFiles(disk);
        long before = database.GetStatistics().CompactedBytes;
        await database.CompactAsync(TestContext.Current.CancellationToken);
        Assert.Equal(files, ValueFiles(disk));
        DatabaseStatistics statistics = database.GetStatistics();
        Assert.InRange(statistics.CompactedBytes - before, 1, 60_000);
        Assert.InRange(statistics.TableBytes, 1, 60_000);
        Assert.InRange(statistics.ValueFileBytes, 800_000, 900_000);
        Assert.Equal(0, statistics.ValueGarbageBytes);
    }

    [Fact]
    public async Task Overwritten_values_free_their_files_but_not_while_a_snapshot_or_a_cursor_sees_them()
    {
        SimulatedFileSystem disk = TestDatabase.NewDisk();
        CancellationToken cancellationToken = TestContext.Current.CancellationToken;
        using Database database = TestDatabase.Open(disk, Options);
        Table table = database.GetOrCreateTable("t");
        for (int number = 0; number < 20; number++)
            table.Put(Key(number), Value(number, 1));
        await database.CompactAsync(cancellationToken);
        List<string> first = ValueFiles(disk);
        using (ScanCursor cursor = table.Scan())
        {
            Assert.True(cursor.MoveNext());
            using (Snapshot snapshot = database.CreateSnapshot())
            {
                for (int number = 0; number < 20; number++)
                    table.Put(Key(number), Value(number, 2));
                await database.CompactAsync(cancellationToken);
                Assert.Equal(Value(7, 1), table.Get(Key(7), snapshot));
            }

            await database.CompactAsync(cancellationToken);
            Assert.All(first, name => Assert.True(disk.FileExists($"{TestDatabase.Folder}/{name}")));
            Assert.Equal(Value(0, 1), cursor.Value.ToArray());
            while (cursor.MoveNext())
                Assert.Equal(1, cursor.Value[^1]);
        }

        Assert.Empty(ValueFiles(disk).Intersect(first));
        for (int number = 0; number < 20; number++)
            Assert.Equal(Value(number, 2), table.Get(Key(number)));
    }

    [Fact]
    public async Task A_file_that_is_mostly_garbage_is_written_anew_without_being_asked_for()
    {
        SimulatedFileSystem disk = TestDatabase.NewDisk();
        CancellationToken cancellationToken = TestContext.Current.CancellationToken;
        using Database database = TestDatabase.Open(disk, Options with { MemtableBytes = 1 << 20 });
        Table table = database.GetOrCreateTable("t");
        for (int number = 0; number < 40; number++)
            table.Put(Key(number), Value(number, 1));
        await database.CompactAsync(cancellationToken);
        string first = Assert.Single(ValueFiles(disk));
        for (int number = 0; number <= 30; number++)
            table.Delete(Key(number));
        await database.FlushAsync(cancellationToken);
        for (int round = 0; round < 6; round++)
        {
            // Deletes nothing that is there: level 0 fills, whenever it is due, and no value becomes garbage by it.
            table.Delete(Key(30));
            await database.FlushAsync(cancellationToken);
        }

        // Level 0 was due; what it left as garbage was dealt with by the step after it.
        Assert.DoesNotContain(first, ValueFiles(disk));
        Assert.Equal(0, database.GetStatistics().ValueGarbageBytes);
        Assert.True(database.GetStatistics().IsBackgroundIdle);
        for (int number = 0; number < 40; number++)
            Assert.Equal(number <= 30 ? null : Value(number, 1), table.Get(Key(number)));
    }

    [Fact]
    public async Task Switched_off_old_values_stay_readable_and_come_back_into_tables_as_files_fill_with_garbage()
    {
        SimulatedFileSystem disk = TestDatabase.NewDisk();
        CancellationToken cancellationToken = TestContext.Current.CancellationToken;
        using (Database database = TestDatabase.Open(disk, Options))
        {
            Table table = database.GetOrCreateTable("t");
            for (int number = 0; number < 10; number++)
                table.Put(Key(number), Value(number, 1));
            await database.CompactAsync(cancellationToken);
        }

        using Database again = TestDatabase.Open(disk);
        Table reopened = again.FindTable("t")!;
        Assert.Equal(Value(3, 1), reopened.Get(Key(3)));
        for (int number = 0; number < 8; number++)
            reopened.Put(Key(number), Value(number, 2));
        await again.CompactAsync(cancellationToken);
        await again.CompactAsync(cancellationToken);
        Assert.Empty(ValueFiles(disk));
        for (int number = 0; number < 10; number++)
            Assert.Equal(Value(number, (byte)(number < 8 ? 2 : 1)), reopened.Get(Key(number)));
    }

    [Fact]
    public async Task Conditions_and_dropped_tables_work_and_a_checkpoint_has_the_value_files()
    {
        SimulatedFileSystem disk = TestDatabase.NewDisk();
        CancellationToken cancellationToken = TestContext.Current.CancellationToken;
        using Database database = TestDatabase.Open(disk, Options);
        Table table = database.GetOrCreateTable("t");
        WriteResult written = table.Put("a"u8, Value(1, 1));
        await database.FlushAsync(cancellationToken);
        var batch = new WriteBatch();
        batch.Put(table, "b"u8, "b"u8, condition: default);
        batch.Require(table, "a"u8, WriteCondition.VersionIs(written.Version));
        Assert.True(database.TryWrite(batch).Applied);
        await database.CheckpointAsync("/data/copy", cancellationToken);
        Assert.True(database.DropTable("t"));
        await database.FlushAsync(cancellationToken);
        await database.CompactAsync(cancellationToken);
        Assert.Empty(ValueFiles(disk));
        using Database copy = TestDatabase.Open(disk, path: "/data/copy");
        Assert.Equal(Value(1, 1), copy.FindTable("t")!.Get("a"u8));
    }

    [Fact]
    public async Task A_missing_or_foreign_value_file_is_refused_at_opening_and_a_leftover_one_removed()
    {
        SimulatedFileSystem disk = TestDatabase.NewDisk();
        using (Database database = TestDatabase.Open(disk, Options))
        {
            Table table = database.GetOrCreateTable("t");
            table.Put("a"u8, Value(1, 1));
            await database.FlushAsync(TestContext.Current.CancellationToken);
            table.Put("b"u8, Value(2, 1));
            await database.FlushAsync(TestContext.Current.CancellationToken);
        }

        string leftover = $"{TestDatabase.Folder}/{new string('a', 32)}.values";
        disk.Open(leftover, FileOpenMode.CreateNew).Dispose();
        TestDatabase.Open(disk, Options).Dispose();
        Assert.False(disk.FileExists(leftover));
        List<string> files = [.. ValueFiles(disk).Select(static name => $"{TestDatabase.Folder}/{name}")];
        disk.Rename(files[0], "/data/kept");
        AiDbException missing = Assert.Throws<AiDbException>(() => TestDatabase.Open(disk, Options));
        Assert.Equal(AiDbErrorKind.DataLoss, missing.Kind);
        Assert.Contains(files[0], missing.Message, StringComparison.Ordinal);
        disk.Link(files[1], files[0]);
        Assert.Equal(AiDbErrorKind.DataLoss, Assert.Throws<AiDbException>(() => TestDatabase.Open(disk, Options)).Kind);
        disk.Rename("/data/kept", files[0]);
        using Database whole = TestDatabase.Open(disk, Options);
        Assert.Equal(Value(1, 1), whole.FindTable("t")!.Get("a"u8));
    }

    [Fact]
    public async Task A_damaged_value_is_data_loss_for_its_key_alone_in_reads_and_walks()
    {
        SimulatedFileSystem disk = TestDatabase.NewDisk();
        using Database database = TestDatabase.Open(disk, Options with { BlockCacheBytes = 0 });
        Table table = database.GetOrCreateTable("t");
        for (int number = 0; number < 3; number++)
            table.Put(Key(number), Value(number, 1));
        await database.FlushAsync(TestContext.Current.CancellationToken);
        string path = $"{TestDatabase.Folder}/{Assert.Single(ValueFiles(disk))}";
        using (IStorageFile file = disk.Open(path, FileOpenMode.ReadWrite))
            file.Write(64 + 8 + 100, [0xFF]);
        AiDbException error = Assert.Throws<AiDbException>(() => table.Get(Key(0)));
        Assert.Equal(AiDbErrorKind.DataLoss, error.Kind);
        Assert.Contains(path, error.Message, StringComparison.Ordinal);
        Assert.Equal(Value(1, 1), table.Get(Key(1)));
        using ScanCursor cursor = table.Scan();
        Assert.True(cursor.MoveNext());
        Assert.Throws<AiDbException>(() => cursor.Value.Length);
        Assert.True(cursor.MoveNext());
        Assert.Equal(Value(1, 1), cursor.Value.ToArray());
    }

    [Fact]
    public async Task A_crash_at_any_operation_leaves_a_prefix_with_everything_that_was_acknowledged_as_synced()
    {
        DatabaseOptions options = NumberedHistory.Options with { SeparateValuesFromBytes = 1000 };
        SimulatedFileSystem whole = TestDatabase.NewDisk();
        await NumberedHistory.RunAsync(whole, options);
        for (long crashAt = 0; crashAt < whole.OperationCount; crashAt++)
        {
            int seed = TestSeed.Base + (int)crashAt;
            try
            {
                await CrashAsync(new SimulatedFileSystem(seed), crashAt, options);
            }
            catch (Exception error)
            {
                Assert.Fail($"seed {seed}, crash at operation {crashAt}: {error}");
            }
        }
    }

    private static async Task CrashAsync(SimulatedFileSystem disk, long crashAt, DatabaseOptions options)
    {
        disk.CrashAt(crashAt);
        (int issued, int synced, bool tableMade) = await NumberedHistory.RunAsync(disk, options);
        SimulatedFileSystem survived = disk.Crash();
        for (int restart = 0; restart < 2; restart++)
        {
            using Database database = TestDatabase.Open(survived, options, idSalt: 1_000_000 * (restart + 1));
            Table? table = database.FindTable("t");
            Assert.True(table is not null || !tableMade, "the table is lost");
            if (table is null)
                return;
            int recovered = int.Parse(TestDatabase.Text(table.Get("n"u8)) ?? "0", CultureInfo.InvariantCulture);
            Assert.InRange(recovered, synced, issued);
            Assert.Equal(NumberedHistory.StateAfter(Enumerable.Range(1, recovered)), TestDatabase.Walk(table));
            await database.CompactAsync();
            Assert.Equal(NumberedHistory.StateAfter(Enumerable.Range(1, recovered)), TestDatabase.Walk(table));
        }
    }

    private static List<string> ValueFiles(SimulatedFileSystem disk) =>
        [.. disk.ListFiles(TestDatabase.Folder).Where(static name => name.EndsWith(".values", StringComparison.Ordinal)).Order()];

    private static byte[] Key(int number) => TestDatabase.Bytes(number.ToString("d3", CultureInfo.InvariantCulture));

    private static byte[] Value(int number, byte generation)
    {
        byte[] value = [.. Enumerable.Repeat((byte)number, 1500 + number)];
        value[^1] = generation;
        return value;
    }

    private static string Text(byte[] bytes) => TestDatabase.Text(bytes)!;
}
