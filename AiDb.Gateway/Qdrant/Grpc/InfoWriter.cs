using AiDb.Cluster.Collections;
using AiDb.Engine.Collections;
using Wire = AiDb.Contracts.QdrantApi;

namespace AiDb.Gateway.Qdrant.Grpc;

/// <summary>Writes what is known of a collection. Settings that nobody chose are written with their
/// defaults.</summary>
internal static class InfoWriter
{
    private const ulong WalCapacityMb = 32;

    public static Wire.CollectionInfo ToWire(CollectionInfo info, int shards)
    {
        Wire.CollectionInfo result = new()
        {
            Status = info.Status switch
            {
                CollectionStatus.Green => Wire.CollectionStatus.Green,
                CollectionStatus.Yellow => Wire.CollectionStatus.Yellow,
                CollectionStatus.Grey => Wire.CollectionStatus.Grey,
                _ => Wire.CollectionStatus.Red,
            },
            OptimizerStatus = new Wire.OptimizerStatus { Ok = info.Problem is null, Error = info.Problem ?? "" },
            SegmentsCount = (ulong)info.SegmentsCount,
            Config = ConfigOf(info.Options, shards),
            PointsCount = (ulong)info.PointsCount,
            IndexedVectorsCount = (ulong)info.IndexedVectorsCount,
            MemoryBytes = (ulong)info.MemoryBytes,
            UnindexedVectorsCount = (ulong)info.UnindexedVectorsCount,
        };
        foreach ((string path, PayloadIndexInfo index) in info.PayloadIndexes)
            result.PayloadSchema[path] = IndexSettings.ToWire(index);
        return result;
    }

    private static Wire.CollectionConfig ConfigOf(CollectionOptions options, int shards)
    {
        Wire.CollectionConfig config = new()
        {
            Params = new Wire.CollectionParams
            {
                ShardNumber = (uint)shards,
                OnDiskPayload = options.OnDiskPayload,
                VectorsConfig = VectorSettingsWriter.ToWire(options.Vectors),
                SparseVectorsConfig = VectorSettingsWriter.ToWire(options.SparseVectors),
                ReplicationFactor = 1,
                WriteConsistencyFactor = 1,
            },
            HnswConfig = VectorSettingsWriter.ToWire(WithDefaults(options.Hnsw)),
            OptimizerConfig = OptimizersOf(options.Optimizers ?? new OptimizerOptions()),
            WalConfig = new Wire.WalConfigDiff { WalCapacityMb = WalCapacityMb, WalSegmentsAhead = 0 },
            QuantizationConfig = VectorSettingsWriter.ToWire(options.Quantization),
            StrictModeConfig = options.StrictMode is { } strict ? StrictModeOf(strict) : null,
        };
        WirePayloads.ToWire(options.Metadata, config.Metadata);
        if (options.TimeToLive is { } time)
            config.TtlMs = (ulong)time.TotalMilliseconds;
        return config;
    }

    private static HnswOptions WithDefaults(HnswOptions? hnsw) => (hnsw ?? new HnswOptions()) with
    {
        M = hnsw?.M ?? 16,
        EfConstruct = hnsw?.EfConstruct ?? 100,
        FullScanThresholdKb = hnsw?.FullScanThresholdKb ?? 10_000,
        MaxIndexingThreads = hnsw?.MaxIndexingThreads ?? 0,
        OnDisk = hnsw?.OnDisk ?? false,
    };

    private static Wire.OptimizersConfigDiff OptimizersOf(OptimizerOptions options)
    {
        Wire.OptimizersConfigDiff config = new()
        {
            DeletedThreshold = options.DeletedThreshold ?? 0.2,
            VacuumMinVectorNumber = (ulong)(options.VacuumMinVectorNumber ?? 1000),
            DefaultSegmentNumber = (ulong)(options.DefaultSegmentNumber ?? 0),
            IndexingThreshold = (ulong)(options.IndexingThresholdKb ?? 10_000),
            FlushIntervalSec = (ulong)(options.FlushIntervalSec ?? 5),
        };
        if (options.MaxSegmentSizeKb is { } segment)
            config.MaxSegmentSize = (ulong)segment;
        if (options.MemmapThresholdKb is { } memmap)
            config.MemmapThreshold = (ulong)memmap;
        if (options.MaxOptimizationThreads is { } threads)
            config.MaxOptimizationThreads = new Wire.MaxOptimizationThreads { Value = (ulong)threads };
        return config;
    }

    private static Wire.StrictModeConfig StrictModeOf(StrictModeOptions strict)
    {
        Wire.StrictModeConfig config = new() { Enabled = strict.Enabled };
        if (strict.MaxQueryLimit is { } limit)
            config.MaxQueryLimit = (uint)limit;
        if (strict.MaxTimeout is { } timeout)
            config.MaxTimeout = (uint)timeout;
        if (strict.UnindexedFilteringRetrieve is { } retrieve)
            config.UnindexedFilteringRetrieve = retrieve;
        if (strict.UnindexedFilteringUpdate is { } update)
            config.UnindexedFilteringUpdate = update;
        if (strict.SearchMaxHnswEf is { } ef)
            config.SearchMaxHnswEf = (uint)ef;
        if (strict.SearchAllowExact is { } exact)
            config.SearchAllowExact = exact;
        if (strict.SearchMaxOversampling is { } oversampling)
            config.SearchMaxOversampling = (float)oversampling;
        if (strict.UpsertMaxBatchsize is { } batch)
            config.UpsertMaxBatchsize = (ulong)batch;
        if (strict.FilterMaxConditions is { } conditions)
            config.FilterMaxConditions = (ulong)conditions;
        if (strict.ConditionMaxSize is { } size)
            config.ConditionMaxSize = (ulong)size;
        return config;
    }
}
