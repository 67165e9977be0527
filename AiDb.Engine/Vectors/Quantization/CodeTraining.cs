using AiDb.Engine.Vectors.Distances;
using AiDb.Engine.Vectors.Rows;

namespace AiDb.Engine.Vectors.Quantization;

/// <summary>What the codes of an index are made by.</summary>
/// <param name="Grid">The grid of the byte codes.</param>
/// <param name="Centre">The centre of the bit codes; null: there are none.</param>
/// <param name="RotationSeed">The rotation of the bit codes.</param>
/// <param name="Book">The points of the product codes, which are there instead of byte codes; null: there are none.</param>
internal sealed record CodeParameters(ByteGrid Grid, float[]? Centre, ulong RotationSeed, ProductCodebook? Book);

/// <summary>Finds the parameters of the codes for the vectors at hand.</summary>
internal static unsafe class CodeTraining
{
    private const int MaxVectors = 20_000;
    private const long MaxNumbers = 4 << 20;
    private const float DefaultQuantile = 0.9995f;
    private const ulong RotationSeed = 0x416944622E566563;

    /// <summary>Parameters for a sample of the vectors.</summary>
    public static CodeParameters Train(RowStore rows, VectorDistance distance, DenseIndexOptions options)
    {
        float[] numbers = Sample(rows, distance, options);
        if (PartWidth(options) is > 0 and var width)
            return new CodeParameters(ByteGrid.Identity, null, 0, ProductCodebook.Train(numbers, options.Dimensions, width));
        float quantile = options.Quantization is { Kind: QuantizationKind.Scalar } scalar ? scalar.Quantile : DefaultQuantile;
        ByteGrid grid = options.Element == VectorElement.UInt8 && !ByteCodes.MustNormalise(options)
            ? ByteGrid.Identity
            : ByteGrid.Train(numbers, quantile);
        return new CodeParameters(grid, HasBits(options) ? Mean(numbers, options.Dimensions) : null, RotationSeed, null);
    }

    /// <summary>Whether there are bit codes: they say nothing of sums of absolute differences.</summary>
    public static bool HasBits(DenseIndexOptions options) =>
        options.Quantization is { Kind: QuantizationKind.Binary } && options.Metric != VectorMetric.Manhattan;

    /// <summary>Numbers that a product code stands for; 0: there are no product codes. A byte for each number is what byte codes
    /// are, with less error.</summary>
    public static int PartWidth(DenseIndexOptions options) =>
        options.Quantization is { Kind: QuantizationKind.Product, Compression: > sizeof(float) } product
            ? product.Compression / sizeof(float)
            : 0;

    private static float[] Sample(RowStore rows, VectorDistance distance, DenseIndexOptions options)
    {
        int wanted = (int)Math.Clamp(MaxNumbers / options.Dimensions, 1, MaxVectors);
        uint count = rows.RowCount;
        uint stride = Math.Max(1, count / (uint)wanted);
        wanted = (int)Math.Min(wanted, (count / stride) + 1);
        float[] numbers = new float[wanted * options.Dimensions];
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

        return numbers[..(used * options.Dimensions)];
    }

    private static float[] Mean(float[] numbers, int dimensions)
    {
        double[] sums = new double[dimensions];
        for (int i = 0; i < numbers.Length; i++)
            sums[i % dimensions] += numbers[i];
        double count = Math.Max(1, numbers.Length / dimensions);
        return [.. sums.Select(sum => (float)(sum / count))];
    }
}
