using AiDb.Engine.Caching;
using AiDb.Engine.Storage;
using Microsoft.Extensions.Logging;
using Microsoft.Extensions.Logging.Abstractions;

namespace AiDb.Engine;

/// <summary>The parts that a <see cref="Database"/> is built from, apart from its settings. Replace them to
/// share caches between databases or to simulate time and disks.</summary>
public sealed record DatabaseComponents
{
    /// <summary>The disk.</summary>
    public IFileSystem FileSystem { get; init; } = PhysicalFileSystem.Instance;

    /// <summary>The clock of versions and expiry.</summary>
    public TimeProvider TimeProvider { get; init; } = TimeProvider.System;

    /// <summary>A cache shared by several databases; null makes one of
    /// <see cref="DatabaseOptions.BlockCacheBytes"/>.</summary>
    public BlockCache? BlockCache { get; init; }

    /// <summary>One budget for the memory of several databases; its cache then serves them all, unless
    /// <see cref="BlockCache"/> is given, which it does not govern. Disposed by its maker, after the
    /// databases.</summary>
    public MemoryGovernor? MemoryGovernor { get; init; }

    /// <summary>Hears while an operation of the disk hangs, so that a host can step down. Called on a timer's thread; it
    /// must be brief and not throw.</summary>
    public Action<DiskStall>? OnDiskStall { get; init; }

    /// <summary>Runs flushes and compactions; null makes one for this database.</summary>
    public IBackgroundExecutor? BackgroundExecutor { get; init; }

    /// <summary>Where the engine logs.</summary>
    public ILoggerFactory LoggerFactory { get; init; } = NullLoggerFactory.Instance;

    /// <summary>Merge operators beside those of <see cref="BuiltInMergeOperators"/>.</summary>
    public IReadOnlyList<IMergeOperator> MergeOperators { get; init; } = [];

    /// <summary>Removes or changes entries that compactions pass; null: none.</summary>
    public ICompactionFilter? CompactionFilter { get; init; }

    /// <summary>Randomness (file ids); null uses the operating system's.</summary>
    public Random? Random { get; init; }
}
