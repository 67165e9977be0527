using AiDb.Backup.Format;

namespace AiDb.Backup.Archiving;

/// <summary>What happens to writes when the archive falls behind.</summary>
public enum ArchiveLagAction
{
    /// <summary>Nothing: it is logged and shown in health and metrics.</summary>
    Warn,

    /// <summary>From 80 % of <see cref="ArchiveOptions.LossWindow"/> on writes are slowed down, at the whole window they
    /// wait.</summary>
    Throttle,
}

/// <summary>How a shard is archived.</summary>
public sealed record ArchiveOptions
{
    /// <summary>The least that <see cref="Retention"/> can be, and the age that an object has at least when it is
    /// deleted.</summary>
    public static readonly TimeSpan SafeAge = TimeSpan.FromHours(24);

    /// <summary>How long entries may wait before they are sent. Shorter: less is lost with a disk; longer: fewer requests
    /// to pay. Default: 5 s.</summary>
    public TimeSpan LogInterval { get; init; } = TimeSpan.FromSeconds(5);

    /// <summary>Bytes of entries that are sent at once. Bigger: fewer requests; smaller: less memory. Default: 8 MiB.</summary>
    public int LogBytes { get; init; } = 8 << 20;

    /// <summary>Objects that are sent at a time. Default: 4.</summary>
    public int ConcurrentUploads { get; init; } = 4;

    /// <summary>How the log is compressed. Default: LZ4.</summary>
    public LogCompression LogCompression { get; init; } = LogCompression.Lz4;

    /// <summary>How often the tables are archived. Shorter: less log to replay in a restore; longer: fewer tables that
    /// compactions replace soon are sent. Default: 1 h.</summary>
    public TimeSpan SnapshotInterval { get; init; } = TimeSpan.FromHours(1);

    /// <summary>Bytes of log after which the tables are archived before that. Default: 1 GiB.</summary>
    public long SnapshotLogBytes { get; init; } = 1L << 30;

    /// <summary>How far back every second can be restored. Longer: more bytes stored. Default: 7 days, at least
    /// 24 h.</summary>
    public TimeSpan Retention { get; init; } = TimeSpan.FromDays(7);

    /// <summary>How often what nothing needs any more is deleted. Default: 6 h.</summary>
    public TimeSpan GarbageInterval { get; init; } = TimeSpan.FromHours(6);

    /// <summary>Bytes that are sent in a second at most; the log goes first. 0: no limit. Default: 0.</summary>
    public long BytesPerSecond { get; init; }

    /// <summary>What may be lost with a disk before <see cref="LagAction"/> is taken. Default: 10 min.</summary>
    public TimeSpan LossWindow { get; init; } = TimeSpan.FromMinutes(10);

    /// <summary>What happens then. Default: <see cref="ArchiveLagAction.Warn"/>.</summary>
    public ArchiveLagAction LagAction { get; init; }

    /// <summary>Reports every invalid setting at once.</summary>
    /// <exception cref="AiDbException"><see cref="AiDbErrorKind.InvalidArgument"/>.</exception>
    public void Validate()
    {
        List<string> errors = [];
        void Check(bool ok, string name, string rule)
        {
            if (!ok)
                errors.Add($"{name} must be {rule}");
        }

        Check(
            LogInterval >= TimeSpan.FromMilliseconds(100) && LogInterval <= TimeSpan.FromHours(1), nameof(LogInterval),
            "100 ms (00:00:00.1) to an hour (01:00:00)");
        Check(LogBytes is >= 64 << 10 and <= 256 << 20, nameof(LogBytes), "64 KiB to 256 MiB");
        Check(ConcurrentUploads is >= 1 and <= 32, nameof(ConcurrentUploads), "1 to 32");
        Check(Enum.IsDefined(LogCompression), nameof(LogCompression), "None, Lz4 or Brotli");
        Check(
            SnapshotInterval >= TimeSpan.FromSeconds(1) && SnapshotInterval <= TimeSpan.FromDays(7), nameof(SnapshotInterval),
            "a second (00:00:01) to 7 days (7.00:00:00)");
        Check(SnapshotLogBytes >= 1 << 20, nameof(SnapshotLogBytes), "1 MiB or more");
        Check(
            Retention >= SafeAge && Retention <= TimeSpan.FromDays(3650), nameof(Retention),
            "24 hours (1.00:00:00) to 3650 days");
        Check(
            GarbageInterval >= TimeSpan.FromSeconds(1) && GarbageInterval <= TimeSpan.FromDays(30), nameof(GarbageInterval),
            "a second (00:00:01) to 30 days (30.00:00:00)");
        Check(BytesPerSecond is 0 or >= 64 << 10, nameof(BytesPerSecond), "0 (no limit) or at least 64 KiB");
        Check(
            LossWindow >= TimeSpan.FromSeconds(1) && LossWindow <= TimeSpan.FromDays(7), nameof(LossWindow),
            "a second (00:00:01) to 7 days (7.00:00:00)");
        Check(Enum.IsDefined(LagAction), nameof(LagAction), "Warn or Throttle");
        if (errors.Count > 0)
            throw new AiDbException(AiDbErrorKind.InvalidArgument, "Invalid ArchiveOptions: " + string.Join("; ", errors) + ".");
    }
}
