using System.Text.Json;
using AiDb.Engine.Collections;

namespace AiDb.Gateway.Qdrant.Rest.Writing;

/// <summary>Writes a collection's settings as the body that would create it.</summary>
internal static class SettingsWriter
{
    /// <summary>Writes the settings; what was not chosen is left out.</summary>
    public static void Write(Utf8JsonWriter json, CollectionOptions options)
    {
        json.WriteStartObject();
        WriteVectors(json, options);
        json.WriteBoolean("on_disk_payload"u8, options.OnDiskPayload);
        if (options.Hnsw is { } hnsw)
        {
            json.WritePropertyName("hnsw_config"u8);
            OptionsWriter.WriteHnsw(json, hnsw);
        }

        if (options.Quantization is { } quantization)
        {
            json.WritePropertyName("quantization_config"u8);
            OptionsWriter.WriteQuantization(json, quantization);
        }

        if (options.Optimizers is { } optimizers)
            WriteOptimizers(json, optimizers);
        WriteCommon(json, options);
        json.WriteEndObject();
    }

    /// <summary>Writes the members <c>vectors</c> and <c>sparse_vectors</c>.</summary>
    public static void WriteVectors(Utf8JsonWriter json, CollectionOptions options)
    {
        if (options.Vectors.Count == 1 && options.Vectors.TryGetValue(NamedVectors.Unnamed, out VectorOptions? only))
        {
            json.WritePropertyName("vectors"u8);
            OptionsWriter.WriteVector(json, only);
        }
        else
        {
            json.WriteStartObject("vectors"u8);
            foreach ((string name, VectorOptions vector) in options.Vectors)
            {
                json.WritePropertyName(name);
                OptionsWriter.WriteVector(json, vector);
            }

            json.WriteEndObject();
        }

        if (options.SparseVectors.Count == 0)
            return;
        json.WriteStartObject("sparse_vectors"u8);
        foreach ((string name, SparseVectorOptions vector) in options.SparseVectors)
        {
            json.WritePropertyName(name);
            OptionsWriter.WriteSparse(json, vector);
        }

        json.WriteEndObject();
    }

    /// <summary>Writes bounds, notes and time to live, as far as they were chosen.</summary>
    public static void WriteCommon(Utf8JsonWriter json, CollectionOptions options)
    {
        if (options.StrictMode is { } strict)
            WriteStrictMode(json, strict);
        if (options.Metadata is { } metadata)
        {
            json.WritePropertyName("metadata"u8);
            PointWriter.WritePayload(json, metadata);
        }

        if (options.TimeToLive is { } timeToLive)
            json.WriteNumber("ttl"u8, timeToLive.TotalSeconds);
    }

    private static void WriteOptimizers(Utf8JsonWriter json, OptimizerOptions options)
    {
        json.WriteStartObject("optimizers_config"u8);
        if (options.DeletedThreshold is { } deleted)
            json.WriteNumber("deleted_threshold"u8, deleted);
        OptionsWriter.WriteChosen(json, "vacuum_min_vector_number"u8, options.VacuumMinVectorNumber);
        OptionsWriter.WriteChosen(json, "default_segment_number"u8, options.DefaultSegmentNumber);
        OptionsWriter.WriteChosen(json, "max_segment_size"u8, options.MaxSegmentSizeKb);
        OptionsWriter.WriteChosen(json, "memmap_threshold"u8, options.MemmapThresholdKb);
        OptionsWriter.WriteChosen(json, "indexing_threshold"u8, options.IndexingThresholdKb);
        OptionsWriter.WriteChosen(json, "flush_interval_sec"u8, options.FlushIntervalSec);
        OptionsWriter.WriteChosen(json, "max_optimization_threads"u8, options.MaxOptimizationThreads);
        json.WriteEndObject();
    }

    private static void WriteStrictMode(Utf8JsonWriter json, StrictModeOptions strict)
    {
        json.WriteStartObject("strict_mode_config"u8);
        json.WriteBoolean("enabled"u8, strict.Enabled);
        OptionsWriter.WriteChosen(json, "max_query_limit"u8, strict.MaxQueryLimit);
        OptionsWriter.WriteChosen(json, "max_timeout"u8, strict.MaxTimeout);
        OptionsWriter.WriteChosen(json, "unindexed_filtering_retrieve"u8, strict.UnindexedFilteringRetrieve);
        OptionsWriter.WriteChosen(json, "unindexed_filtering_update"u8, strict.UnindexedFilteringUpdate);
        OptionsWriter.WriteChosen(json, "search_max_hnsw_ef"u8, strict.SearchMaxHnswEf);
        OptionsWriter.WriteChosen(json, "search_allow_exact"u8, strict.SearchAllowExact);
        if (strict.SearchMaxOversampling is { } oversampling)
            json.WriteNumber("search_max_oversampling"u8, oversampling);
        OptionsWriter.WriteChosen(json, "upsert_max_batchsize"u8, strict.UpsertMaxBatchsize);
        OptionsWriter.WriteChosen(json, "filter_max_conditions"u8, strict.FilterMaxConditions);
        OptionsWriter.WriteChosen(json, "condition_max_size"u8, strict.ConditionMaxSize);
        json.WriteEndObject();
    }
}
