using System.Runtime.CompilerServices;
using System.Runtime.InteropServices;
using System.Runtime.Intrinsics;
using AiDb.Engine.Caching;
using AiDb.Engine.Vectors.Distances;
using AiDb.Engine.Vectors.Rows;

namespace AiDb.Engine.Vectors.Quantization;

/// <summary>A byte for each part of a vector: the number of the point that stands for it.</summary>
/// <remarks>A query is compared as it is; a row that is a query, as its codes say.
/// Thread safety: a row is written before it is published; all else is immutable.</remarks>
internal sealed unsafe class ProductCodes<TFold> : IVectorCodes<ProductScorer<TFold>>
    where TFold : struct, IFold
{
    private const int Alignment = 16;

    private readonly ProductCodebook _book;
    private readonly NativeRows _rows;
    private readonly bool _normalise;
    private readonly float _sign;

    public ProductCodes(NativeMemoryAccount account, DenseIndexOptions options, ProductCodebook book)
    {
        _book = book;
        _normalise = ByteCodes.MustNormalise(options);
        _sign = options.Metric is VectorMetric.Euclid or VectorMetric.Manhattan ? 1 : -1;
        _rows = new NativeRows(account, (book.Parts + Alignment - 1) / Alignment * Alignment);
    }

    /// <inheritdoc/>
    public int Dimensions => _book.Dimensions;

    /// <inheritdoc/>
    public NativeRows Rows => _rows;

    /// <inheritdoc/>
    public int QueryBytes => _book.Parts * _book.Width * sizeof(float);

    /// <inheritdoc/>
    public long BytesOf(long rows) => _rows.BytesOf(rows) + _book.Bytes;

    /// <inheritdoc/>
    public void Ensure(uint row) => _rows.Ensure(row);

    /// <inheritdoc/>
    public float Encode(uint row, Span<float> vector)
    {
        if (_normalise)
            ByteCodes.Normalise(vector);
        byte* codes = _rows[row];
        Span<float> numbers = stackalloc float[_book.Width];
        float error = 0;
        for (int part = 0; part < _book.Parts; part++)
        {
            ProductCodebook.CopyPart(vector, part, numbers);
            codes[part] = _book.Nearest(part, numbers, out float square);
            error += square;
        }

        return error;
    }

    /// <inheritdoc/>
    public void Clear(uint row)
    {
        _rows.Ensure(row);
        NativeMemory.Clear(_rows[row], (nuint)_rows.Stride);
    }

    /// <inheritdoc/>
    public void Decode(uint row, Span<float> vector)
    {
        byte* codes = _rows[row];
        for (int part = 0; part * _book.Width < vector.Length; part++)
        {
            int first = part * _book.Width;
            PointOf(part, codes[part])[..Math.Min(_book.Width, vector.Length - first)].CopyTo(vector[first..]);
        }
    }

    /// <inheritdoc/>
    public ProductScorer<TFold> OfQuery(Span<float> query, byte* buffer)
    {
        if (_normalise)
            ByteCodes.Normalise(query);
        Span<float> numbers = new(buffer, _book.Parts * _book.Width);
        query.CopyTo(numbers);
        numbers[query.Length..].Clear();
        return Make(buffer);
    }

    /// <inheritdoc/>
    public ProductScorer<TFold> OfRow(uint row, byte* buffer)
    {
        byte* codes = _rows[row];
        Span<float> numbers = new(buffer, _book.Parts * _book.Width);
        for (int part = 0; part < _book.Parts; part++)
            PointOf(part, codes[part]).CopyTo(numbers[(part * _book.Width)..]);
        return Make(buffer);
    }

    /// <inheritdoc/>
    public void Dispose() => _rows.Dispose();

    private ReadOnlySpan<float> PointOf(int part, byte code) =>
        new(_book.Address + ((((long)part * ProductCodebook.Points) + code) * _book.Width), _book.Width);

    private ProductScorer<TFold> Make(byte* buffer) => new()
    {
        Rows = _rows.Addresses,
        Query = (float*)buffer,
        Points = _book.Address,
        Parts = _book.Parts,
        Width = _book.Width,
        Sign = _sign,
    };
}

/// <summary>Compares a query with the points that a row's codes name.</summary>
/// <remarks>Reads the points where they lie: tables of the distances of the query's parts to all points would be quicker to read
/// from, but cost more to make than the comparisons of an insert.</remarks>
internal readonly unsafe struct ProductScorer<TFold> : IRowScorer
    where TFold : struct, IFold
{
    public required RowAddresses Rows { get; init; }

    public required float* Query { get; init; }

    public required float* Points { get; init; }

    public required int Parts { get; init; }

    public required int Width { get; init; }

    public required float Sign { get; init; }

    /// <inheritdoc/>
    public int Ahead => PrefetchDepth.Of(Parts);

    /// <inheritdoc/>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public float Distance(uint row)
    {
        byte* codes = Rows[row];
        return Sign * (Width switch
        {
            16 => Sum16(codes),
            8 => Sum8(codes),
            4 => Sum4(codes),
            _ => Sum2(codes),
        });
    }

    /// <inheritdoc/>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public void Prefetch(uint row)
    {
        byte* codes = Rows[row];
        for (int at = 0; at < Parts; at += 64)
            CpuPrefetch.Read(codes + at);
    }

    // Two sums, so that an addition does not wait for the one before. Parts are even in number.
    private float Sum16(byte* codes)
    {
        Vector512<float> even = default, odd = default;
        float* query = Query, points = Points;
        for (int part = 0; part < Parts; part += 2, query += 32, points += 32 * ProductCodebook.Points)
        {
            even = TFold.Add(even, Vector512.Load(query), Vector512.Load(points + (codes[part] * 16)));
            odd = TFold.Add(odd, Vector512.Load(query + 16), Vector512.Load(points + ((ProductCodebook.Points + codes[part + 1]) * 16)));
        }

        return Vector512.Sum(even + odd);
    }

    private float Sum8(byte* codes)
    {
        Vector256<float> even = default, odd = default;
        float* query = Query, points = Points;
        for (int part = 0; part < Parts; part += 2, query += 16, points += 16 * ProductCodebook.Points)
        {
            even = TFold.Add(even, Vector256.Load(query), Vector256.Load(points + (codes[part] * 8)));
            odd = TFold.Add(odd, Vector256.Load(query + 8), Vector256.Load(points + ((ProductCodebook.Points + codes[part + 1]) * 8)));
        }

        return Vector256.Sum(even + odd);
    }

    private float Sum4(byte* codes)
    {
        Vector128<float> even = default, odd = default;
        float* query = Query, points = Points;
        for (int part = 0; part < Parts; part += 2, query += 8, points += 8 * ProductCodebook.Points)
        {
            even = TFold.Add(even, Vector128.Load(query), Vector128.Load(points + (codes[part] * 4)));
            odd = TFold.Add(odd, Vector128.Load(query + 4), Vector128.Load(points + ((ProductCodebook.Points + codes[part + 1]) * 4)));
        }

        return Vector128.Sum(even + odd);
    }

    private float Sum2(byte* codes)
    {
        Vector128<float> sum = default;
        float* query = Query, points = Points;
        for (int part = 0; part < Parts; part += 2, query += 4, points += 4 * ProductCodebook.Points)
        {
            var pair = Vector128.Create(
                Vector64.Load(points + (codes[part] * 2)), Vector64.Load(points + ((ProductCodebook.Points + codes[part + 1]) * 2)));
            sum = TFold.Add(sum, Vector128.Load(query), pair);
        }

        return Vector128.Sum(sum);
    }
}
