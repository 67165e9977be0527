using AiDb.Engine.Caching;
using AiDb.Engine.Storage;
using AiDb.Engine.ValueFiles;
using AiDb.Tests.Engine.Storage;

namespace AiDb.Tests.Engine.ValueFiles;

public sealed class ValueFileTests
{
    private const string Path = "/data/v.values";
    private static readonly UInt128 FileId = new(0x0102030405060708, 0x090A0B0C0D0E0F10);

    [Fact]
    public void The_bytes_are_those_of_the_format()
    {
        SimulatedFileSystem disk = TestDatabase.NewDisk();
        Write(disk, out ValuePointer[] pointers, "v"u8.ToArray());
        byte[] file = ReadAll(disk);
        Assert.Equal(137, file.Length);
        Assert.Equal(
            "4149444256414C53" + "01000000" + "00000000" + "100F0E0D0C0B0A090807060504030201" + new string('0', 56),
            Convert.ToHexString(file)[..120]);
        uint checksum = Crc32C.Compute(
            [0x76, 1, 0, 0, 0, .. Convert.FromHexString("100F0E0D0C0B0A090807060504030201"), 64, 0, 0, 0, 0, 0, 0, 0]);
        Assert.Equal(new ValuePointer(FileId, 64, 1, checksum, 0), pointers[0]);
        Assert.Equal("01000000" + Hex(checksum) + "76", Convert.ToHexString(file)[128..146]);
        string footer = "100F0E0D0C0B0A090807060504030201" + "8900000000000000" + "0100000000000000" + "0100000000000000"
            + "01000000" + "0000000000000000";
        Assert.Equal(footer, Convert.ToHexString(file)[146..250]);
        Assert.Equal(Hex(Crc32C.Compute(Convert.FromHexString(footer))), Convert.ToHexString(file)[250..258]);
        Assert.Equal("4149444256414C46", Convert.ToHexString(file)[258..]);
        byte[] written = new byte[ValuePointer.Bytes];
        pointers[0].Write(written);
        Assert.Equal(
            "100F0E0D0C0B0A090807060504030201" + "4000000000000000" + "01000000" + Hex(checksum) + "00000000",
            Convert.ToHexString(written));
    }

    [Fact]
    public void Values_of_any_length_are_read_back_from_cache_and_disk()
    {
        SimulatedFileSystem disk = TestDatabase.NewDisk();
        int[] lengths = [0, 1, 5000, 300_000, 64];
        byte[][] values = [.. lengths.Select(static length => Enumerable.Repeat((byte)length, length).ToArray())];
        Write(disk, out ValuePointer[] pointers, values);
        using var cache = new BlockCache(1 << 20);
        using ValueFileReader reader = ValueFileReader.Open(disk, Path, cache);
        for (int round = 0; round < 2; round++)
        {
            for (int index = 0; index < values.Length; index++)
            {
                using BlockLease lease = reader.Read(pointers[index], fillCache: true, fromScan: false);
                Assert.Equal(values[index], lease.Span[ValueFileFormat.RecordHeaderBytes..].ToArray());
            }
        }

        reader.Verify(TestContext.Current.CancellationToken);
        Assert.Equal(values.Length, reader.Metadata.Values);
    }

    [Fact]
    public void Every_flipped_bit_and_every_cut_is_data_loss_that_names_the_file()
    {
        SimulatedFileSystem disk = TestDatabase.NewDisk();
        Write(disk, out ValuePointer[] pointers, "first"u8.ToArray(), "second"u8.ToArray());
        byte[] whole = ReadAll(disk);
        using var cache = new BlockCache(0);
        for (int bit = 0; bit < whole.Length * 8; bit++)
        {
            byte[] damaged = (byte[])whole.Clone();
            damaged[bit / 8] ^= (byte)(1 << (bit % 8));
            AssertDamaged(damaged, bit);
        }

        for (int length = 0; length < whole.Length; length++)
            AssertDamaged(whole[..length], length);
        AssertDamaged([.. whole, 0], whole.Length);

        void AssertDamaged(byte[] bytes, int where)
        {
            Replace(disk, bytes);
            AiDbException error = Assert.Throws<AiDbException>(() =>
            {
                using ValueFileReader reader = ValueFileReader.Open(disk, Path, cache);
                reader.Verify(CancellationToken.None);
            });
            Assert.True(error.Kind is AiDbErrorKind.DataLoss or AiDbErrorKind.Unimplemented, $"{where}: {error.Message}");
            Assert.Contains(Path, error.Message, StringComparison.Ordinal);
        }
    }

    [Fact]
    public void A_pointer_to_anything_but_its_value_is_refused()
    {
        SimulatedFileSystem disk = TestDatabase.NewDisk();
        Write(disk, out ValuePointer[] pointers, "first"u8.ToArray(), "other"u8.ToArray());
        using var cache = new BlockCache(0);
        using ValueFileReader reader = ValueFileReader.Open(disk, Path, cache);
        reader.Read(pointers[0], fillCache: true, fromScan: false).Dispose();
        foreach (ValuePointer wrong in (ValuePointer[])
            [
                pointers[0] with { Offset = pointers[1].Offset },
                pointers[0] with { Number = 2 },
                pointers[0] with { Length = 4 },
                pointers[0] with { Checksum = 1 },
                pointers[0] with { Offset = ulong.MaxValue - 3 },
                pointers[1] with { Length = uint.MaxValue },
                pointers[1] with { Offset = 100_000 },
            ])
        {
            AiDbException error = Assert.Throws<AiDbException>(
                () => reader.Read(wrong, fillCache: true, fromScan: false).Dispose());
            Assert.Equal(AiDbErrorKind.DataLoss, error.Kind);
        }
    }

    private static string Hex(uint value) => Convert.ToHexString(BitConverter.GetBytes(value));

    private static void Write(SimulatedFileSystem disk, out ValuePointer[] pointers, params byte[][] values)
    {
        disk.CreateDirectory("/data");
        using IStorageFile file = disk.Open(Path, FileOpenMode.CreateNew);
        using var writer = new ValueFileWriter(file, FileId);
        pointers = [.. values.Select(value => writer.Add(value))];
        ValueFileMetadata metadata = writer.Finish();
        Assert.Equal(file.Length, metadata.SizeBytes);
    }

    private static byte[] ReadAll(SimulatedFileSystem disk)
    {
        using IStorageFile file = disk.Open(Path, FileOpenMode.Read);
        byte[] bytes = new byte[file.Length];
        Assert.Equal(bytes.Length, file.Read(0, bytes));
        return bytes;
    }

    private static void Replace(SimulatedFileSystem disk, byte[] bytes)
    {
        disk.DeleteFile(Path);
        using IStorageFile file = disk.Open(Path, FileOpenMode.CreateNew);
        file.Write(0, bytes);
    }
}
