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

    /// <summary>Runs flushes and compactions; null makes one for this database.</summary>
    public IBackgroundExecutor? BackgroundExecutor { get; init; }

    /// <summary>Where the engine logs.</summary>
    public ILoggerFactory LoggerFactory { get; init; } = NullLoggerFactory.Instance;

    /// <summary>Merge operators beside those of <see cref="BuiltInMergeOperators"/>.</summary>
    public IReadOnlyList<IMergeOperator> MergeOperators { get; init; } = [];

    /// <summary>Randomness (file ids); null uses the operating system's.</summary>
    public Random? Random { get; init; }
}
