using AiDb.Engine;

namespace AiDb.Tests.Engine.Evidence;

/// <summary>Settings drawn at random, small enough that a short history reaches every level.</summary>
internal static class RandomOptions
{
    /// <summary>Settings for a database whose log may lie in a folder of its own.</summary>
    public static DatabaseOptions Next(Random random, string logDirectory)
    {
        long tableBytes = Pick(random, 16 << 10, 24 << 10, 64 << 10);
        int trigger = random.Next(1, 5);
        return new DatabaseOptions
        {
            MemtableBytes = Pick(random, 64 << 10, 64 << 10, 256 << 10, 1 << 20),
            MaxImmutableMemtables = random.Next(1, 4),
            LogSegmentBytes = Pick(random, 64 << 10, 64 << 10, 128 << 10, 256 << 10),
            LogRetentionBytes = Pick(random, 0, 64 << 10, 4 << 20),
            LogDirectory = random.Next(3) == 0 ? logDirectory : null,
            BlockBytes = (int)Pick(random, 512, 1024, 4096, 16 << 10),
            BlockCacheBytes = Pick(random, 0, 16 << 10, 1 << 20),
            FilterBitsPerKey = (int)Pick(random, 0, 4, 10, 16),
            IndexPartitionBytes = (int)Pick(random, 0, 256, 1024),
            FilterPrefix = random.Next(3) == 0 ? FilterPrefix.FixedLength(random.Next(1, 6)) : null,
            Compression = random.Next(2) == 0 ? BlockCompression.None : BlockCompression.Lz4,
            SeparateValuesFromBytes = (int)Pick(random, 0, 0, 128, 500, 10_000),
            MapLogSegments = random.Next(4) != 0,
            TableBytes = tableBytes,
            Level1Bytes = tableBytes * random.Next(1, 4),
            Level0CompactionTrigger = trigger,
            Level0SlowdownTrigger = trigger + random.Next(8, 12),
            Level0StopTrigger = trigger + random.Next(12, 24),
            MinFreeDiskBytes = 0,
            DefaultDurability = random.Next(2) == 0 ? WriteDurability.Memory : WriteDurability.Synced,
        };
    }

    private static long Pick(Random random, params ReadOnlySpan<long> values) => values[random.Next(values.Length)];
}
