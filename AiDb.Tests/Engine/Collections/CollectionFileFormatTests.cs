using System.Buffers.Binary;
using System.Numerics;
using AiDb.Engine;
using AiDb.Engine.Collections;
using AiDb.Engine.Collections.Files;
using AiDb.Tests.Engine.Storage;

namespace AiDb.Tests.Engine.Collections;

/// <summary>The bytes of docs/formats/collection-export.md and docs/formats/collection-index.md.</summary>
public sealed class CollectionFileFormatTests
{
    [Fact]
    public async Task An_export_has_the_bytes_of_the_format()
    {
        using Database database = TestDatabase.Open(TestDatabase.NewDisk());
        await database.Collections.CreateAsync("c", TestPoints.Options(2, VectorMetric.Dot));
        await database.Collections.WriteAsync("c", [TestPoints.Upsert(TestPoints.Point(7, [1, 0], """{"a":1}"""))]);
        var stream = new MemoryStream();
        await database.Collections.Open("c").ExportAsync(stream);
        byte[] bytes = stream.ToArray();

        Assert.Equal("414944" + "42434F4C4C" + "01000000", Convert.ToHexString(bytes, 0, 12));
        int settings = BinaryPrimitives.ReadInt32LittleEndian(bytes.AsSpan(12));
        Assert.Equal((byte)'{', bytes[20]);
        Assert.Equal((byte)'}', bytes[19 + settings]);
        Assert.Equal(
            Checksum([.. bytes[..16], .. bytes[20..(20 + settings)]]), BinaryPrimitives.ReadUInt32LittleEndian(bytes.AsSpan(16)));

        const string Point =
            "0A" + "01000000000000000007" + "0000000000000000" + "0A" + "01" + "01" + "00" + "7B2261223A317D"
            + "0B" + "010000" + "0000803F" + "00000000";
        byte[] block = Convert.FromHexString(Point);
        string end = "0000000000000000" + "0100000000000000" + "0100000000000000";
        string expected =
            Hex((uint)block.Length) + Hex(Checksum([.. block, 0, 0, 0, 0, 0, 0, 0, 0])) + Point
            + end + Hex(Checksum(Convert.FromHexString(end[16..])));
        Assert.Equal(expected, Convert.ToHexString(bytes, 20 + settings, bytes.Length - 20 - settings));
    }

    [Fact]
    public void Saved_offsets_have_the_bytes_of_the_format()
    {
        SimulatedFileSystem disk = TestDatabase.NewDisk();
        disk.CreateDirectory("/data");
        var saved = new SavedPoints(
            5, new Dictionary<string, int> { ["v"] = 2 }, [new SavedPoint(9, new PointId(7), 3), new SavedPoint(10, new PointId(Guid.Empty), 4)]);
        saved.Write(disk, "/data/points", tableId: 6);

        using AiDb.Engine.Storage.IStorageFile file = disk.Open("/data/points", AiDb.Engine.Storage.FileOpenMode.Read);
        byte[] bytes = new byte[file.Length];
        file.Read(0, bytes);
        const string Content =
            "414944" + "42504E5453" + "01000000" + "06000000" + "0500000000000000" + "02000000" + "01000000"
            + "02000000" + "01" + "76"
            + "09000000" + "00" + "07000000000000000000000000000000" + "0300000000000000"
            + "0A000000" + "01" + "00000000000000000000000000000000" + "0400000000000000";
        Assert.Equal(Content + Hex(Checksum(Convert.FromHexString(Content))), Convert.ToHexString(bytes));
        Assert.Equal(saved.Points, SavedPoints.Read(disk, "/data/points", 6).Points);
    }

    private static string Hex(uint value)
    {
        byte[] bytes = new byte[4];
        BinaryPrimitives.WriteUInt32LittleEndian(bytes, value);
        return Convert.ToHexString(bytes);
    }

    private static uint Checksum(byte[] bytes)
    {
        uint checksum = uint.MaxValue;
        foreach (byte value in bytes)
            checksum = BitOperations.Crc32C(checksum, value);
        return ~checksum;
    }
}
