using AiDb.Engine;
using AiDb.Engine.Manifest;
using AiDb.Tests.Engine.Storage;

namespace AiDb.Tests.Engine.Manifest;

public sealed class ManifestFileTests
{
    private const string Folder = "/data";
    private static readonly UInt128 FileId = new(0x0102030405060708, 0x090A0B0C0D0E0F10);

    [Fact]
    public void The_bytes_of_header_and_record_are_those_of_the_format()
    {
        Assert.Equal(
            "416944624D616E69" + "0100000000000000" + "100F0E0D0C0B0A090807060504030201" + "0700000000000000",
            Convert.ToHexString(ManifestFile.Header(FileId, 7))[..80]);
        var edit = new VersionEdit { NextNumber = 9, Flushed = new LogPosition(1, 2, 3), KnownDurableLsn = 4 };
        edit.Removed.Add((1, FileId));
        edit.Added.Add((2, Table(FileId, 5)));
        string record = Convert.ToHexString(ManifestFile.Record(FileId, 6, edit));
        Assert.StartsWith("810000000600000000000000", record, StringComparison.Ordinal);
        Assert.Equal(
            "020900000000000000" + "03010000000000000002000000000000000300000000000000" + "040400000000000000"
            + "0601100F0E0D0C0B0A090807060504030201"
            + "0502100F0E0D0C0B0A090807060504030201" + "0500000000000000" + "6400000000000000" + "0B00000000000000"
            + "0A00000000000000" + "0100000000000000" + "0100000061" + "010000007A",
            record[32..]);
    }

    [Fact]
    public void What_was_appended_is_read_back_across_a_new_manifest()
    {
        SimulatedFileSystem disk = TestDatabase.NewDisk();
        disk.CreateDirectory(Folder);
        using (ManifestLog log = NewLog(disk, new ManifestState(), 0))
        {
            log.Append(new VersionEdit { DatabaseId = 42, Flushed = new LogPosition(1, 10, 100) });
            log.Append(Adding(Table(1, log.NextNumber())));
            log.Append(Adding(Table(2, log.NextNumber())));
        }

        ulong number = CurrentFile.Read(disk, Folder);
        ManifestState read = ManifestFile.Read(disk, $"{Folder}/{DatabaseFiles.Manifest(number)}");
        Assert.Equal([(UInt128)1, (UInt128)2], read.Tables.Keys.Order());
        using (ManifestLog log = NewLog(disk, read, number))
        {
            var edit = new VersionEdit { KnownDurableLsn = 12 };
            edit.Removed.Add((0, 1));
            log.Append(edit);
        }

        Assert.False(disk.FileExists($"{Folder}/{DatabaseFiles.Manifest(number)}"));
        number = CurrentFile.Read(disk, Folder);
        read = ManifestFile.Read(disk, $"{Folder}/{DatabaseFiles.Manifest(number)}");
        Assert.Equal([(UInt128)2], read.Tables.Keys);
        Assert.Equal((UInt128)42, read.DatabaseId);
        Assert.Equal(new LogPosition(1, 10, 100), read.Flushed);
        Assert.Equal(12UL, read.KnownDurableLsn);
        Assert.True(read.NextNumber > number);
    }

    [Fact]
    public void A_torn_last_record_is_left_out_and_a_torn_one_before_a_valid_one_is_refused()
    {
        SimulatedFileSystem disk = TestDatabase.NewDisk();
        disk.CreateDirectory(Folder);
        long length;
        using (ManifestLog log = NewLog(disk, new ManifestState(), 0))
        {
            log.Append(new VersionEdit { DatabaseId = 42 });
            log.Append(Adding(Table(1, 1)));
            length = disk.ReadRaw($"{Folder}/{DatabaseFiles.Manifest(1)}").Length;
            log.Append(Adding(Table(2, 2)));
        }

        string path = $"{Folder}/{DatabaseFiles.Manifest(CurrentFile.Read(disk, Folder))}";
        byte[] bytes = disk.ReadRaw(path);
        for (int cut = (int)length; cut < bytes.Length; cut++)
        {
            disk.WriteRaw(path, bytes.AsSpan(0, cut));
            Assert.Equal([(UInt128)1], ManifestFile.Read(disk, path).Tables.Keys);
        }

        bytes[length - 1] ^= 1;
        disk.WriteRaw(path, bytes);
        AiDbException error = Assert.Throws<AiDbException>(() => ManifestFile.Read(disk, path));
        Assert.Equal(AiDbErrorKind.DataLoss, error.Kind);
        Assert.Contains(path, error.Message, StringComparison.Ordinal);
    }

    private static ManifestLog NewLog(SimulatedFileSystem disk, ManifestState state, ulong number)
    {
        UInt128 id = 1000;
        return new ManifestLog(disk, Folder, state, number, () => ++id);
    }

    private static VersionEdit Adding(TableMetadata table)
    {
        var edit = new VersionEdit();
        edit.Added.Add((0, table));
        return edit;
    }

    private static TableMetadata Table(UInt128 id, ulong sequence) => new()
    {
        Id = id,
        Sequence = sequence,
        SizeBytes = 100,
        Checksum = 11,
        Entries = 10,
        Deletions = 1,
        SmallestKey = "a"u8.ToArray(),
        LargestKey = "z"u8.ToArray(),
    };
}
