namespace AiDb.Engine;

/// <summary>The settings of a <see cref="Database"/>: values only; clock, disk and caches are
/// <see cref="DatabaseComponents"/>.</summary>
public sealed record DatabaseOptions
{
    /// <summary>Makes the folder and an empty database when there is none. Default: true.</summary>
    public bool CreateIfMissing { get; init; } = true;

    /// <summary>Where the log lives; a second disk takes its writes off the first. Default: <c>log</c> in the
    /// database's folder.</summary>
    public string? LogDirectory { get; init; }

    /// <summary>Bytes of one log segment. Bigger: fewer files; smaller: disk space comes back sooner.
    /// Default: 64 MiB.</summary>
    public long LogSegmentBytes { get; init; } = 64L << 20;

    /// <summary>Writes the log through memory-mapped, reserved segments where the file system is known to allow it
    /// (ext4, xfs, tmpfs on Linux): a copy instead of a system call for each group of writes, with the same
    /// guarantees. Off: always by system calls. Default: true.</summary>
    public bool MapLogSegments { get; init; } = true;

    /// <summary>Bytes that a memtable holds before it is written to a table. Bigger: fewer compactions,
    /// longer recovery, more memory. Default: 64 MiB.</summary>
    public long MemtableBytes { get; init; } = 64L << 20;

    /// <summary>Full memtables that may wait for their flush before writes are held up. Default: 2.</summary>
    public int MaxImmutableMemtables { get; init; } = 2;

    /// <summary>Bytes of uncompressed table blocks kept in memory, unless
    /// <see cref="DatabaseComponents.BlockCache"/> brings a shared cache. Default: 128 MiB.</summary>
    public long BlockCacheBytes { get; init; } = 128L << 20;

    /// <summary>Uncompressed bytes of a table block. Bigger: smaller indexes, faster scans; smaller: cheaper
    /// point reads from disk. Default: 16 KiB.</summary>
    public int BlockBytes { get; init; } = 16 << 10;

    /// <summary>Bits per key of the filters that spare reads of absent keys. 10 give about 1 % false
    /// positives, 0 turns them off. Default: 10.</summary>
    public int FilterBitsPerKey { get; init; } = 10;

    /// <summary>Which part of a key the filters know besides the whole key, so that scans within one such prefix
    /// (<see cref="ScanRange.Prefix"/>) skip tables without a key of it. It may change between openings. Needs filters.
    /// Default: none.</summary>
    public FilterPrefix? FilterPrefix { get; init; }

    /// <summary>Bytes of a table's index and filter together from which on both are written in partitions of about
    /// this size, which pass through the block cache; smaller ones stay in memory while the table is open. Bigger:
    /// fewer lookups per read; smaller: less memory for many or big tables, down to 32 bytes per table block. 0: never.
    /// Default: 1 MiB, which tables of the default size reach with values below about 50 bytes.</summary>
    public int IndexPartitionBytes { get; init; } = 1 << 20;

    /// <summary>How table blocks are compressed. Default: LZ4.</summary>
    public BlockCompression Compression { get; init; } = BlockCompression.Lz4;

    /// <summary>Values of at least so many bytes are written to value files, once, and compactions move only
    /// pointers to them. Smaller: fewer bytes written by compactions, more reads from disk and more garbage on it;
    /// 0 turns it off. What is stored either way stays readable. Default: 0.</summary>
    public int SeparateValuesFromBytes { get; init; }

    /// <summary>Bytes of a table that compaction aims at. Default: 32 MiB.</summary>
    public long TableBytes { get; init; } = 32L << 20;

    /// <summary>Tables in level 0 from which on they are compacted; up to twice as many while they hold less than
    /// level 1, which would be rewritten for little. Default: 4.</summary>
    public int Level0CompactionTrigger { get; init; } = 4;

    /// <summary>Tables in level 0 from which on writes are slowed down, smoothly. Default: 12.</summary>
    public int Level0SlowdownTrigger { get; init; } = 12;

    /// <summary>Tables in level 0 from which on writes stop until compaction caught up. Default:
    /// 24.</summary>
    public int Level0StopTrigger { get; init; } = 24;

    /// <summary>Bytes of level 1; each deeper level holds more, ten times at most. Default: 256 MiB.</summary>
    public long Level1Bytes { get; init; } = 256L << 20;

    /// <summary>Bytes by which the levels may exceed their targets before writes are slowed down; at twice as
    /// many the slowdown is greatest. Bigger: longer bursts at full speed, slower scans after them. Default: 64
    /// GiB.</summary>
    public long PendingCompactionBytes { get; init; } = 64L << 30;

    /// <summary>Compactions that run at a time, each on keys of its own; a big one is split over as many threads.
    /// More: compaction keeps up with more writes; fewer: it takes less from requests. An executor in
    /// <see cref="DatabaseComponents.BackgroundExecutor"/> limits it further. Default: 2.</summary>
    public int CompactionThreads { get; init; } = 2;

    /// <summary>Bytes per second that flushes and compactions may write together; compactions wait, flushes
    /// never do. Lower: steadier requests, but compaction may fall behind, and writes are slowed down then. 0:
    /// no limit. Default: 0.</summary>
    public long CompactionBytesPerSecond { get; init; }

    /// <summary>The durability of writes that do not say. Default:
    /// <see cref="WriteDurability.Synced"/>.</summary>
    public WriteDurability DefaultDurability { get; init; } = WriteDurability.Synced;

    /// <summary>How long a write of <see cref="WriteDurability.Memory"/> may wait for the disk. Default: 100
    /// ms.</summary>
    public TimeSpan MemorySyncInterval { get; init; } = TimeSpan.FromMilliseconds(100);

    /// <summary>Free bytes on the volume below which the database turns read-only (writes fail with
    /// <see cref="AiDbErrorKind.ResourceExhausted"/>) before the disk is full. Default: 256 MiB.</summary>
    public long MinFreeDiskBytes { get; init; } = 256L << 20;

    /// <summary>How long a write may be held up before it fails with
    /// <see cref="AiDbErrorKind.ResourceExhausted"/>, naming the cause. Default: 30 s.</summary>
    public TimeSpan WriteStallTimeout { get; init; } = TimeSpan.FromSeconds(30);

    /// <summary>Log bytes kept for tailing readers (replicas, backup) beyond what recovery needs. Default: 64
    /// MiB.</summary>
    public long LogRetentionBytes { get; init; } = 64L << 20;

    /// <summary>Log bytes kept for an archive until it has them (<see cref="Database.MarkArchived"/>), beyond what recovery
    /// needs. Bigger: the archive may be unreachable for longer before it needs a new snapshot; smaller: less disk. 0:
    /// nothing is kept for an archive. Default: 0.</summary>
    public long ArchiveLogBytes { get; init; }

    /// <summary>How often the database reads its tables and closed log segments by itself and compares them with
    /// their checksums, counted from its opening; zero: never. Shorter: damage shows while the replica or checkpoint that
    /// mends it is still there; longer: less reading. Default: 7 days.</summary>
    public TimeSpan ScrubInterval { get; init; } = TimeSpan.FromDays(7);

    /// <summary>Bytes per second that such a scrub reads at most; 0: as fast as the disk. Bigger: it ends sooner; smaller:
    /// other reads notice it less. Default: 8 MiB.</summary>
    public long ScrubBytesPerSecond { get; init; } = 8L << 20;

    /// <summary>How long an operation of the disk may take before it counts as hanging, which is then told while it
    /// hangs; zero: never. Longer: fewer false alarms on slow disks; shorter: a host can step down sooner. It is below
    /// <see cref="WriteStallTimeout"/>, so that the cause is known before writers give up. Default: 10 s.</summary>
    public TimeSpan DiskStallThreshold { get; init; } = TimeSpan.FromSeconds(10);

    /// <summary>Keys up to this many bytes. Fixed: 64 KiB.</summary>
    public const int MaxKeyBytes = 64 << 10;

    /// <summary>Values up to this many bytes. Fixed: 64 MiB.</summary>
    public const int MaxValueBytes = 64 << 20;

    /// <summary>The bytes of one batch, keys and values. Fixed: 128 MiB.</summary>
    public const int MaxBatchBytes = 128 << 20;

    /// <summary>Reports every invalid setting at once.</summary>
    /// <exception cref="AiDbException"><see cref="AiDbErrorKind.InvalidArgument"/>, naming each setting and
    /// its range.</exception>
    public void Validate()
    {
        List<string> errors = [];
        void Check(bool ok, string name, string rule)
        {
            if (!ok)
                errors.Add($"{name} must be {rule}");
        }

        Check(LogSegmentBytes is >= 64 << 10 and <= 4L << 30, nameof(LogSegmentBytes), "64 KiB to 4 GiB");
        Check(MemtableBytes is >= 64 << 10 and <= 4L << 30, nameof(MemtableBytes), "64 KiB to 4 GiB");
        Check(MaxImmutableMemtables is >= 1 and <= 64, nameof(MaxImmutableMemtables), "1 to 64");
        Check(BlockCacheBytes >= 0, nameof(BlockCacheBytes), "0 or more");
        Check(BlockBytes is >= 512 and <= 1 << 20, nameof(BlockBytes), "512 bytes to 1 MiB");
        Check(FilterBitsPerKey is >= 0 and <= 32, nameof(FilterBitsPerKey), "0 to 32");
        Check(
            IndexPartitionBytes is 0 or >= 256 and <= 64 << 20, nameof(IndexPartitionBytes),
            "0 (off) or 256 bytes to 64 MiB");
        Check(Enum.IsDefined(Compression), nameof(Compression), "None or Lz4");
        Check(
            SeparateValuesFromBytes is 0 or >= 128 and <= MaxValueBytes, nameof(SeparateValuesFromBytes),
            "0 (off) or 128 bytes to 64 MiB");
        Check(TableBytes is >= 16 << 10 and <= 4L << 30, nameof(TableBytes), "16 KiB to 4 GiB");
        Check(Level0CompactionTrigger >= 1, nameof(Level0CompactionTrigger), "1 or more");
        Check(Level0SlowdownTrigger >= Level0CompactionTrigger, nameof(Level0SlowdownTrigger), $"at least {nameof(Level0CompactionTrigger)}");
        Check(Level0StopTrigger > Level0SlowdownTrigger, nameof(Level0StopTrigger), $"more than {nameof(Level0SlowdownTrigger)}");
        Check(Level1Bytes >= TableBytes, nameof(Level1Bytes), $"at least {nameof(TableBytes)}");
        Check(PendingCompactionBytes >= TableBytes, nameof(PendingCompactionBytes), $"at least {nameof(TableBytes)}");
        Check(CompactionThreads is >= 1 and <= 64, nameof(CompactionThreads), "1 to 64");
        Check(
            CompactionBytesPerSecond is 0 or >= 1 << 20, nameof(CompactionBytesPerSecond), "0 (no limit) or at least 1 MiB");
        Check(Enum.IsDefined(DefaultDurability) && DefaultDurability != WriteDurability.Default, nameof(DefaultDurability), "Memory or Synced");
        Check(
            MemorySyncInterval > TimeSpan.Zero && MemorySyncInterval <= TimeSpan.FromMinutes(1),
            nameof(MemorySyncInterval), "more than zero, at most a minute (00:01:00)");
        Check(MinFreeDiskBytes >= 0, nameof(MinFreeDiskBytes), "0 or more");
        Check(
            WriteStallTimeout > TimeSpan.Zero && WriteStallTimeout <= TimeSpan.FromHours(1),
            nameof(WriteStallTimeout), "more than zero, at most an hour (01:00:00)");
        Check(LogRetentionBytes >= 0, nameof(LogRetentionBytes), "0 or more");
        Check(ArchiveLogBytes >= 0, nameof(ArchiveLogBytes), "0 or more");
        Check(
            ScrubInterval == TimeSpan.Zero || (ScrubInterval >= TimeSpan.FromMinutes(1) && ScrubInterval <= TimeSpan.FromDays(45)),
            nameof(ScrubInterval), "zero (never), or a minute (00:01:00) to 45 days (45.00:00:00)");
        Check(
            DiskStallThreshold == TimeSpan.Zero
                || (DiskStallThreshold >= TimeSpan.FromMilliseconds(100) && DiskStallThreshold <= TimeSpan.FromHours(1)),
            nameof(DiskStallThreshold), "zero (never), or 100 ms (00:00:00.1) to an hour (01:00:00)");
        Check(ScrubBytesPerSecond >= 0, nameof(ScrubBytesPerSecond), "0 or more");
        if (errors.Count > 0)
            throw new AiDbException(AiDbErrorKind.InvalidArgument, "Invalid DatabaseOptions: " + string.Join("; ", errors) + ".");
    }
}

/// <summary>How table blocks are compressed; the value is the id byte stored with each block.</summary>
public enum BlockCompression : byte
{
    /// <summary>Stored as they are.</summary>
    None = 0,

    /// <summary>LZ4; a block is kept compressed only where that saves an eighth or more.</summary>
    Lz4 = 1,
}

/// <summary>What has happened to a write when it is acknowledged.</summary>
public enum WriteDurability : byte
{
    /// <summary>As <see cref="DatabaseOptions.DefaultDurability"/> says.</summary>
    Default = 0,

    /// <summary>Handed to the operating system: it survives the end of the process, not the loss of power
    /// within <see cref="DatabaseOptions.MemorySyncInterval"/>.</summary>
    Memory = 1,

    /// <summary>On the disk: the log is synced, one sync for all writers that wait.</summary>
    Synced = 2,
}
