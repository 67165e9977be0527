using AiDb.Engine;
using AiDb.Engine.Inspection;
using AiDb.Engine.Log;
using AiDb.Tests.Engine.Storage;
using static AiDb.Tests.Engine.TestDatabase;

namespace AiDb.Tests.Engine.Inspection;

public sealed class InspectionTests
{
    [Fact]
    public async Task A_whole_database_is_described_and_nothing_of_it_is_changed()
    {
        SimulatedFileSystem disk = await MakeAsync();
        long operations = disk.OperationCount;
        DatabaseReport report = DatabaseInspector.Inspect(Folder, fileSystem: disk);
        Assert.Empty(report.Damage);
        Assert.Equal(operations, disk.OperationCount);
        Assert.NotNull(report.Manifest);
        Assert.Equal(report.Manifest.Tables.Sum(static table => table.Entries), report.Tables.Sum(static table => table.Entries));
        Assert.True(report.Tables.Count > 1);
        Assert.All(report.Tables, static table => Assert.True(table.Opens));
        Assert.Equal(LogSegmentEnd.Open, report.Log[^1].End);
        Assert.True(report.Log[^1].LastLsn > report.Manifest.Flushed.Lsn);
    }

    [Fact]
    public async Task Entries_of_tables_and_records_of_the_log_are_given_as_they_were_written()
    {
        SimulatedFileSystem disk = await MakeAsync();
        List<string> keys = [];
        foreach (string name in disk.ListFiles(Folder).Where(static name => name.EndsWith(".table", StringComparison.Ordinal)))
        {
            TableInspector.Inspect($"{Folder}/{name}", Visit, disk);
            bool Visit(in TableEntryReport entry)
            {
                if (entry.TableId != 0)
                    keys.Add(System.Text.Encoding.UTF8.GetString(entry.Key) + ":" + entry.Kind);
                return true;
            }
        }

        Assert.Contains("key000:Put", keys);
        Assert.Contains("key007:Delete", keys);
        List<string> logged = [];
        LogInspector.Inspect($"{Folder}/log", (_, record) =>
        {
            if (record.Type != LogRecordType.Batch)
                return true;
            var operations = new LogOperationReader(record.Payload.Span);
            while (operations.MoveNext())
                logged.Add(System.Text.Encoding.UTF8.GetString(operations.Key));
            return true;
        }, disk);
        Assert.Equal("last", logged[^1]);
    }

    [Fact]
    public async Task Every_flipped_bit_of_a_table_is_found_and_hides_at_most_the_block_that_it_is_in()
    {
        SimulatedFileSystem disk = await MakeAsync();
        string path = FirstTable(disk);
        TableReport whole = TableInspector.Inspect(path, null, disk);
        int length = disk.ReadRaw(path).Length;
        for (int offset = 0; offset < length; offset += 7)
        {
            SimulatedFileSystem copy = disk.Clone();
            copy.FlipBits(path, offset, (byte)(1 << (offset % 8)));
            int entries = 0;
            TableReport report = TableInspector.Inspect(
                path,
                (in TableEntryReport _) =>
                {
                    entries++;
                    return true;
                },
                copy);
            Assert.True(report.Damage.Count > 0, $"flip at {offset} of {length} was not noticed");
            Assert.True(report.Damage.All(found => found.Offset <= offset), $"flip at {offset}: {report.Damage[0]}");
            Assert.True(entries >= whole.Entries - 8, $"flip at {offset} of {length}: {entries} of {whole.Entries} entries are left");
        }
    }

    [Fact]
    public async Task A_table_without_its_end_gives_the_blocks_before_the_cut()
    {
        SimulatedFileSystem disk = await MakeAsync();
        string path = FirstTable(disk);
        byte[] bytes = disk.ReadRaw(path);
        disk.WriteRaw(path, bytes.AsSpan(0, bytes.Length / 2));
        TableReport report = TableInspector.Inspect(path, null, disk);
        Assert.False(report.Opens);
        Assert.True(report.Entries > 5);
        Assert.NotEmpty(report.Damage);
    }

    [Fact]
    public async Task Damage_in_the_log_is_told_from_a_torn_tail_and_its_offset_is_named()
    {
        SimulatedFileSystem disk = await MakeAsync();
        string path = $"{Folder}/log/{disk.ListFiles($"{Folder}/log").Where(static name => name.EndsWith(".log", StringComparison.Ordinal)).Max()}";
        List<long> offsets = [];
        LogReport whole = LogInspector.Inspect(path, (_, record) =>
        {
            offsets.Add(record.Offset);
            return true;
        }, disk)[0];
        SimulatedFileSystem torn = disk.Clone();
        torn.FlipBits(path, whole.EndOffset + 5);
        Assert.Equal(LogSegmentEnd.Torn, LogInspector.Inspect(path, null, torn)[0].End);

        SimulatedFileSystem damaged = disk.Clone();
        damaged.FlipBits(path, offsets[0] + 20);
        LogReport report = LogInspector.Inspect(path, null, damaged)[0];
        Assert.Equal(LogSegmentEnd.Damaged, report.End);
        Assert.Equal(offsets[0], report.Damage!.Offset);
        Assert.NotEmpty(DatabaseInspector.Inspect(Folder, fileSystem: damaged).Damage);
    }

    [Fact]
    public async Task A_missing_segment_and_a_missing_table_are_named()
    {
        SimulatedFileSystem disk = await MakeAsync();
        string table = FirstTable(disk);
        disk.DeleteFile(table);
        FileDamage missing = Assert.Single(DatabaseInspector.Inspect(Folder, fileSystem: disk).Damage);
        Assert.Equal(table, missing.File);
        foreach (string name in disk.ListFiles($"{Folder}/log"))
            disk.DeleteFile($"{Folder}/log/{name}");
        Assert.Equal(2, DatabaseInspector.Inspect(Folder, fileSystem: disk).Damage.Count);
    }

    [Fact]
    public async Task A_manifest_is_read_up_to_its_damage()
    {
        SimulatedFileSystem disk = await MakeAsync();
        ManifestReport whole = DatabaseInspector.InspectManifest(Folder, disk);
        Assert.True(whole.Edits > 1);
        disk.FlipBits(whole.Path, whole.EndOffset - 3);
        ManifestReport report = DatabaseInspector.InspectManifest(whole.Path, disk);
        Assert.Equal(whole.Edits - 1, report.Edits);
        disk.FlipBits(whole.Path, 60);
        report = DatabaseInspector.InspectManifest(whole.Path, disk);
        Assert.Equal(44, report.Damage!.Offset);
    }

    [Fact]
    public void What_is_not_there_is_not_found()
    {
        SimulatedFileSystem disk = NewDisk();
        Assert.Equal(AiDbErrorKind.NotFound, Assert.Throws<AiDbException>(
            () => DatabaseInspector.Inspect("/nowhere", fileSystem: disk)).Kind);
        Assert.Equal(AiDbErrorKind.NotFound, Assert.Throws<AiDbException>(
            () => TableInspector.Inspect("/nowhere/x.table", null, disk)).Kind);
        Assert.Equal(AiDbErrorKind.NotFound, Assert.Throws<AiDbException>(
            () => LogInspector.Inspect("/nowhere", null, disk)).Kind);
        Assert.Equal(AiDbErrorKind.NotFound, Assert.Throws<AiDbException>(
            () => DatabaseInspector.InspectManifest("/nowhere", disk)).Kind);
    }

    internal static string FirstTable(SimulatedFileSystem disk) => $"{Folder}/" + disk.ListFiles(Folder)
        .Where(static name => name.EndsWith(".table", StringComparison.Ordinal))
        .OrderByDescending(name => disk.ReadRaw($"{Folder}/{name}").Length).First();

    /// <summary>A closed database with several tables, a deletion, and entries that only the log has.</summary>
    internal static async Task<SimulatedFileSystem> MakeAsync()
    {
        SimulatedFileSystem disk = NewDisk();
        using Database database = Open(disk, Tiny with { Level0CompactionTrigger = 4, Level0SlowdownTrigger = 8 });
        Table table = database.GetOrCreateTable("t");
        var random = new Random(7);
        for (int index = 0; index < 60; index++)
        {
            byte[] value = new byte[100];
            random.NextBytes(value.AsSpan(0, 60));
            table.Put(Bytes($"key{index:d3}"), value);
        }

        await database.FlushAsync();
        table.Delete("key007"u8);
        table.Put("key010"u8, "newer"u8);
        await database.FlushAsync();
        table.Put("almost"u8, "in the log"u8);
        table.Put("last"u8, "in the log"u8);
        await database.SyncAsync();
        table.Put("key011"u8, "in the log"u8);
        await database.SyncAsync();
        table.Put("last"u8, "in the log"u8);
        return disk;
    }
}
