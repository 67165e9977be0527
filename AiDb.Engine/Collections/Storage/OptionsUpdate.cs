using AiDb.Engine.Collections.Payloads;

namespace AiDb.Engine.Collections.Storage;

/// <summary>Puts changes of settings on top of settings.</summary>
internal static class OptionsUpdate
{
    /// <summary>The settings with the changes.</summary>
    /// <exception cref="AiDbException"><see cref="AiDbErrorKind.InvalidArgument"/>: a vector does not
    /// exist.</exception>
    public static CollectionOptions Apply(CollectionOptions options, CollectionUpdate update) => options with
    {
        Vectors = update.Vectors is { } vectors ? Dense(options, vectors) : options.Vectors,
        SparseVectors = update.SparseVectors is { } sparse ? Sparse(options, sparse) : options.SparseVectors,
        Hnsw = Merge(options.Hnsw, update.Hnsw),
        Quantization = Merge(options.Quantization, update.Quantization),
        Optimizers = Merge(options.Optimizers, update.Optimizers),
        StrictMode = update.StrictMode ?? options.StrictMode,
        Metadata = update.Metadata is { } metadata
            ? PayloadEditor.Set(options.Metadata ?? Payload.Empty, metadata)
            : options.Metadata,
        TimeToLive = update.TimeToLive is { } lifetime ? (lifetime == TimeSpan.Zero ? null : lifetime) : options.TimeToLive,
    };

    private static Dictionary<string, VectorOptions> Dense(
        CollectionOptions options, IReadOnlyDictionary<string, VectorUpdate> updates)
    {
        Dictionary<string, VectorOptions> merged = new(options.Vectors);
        foreach ((string name, VectorUpdate update) in updates)
        {
            if (!merged.TryGetValue(name, out VectorOptions? vector))
                throw VectorChecks.UnknownName(options, name, "vectors");
            merged[name] = vector with
            {
                Hnsw = Merge(vector.Hnsw, update.Hnsw),
                Quantization = Merge(vector.Quantization, update.Quantization),
                OnDisk = update.OnDisk ?? vector.OnDisk,
            };
        }

        return merged;
    }

    private static Dictionary<string, SparseVectorOptions> Sparse(
        CollectionOptions options, IReadOnlyDictionary<string, SparseVectorOptions> updates)
    {
        Dictionary<string, SparseVectorOptions> merged = new(options.SparseVectors);
        foreach ((string name, SparseVectorOptions update) in updates)
        {
            if (!merged.TryGetValue(name, out SparseVectorOptions? vector))
                throw VectorChecks.UnknownName(options, name, "sparse_vectors");
            merged[name] = update with { Element = vector.Element };
        }

        return merged;
    }

    private static HnswOptions? Merge(HnswOptions? present, HnswOptions? update) =>
        update is null || present is null
            ? update ?? present
            : new HnswOptions
            {
                M = update.M ?? present.M,
                EfConstruct = update.EfConstruct ?? present.EfConstruct,
                FullScanThresholdKb = update.FullScanThresholdKb ?? present.FullScanThresholdKb,
                MaxIndexingThreads = update.MaxIndexingThreads ?? present.MaxIndexingThreads,
                OnDisk = update.OnDisk ?? present.OnDisk,
                PayloadM = update.PayloadM ?? present.PayloadM,
            };

    private static QuantizationOptions? Merge(QuantizationOptions? present, QuantizationOptions? update) =>
        update is null ? present : update.Kind == QuantizationKind.Disabled ? null : update;

    private static OptimizerOptions? Merge(OptimizerOptions? present, OptimizerOptions? update) =>
        update is null || present is null
            ? update ?? present
            : new OptimizerOptions
            {
                IndexingThresholdKb = update.IndexingThresholdKb ?? present.IndexingThresholdKb,
                DeletedThreshold = update.DeletedThreshold ?? present.DeletedThreshold,
                VacuumMinVectorNumber = update.VacuumMinVectorNumber ?? present.VacuumMinVectorNumber,
                DefaultSegmentNumber = update.DefaultSegmentNumber ?? present.DefaultSegmentNumber,
                MaxSegmentSizeKb = update.MaxSegmentSizeKb ?? present.MaxSegmentSizeKb,
                MemmapThresholdKb = update.MemmapThresholdKb ?? present.MemmapThresholdKb,
                FlushIntervalSec = update.FlushIntervalSec ?? present.FlushIntervalSec,
                MaxOptimizationThreads = update.MaxOptimizationThreads ?? present.MaxOptimizationThreads,
            };
}
