using AiDb.Engine.Vectors.Distances;
using AiDb.Engine.Vectors.Rows;

namespace AiDb.Engine.Vectors.Quantization;

/// <summary>Finds the grid of byte codes for the vectors at hand.</summary>
internal static unsafe class GridTraining
{
    private const int MaxVectors = 20_000;
    private const long MaxNumbers = 4 << 20;

    /// <summary>A grid for a sample of the vectors.</summary>
    public static ByteGrid Train(RowStore rows, VectorDistance distance, DenseIndexOptions options)
    {
        if (options.Element == VectorElement.UInt8 && !ByteCodes.MustNormalise(options))
            return ByteGrid.Identity;
        int wanted = (int)Math.Clamp(MaxNumbers / options.Dimensions, 1, MaxVectors);
        uint count = rows.RowCount;
        uint stride = Math.Max(1, count / (uint)wanted);
        float[] numbers = new float[(long)wanted * options.Dimensions];
        int used = 0;
        for (uint row = 0; row < count && used < wanted; row += stride)
        {
            byte* vector = rows.IsValid(row) ? rows.VectorOf(row) : null;
            if (vector is null)
                continue;
            Span<float> target = numbers.AsSpan(used * options.Dimensions, options.Dimensions);
            distance.Load(vector, target);
            if (ByteCodes.MustNormalise(options))
                ByteCodes.Normalise(target);
            used++;
        }

        float quantile = options.Quantization is { Kind: QuantizationKind.Scalar } scalar ? scalar.Quantile : 0.9995f;
        return ByteGrid.Train(numbers.AsSpan(0, used * options.Dimensions), quantile);
    }
}
