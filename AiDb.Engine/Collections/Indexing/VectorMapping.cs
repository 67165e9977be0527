using AiDb.Engine.Vectors;

namespace AiDb.Engine.Collections.Indexing;

/// <summary>What the settings of a collection mean for its indexes.</summary>
internal static class VectorMapping
{
    private const int DefaultCompression = 16;
    private const int DefaultM = 16;
    private const int LeastM = 4;
    private const int DefaultEfConstruct = 100;
    private const int DefaultThresholdKb = 10_000;

    /// <summary>The metric of the kernels.</summary>
    public static Vectors.VectorMetric ToKernel(this VectorMetric metric) => metric switch
    {
        VectorMetric.Euclid => Vectors.VectorMetric.Euclid,
        VectorMetric.Dot => Vectors.VectorMetric.Dot,
        VectorMetric.Manhattan => Vectors.VectorMetric.Manhattan,
        _ => Vectors.VectorMetric.Cosine,
    };

    /// <summary>The element of the kernels.</summary>
    public static Vectors.VectorElement ToKernel(this VectorElement element) => element switch
    {
        VectorElement.UInt8 => Vectors.VectorElement.UInt8,
        VectorElement.Float16 => Vectors.VectorElement.Float16,
        _ => Vectors.VectorElement.Float32,
    };

    /// <summary>The shape of the index over a dense vector.</summary>
    public static DenseIndexOptions ToIndex(CollectionOptions collection, VectorOptions vector) => new()
    {
        Dimensions = vector.Dimensions,
        Metric = vector.Metric.ToKernel(),
        Element = vector.Element.ToKernel(),
        Hnsw = ToGraph(collection.Hnsw ?? new HnswOptions(), vector.Hnsw ?? new HnswOptions()),
        IndexingThresholdKb = ToKb(collection.Optimizers?.IndexingThresholdKb),
        Quantization = ToCodes(vector.Quantization ?? collection.Quantization, vector.OnDisk == true),
    };

    /// <summary>The index over the vectors of a name.</summary>
    public static VectorField ToField(CollectionOptions collection, string name, IOriginalVectors originals)
    {
        if (!collection.Vectors.TryGetValue(name, out VectorOptions? vector))
            return new SparseField(name, collection.SparseVectors[name]);
        return vector.MultiVector is null
            ? new DenseField(name, vector, ToIndex(collection, vector), originals)
            : new MultiField(name, vector);
    }

    private static Vectors.HnswOptions ToGraph(HnswOptions collection, HnswOptions vector)
    {
        int m = vector.M ?? collection.M ?? DefaultM;
        return new Vectors.HnswOptions
        {
            // What is out of the graph's limits was taken from the user and is brought into them.
            M = m == 0 ? 0 : Math.Clamp(m, LeastM, Vectors.HnswOptions.MaxM),
            EfConstruct = Math.Clamp(
                vector.EfConstruct ?? collection.EfConstruct ?? DefaultEfConstruct, LeastM, Vectors.HnswOptions.MaxEfConstruct),
            FullScanThresholdKb = ToKb(vector.FullScanThresholdKb ?? collection.FullScanThresholdKb),
            MaxIndexingThreads = vector.MaxIndexingThreads ?? collection.MaxIndexingThreads ?? 0,
        };
    }

    private static Vectors.QuantizationOptions? ToCodes(QuantizationOptions? options, bool onDisk)
    {
        if (options is null or { Kind: QuantizationKind.Disabled })
            return null;
        return new Vectors.QuantizationOptions
        {
            Kind = options.Kind switch
            {
                QuantizationKind.Binary or QuantizationKind.RotatedBinary => Vectors.QuantizationKind.Binary,
                QuantizationKind.Product => Vectors.QuantizationKind.Product,
                _ => Vectors.QuantizationKind.Scalar,
            },
            Quantile = options.Quantile ?? 1,
            Compression = options.CompressionRatio ?? DefaultCompression,
            KeepOriginals = !onDisk,
        };
    }

    private static int ToKb(long? kilobytes) => (int)Math.Clamp(kilobytes ?? DefaultThresholdKb, 0, int.MaxValue >> 10);
}
