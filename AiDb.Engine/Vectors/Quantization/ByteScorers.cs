using System.Runtime.CompilerServices;
using AiDb.Engine.Caching;
using AiDb.Engine.Vectors.Distances;
using AiDb.Engine.Vectors.Rows;

namespace AiDb.Engine.Vectors.Quantization;

/// <summary>A coded query of <see cref="ByteCodes{TScorer}"/>.</summary>
internal readonly unsafe struct ByteQuery
{
    /// <summary>The codes, padded with zeroes.</summary>
    public required byte* Codes { get; init; }

    /// <summary>What the query adds to each distance.</summary>
    public required float Constant { get; init; }

    /// <summary>What a unit of the integer sum is worth.</summary>
    public required float Factor { get; init; }
}

/// <summary>Makes a scorer of its parts.</summary>
internal interface IByteScorer<out TSelf> : IRowScorer
    where TSelf : struct, IByteScorer<TSelf>
{
    /// <summary>A scorer.</summary>
    static abstract TSelf Make(RowAddresses rows, ByteQuery query, ByteLayout layout);
}

/// <summary>Products and squared distances: what the query adds, plus what the row adds, less the product of their
/// codes. The padding of the row may hold anything, since the query's is zero.</summary>
internal readonly unsafe struct ByteProductScorer : IByteScorer<ByteProductScorer>
{
    private readonly RowAddresses _rows;
    private readonly byte* _query;
    private readonly int _padded;
    private readonly int _biasAt;
    private readonly float _constant;
    private readonly float _factor;

    private ByteProductScorer(RowAddresses rows, ByteQuery query, ByteLayout layout)
    {
        _rows = rows;
        _query = query.Codes;
        _padded = layout.Padded;
        _biasAt = layout.BiasAt;
        _constant = query.Constant;
        _factor = query.Factor;
    }

    /// <inheritdoc/>
    public static ByteProductScorer Make(RowAddresses rows, ByteQuery query, ByteLayout layout) =>
        new(rows, query, layout);

    /// <inheritdoc/>
    public int Ahead => PrefetchDepth.Of(_padded);

    /// <inheritdoc/>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public float Distance(uint row)
    {
        byte* codes = _rows[row];
        int product = ByteKernels.DotLess128(_query, codes, _padded);
        return _constant + *(float*)(codes + _biasAt) - (_factor * product);
    }

    /// <inheritdoc/>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public void Prefetch(uint row)
    {
        byte* codes = _rows[row];
        for (int at = 0; at < _padded; at += 64)
            CpuPrefetch.Read(codes + at);
    }
}

/// <summary>Sums of absolute differences.</summary>
internal readonly unsafe struct ByteAbsoluteScorer : IByteScorer<ByteAbsoluteScorer>
{
    private readonly RowAddresses _rows;
    private readonly byte* _query;
    private readonly int _dimensions;
    private readonly float _factor;

    private ByteAbsoluteScorer(RowAddresses rows, ByteQuery query, ByteLayout layout)
    {
        _rows = rows;
        _query = query.Codes;
        _dimensions = layout.Dimensions;
        _factor = query.Factor;
    }

    /// <inheritdoc/>
    public static ByteAbsoluteScorer Make(RowAddresses rows, ByteQuery query, ByteLayout layout) =>
        new(rows, query, layout);

    /// <inheritdoc/>
    public int Ahead => PrefetchDepth.Of(_dimensions);

    /// <inheritdoc/>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public float Distance(uint row) => _factor * ByteKernels.Absolute(_query, _rows[row], _dimensions);

    /// <inheritdoc/>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public void Prefetch(uint row)
    {
        byte* codes = _rows[row];
        for (int at = 0; at < _dimensions; at += 64)
            CpuPrefetch.Read(codes + at);
    }
}
