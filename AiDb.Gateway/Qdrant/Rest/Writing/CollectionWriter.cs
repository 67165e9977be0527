using System.Text.Json;
using AiDb.Engine.Collections;

namespace AiDb.Gateway.Qdrant.Rest.Writing;

/// <summary>Writes what is known of a collection. Settings that nobody chose are written with their
/// defaults.</summary>
internal static class CollectionWriter
{
    /// <summary>Writes a collection.</summary>
    /// <param name="json">Where to.</param>
    /// <param name="info">What is known.</param>
    /// <param name="shards">Over how many shards its points lie.</param>
    public static void Write(Utf8JsonWriter json, CollectionInfo info, int shards)
    {
        CollectionOptions options = info.Options;
        json.WriteStartObject();
        json.WriteString("status"u8, info.Status.ToString().ToLowerInvariant());
        WriteOptimizerStatus(json, info.Problem);
        json.WriteNumber("indexed_vectors_count"u8, info.IndexedVectorsCount);
        json.WriteNumber("points_count"u8, info.PointsCount);
        json.WriteNumber("segments_count"u8, info.SegmentsCount);
        json.WriteNumber("unindexed_vectors_count"u8, info.UnindexedVectorsCount);
        json.WriteNumber("memory_bytes"u8, info.MemoryBytes);
        json.WriteStartObject("config"u8);
        WriteParams(json, options, shards);
        json.WritePropertyName("hnsw_config"u8);
        OptionsWriter.WriteHnsw(json, WithDefaults(options.Hnsw));
        WriteOptimizers(json, options.Optimizers ?? new OptimizerOptions());
        json.WriteStartObject("wal_config"u8);
        json.WriteNumber("wal_capacity_mb"u8, 32);
        json.WriteNumber("wal_segments_ahead"u8, 0);
        json.WriteEndObject();
        json.WritePropertyName("quantization_config"u8);
        OptionsWriter.WriteQuantization(json, options.Quantization);
        SettingsWriter.WriteCommon(json, options);
        json.WriteEndObject();
        json.WriteStartObject("payload_schema"u8);
        foreach ((string path, PayloadIndexInfo index) in info.PayloadIndexes)
        {
            json.WritePropertyName(path);
            OptionsWriter.WriteIndex(json, index);
        }

        json.WriteEndObject();
        json.WriteEndObject();
    }

    private static void WriteOptimizerStatus(Utf8JsonWriter json, string? problem)
    {
        if (problem is null)
        {
            json.WriteString("optimizer_status"u8, "ok"u8);
            return;
        }

        json.WriteStartObject("optimizer_status"u8);
        json.WriteString("error"u8, problem);
        json.WriteEndObject();
    }

    private static void WriteParams(Utf8JsonWriter json, CollectionOptions options, int shards)
    {
        json.WriteStartObject("params"u8);
        SettingsWriter.WriteVectors(json, options);
        json.WriteNumber("shard_number"u8, shards);
        json.WriteNumber("replication_factor"u8, 1);
        json.WriteNumber("write_consistency_factor"u8, 1);
        json.WriteBoolean("on_disk_payload"u8, options.OnDiskPayload);
        json.WriteEndObject();
    }

    private static HnswOptions WithDefaults(HnswOptions? hnsw) => (hnsw ?? new HnswOptions()) with
    {
        M = hnsw?.M ?? 16,
        EfConstruct = hnsw?.EfConstruct ?? 100,
        FullScanThresholdKb = hnsw?.FullScanThresholdKb ?? 10_000,
        MaxIndexingThreads = hnsw?.MaxIndexingThreads ?? 0,
        OnDisk = hnsw?.OnDisk ?? false,
    };

    private static void WriteOptimizers(Utf8JsonWriter json, OptimizerOptions options)
    {
        json.WriteStartObject("optimizer_config"u8);
        json.WriteNumber("deleted_threshold"u8, options.DeletedThreshold ?? 0.2);
        json.WriteNumber("vacuum_min_vector_number"u8, options.VacuumMinVectorNumber ?? 1000);
        json.WriteNumber("default_segment_number"u8, options.DefaultSegmentNumber ?? 0);
        OptionsWriter.WriteNumber(json, "max_segment_size"u8, options.MaxSegmentSizeKb);
        OptionsWriter.WriteNumber(json, "memmap_threshold"u8, options.MemmapThresholdKb);
        json.WriteNumber("indexing_threshold"u8, options.IndexingThresholdKb ?? 10_000);
        json.WriteNumber("flush_interval_sec"u8, options.FlushIntervalSec ?? 5);
        OptionsWriter.WriteNumber(json, "max_optimization_threads"u8, options.MaxOptimizationThreads);
        json.WriteEndObject();
    }
}
