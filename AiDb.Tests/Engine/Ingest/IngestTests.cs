using System.Globalization;
using AiDb.Engine;
using AiDb.Engine.RangeDeletes;
using AiDb.Engine.Storage;
using AiDb.Engine.Tables;
using AiDb.Tests.Engine.Storage;
using AiDb.Tests.Engine.Tables;
using AiDb.Tests.TestSupport;

namespace AiDb.Tests.Engine.Ingest;

public sealed class IngestTests
{
    private const string Outside = "/data/outside";
    private readonly SimulatedFileSystem _disk = NewDisk(TestSeed.Base);

    private static CancellationToken Token => TestContext.Current.CancellationToken;

    [Fact]
    public async Task An_ingest_is_one_write_over_what_was_there_and_under_what_comes()
    {
        ulong version;
        using (Database database = TestDatabase.Open(_disk))
        {
            Table table = database.GetOrCreateTable("t");
            table.Put("a"u8, "table"u8);
            table.Put("d"u8, "table"u8);
            await database.CompactAsync(Token);
            table.Put("b"u8, "memtable"u8);
            table.Put("z"u8, "memtable"u8);
            using Snapshot before = database.CreateSnapshot();
            string path = Write(_disk, table.Id, "1", ("a", "in"), ("b", "in"), ("c", "in"), ("d", null));
            using ChangeFeed feed = database.OpenChangeFeed();
            WriteResult result = await database.IngestAsync(table, [path], cancellationToken: Token);
            version = result.Version;
            Assert.Equal([("a", "in"), ("b", "in"), ("c", "in"), ("z", "memtable")], TestDatabase.Walk(table));
            Assert.Equal(
                [("z", "memtable"), ("c", "in"), ("b", "in"), ("a", "in")],
                TestDatabase.Walk(table, new ScanRange { Reverse = true }));
            Assert.Equal(
                [("a", "table"), ("b", "memtable"), ("d", "table"), ("z", "memtable")],
                TestDatabase.Walk(table, snapshot: before));
            Assert.Equal("table", TestDatabase.Text(table.Get("d"u8, before)));
            Assert.Null(table.Get("c"u8, before));
            Assert.True(feed.TryRead(out Change change));
            Assert.Equal((ChangeKind.Ingest, table.Id, version), (change.Kind, change.TableId, change.Version));
            var batch = new WriteBatch();
            batch.Put(table, "c"u8, "later"u8, condition: WriteCondition.VersionIs(version));
            Assert.True(database.TryWrite(batch).Applied);
        }

        foreach (bool compact in (bool[])[false, true])
        {
            using Database again = TestDatabase.Open(_disk);
            Table table = again.FindTable("t")!;
            if (compact)
                await again.CompactAsync(Token);
            Assert.Equal([("a", "in"), ("b", "in"), ("c", "later"), ("z", "memtable")], TestDatabase.Walk(table));
            Assert.True(table.TryGet("a"u8, out ValueLease value));
            using (value)
                Assert.Equal(version, value.Version);
        }
    }

    [Fact]
    public async Task Later_files_and_writes_win_over_earlier_ones_before_and_after_a_compaction()
    {
        using Database database = TestDatabase.Open(_disk);
        Table table = database.GetOrCreateTable("t");
        await database.IngestAsync(
            table,
            [Write(_disk, table.Id, "2", ("m", "1"), ("n", "1")), Write(_disk, table.Id, "1", ("a", "1"), ("b", "1"))],
            cancellationToken: Token);
        Assert.Equal(3, database.GetStatistics().TablesPerLevel[0]);
        await database.IngestAsync(table, [Write(_disk, table.Id, "3", ("b", "2"), ("c", "2"))], cancellationToken: Token);
        await database.IngestAsync(
            table, [Write(_disk, table.Id, "4", ("c", "3"))], copy: true, Token);
        table.Put("0"u8, "x"u8);
        table.Put("d"u8, "x"u8);
        table.Put("n"u8, "2"u8);
        await database.FlushAsync(Token);
        await database.IngestAsync(table, [Write(_disk, table.Id, "5", ("c", "4"))], cancellationToken: Token);
        (string, string)[] expected =
            [("0", "x"), ("a", "1"), ("b", "2"), ("c", "4"), ("d", "x"), ("m", "1"), ("n", "2")];
        Assert.Equal(expected, TestDatabase.Walk(table));
        await database.CompactAsync(Token);
        Assert.Equal(0, database.GetStatistics().TablesPerLevel[0]);
        Assert.Equal(expected, TestDatabase.Walk(table));
    }

    [Fact]
    public async Task A_range_delete_before_an_ingest_hides_nothing_of_it_in_a_compaction()
    {
        using Database database = TestDatabase.Open(_disk);
        Table table = database.GetOrCreateTable("t");
        table.Put("b"u8, "old"u8);
        await database.CompactAsync(Token);
        table.DeleteRange("a"u8, "z"u8);
        await database.IngestAsync(table, [Write(_disk, table.Id, "1", ("b", "in"), ("c", "in"))], cancellationToken: Token);
        await database.CompactAsync(Token);
        Assert.Equal([("b", "in"), ("c", "in")], TestDatabase.Walk(table));
        table.DeleteRange("c"u8, "z"u8);
        await database.CompactAsync(Token);
        Assert.Equal([("b", "in")], TestDatabase.Walk(table));
    }

    [Fact]
    public async Task What_cannot_be_ingested_is_refused_by_name_and_leaves_nothing_behind()
    {
        using Database database = TestDatabase.Open(_disk);
        Table table = database.GetOrCreateTable("t");
        table.Put("own"u8, "1"u8);
        await database.FlushAsync(Token);
        string own = $"{TestDatabase.Folder}/{_disk.ListFiles(TestDatabase.Folder).First(IsTable)}";
        string good = Write(_disk, table.Id, "good", ("a", "1"), ("c", "1"));
        string overlapping = Write(_disk, table.Id, "overlapping", ("b", "1"), ("d", "1"));
        string foreign = Write(_disk, table.Id + 1, "foreign", ("x", "1"));
        string damaged = Write(_disk, table.Id, "damaged", ("x", new string('v', 300)));
        using (IStorageFile file = _disk.Open(damaged, FileOpenMode.ReadWrite))
            file.Write(100, [0x55]);
        string forged = WriteForged(_disk, table.Id, "forged");
        LogPosition before = database.AppliedPosition;
        List<string> files = [.. _disk.ListFiles(TestDatabase.Folder).Order()];
        await AssertRefusedAsync(AiDbErrorKind.InvalidArgument, $"{Outside}/none", good, $"{Outside}/none");
        await AssertRefusedAsync(AiDbErrorKind.InvalidArgument, overlapping, good, overlapping);
        await AssertRefusedAsync(AiDbErrorKind.InvalidArgument, foreign, good, foreign);
        await AssertRefusedAsync(AiDbErrorKind.InvalidArgument, own, own);
        await AssertRefusedAsync(AiDbErrorKind.InvalidArgument, "range deletions", good, forged);
        await AssertRefusedAsync(AiDbErrorKind.DataLoss, damaged, good, damaged);
        Assert.Equal(before, database.AppliedPosition);
        Assert.Equal(files, _disk.ListFiles(TestDatabase.Folder).Order());
        await database.IngestAsync(table, [good], cancellationToken: Token);
        await AssertRefusedAsync(AiDbErrorKind.AlreadyExists, good, good);
        using var cancelled = new CancellationTokenSource();
        await cancelled.CancelAsync();
        await Assert.ThrowsAnyAsync<OperationCanceledException>(
            async () => await database.IngestAsync(table, [overlapping], cancellationToken: cancelled.Token));
        Assert.Equal([("a", "1"), ("c", "1"), ("own", "1")], TestDatabase.Walk(table));

        async Task AssertRefusedAsync(AiDbErrorKind kind, string named, params string[] paths)
        {
            AiDbException error = await Assert.ThrowsAsync<AiDbException>(
                async () => await database.IngestAsync(table, paths, cancellationToken: Token));
            Assert.Equal(kind, error.Kind);
            Assert.Contains(named, error.Message, StringComparison.Ordinal);
        }
    }

    [Fact]
    public void A_writer_refuses_keys_out_of_order_and_an_unfinished_file_goes_with_it()
    {
        string path = $"{Outside}/w";
        using (var writer = new ExternalTableWriter(path, 1, fileSystem: _disk))
        {
            Assert.Throws<AiDbException>(writer.Finish);
            writer.Put("b"u8, "1"u8);
            Assert.Equal(
                AiDbErrorKind.InvalidArgument, Assert.Throws<AiDbException>(() => writer.Put("b"u8, "2"u8)).Kind);
            Assert.Throws<AiDbException>(() => writer.Delete("a"u8));
            Assert.Throws<AiDbException>(() => writer.Put(default, "1"u8));
            writer.Delete("c"u8);
            Assert.Equal(2, writer.Count);
        }

        Assert.False(_disk.FileExists(path));
    }

    [Theory]
    [InlineData("tiny")]
    [InlineData("separated")]
    public async Task A_random_history_with_ingests_reads_like_a_sorted_dictionary(string optionSet)
    {
        DatabaseOptions options = TestDatabase.Tiny with { SeparateValuesFromBytes = optionSet == "tiny" ? 0 : 200 };
        for (int round = 0; round < 2; round++)
        {
            int seed = TestSeed.Base + round;
            try
            {
                await RunModelAsync(options, seed);
            }
            catch (Exception error)
            {
                Assert.Fail($"seed {seed}: {error}");
            }
        }
    }

    [Fact]
    public async Task A_crash_at_any_operation_leaves_a_prefix_and_an_ingest_whole_or_not_at_all()
    {
        SimulatedFileSystem whole = NewDisk(TestSeed.Base);
        long start = whole.OperationCount;
        Assert.Equal(9, await RunHistoryAsync(whole));
        Assert.True(whole.OperationCount - start > 100, $"only {whole.OperationCount - start} operations");
        for (long crashAt = start; crashAt < whole.OperationCount; crashAt++)
        {
            int seed = TestSeed.Base + (int)crashAt;
            try
            {
                SimulatedFileSystem disk = NewDisk(seed);
                disk.CrashAt(crashAt);
                int acknowledged = await RunHistoryAsync(disk);
                SimulatedFileSystem survived = disk.Crash();
                for (int restart = 0; restart < 2; restart++)
                {
                    using Database database = TestDatabase.Open(survived, idSalt: 1_000_000 * (restart + 1));
                    if (database.FindTable("t") is not { } table)
                    {
                        Assert.Equal(0, acknowledged);
                        continue;
                    }

                    List<(string, string)> found = TestDatabase.Walk(table);
                    Assert.Contains(
                        Enumerable.Range(acknowledged, Math.Min(2, 10 - acknowledged)), done => found.SequenceEqual(StateAfter(done)));
                    await database.CompactAsync(Token);
                    Assert.Equal(found, TestDatabase.Walk(table));
                }
            }
            catch (Exception error)
            {
                Assert.Fail($"seed {seed}, crash at operation {crashAt}: {error}");
            }
        }
    }

    [Theory]
    [InlineData(SimulatedFault.IoError)]
    [InlineData(SimulatedFault.NoSpace)]
    public async Task A_fault_at_any_operation_leaves_an_ingest_whole_or_not_at_all(SimulatedFault fault)
    {
        SimulatedFileSystem whole = NewDisk(TestSeed.Base);
        long start = whole.OperationCount;
        await RunHistoryAsync(whole);
        for (long failAt = start; failAt < whole.OperationCount; failAt++)
        {
            int seed = TestSeed.Base + (int)failAt;
            try
            {
                SimulatedFileSystem disk = NewDisk(seed);
                disk.FailAt(failAt, fault, 1);
                int acknowledged = await RunHistoryAsync(disk);
                disk.StopFailing();
                using Database database = TestDatabase.Open(disk, idSalt: 1_000_000);
                List<(string, string)> found = database.FindTable("t") is { } table ? TestDatabase.Walk(table) : [];
                Assert.Contains(
                    Enumerable.Range(acknowledged, Math.Min(2, 10 - acknowledged)), done => found.SequenceEqual(StateAfter(done)));
            }
            catch (Exception error)
            {
                Assert.Fail($"seed {seed}, {fault} at operation {failAt}: {error}");
            }
        }
    }

    /// <summary>Nine synced steps, of which every third is an ingest of two files; stops at the first that
    /// fails.</summary>
    private static async Task<int> RunHistoryAsync(SimulatedFileSystem disk)
    {
        int done = 0;
        Database? database = null;
        try
        {
            database = TestDatabase.Open(disk);
            Table table = database.GetOrCreateTable("t");
            for (int step = 1; step <= 9; step++)
            {
                string value = step.ToString(CultureInfo.InvariantCulture);
                if (step % 3 == 0)
                {
                    await database.IngestAsync(
                        table,
                        [Write(disk, table.Id, $"{step}a", ("a", value), ("b", value)), Write(disk, table.Id, $"{step}x", ("x", value))],
                        cancellationToken: Token);
                }
                else
                {
                    var batch = new WriteBatch();
                    batch.Put(table, "b"u8, TestDatabase.Bytes(value));
                    batch.Put(table, "n"u8, TestDatabase.Bytes(value));
                    batch.Put(table, "x"u8, TestDatabase.Bytes(value), condition: WriteCondition.VersionIsNot(1));
                    database.Write(batch, WriteDurability.Synced);
                }

                done = step;
                if (step == 7)
                    await database.CompactAsync(Token);
            }
        }
        catch (Exception error) when (error is SimulatedCrashException or AiDbException or IOException)
        {
            // The power is gone, or the disk failed.
        }

        try
        {
            database?.Dispose();
        }
        catch (SimulatedCrashException)
        {
            // It is still gone.
        }

        return done;
    }

    private static List<(string, string)> StateAfter(int steps)
    {
        var state = new SortedDictionary<string, string>(StringComparer.Ordinal);
        for (int step = 1; step <= steps; step++)
        {
            foreach (string key in step % 3 == 0 ? (string[])["a", "b", "x"] : ["b", "n", "x"])
                state[key] = step.ToString(CultureInfo.InvariantCulture);
        }

        return [.. state.Select(static entry => (entry.Key, entry.Value))];
    }

    private static async Task RunModelAsync(DatabaseOptions options, int seed)
    {
        var random = new Random(seed);
        SimulatedFileSystem disk = NewDisk(seed);
        var model = new SortedDictionary<string, string>(StringComparer.Ordinal);
        Database database = TestDatabase.Open(disk, options);
        for (int step = 0; step < 500; step++)
        {
            Table table = database.GetOrCreateTable("t");
            if (random.Next(10) == 0)
            {
                int first = random.Next(80);
                (string Key, string? Value)[] entries = [.. Enumerable.Range(first, random.Next(1, 40)).Select(number =>
                    ($"k{number:d3}", random.Next(5) == 0 ? null : Value(random, step)))];
                int cut = random.Next(entries.Length);
                List<string> paths = [Write(disk, table.Id, $"{step}b", entries[cut..])];
                if (cut > 0)
                    paths.Add(Write(disk, table.Id, $"{step}a", entries[..cut]));
                await database.IngestAsync(table, paths, copy: random.Next(2) == 0, Token);
                foreach ((string key, string? value) in entries)
                    Set(model, key, value);
            }
            else
            {
                string key = $"k{random.Next(120):d3}";
                string? value = random.Next(4) == 0 ? null : Value(random, step);
                if (value is null)
                    table.Delete(TestDatabase.Bytes(key));
                else
                    table.Put(TestDatabase.Bytes(key), TestDatabase.Bytes(value));
                Set(model, key, value);
            }

            if (random.Next(40) == 0)
                await database.FlushAsync(Token);
            if (random.Next(60) == 0)
                await database.CompactAsync(Token);
            if (random.Next(50) == 0)
            {
                database.Dispose();
                database = TestDatabase.Open(disk, options);
            }

            if (random.Next(10) == 0)
            {
                Assert.Equal(
                    model.Select(static entry => (entry.Key, entry.Value)), TestDatabase.Walk(database.FindTable("t")!));
            }

            string probe = $"k{random.Next(120):d3}";
            Assert.Equal(
                model.GetValueOrDefault(probe), TestDatabase.Text(database.FindTable("t")!.Get(TestDatabase.Bytes(probe))));
        }

        database.Dispose();
    }

    private static string Value(Random random, int step) => new string('v', random.Next(600)) + step;

    private static void Set(SortedDictionary<string, string> model, string key, string? value)
    {
        if (value is null)
            model.Remove(key);
        else
            model[key] = value;
    }

    private static bool IsTable(string name) => name.EndsWith(".table", StringComparison.Ordinal);

    private static SimulatedFileSystem NewDisk(int seed)
    {
        var disk = new SimulatedFileSystem(seed);
        disk.CreateDirectory(Outside);
        disk.SyncDirectory("/data");
        return disk;
    }

    /// <summary>A file such as no writer of external tables makes: it would delete keys that it does not
    /// name.</summary>
    private static string WriteForged(SimulatedFileSystem disk, uint tableId, string name)
    {
        string path = $"{Outside}/{name}";
        using IStorageFile file = disk.Open(path, FileOpenMode.CreateNew);
        using var builder = new TableBuilder(file, new TableOptions { FileId = 77, BlockBytes = 512 });
        builder.Add(TableModel.Key(tableId, "x"u8, 0), TableModel.Put("1"u8));
        builder.SetRangeDeletes(RangeTombstoneFragmenter.Fragment([RangeTombstone.Of(tableId, "a"u8, "w"u8, 5)], []));
        builder.Finish();
        return path;
    }

    private static string Write(
        SimulatedFileSystem disk, uint tableId, string name, params (string Key, string? Value)[] entries)
    {
        string path = $"{Outside}/{name}";
        using var writer = new ExternalTableWriter(
            path, tableId, new ExternalTableOptions { BlockBytes = 512 }, disk);
        foreach ((string key, string? value) in entries)
        {
            if (value is null)
                writer.Delete(TestDatabase.Bytes(key));
            else
                writer.Put(TestDatabase.Bytes(key), TestDatabase.Bytes(value));
        }

        writer.Finish();
        return path;
    }
}
