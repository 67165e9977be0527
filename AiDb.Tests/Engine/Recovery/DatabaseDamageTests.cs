using AiDb.Engine;
using AiDb.Engine.Manifest;
using AiDb.Engine.Storage;
using AiDb.Tests.Engine.Storage;
using AiDb.Tests.TestSupport;
using static AiDb.Tests.Engine.TestDatabase;

namespace AiDb.Tests.Engine.Recovery;

public sealed class DatabaseDamageTests
{
    [Fact]
    public async Task A_flipped_bit_in_manifest_or_current_is_refused_or_does_no_harm()
    {
        (SimulatedFileSystem disk, List<(string, string)> expected) = await MakeAsync();
        foreach (string name in disk.ListFiles(Folder).Where(name => name is "CURRENT" || name.StartsWith("MANIFEST", StringComparison.Ordinal)))
        {
            int refused = 0;
            int length = disk.ReadRaw($"{Folder}/{name}").Length;
            for (int offset = 0; offset < length; offset++)
            {
                SimulatedFileSystem copy = disk.Clone(TestSeed.Base + offset);
                copy.FlipBits($"{Folder}/{name}", offset, (byte)(1 << (offset % 8)));
                try
                {
                    using Database database = Open(copy);
                    Assert.Equal(expected, Walk(database.FindTable("t")!));
                }
                catch (AiDbException error)
                {
                    Assert.True(error.Kind is AiDbErrorKind.DataLoss or AiDbErrorKind.Unimplemented, error.Message);
                    Assert.Contains(Folder, error.Message, StringComparison.Ordinal);
                    refused++;
                }
            }

            Assert.True(refused > length / 2, $"only {refused} of {length} flips in {name} were noticed");
        }
    }

    [Fact]
    public async Task A_missing_file_is_named_and_nothing_is_made_in_its_place()
    {
        (SimulatedFileSystem disk, _) = await MakeAsync();
        foreach (string name in disk.ListFiles(Folder).Where(name => name != "LOCK"))
        {
            SimulatedFileSystem copy = disk.Clone();
            copy.DeleteFile($"{Folder}/{name}");
            AiDbException error = Assert.Throws<AiDbException>(() => Open(copy));
            Assert.Equal(AiDbErrorKind.DataLoss, error.Kind);
            Assert.Contains(name, error.Message, StringComparison.Ordinal);
            Assert.False(copy.FileExists($"{Folder}/{name}"));
        }
    }

    [Fact]
    public async Task Left_over_files_are_removed_at_the_start()
    {
        (SimulatedFileSystem disk, List<(string, string)> expected) = await MakeAsync();
        string[] orphans = [$"{Folder}/{new string('a', 32)}.table", $"{Folder}/MANIFEST-00000000000000ff", $"{Folder}/CURRENT.tmp"];
        foreach (string orphan in orphans)
            disk.WriteRaw(orphan, "x"u8);
        disk.WriteRaw($"{Folder}/notes.txt", "x"u8);
        using Database database = Open(disk);
        Assert.Equal(expected, Walk(database.FindTable("t")!));
        Assert.DoesNotContain(orphans, disk.FileExists);
        Assert.True(disk.FileExists($"{Folder}/notes.txt"));
    }

    [Fact]
    public async Task A_manifest_whose_tables_overlap_is_named_as_damaged()
    {
        (SimulatedFileSystem disk, _) = await MakeAsync();
        using (Database database = Open(disk))
        {
            Table table = database.GetOrCreateTable("t");
            foreach (string value in (string[])["1", "2"])
            {
                table.Put("a"u8, Bytes(value));
                table.Put("z"u8, Bytes(value));
                await database.FlushAsync();
            }
        }

        ulong number = CurrentFile.Read(disk, Folder);
        ManifestState state = ManifestFile.Scan(disk, DatabaseFiles.Combine(Folder, DatabaseFiles.Manifest(number))).State;
        VersionEdit forged = state.ToEdit();
        for (int index = 0; index < forged.Added.Count; index++)
            forged.Added[index] = (3, forged.Added[index].Table);
        var numbered = new ManifestState();
        Assert.True(numbered.TryApply(new VersionEdit { NextNumber = state.NextNumber }));
        using (var manifest = new ManifestLog(disk, Folder, numbered, 0, static () => 4711))
            manifest.Append(forged);
        AiDbException error = Assert.Throws<AiDbException>(() => Open(disk));
        Assert.Equal(AiDbErrorKind.DataLoss, error.Kind);
        Assert.Contains(Folder, error.Message, StringComparison.Ordinal);
        Assert.Contains("overlap", error.Message, StringComparison.Ordinal);
    }

    [Fact]
    public void A_folder_without_a_database_is_not_opened_unless_one_may_be_made()
    {
        SimulatedFileSystem disk = NewDisk();
        AiDbException error = Assert.Throws<AiDbException>(() => Open(disk, Tiny with { CreateIfMissing = false }));
        Assert.Equal(AiDbErrorKind.NotFound, error.Kind);
    }

    [Fact]
    public void A_second_opener_is_refused_until_the_first_has_closed()
    {
        string folder = Directory.CreateTempSubdirectory("aidb-lock-").FullName;
        try
        {
            using (Open(PhysicalFileSystem.Instance, path: folder))
            {
                AiDbException error = Assert.Throws<AiDbException>(
                    () => Open(PhysicalFileSystem.Instance, path: folder));
                Assert.Equal(AiDbErrorKind.Unavailable, error.Kind);
                Assert.Contains(folder, error.Message, StringComparison.Ordinal);
            }

            Open(PhysicalFileSystem.Instance, path: folder).Dispose();
        }
        finally
        {
            Directory.Delete(folder, recursive: true);
        }
    }

    [Fact]
    public async Task A_copy_is_refused_the_log_folder_of_its_original_while_that_is_open()
    {
        string root = Directory.CreateTempSubdirectory("aidb-lock-").FullName;
        try
        {
            DatabaseOptions options = Tiny with { LogDirectory = Path.Combine(root, "log") };
            string copy = Path.Combine(root, "copy");
            using (Database database = Open(PhysicalFileSystem.Instance, options, path: Path.Combine(root, "db")))
            {
                database.GetOrCreateTable("t").Put("k"u8, "x"u8);
                await database.CheckpointAsync(copy);
                AiDbException error = Assert.Throws<AiDbException>(
                    () => Open(PhysicalFileSystem.Instance, options, path: copy));
                Assert.Equal(AiDbErrorKind.Unavailable, error.Kind);
                Assert.Contains(options.LogDirectory, error.Message, StringComparison.Ordinal);

                // It gave back the lock of its own folder.
                using Database own = Open(PhysicalFileSystem.Instance, options with { LogDirectory = null }, path: copy);
                Assert.Equal([("k", "x")], Walk(own.FindTable("t")!));
            }

            Open(PhysicalFileSystem.Instance, options, path: Path.Combine(root, "db")).Dispose();
        }
        finally
        {
            Directory.Delete(root, recursive: true);
        }
    }

    private static async Task<(SimulatedFileSystem Disk, List<(string, string)> Expected)> MakeAsync()
    {
        SimulatedFileSystem disk = NewDisk();
        using (Database database = Open(disk))
        {
            Table table = database.GetOrCreateTable("t");
            for (int index = 0; index < 60; index++)
                table.Put(Bytes($"key{index:d3}"), Bytes(new string('v', 300)));
            await database.FlushAsync();
            table.Delete("key007"u8);
            await database.CompactAsync();
            table.Put("last"u8, "in the log"u8);
        }

        using (Database database = Open(disk))
            return (disk, Walk(database.FindTable("t")!));
    }
}
