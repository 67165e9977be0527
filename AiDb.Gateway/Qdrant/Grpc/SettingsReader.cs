using AiDb.Cluster.Collections;
using AiDb.Engine.Collections;
using Google.Protobuf;
using Wire = AiDb.Contracts.QdrantApi;

namespace AiDb.Gateway.Qdrant.Grpc;

/// <summary>Reads the settings of collections.</summary>
internal static class SettingsReader
{
    public static CollectionOptions FromWire(Wire.CreateCollection request)
    {
        if (request.ShardingMethod == Wire.ShardingMethod.Custom)
            throw GrpcCalls.Invalid("sharding_method Custom is not offered: points are spread over shards by their ids");
        return new CollectionOptions
        {
            Vectors = VectorSettings.FromWire(request.VectorsConfig),
            SparseVectors = VectorSettings.FromWire(request.SparseVectorsConfig),
            Hnsw = VectorSettings.FromWire(request.HnswConfig),
            Quantization = VectorSettings.FromWire(request.QuantizationConfig),
            Optimizers = FromWire(request.OptimizersConfig),
            StrictMode = FromWire(request.StrictModeConfig),
            OnDiskPayload = !request.HasOnDiskPayload || request.OnDiskPayload,
            Metadata = WirePayloads.FromWire(request.Metadata, ByteString.Empty, isTrusted: false, "metadata"),
            TimeToLive = request.TtlMs > 0 ? TimeToLive(request.TtlMs) : null,
        };
    }

    public static CollectionUpdate FromWire(Wire.UpdateCollection request) => new()
    {
        Vectors = VectorSettings.FromWire(request.VectorsConfig),
        SparseVectors =
            request.SparseVectorsConfig is { } sparse ? VectorSettings.FromWire(sparse) : null,
        Hnsw = VectorSettings.FromWire(request.HnswConfig),
        Quantization = VectorSettings.FromWire(request.QuantizationConfig),
        Optimizers = FromWire(request.OptimizersConfig),
        StrictMode = FromWire(request.StrictModeConfig),
        Metadata = WirePayloads.FromWire(request.Metadata, ByteString.Empty, isTrusted: false, "metadata"),
        TimeToLive = request.HasTtlMs ? TimeToLive(request.TtlMs) : null,
    };

    private static TimeSpan TimeToLive(ulong milliseconds) => milliseconds <= WireOperations.MaxTimeToLiveMs
        ? TimeSpan.FromMilliseconds(milliseconds)
        : throw GrpcCalls.Invalid($"ttl_ms is {milliseconds}; at most {WireOperations.MaxTimeToLiveMs} (100 years) is allowed");

    private static OptimizerOptions? FromWire(Wire.OptimizersConfigDiff? config) => config is null
        ? null
        : new OptimizerOptions
        {
            DeletedThreshold = config.HasDeletedThreshold ? config.DeletedThreshold : null,
            VacuumMinVectorNumber = config.HasVacuumMinVectorNumber
                ? Limits.ToInt(config.VacuumMinVectorNumber, "optimizers_config.vacuum_min_vector_number")
                : null,
            DefaultSegmentNumber = config.HasDefaultSegmentNumber
                ? Limits.ToInt(config.DefaultSegmentNumber, "optimizers_config.default_segment_number")
                : null,
            MaxSegmentSizeKb = config.HasMaxSegmentSize
                ? Limits.ToLong(config.MaxSegmentSize, "optimizers_config.max_segment_size")
                : null,
            MemmapThresholdKb = config.HasMemmapThreshold
                ? Limits.ToLong(config.MemmapThreshold, "optimizers_config.memmap_threshold")
                : null,
            IndexingThresholdKb = config.HasIndexingThreshold
                ? Limits.ToLong(config.IndexingThreshold, "optimizers_config.indexing_threshold")
                : null,
            FlushIntervalSec = config.HasFlushIntervalSec
                ? Limits.ToInt(config.FlushIntervalSec, "optimizers_config.flush_interval_sec")
                : null,
            MaxOptimizationThreads = ThreadsOf(config),
        };

    private static int? ThreadsOf(Wire.OptimizersConfigDiff config)
    {
        const string Field = "optimizers_config.max_optimization_threads";
        if (config.MaxOptimizationThreads is { VariantCase: Wire.MaxOptimizationThreads.VariantOneofCase.Value } threads)
            return Limits.ToInt(threads.Value, Field);
        return config.HasDeprecatedMaxOptimizationThreads
            ? Limits.ToInt(config.DeprecatedMaxOptimizationThreads, Field)
            : null;
    }

    private static StrictModeOptions? FromWire(Wire.StrictModeConfig? config) => config is null
        ? null
        : new StrictModeOptions
        {
            Enabled = config.Enabled,
            MaxQueryLimit = config.HasMaxQueryLimit ? Limits.ToInt(config.MaxQueryLimit, "max_query_limit") : null,
            MaxTimeout = config.HasMaxTimeout ? Limits.ToInt(config.MaxTimeout, "max_timeout") : null,
            UnindexedFilteringRetrieve =
                config.HasUnindexedFilteringRetrieve ? config.UnindexedFilteringRetrieve : null,
            UnindexedFilteringUpdate = config.HasUnindexedFilteringUpdate ? config.UnindexedFilteringUpdate : null,
            SearchMaxHnswEf = config.HasSearchMaxHnswEf ? Limits.ToInt(config.SearchMaxHnswEf, "search_max_hnsw_ef") : null,
            SearchAllowExact = config.HasSearchAllowExact ? config.SearchAllowExact : null,
            SearchMaxOversampling = config.HasSearchMaxOversampling ? config.SearchMaxOversampling : null,
            UpsertMaxBatchsize = config.HasUpsertMaxBatchsize
                ? Limits.ToInt(config.UpsertMaxBatchsize, "upsert_max_batchsize")
                : null,
            FilterMaxConditions = config.HasFilterMaxConditions
                ? Limits.ToInt(config.FilterMaxConditions, "filter_max_conditions")
                : null,
            ConditionMaxSize =
                config.HasConditionMaxSize ? Limits.ToInt(config.ConditionMaxSize, "condition_max_size") : null,
        };
}
