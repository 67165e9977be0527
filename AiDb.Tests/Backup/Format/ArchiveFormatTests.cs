using AiDb.Backup.Format;
using AiDb.Engine;
using AiDb.Engine.Images;
using AiDb.Engine.Log;

namespace AiDb.Tests.Backup.Format;

/// <summary>Holds the bytes of docs/formats/archive.md.</summary>
public sealed class ArchiveFormatTests
{
    private static readonly LogPosition Before = new(2, 10, 100 << 16);

    [Fact]
    public void A_claim_has_the_bytes_of_the_example()
    {
        byte[] bytes = ManifestCodec.Encode(new ArchiveManifest
        {
            Shard = 1,
            Id = new ManifestId(5, 0),
            DatabaseId = 1,
            Nonce = 7,
        });

        Assert.Equal(
            "416944624172634d" + "0100" + "0000" + "01000000" + "0500000000000000"
            + "0000000000000000" + "01000000000000000000000000000000" + "0000000000000000" + "0700000000000000",
            Convert.ToHexStringLower(bytes.AsSpan(0, 64)));
        Assert.Equal(64 + 76 + 8, bytes.Length);
        Assert.All(bytes[64..140], static value => Assert.Equal(0, value));
    }

    [Fact]
    public void A_manifest_comes_back_as_it_was()
    {
        var manifest = new ArchiveManifest
        {
            Shard = 77,
            Id = new ManifestId(5, 9),
            DatabaseId = (UInt128)1 << 100,
            CreatedAtMs = 123,
            Nonce = 4,
            Flushed = Before,
            Archived = new LogPosition(3, 12, 102 << 16),
            LogFloor = 8,
            History = [new EpochCut(1, 4), new EpochCut(3, 12)],
            Kept = [new KeptManifest(new ManifestId(1, 1), new LogPosition(1, 2, 3))],
            Files = [new ArchivedFile(3, new ImageFile(ImageFileKind.ValueFile, (UInt128)9 << 64, 1000, 55))],
            Statement = new byte[] { 1, 2 },
            HostState = new byte[] { 3 },
        };

        ArchiveManifest read = ManifestCodec.Decode(ManifestCodec.Encode(manifest), "m");
        Assert.Equal(ManifestCodec.Encode(manifest), ManifestCodec.Encode(read));
        Assert.Equal(manifest.Files, read.Files);
        Assert.Equal(manifest.History, read.History);
        Assert.Equal(manifest.Kept, read.Kept);
        Assert.Equal(3ul, read.EpochOf(5));
        Assert.Equal(5ul, read.EpochOf(13));
    }

    [Theory]
    [InlineData(LogCompression.None)]
    [InlineData(LogCompression.Lz4)]
    [InlineData(LogCompression.Brotli)]
    public void Log_entries_come_back_as_they_were(LogCompression compression)
    {
        byte[] bytes = Encode(compression, out List<(LogPosition, byte[])> entries);
        LogObject read = LogObjectCodec.Decode(bytes, "l");
        List<(LogPosition, byte[])> found = [];
        Assert.True(read.ForEach((position, type, payload) =>
        {
            Assert.Equal(LogRecordType.Batch, type);
            found.Add((position, payload.ToArray()));
            return true;
        }));

        Assert.Equal(entries.Select(static entry => entry.Item1), found.Select(static entry => entry.Item1));
        Assert.All(entries.Zip(found), static pair => Assert.Equal(pair.First.Item2, pair.Second.Item2));
        Assert.Equal([9, 9], read.HostState);
        Assert.Equal(compression != LogCompression.None, bytes.Length < 20_000);
    }

    [Fact]
    public void Any_flipped_bit_and_any_cut_is_damage()
    {
        byte[] bytes = Encode(LogCompression.Lz4, out _);
        for (int at = 0; at < bytes.Length; at += 7)
        {
            byte[] flipped = [.. bytes];
            flipped[at] ^= (byte)(1 << (at % 8));
            Assert.Equal(
                AiDbErrorKind.DataLoss, Assert.Throws<AiDbException>(() => LogObjectCodec.Decode(flipped, "l")).Kind);
            Assert.Equal(
                AiDbErrorKind.DataLoss, Assert.Throws<AiDbException>(() => LogObjectCodec.Decode(bytes.AsSpan(0, at), "l")).Kind);
        }
    }

    [Fact]
    public void A_newer_format_is_told_from_damage()
    {
        byte[] bytes = Encode(LogCompression.Lz4, out _);
        bytes[8] = 2;
        System.Buffers.Binary.BinaryPrimitives.WriteUInt64LittleEndian(
            bytes.AsSpan(bytes.Length - 8), System.IO.Hashing.XxHash3.HashToUInt64(bytes.AsSpan(0, bytes.Length - 8)));

        AiDbException error = Assert.Throws<AiDbException>(() => LogObjectCodec.Decode(bytes, "l"));
        Assert.Equal(AiDbErrorKind.Unimplemented, error.Kind);
        Assert.Contains("version 2", error.Message, StringComparison.Ordinal);
    }

    [Fact]
    public void Names_are_read_as_they_are_written()
    {
        var log = new LogObjectId(3, 10, 0x1f);
        Assert.Equal("wal/00012/0000000000000003/000000000000000a-000000000000001f", ArchiveNames.Log(12, log));
        Assert.True(ArchiveNames.TryParseLog(ArchiveNames.Log(12, log), 12, out LogObjectId read));
        Assert.Equal(log, read);
        Assert.False(ArchiveNames.TryParseLog(ArchiveNames.Log(12, log), 13, out _));
        var id = new ManifestId(3, 4);
        Assert.True(ArchiveNames.TryParseManifest(ArchiveNames.Manifest(1, id), 1, out ManifestId manifest));
        Assert.Equal(id, manifest);
        Assert.False(ArchiveNames.TryParseManifest(ArchiveNames.Manifest(1, id) + "0", 1, out _));
    }

    private static byte[] Encode(LogCompression compression, out List<(LogPosition, byte[])> entries)
    {
        entries = [];
        var builder = new LogObjectBuilder();
        for (int index = 0; index < 100; index++)
        {
            var position = new LogPosition(2 + (ulong)(index / 50), 11 + (ulong)index, (101 + (ulong)index) << 16);
            byte[] payload = [.. Enumerable.Repeat((byte)index, index * 4)];
            builder.Add(new LogEntry(position, LogRecordType.Batch, payload));
            entries.Add((position, payload));
        }

        return LogObjectCodec.Encode(builder, 1, 3, 8, Before, [9, 9], compression);
    }
}
