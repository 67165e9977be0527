using AiDb.Engine;
using AiDb.Engine.Inspection;
using AiDb.Engine.Repair;
using AiDb.Tests.Engine.Inspection;
using AiDb.Tests.Engine.Storage;
using AiDb.Tests.TestSupport;
using static AiDb.Tests.Engine.TestDatabase;

namespace AiDb.Tests.Engine.Repair;

public sealed class DatabaseRepairTests
{
    [Fact]
    public async Task A_whole_database_is_left_alone()
    {
        SimulatedFileSystem disk = await InspectionTests.MakeAsync();
        List<(string, string)> before = Content(disk.Clone());
        long operations = disk.OperationCount;
        RepairReport report = await RepairAsync(disk);
        Assert.False(report.IsNeeded);
        Assert.Empty(report.Losses);
        Assert.Equal(operations, disk.OperationCount);
        Assert.Equal(before, Content(disk));
    }

    [Theory]
    [InlineData("CURRENT", false, RepairSource.FoundManifest)]
    [InlineData("CURRENT", true, RepairSource.FoundManifest)]
    [InlineData("MANIFEST", false, RepairSource.Tables)]
    [InlineData("MANIFEST", true, RepairSource.Tables)]
    public async Task Without_current_or_manifest_nothing_is_lost(string file, bool isMissing, RepairSource source)
    {
        SimulatedFileSystem disk = await InspectionTests.MakeAsync();
        List<(string, string)> before = Content(disk.Clone());
        string path = $"{Folder}/" + disk.ListFiles(Folder).First(name => name.StartsWith(file, StringComparison.Ordinal));
        if (isMissing)
            disk.DeleteFile(path);
        else
            disk.FlipBits(path, 3);
        AssertRefused(disk);
        RepairReport report = await RepairAsync(disk);
        Assert.Equal(source, report.Source);
        Assert.Empty(report.Losses);
        Assert.Equal(before, Content(disk));
        Assert.Empty(DatabaseInspector.Inspect(Folder, fileSystem: disk).Damage);
    }

    [Fact]
    public async Task Without_any_manifest_the_newest_version_of_every_key_wins_whatever_level_it_was_in()
    {
        SimulatedFileSystem disk = NewDisk();
        var random = new Random(TestSeed.Base);
        List<(string, string)> before;
        using (Database database = Open(disk, Tiny with { Compression = BlockCompression.None }))
        {
            Table table = database.GetOrCreateTable("t");
            for (int index = 0; index < 2500; index++)
            {
                byte[] key = Bytes($"key{random.Next(300):d3}");
                if (random.Next(4) == 0)
                    table.Delete(key);
                else
                    table.Put(key, Bytes($"value{index}" + new string((char)random.Next('a', 'z'), random.Next(900))));
            }

            before = Walk(table);
        }

        foreach (string name in disk.ListFiles(Folder).Where(static name => name.StartsWith("MANIFEST", StringComparison.Ordinal)))
            disk.DeleteFile($"{Folder}/{name}");
        RepairReport report = await RepairAsync(disk);
        Assert.True(report.TablesKept > 3, $"only {report.TablesKept} tables: nothing was tested");
        Assert.Empty(report.Losses);
        Assert.Equal(before, Content(disk));
    }

    [Fact]
    public async Task A_damaged_table_loses_one_block_and_the_report_names_the_keys_around_it()
    {
        SimulatedFileSystem disk = await InspectionTests.MakeAsync();
        List<(string Key, string Value)> before = Content(disk.Clone());
        string path = InspectionTests.FirstTable(disk);
        disk.FlipBits(path, disk.ReadRaw(path).Length / 2);
        AssertRefused(disk, onlyReads: true);

        RepairReport dry = await RepairAsync(disk, dryRun: true);
        Assert.True(dry.IsNeeded);
        RepairReport report = await RepairAsync(disk);
        Assert.Equal(dry.Losses.Select(static loss => loss.What), report.Losses.Select(static loss => loss.What));
        Assert.Equal(1, report.TablesSalvaged);
        RepairLoss loss = Assert.Single(report.Losses);
        Assert.InRange(loss.Entries!.Value, 1, 8);
        Assert.Contains("after key 'key0", loss.What, StringComparison.Ordinal);
        List<(string Key, string Value)> after = Content(disk);
        Assert.Equal(before.Count - loss.Entries.Value, after.Count);
        Assert.Subset(before.ToHashSet(), after.ToHashSet());
        Assert.Contains(report.SetAside, name => disk.FileExists(name) && name.Contains("/lost/", StringComparison.Ordinal));
    }

    [Fact]
    public async Task What_is_saved_of_a_damaged_ingested_table_stays_newer_than_what_it_replaced()
    {
        SimulatedFileSystem disk = NewDisk();
        List<string> keys = [.. Enumerable.Range(0, 60).Select(static number => $"key{number:d3}")];
        string ingested;
        using (Database database = Open(disk))
        {
            Table table = database.GetOrCreateTable("t");
            keys.ForEach(key => table.Put(Bytes(key), "old"u8));
            await database.CompactAsync(TestContext.Current.CancellationToken);
            HashSet<string> others = [.. disk.ListFiles(Folder)];
            disk.CreateDirectory("/data/outside");
            var uncompressed = new ExternalTableOptions { BlockBytes = 512, Compression = BlockCompression.None };
            using (var writer = new ExternalTableWriter("/data/outside/1", table.Id, uncompressed, disk))
            {
                keys.ForEach(key => writer.Put(Bytes(key), Bytes(new string('n', 100))));
                writer.Finish();
            }

            await database.IngestAsync(
                table, ["/data/outside/1"], copy: true, cancellationToken: TestContext.Current.CancellationToken);
            ingested = disk.ListFiles(Folder).Single(name => !others.Contains(name) && name.EndsWith(".table", StringComparison.Ordinal));
        }

        disk.FlipBits($"{Folder}/{ingested}", disk.ReadRaw($"{Folder}/{ingested}").Length / 2);
        AssertRefused(disk, onlyReads: true);
        RepairLoss loss = Assert.Single((await RepairAsync(disk)).Losses);
        using Database again = Open(disk);
        await again.CompactAsync(TestContext.Current.CancellationToken);
        List<(string Key, string Value)> found = Walk(again.FindTable("t")!);
        Assert.Equal(keys, found.Select(static entry => entry.Key));
        Assert.Equal(loss.Entries, found.Count(static entry => entry.Value == "old"));
        Assert.InRange(loss.Entries!.Value, 1, 8);
    }

    [Fact]
    public async Task A_missing_table_is_reported_with_its_range_and_the_rest_is_served()
    {
        SimulatedFileSystem disk = await InspectionTests.MakeAsync();
        string path = InspectionTests.FirstTable(disk);
        disk.DeleteFile(path);
        RepairReport report = await RepairAsync(disk);
        Assert.Equal(1, report.TablesLost);
        RepairLoss loss = Assert.Single(report.Losses);
        Assert.Contains("'key059' of table 1", loss.What, StringComparison.Ordinal);
        Assert.Equal(["almost", "key010", "key011", "last"], Content(disk, "recovered-1").Select(static entry => entry.Key));

        // The catalogue was in the lost table: its id is not given to another, and the table is found again.
        Assert.Equal([1u], report.Renamed);
        using Database database = Open(disk);
        database.GetOrCreateTable("new");
        Assert.Empty(Walk(database.FindTable("new")!));
    }

    [Fact]
    public async Task A_damaged_log_is_kept_up_to_the_damage_and_what_follows_is_reported()
    {
        SimulatedFileSystem disk = await InspectionTests.MakeAsync();
        string segment = LastSegment(disk);
        List<LogRecordReport> records = [];
        LogInspector.Inspect(segment, (_, record) =>
        {
            records.Add(record);
            return true;
        }, disk);
        LogRecordReport damaged = records[^3];
        disk.FlipBits(segment, damaged.Offset + 30);
        AssertRefused(disk);
        RepairReport report = await RepairAsync(disk);
        Assert.Equal(damaged.Position.Lsn - 1, report.LastLsn);
        Assert.NotEmpty(report.Losses);
        List<(string Key, string Value)> after = Content(disk);
        Assert.Contains(after, static entry => entry.Key == "almost");
        Assert.DoesNotContain(after, static entry => entry.Key == "last");
        Assert.Contains(report.SetAside, name => name.EndsWith(".log", StringComparison.Ordinal) && disk.FileExists(name));
        using Database database = Open(disk);
        Assert.Equal(damaged.Position.Lsn, database.GetOrCreateTable("t").Put("more"u8, "x"u8).Lsn);
    }

    [Fact]
    public async Task Segments_behind_a_missing_one_are_set_aside_and_not_applied()
    {
        SimulatedFileSystem disk = NewDisk();
        using (Database database = Open(disk, Tiny with { MemtableBytes = 8 << 20 }))
        {
            Table table = database.GetOrCreateTable("t");
            for (int index = 0; index < 40; index++)
                table.Put(Bytes($"key{index:d3}"), new byte[8000]);
        }

        string[] segments = [.. disk.ListFiles($"{Folder}/log").Where(static name => name.EndsWith(".log", StringComparison.Ordinal)).Order()];
        Assert.True(segments.Length >= 4);
        disk.DeleteFile($"{Folder}/log/{segments[1]}");
        RepairReport report = await RepairAsync(disk);
        Assert.Contains(report.Losses, static loss => loss.What.Contains("behind a hole", StringComparison.Ordinal));
        Assert.Equal(segments.Length - 2, report.SetAside.Count(static name => name.EndsWith(".log", StringComparison.Ordinal)));
        List<(string Key, string Value)> after = Content(disk);
        Assert.InRange(after.Count, 5, 9);
        Assert.Equal(Enumerable.Range(0, after.Count).Select(static index => $"key{index:d3}"), after.Select(static entry => entry.Key));
    }

    [Fact]
    public async Task Tables_alone_make_a_database_that_takes_writes_with_greater_numbers()
    {
        SimulatedFileSystem disk = await InspectionTests.MakeAsync();
        ulong version = Version(disk.Clone(), "key010");
        foreach (string name in disk.ListFiles(Folder).Where(static name => !name.EndsWith(".table", StringComparison.Ordinal)))
            disk.DeleteFile($"{Folder}/{name}");
        foreach (string name in disk.ListFiles($"{Folder}/log"))
            disk.DeleteFile($"{Folder}/log/{name}");
        RepairReport report = await RepairAsync(disk);
        Assert.Equal(RepairSource.Tables, report.Source);
        using Database database = Open(disk);
        Table table = database.FindTable("t")!;
        Assert.Equal("newer", Text(table.Get("key010"u8)));
        Assert.Null(table.Get("key007"u8));
        WriteResult written = table.Put("key010"u8, "newest"u8);
        Assert.True(written.Version > version);
        Assert.Equal("newest", Text(table.Get("key010"u8)));
    }

    [Fact]
    public async Task Conditions_of_entries_that_the_tables_hold_are_not_decided_again()
    {
        SimulatedFileSystem disk = NewDisk();
        using (Database database = Open(disk, Tiny with { LogRetentionBytes = 1 << 20 }))
        {
            Table table = database.GetOrCreateTable("t");
            var batch = new WriteBatch();
            batch.Put(table, "k"u8, "first"u8, condition: WriteCondition.MustBeAbsent);
            database.Write(batch);
            table.Delete("k"u8);
            await database.FlushAsync();
            table.Put("after"u8, "x"u8);
        }

        foreach (string name in disk.ListFiles(Folder).Where(static name => !name.EndsWith(".table", StringComparison.Ordinal)))
            disk.DeleteFile($"{Folder}/{name}");
        await RepairAsync(disk);
        Assert.Equal([("after", "x")], Content(disk));
    }

    [Fact]
    public async Task A_crash_at_any_point_of_a_repair_leaves_what_a_second_one_repairs()
    {
        SimulatedFileSystem disk = await InspectionTests.MakeAsync();
        string path = InspectionTests.FirstTable(disk);
        disk.FlipBits(path, disk.ReadRaw(path).Length / 2);
        disk.FlipBits($"{Folder}/CURRENT", 3);
        SimulatedFileSystem straight = disk.Clone();
        await RepairAsync(straight);
        long operations = straight.OperationCount;
        List<(string, string)> expected = Content(straight);
        Assert.True(operations > 15);
        for (long at = 0; at < operations; at++)
        {
            SimulatedFileSystem copy = disk.Clone((int)(TestSeed.Base + at));
            copy.CrashAt(at);
            await Assert.ThrowsAnyAsync<Exception>(() => RepairAsync(copy));
            SimulatedFileSystem next = copy.Crash();
            await RepairAsync(next);
            Assert.Equal(expected, Content(next));
        }
    }

    [Theory]
    [InlineData(false, false)]
    [InlineData(true, false)]
    [InlineData(false, true)]
    public async Task Separated_values_are_saved_out_of_damaged_files_and_listed_anew_without_a_manifest(
        bool hasManifest, bool isWhole)
    {
        SimulatedFileSystem disk = NewDisk();
        DatabaseOptions options = Tiny with { SeparateValuesFromBytes = 1000 };
        using (Database database = Open(disk, options))
        {
            Table table = database.GetOrCreateTable("t");
            for (int index = 0; index < 20; index++)
                table.Put(Bytes($"key{index:d3}"), new byte[2000 + index]);
            await database.FlushAsync();
        }

        List<(string Key, string Value)> before = Content(disk.Clone());
        string path = $"{Folder}/" + disk.ListFiles(Folder).Single(static name => name.EndsWith(".values", StringComparison.Ordinal));
        if (!isWhole)
            disk.FlipBits(path, 10_000);
        if (!hasManifest)
            disk.DeleteFile($"{Folder}/" + disk.ListFiles(Folder).First(static name => name.StartsWith("MANIFEST", StringComparison.Ordinal)));
        if (!isWhole)
            Assert.Contains(DatabaseInspector.Inspect(Folder, fileSystem: disk).Damage, damage => damage.File == path);
        RepairReport dry = await RepairAsync(disk, dryRun: true);
        RepairReport report = await RepairAsync(disk);
        Assert.Equal(dry.Losses, report.Losses);
        List<(string Key, string Value)> after = Content(disk);
        Assert.Subset(before.ToHashSet(), after.ToHashSet());
        Assert.Equal(isWhole ? before.Count : before.Count - 1, after.Count);
        Assert.Equal(isWhole, disk.FileExists(path));
        Assert.Equal(isWhole ? 0 : 1, report.Losses.Count);
        Assert.Empty(DatabaseInspector.Inspect(Folder, fileSystem: disk).Damage);
        Assert.Empty((await DatabaseInspector.ScrubAsync(Folder, fileSystem: disk, cancellationToken: TestContext.Current.CancellationToken)).Damage);
    }

    [Theory]
    [InlineData(false)]
    [InlineData(true)]
    public async Task Range_deletions_survive_a_rebuilt_manifest_and_a_damaged_block_beside_them(bool isDamaged)
    {
        SimulatedFileSystem disk = NewDisk();
        using (Database database = Open(disk, Tiny with { Level0CompactionTrigger = 4, Compression = BlockCompression.None }))
        {
            Table table = database.GetOrCreateTable("t");
            for (int index = 0; index < 40; index++)
                table.Put(Bytes($"key{index:d3}"), new byte[100]);
            await database.FlushAsync();
            table.DeleteRange("key010"u8, "key030"u8);
            for (int index = 0; index < 40; index++)
                table.Put(Bytes($"other{index:d3}"), new byte[100]);
            await database.FlushAsync();
        }

        List<(string Key, string Value)> before = Content(disk.Clone());
        Assert.Equal(60, before.Count);
        if (isDamaged)
        {
            foreach (string name in disk.ListFiles(Folder).Where(static name => name.EndsWith(".table", StringComparison.Ordinal)))
                disk.FlipBits($"{Folder}/{name}", 1200);
        }

        disk.DeleteFile($"{Folder}/" + disk.ListFiles(Folder).First(static name => name.StartsWith("MANIFEST", StringComparison.Ordinal)));
        await RepairAsync(disk);
        List<(string Key, string Value)> after = Content(disk);
        Assert.Subset(before.ToHashSet(), after.ToHashSet());
        Assert.InRange(after.Count, isDamaged ? 40 : 60, isDamaged ? 59 : 60);
    }

    [Fact]
    public async Task What_cannot_be_repaired_is_refused_and_nothing_is_changed()
    {
        SimulatedFileSystem disk = await InspectionTests.MakeAsync();
        Assert.Equal(
            AiDbErrorKind.NotFound,
            (await Assert.ThrowsAsync<AiDbException>(() => RepairAsync(NewDisk()))).Kind);
        using (Open(disk))
        {
            Assert.Equal(
                AiDbErrorKind.Unavailable, (await Assert.ThrowsAsync<AiDbException>(() => RepairAsync(disk))).Kind);
        }

        disk.DeleteFile($"{Folder}/CURRENT");
        disk.DeleteFile($"{Folder}/" + disk.ListFiles(Folder).First(static name => name.StartsWith("MANIFEST", StringComparison.Ordinal)));
        disk.FreeBytes = 10;
        long operations = disk.OperationCount;
        Assert.Equal(
            AiDbErrorKind.ResourceExhausted, (await Assert.ThrowsAsync<AiDbException>(() => RepairAsync(disk))).Kind);
        Assert.Equal(operations, disk.OperationCount);
        Assert.True((await RepairAsync(disk, dryRun: true)).IsNeeded);
        Assert.Equal(operations, disk.OperationCount);
    }

    private static Task<RepairReport> RepairAsync(SimulatedFileSystem disk, bool dryRun = false) => Database.RepairAsync(
        Folder,
        Tiny,
        new DatabaseComponents { FileSystem = disk, BackgroundExecutor = new SynchronousExecutor() },
        dryRun,
        cancellationToken: TestContext.Current.CancellationToken);

    private static List<(string Key, string Value)> Content(SimulatedFileSystem disk, string table = "t")
    {
        using Database database = Open(disk);
        return Walk(database.FindTable(table)!);
    }

    private static ulong Version(SimulatedFileSystem disk, string key)
    {
        using Database database = Open(disk);
        Assert.True(database.FindTable("t")!.TryGet(Bytes(key), out ValueLease lease));
        using (lease)
            return lease.Version;
    }

    private static void AssertRefused(SimulatedFileSystem disk, bool onlyReads = false)
    {
        SimulatedFileSystem copy = disk.Clone();
        AiDbException error = Assert.Throws<AiDbException>(() =>
        {
            using Database database = Open(copy);
            if (onlyReads)
                Walk(database.FindTable("t")!);
        });
        Assert.Equal(AiDbErrorKind.DataLoss, error.Kind);
    }

    private static string LastSegment(SimulatedFileSystem disk) =>
        $"{Folder}/log/{disk.ListFiles($"{Folder}/log").Where(static name => name.EndsWith(".log", StringComparison.Ordinal)).Max()}";
}
