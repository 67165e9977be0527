using System.Runtime.CompilerServices;
using System.Runtime.InteropServices;
using System.Runtime.Intrinsics;
using AiDb.Engine.Caching;
using AiDb.Engine.Vectors.Distances;
using AiDb.Engine.Vectors.Rows;

namespace AiDb.Engine.Vectors.Quantization;

/// <summary>Where the parts of a row of byte codes lie.</summary>
/// <param name="Dimensions">Codes.</param>
internal readonly record struct ByteLayout(int Dimensions)
{
    private const int Width = 32;

    /// <summary>Bytes that the product kernel reads: whole vectors, so that it has no rest.</summary>
    public int Padded => (Dimensions + Width - 1) / Width * Width;

    /// <summary>The row's own part of each distance, 4 bytes: in the padding where it fits.</summary>
    public int BiasAt => (Dimensions + sizeof(float) - 1) / sizeof(float) * sizeof(float);

    /// <summary>Bytes of a row.</summary>
    public int Stride => (Math.Max(Padded, BiasAt + sizeof(float)) + Width - 1) / Width * Width;
}

/// <summary>A byte for each number of a vector, on one grid for all dimensions: squared distances and products
/// of codes are integers.</summary>
/// <remarks>
/// With x = o + s c, the squared distance is s^2 (Qx + Qy - 2 P), the product n o^2 + o s (Tx + Ty) + s^2 P, where P is
/// the product of the codes, Q their squares and T their sum. The kernel gives P less 128 Tx. A row
/// carries the part that only it decides.
/// Thread safety: a row is written before it is published; all else is immutable.
/// </remarks>
internal sealed unsafe class ByteCodes<TScorer> : IVectorCodes<TScorer>
    where TScorer : struct, IByteScorer<TScorer>
{
    private readonly NativeRows _rows;
    private readonly VectorMetric _metric;
    private readonly bool _normalise;

    public ByteCodes(NativeMemoryAccount account, DenseIndexOptions options, ByteGrid grid)
    {
        Grid = grid;
        Layout = new ByteLayout(options.Dimensions);
        _metric = options.Metric;
        _normalise = ByteCodes.MustNormalise(options);
        _rows = new NativeRows(account, Layout.Stride);
    }

    /// <summary>The grid.</summary>
    public ByteGrid Grid { get; }

    /// <summary>Where the parts of a row lie.</summary>
    public ByteLayout Layout { get; }

    /// <inheritdoc/>
    public int Dimensions => Layout.Dimensions;

    /// <inheritdoc/>
    public int QueryBytes => Layout.Stride;

    /// <inheritdoc/>
    public NativeRows Rows => _rows;

    /// <inheritdoc/>
    public long BytesOf(long rows) => _rows.BytesOf(rows);

    /// <inheritdoc/>
    public void Ensure(uint row) => _rows.Ensure(row);

    /// <inheritdoc/>
    public float Encode(uint row, Span<float> vector)
    {
        byte* target = _rows[row];
        float error = Quantize(vector, target);
        *(float*)(target + Layout.BiasAt) = _metric switch
        {
            VectorMetric.Euclid => Grid.Step * Grid.Step * Squares(target),
            VectorMetric.Manhattan => 0,
            _ => -Grid.Origin * Grid.Step * ByteKernels.Total(target, Layout.Dimensions),
        };
        return error;
    }

    /// <inheritdoc/>
    public void Clear(uint row)
    {
        _rows.Ensure(row);
        NativeMemory.Clear(_rows[row], (nuint)Layout.Stride);
    }

    /// <inheritdoc/>
    public void Decode(uint row, Span<float> vector)
    {
        byte* codes = _rows[row];
        for (int i = 0; i < vector.Length; i++)
            vector[i] = Grid.Origin + (Grid.Step * codes[i]);
    }

    /// <inheritdoc/>
    public TScorer OfQuery(Span<float> query, byte* buffer)
    {
        Quantize(query, buffer);
        return Make(buffer, _metric == VectorMetric.Euclid ? Squares(buffer) : 0);
    }

    /// <inheritdoc/>
    public TScorer OfRow(uint row, byte* buffer)
    {
        NativeMemory.Copy(_rows[row], buffer, (nuint)Layout.Dimensions);
        ClearPadding(buffer);
        float bias = *(float*)(_rows[row] + Layout.BiasAt);
        return Make(buffer, bias / (Grid.Step * Grid.Step));
    }

    /// <inheritdoc/>
    public void Dispose() => _rows.Dispose();

    private TScorer Make(byte* codes, float squares)
    {
        float squareStep = Grid.Step * Grid.Step;
        (float constant, float factor) = _metric switch
        {
            VectorMetric.Euclid => (
                (float)(squareStep * (squares - (256.0 * ByteKernels.Total(codes, Layout.Dimensions)))),
                2 * squareStep),
            VectorMetric.Manhattan => (0, Grid.Step),
            _ => (
                (float)-((Layout.Dimensions * (double)Grid.Origin * Grid.Origin)
                    + (((Grid.Origin * Grid.Step) + (128.0 * squareStep)) * ByteKernels.Total(codes, Layout.Dimensions))),
                squareStep),
        };
        return TScorer.Make(
            _rows.Addresses, new ByteQuery { Codes = codes, Constant = constant, Factor = factor }, Layout);
    }

    private float Quantize(Span<float> vector, byte* target)
    {
        if (_normalise)
            ByteCodes.Normalise(vector);
        float inverse = 1 / Grid.Step;
        float error = 0;
        int index = 0;
        Vector128<float> errors = default;
        fixed (float* source = vector)
        {
            for (; index <= vector.Length - 16; index += 16)
            {
                Vector128<ushort> low = Vector128.Narrow(
                    Code(source + index, inverse, ref errors), Code(source + index + 4, inverse, ref errors));
                Vector128<ushort> high = Vector128.Narrow(
                    Code(source + index + 8, inverse, ref errors), Code(source + index + 12, inverse, ref errors));
                Vector128.Narrow(low, high).Store(target + index);
            }
        }

        error += Vector128.Sum(errors);
        for (; index < vector.Length; index++)
        {
            target[index] = (byte)Math.Clamp(MathF.Round((vector[index] - Grid.Origin) * inverse), 0, 255);
            float lost = vector[index] - (Grid.Origin + (Grid.Step * target[index]));
            error += lost * lost;
        }

        ClearPadding(target);
        return error;
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private Vector128<uint> Code(float* source, float inverse, ref Vector128<float> errors)
    {
        Vector128<float> value = Vector128.Load(source), origin = Vector128.Create(Grid.Origin);
        Vector128<float> code = Vector128.Round((value - origin) * Vector128.Create(inverse));
        code = Vector128.Min(Vector128.Max(code, default), Vector128.Create(255f));
        Vector128<float> lost = value - (origin + (Vector128.Create(Grid.Step) * code));
        errors += lost * lost;
        return Vector128.ConvertToInt32(code).AsUInt32();
    }

    private void ClearPadding(byte* codes) =>
        NativeMemory.Clear(codes + Layout.Dimensions, (nuint)(Layout.Stride - Layout.Dimensions));

    // The squares of the codes: a zero row would need memory, the product needs none.
    private float Squares(byte* codes) =>
        ByteKernels.DotLess128(codes, codes, Layout.Dimensions)
            + (128f * ByteKernels.Total(codes, Layout.Dimensions));
}

/// <summary>What byte codes of all metrics share.</summary>
internal static class ByteCodes
{
    /// <summary>Whether vectors are normalised before they are coded: bytes are not when they are stored.</summary>
    public static bool MustNormalise(DenseIndexOptions options) =>
        options is { Metric: VectorMetric.Cosine, Element: VectorElement.UInt8 };

    /// <summary>Makes a vector's length 1, unless it is 0.</summary>
    public static void Normalise(Span<float> vector)
    {
        float square = 0;
        foreach (float value in vector)
            square += value * value;
        if (square == 0)
            return;
        float scale = 1 / MathF.Sqrt(square);
        foreach (ref float value in vector)
            value *= scale;
    }
}
