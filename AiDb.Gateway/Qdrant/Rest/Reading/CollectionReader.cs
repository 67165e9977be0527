using AiDb.Engine.Collections;
using AiDb.Gateway.Qdrant.Rest.Json;

namespace AiDb.Gateway.Qdrant.Rest.Reading;

/// <summary>Reads the settings of collections, and changes of them.</summary>
internal static class CollectionReader
{
    private const string Disabled = "Disabled";

    /// <summary>Reads the settings of a new collection.</summary>
    public static CollectionOptions ReadCreate(JsonField body)
    {
        if (body.Get("sharding_method") is { } method && method.AsChoice(("auto", false), ("custom", true)))
            throw method.NotOffered("custom sharding: collections are sharded by the hash of ids");
        if (body.Get("init_from") is { } from)
            throw from.NotOffered("copies of collections; make a snapshot and recover it under the new name");
        return new CollectionOptions
        {
            Vectors = ReadVectors(body.Get("vectors")),
            SparseVectors = ReadSparseVectors(body.Get("sparse_vectors")),
            Hnsw = VectorOptionsReader.ReadHnsw(body.Get("hnsw_config")),
            Quantization = VectorOptionsReader.ReadQuantization(body.Get("quantization_config")),
            Optimizers = ReadOptimizers(body.Get("optimizers_config")),
            StrictMode = ReadStrictMode(body.Get("strict_mode_config")),
            OnDiskPayload = body.Get("on_disk_payload")?.AsBoolean() ?? true,
            Metadata = body.Get("metadata") is { } metadata ? PointReader.ReadPayload(metadata) : null,
            TimeToLive = PointReader.ReadTimeToLive(body.Get("ttl")),
        };
    }

    /// <summary>Reads changes of a collection.</summary>
    public static CollectionUpdate ReadUpdate(JsonField body)
    {
        JsonField? ttl = body.Get("ttl");
        bool endsTimeToLive = ttl is not null && ttl.AsDouble() == 0;
        return new CollectionUpdate
        {
            Vectors = body.Get("vectors")?.Members().ToDictionary(
                static vector => vector.Name, static vector => ReadVectorUpdate(vector.Field), StringComparer.Ordinal),
            SparseVectors = body.Get("sparse_vectors") is { } sparse ? ReadSparseVectors(sparse) : null,
            Hnsw = VectorOptionsReader.ReadHnsw(body.Get("hnsw_config")),
            Quantization = ReadQuantizationUpdate(body.Get("quantization_config")),
            Optimizers = ReadOptimizers(body.Get("optimizers_config") ?? body.Get("optimizer_config")),
            StrictMode = ReadStrictMode(body.Get("strict_mode_config")),
            Metadata = body.Get("metadata") is { } metadata ? PointReader.ReadPayload(metadata) : null,
            TimeToLive = endsTimeToLive ? TimeSpan.Zero : PointReader.ReadTimeToLive(ttl),
        };
    }

    private static Dictionary<string, VectorOptions> ReadVectors(JsonField? field)
    {
        Dictionary<string, VectorOptions> vectors = new(StringComparer.Ordinal);
        if (field is null)
            return vectors;
        if (field.Get("size") is { IsObject: false } || field.Get("distance") is { IsObject: false })
        {
            vectors[NamedVectors.Unnamed] = VectorOptionsReader.Read(field);
            return vectors;
        }

        foreach ((string name, JsonField vector) in field.Members())
            vectors[name] = VectorOptionsReader.Read(vector);
        return vectors;
    }

    private static Dictionary<string, SparseVectorOptions> ReadSparseVectors(JsonField? field)
    {
        Dictionary<string, SparseVectorOptions> vectors = new(StringComparer.Ordinal);
        foreach ((string name, JsonField vector) in field?.Members() ?? [])
            vectors[name] = VectorOptionsReader.ReadSparse(vector);
        return vectors;
    }

    private static VectorUpdate ReadVectorUpdate(JsonField field) => new(
        VectorOptionsReader.ReadHnsw(field.Get("hnsw_config")),
        ReadQuantizationUpdate(field.Get("quantization_config")),
        VectorOptionsReader.ReadOnDisk(field));

    private static QuantizationOptions? ReadQuantizationUpdate(JsonField? field) =>
        field is { IsObject: false } && field.AsChoice((Disabled, true))
            ? new QuantizationOptions { Kind = QuantizationKind.Disabled }
            : VectorOptionsReader.ReadQuantization(field);

    private static OptimizerOptions? ReadOptimizers(JsonField? field)
    {
        if (field is null)
            return null;
        JsonField? threads = field.Get("max_optimization_threads");
        bool isAuto = threads?.Kind == System.Text.Json.JsonValueKind.String && threads.AsChoice(("auto", true));
        return new OptimizerOptions
        {
            IndexingThresholdKb = field.Get("indexing_threshold")?.AsLong(0),
            DeletedThreshold = field.Get("deleted_threshold")?.AsDouble(),
            VacuumMinVectorNumber = field.Get("vacuum_min_vector_number")?.AsInteger(0),
            DefaultSegmentNumber = field.Get("default_segment_number")?.AsInteger(0),
            MaxSegmentSizeKb = field.Get("max_segment_size")?.AsLong(0),
            MemmapThresholdKb = field.Get("memmap_threshold")?.AsLong(0),
            FlushIntervalSec = field.Get("flush_interval_sec")?.AsInteger(0),
            MaxOptimizationThreads = isAuto ? null : threads?.AsInteger(0),
        };
    }

    // A bound that is not enforced must not look as if it were.
    private static StrictModeOptions? ReadStrictMode(JsonField? field)
    {
        if (field is null)
            return null;
        field.AllowOnly(
            "enabled", "max_query_limit", "max_timeout", "unindexed_filtering_retrieve", "unindexed_filtering_update",
            "search_max_hnsw_ef", "search_allow_exact", "search_max_oversampling", "upsert_max_batchsize",
            "filter_max_conditions", "condition_max_size");
        return new StrictModeOptions
        {
            Enabled = field.Get("enabled")?.AsBoolean() ?? false,
            MaxQueryLimit = field.Get("max_query_limit")?.AsInteger(1),
            MaxTimeout = field.Get("max_timeout")?.AsInteger(1),
            UnindexedFilteringRetrieve = field.Get("unindexed_filtering_retrieve")?.AsBoolean(),
            UnindexedFilteringUpdate = field.Get("unindexed_filtering_update")?.AsBoolean(),
            SearchMaxHnswEf = field.Get("search_max_hnsw_ef")?.AsInteger(1),
            SearchAllowExact = field.Get("search_allow_exact")?.AsBoolean(),
            SearchMaxOversampling = field.Get("search_max_oversampling")?.AsDouble(),
            UpsertMaxBatchsize = field.Get("upsert_max_batchsize")?.AsInteger(1),
            FilterMaxConditions = field.Get("filter_max_conditions")?.AsInteger(1),
            ConditionMaxSize = field.Get("condition_max_size")?.AsInteger(1),
        };
    }
}
