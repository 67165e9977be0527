using AiDb.Engine;
using AiDb.Engine.Log;
using AiDb.Engine.Storage;
using AiDb.Tests.Engine.Storage;
using AiDb.Tests.TestSupport;

namespace AiDb.Tests.Engine.Log;

public sealed class LogFormatTests
{
    /// <summary>The example of docs/formats/log.md.</summary>
    private const string Golden =
        "416944624C6F670001000000000000004B6304F69562E168FF4199EA1FB201B00100000000000000" +
        "010000000000000000000000000000000000000000000000000000006BFD2E6D0000000002010000" +
        "010000000000000001000000000000000000000000009901000000000000000000000000B2B06FAD" +
        "1D000000010100000100000000000000020000000000000001000000000099010000000000000000" +
        "B2B06FAD1107E0D403036B65790576616C756532070500000000000000036F6C643E0FCE07";

    [Fact]
    public void The_checksum_is_the_one_of_the_standard() => Assert.Equal(0xE3069283u, Crc32C.Compute("123456789"u8));

    [Fact]
    public void A_checksum_in_parts_equals_the_one_of_the_whole()
    {
        byte[] bytes = LogHarness.Payload(1, 100);
        for (int split = 0; split <= bytes.Length; split++)
            Assert.Equal(
                Crc32C.Compute(bytes), Crc32C.Append(Crc32C.Compute(bytes.AsSpan(0, split)), bytes.AsSpan(split)));
    }

    [Fact]
    public void The_bytes_of_a_log_are_those_of_the_format_document()
    {
        var disk = new SimulatedFileSystem();
        using WriteAheadLog log = LogHarness.Open(disk);
        log.Append(LogRecordType.EpochStart, 1, 1, 0x0199_0000_0000_0000, []);
        var batch = new LogOperationWriter();
        batch.Put(7, "key"u8, "value"u8, 60_000, WriteCondition.MustBeAbsent);
        batch.Delete(7, "old"u8, WriteCondition.VersionIs(5));
        log.Append(LogRecordType.Batch, 1, 2, 0x0199_0000_0000_0001, batch.WrittenSpan);
        log.WriteGroup();

        Assert.Equal(Golden, Convert.ToHexString(disk.ReadRaw(LogHarness.FirstSegment).AsSpan(0, Golden.Length / 2)));
    }

    [Fact]
    public void Operations_come_back_as_they_were_written()
    {
        var writer = new LogOperationWriter();
        writer.Put(1, "a"u8, ""u8, 0, default);
        writer.Put(uint.MaxValue, LogHarness.Payload(1, 65_536), LogHarness.Payload(2, 300_000), ulong.MaxValue, WriteCondition.VersionIs(ulong.MaxValue));
        writer.Delete(300, "gone"u8, WriteCondition.MustExist);
        writer.Require(2, "there"u8, WriteCondition.VersionIsNot(9));
        Assert.Equal(4, writer.Count);

        var reader = new LogOperationReader(writer.WrittenSpan);
        Assert.True(reader.MoveNext());
        Assert.Equal((LogOperationKind.Put, 1u, 0ul), (reader.Kind, reader.TableId, reader.TimeToLiveMs));
        Assert.Equal("a"u8, reader.Key);
        Assert.True(reader.MoveNext());
        Assert.Equal((uint.MaxValue, ulong.MaxValue), (reader.TableId, reader.TimeToLiveMs));
        Assert.Equal(WriteCondition.VersionIs(ulong.MaxValue), reader.Condition);
        Assert.Equal(LogHarness.Payload(2, 300_000), reader.Value);
        Assert.True(reader.MoveNext());
        Assert.Equal((LogOperationKind.Delete, WriteCondition.MustExist), (reader.Kind, reader.Condition));
        Assert.True(reader.MoveNext());
        Assert.Equal((LogOperationKind.Require, WriteCondition.VersionIsNot(9)), (reader.Kind, reader.Condition));
        Assert.Equal("there"u8, reader.Key);
        Assert.False(reader.MoveNext());

        writer.Clear();
        Assert.Equal((0, 0), (writer.Count, writer.SizeBytes));
    }

    [Fact]
    public void A_malformed_batch_ends_in_data_loss_and_never_otherwise()
    {
        var random = new Random(TestSeed.Base);
        var writer = new LogOperationWriter();
        for (uint i = 0; i < 4; i++)
            writer.Put(i * 1000, LogHarness.Payload(i, 5), LogHarness.Payload(i, 9), i * 500, WriteCondition.VersionIs(i));
        for (int round = 0; round < 5000; round++)
        {
            byte[] bytes = writer.WrittenSpan[..random.Next(writer.SizeBytes + 1)].ToArray();
            for (int flips = random.Next(4); flips > 0 && bytes.Length > 0; flips--)
                bytes[random.Next(bytes.Length)] = (byte)random.Next(256);
            try
            {
                var reader = new LogOperationReader(bytes);
                while (reader.MoveNext())
                    Assert.True(reader.Key.Length + reader.Value.Length <= bytes.Length);
            }
            catch (AiDbException error)
            {
                Assert.True(error.Kind == AiDbErrorKind.DataLoss, $"seed {TestSeed.Base}, round {round}: {error}");
            }
        }
    }

    [Fact]
    public void A_record_of_an_unknown_type_stops_the_start()
    {
        var disk = new SimulatedFileSystem();
        using (WriteAheadLog log = LogHarness.Open(disk))
        {
            log.AppendTo(1);
            log.Sync();
        }

        byte[] bytes = disk.ReadRaw(LogHarness.FirstSegment);
        LogSegmentHeader header = LogSegmentHeader.Read(bytes, "", 1);
        Span<byte> record = bytes.AsSpan(LogFormat.SegmentHeaderBytes, LogFormat.RecordOverheadBytes + LogHarness.SizeOf(1));
        record[4] = 77;
        LogRecordHeader.Complete(record, header.ChecksumSeed, 0, 0);
        disk.WriteRaw(LogHarness.FirstSegment, bytes);

        Assert.Equal(AiDbErrorKind.Unimplemented, LogHarness.KindOf(() => LogHarness.Open(disk)));
    }
}
