using AiDb.Engine.Log;
using AiDb.Engine.Storage;

namespace AiDb.Tests.Engine.Log;

/// <summary>What the log's tests share: entries whose bytes follow from their number, so that a wrong one
/// shows.</summary>
internal static class LogHarness
{
    public const string Directory = "/db/log";
    public const string FirstSegment = "/db/log/0000000000000001.log";

    public static LogOptions Options(IFileSystem disk, long segmentBytes = 64 << 10, long retentionBytes = 0, string directory = Directory) => new()
    {
        Directory = directory,
        SegmentBytes = segmentBytes,
        RetentionBytes = retentionBytes,
        FileSystem = disk,
        Random = new Random(7),
    };

    public static WriteAheadLog Open(
        IFileSystem disk, LogOpenState? state = null, long segmentBytes = 64 << 10, long retentionBytes = 0) =>
        WriteAheadLog.Open(Options(disk, segmentBytes, retentionBytes), state ?? new LogOpenState());

    public static byte[] Payload(ulong lsn, int bytes)
    {
        byte[] payload = new byte[bytes];
        new Random((int)lsn).NextBytes(payload);
        return payload;
    }

    public static int SizeOf(ulong lsn) => (int)(lsn * 37 % 400);

    public static void Append(this WriteAheadLog log, ulong lsn, int? bytes = null, ulong epoch = 1) =>
        log.Append(LogRecordType.Batch, epoch, lsn, lsn * 10, Payload(lsn, bytes ?? SizeOf(lsn)));

    /// <summary>Appends and writes up to an entry, so many to a group.</summary>
    public static void AppendTo(this WriteAheadLog log, ulong lastLsn, int perGroup = 1, ulong epoch = 1)
    {
        int inGroup = 0;
        for (ulong lsn = log.AppendedLsn + 1; lsn <= lastLsn; lsn++)
        {
            log.Append(lsn, epoch: epoch);
            if (++inGroup < perGroup && lsn != lastLsn)
                continue;
            log.WriteGroup();
            inGroup = 0;
        }
    }

    /// <summary>Reads everything from an entry on and checks every byte of it.</summary>
    public static ulong ReadAndCheck(this WriteAheadLog log, ulong fromLsn = 1)
    {
        using LogReader reader = log.OpenReader(fromLsn);
        ulong expected = fromLsn;
        while (reader.TryRead(ulong.MaxValue, out LogEntry entry))
        {
            Assert.Equal(expected, entry.Position.Lsn);
            Assert.Equal(expected * 10, entry.Position.Timestamp);
            Assert.Equal(Payload(expected, SizeOf(expected)), entry.Payload.ToArray());
            expected++;
        }

        Assert.Equal(log.AppendedLsn + 1, expected);
        return expected - 1;
    }

    public static AiDbErrorKind KindOf(Action action) => Assert.Throws<AiDbException>(action).Kind;
}
