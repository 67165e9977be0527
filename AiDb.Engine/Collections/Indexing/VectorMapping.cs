using AiDb.Engine.Vectors;

namespace AiDb.Engine.Collections.Indexing;

/// <summary>What the settings of a collection mean for its indexes.</summary>
internal static class VectorMapping
{
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
    };

    /// <summary>The index over the vectors of a name.</summary>
    public static VectorField ToField(CollectionOptions collection, string name)
    {
        if (!collection.Vectors.TryGetValue(name, out VectorOptions? vector))
            return new SparseField(name, collection.SparseVectors[name]);
        return vector.MultiVector is null
            ? new DenseField(name, vector, ToIndex(collection, vector))
            : new MultiField(name, vector);
    }
}
