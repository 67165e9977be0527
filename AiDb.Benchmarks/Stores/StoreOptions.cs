using System.Globalization;

namespace AiDb.Benchmarks.Stores;

/// <summary>What both sides are opened with.</summary>
internal sealed record StoreOptions
{
    public const int FilterBitsPerKey = 10;
    public const int Level0CompactionTrigger = 4;
    public const int Level0SlowdownTrigger = 20;
    public const int Level0StopTrigger = 36;

    /// <summary>One thread for flushes, one for compactions, on both sides.</summary>
    public const int BackgroundThreads = 2;

    public required long CacheBytes { get; init; }

    public required long MemtableBytes { get; init; }

    public required long TableBytes { get; init; }

    public required long Level1Bytes { get; init; }

    public required int AiDbBlockBytes { get; init; }

    public required int RocksDbBlockBytes { get; init; }

    public required bool Lz4 { get; init; }

    /// <summary>Full memtables that may wait for their flush.</summary>
    public int ImmutableMemtables { get; init; } = 2;

    public override string ToString() => string.Create(
        CultureInfo.InvariantCulture,
        $"memtable {Mib(MemtableBytes)} and {ImmutableMemtables} waiting, cache {Mib(CacheBytes)}, filter " +
        $"{FilterBitsPerKey} bits, level 0 triggers {Level0CompactionTrigger}/{Level0SlowdownTrigger}/" +
        $"{Level0StopTrigger}, level 1 {Mib(Level1Bytes)}, tables {Mib(TableBytes)}, blocks AiDb {AiDbBlockBytes} RocksDB " +
        $"{RocksDbBlockBytes}, compression {(Lz4 ? "LZ4" : "none")}, background threads {BackgroundThreads}, log not " +
        $"synced unless a test says so");

    private static string Mib(long bytes) => string.Create(CultureInfo.InvariantCulture, $"{bytes / 1048576.0:0.#} MiB");
}
