using AiDb.Engine.Caching;
using AiDb.Engine.Commit;
using AiDb.Engine.Compaction;
using AiDb.Engine.Diagnostics;
using AiDb.Engine.Iteration;
using AiDb.Engine.Log;
using AiDb.Engine.Manifest;
using AiDb.Engine.Storage;
using Microsoft.Extensions.Logging;

namespace AiDb.Engine;

/// <summary>What the parts of one open database share: its settings and components, and its health.</summary>
internal sealed class EngineContext : IDisposable
{
    private readonly bool _ownsCache;
    private readonly bool _ownsExecutor;
    private readonly Random? _random;
    private readonly DiskWatch? _diskWatch;
    private volatile bool _closing;

    public EngineContext(string path, DatabaseOptions options, DatabaseComponents components)
    {
        Path = path;
        Options = options;
        TimeProvider = components.TimeProvider;
        _ownsCache = components.BlockCache is null && components.MemoryGovernor is null;
        Cache = components.BlockCache ?? components.MemoryGovernor?.Cache ?? new BlockCache(options.BlockCacheBytes);
        MemoryGovernor = components.MemoryGovernor;
        _ownsExecutor = components.BackgroundExecutor is null;
        Executor = components.BackgroundExecutor ?? new BackgroundExecutor(options.CompactionThreads);
        MergeOperators = components.MergeOperators;
        CompactionFilter = components.CompactionFilter;
        Logger = components.LoggerFactory.CreateLogger("AiDb.Engine.Database");
        BackgroundRate = new BackgroundRate(options.CompactionBytesPerSecond, components.TimeProvider);
        _random = components.Random;
        PrefixScans = new PrefixScans(options.FilterBitsPerKey > 0 ? options.FilterPrefix : null);
        Clock = new HybridClock(components.TimeProvider);
        Stalls = new WriteStalls(TimeProvider, Metrics, Logger, path);
        FileSystem = components.FileSystem;
        if (options.DiskStallThreshold > TimeSpan.Zero)
        {
            _diskWatch = new DiskWatch(
                TimeProvider, options.DiskStallThreshold, Stalls, Metrics, Logger, path, components.OnDiskStall);
            FileSystem = new WatchedFileSystem(FileSystem, _diskWatch);
        }
    }

    public string Path { get; }

    public string LogDirectory => Options.LogDirectory ?? DatabaseFiles.Combine(Path, DatabaseFiles.LogDirectory);

    public DatabaseOptions Options { get; }

    public IFileSystem FileSystem { get; }

    public TimeProvider TimeProvider { get; }

    public BlockCache Cache { get; }

    /// <summary>The budget that the database shares with others; null: none.</summary>
    public MemoryGovernor? MemoryGovernor { get; }

    public IBackgroundExecutor Executor { get; }

    /// <summary>What flushes and compactions may write per second.</summary>
    public BackgroundRate BackgroundRate { get; }

    public IReadOnlyList<IMergeOperator> MergeOperators { get; }

    public ICompactionFilter? CompactionFilter { get; }

    public ILogger Logger { get; }

    public HybridClock Clock { get; }

    public PrefixScans PrefixScans { get; }

    public DatabaseHealth Health { get; } = new();

    public DatabaseMetrics Metrics { get; } = new();

    public WriteStalls Stalls { get; }

    /// <summary>Whether the database is being closed: background work ends at the next chance.</summary>
    public bool IsClosing => _closing;

    public Random? Random => _random;

    public UInt128 NewId()
    {
        if (_random is null)
            return ManifestLog.RandomId(null);
        lock (_random)
            return ManifestLog.RandomId(_random);
    }

    public string TablePath(UInt128 id) => DatabaseFiles.Combine(Path, DatabaseFiles.Table(id));

    public string ValueFilePath(UInt128 id) => DatabaseFiles.Combine(Path, DatabaseFiles.ValueFile(id));

    public void BeginClosing() => _closing = true;

    public void Dispose()
    {
        _diskWatch?.Dispose();
        Metrics.Dispose();
        if (_ownsExecutor)
            Executor.Dispose();
        if (_ownsCache)
            Cache.Dispose();
    }
}
