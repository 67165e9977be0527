using System.Numerics;
using System.Runtime.CompilerServices;
using System.Runtime.Intrinsics;
using AiDb.Engine.Caching;
using AiDb.Engine.Vectors.Rows;

namespace AiDb.Engine.Vectors.Quantization;

/// <summary>A bit for each number of a vector, after centring and a random rotation, and two factors that make the
/// estimate of a distance unbiased and bounded.</summary>
/// <remarks>
/// Source: Gao and Long, "RaBitQ: Quantizing High-Dimensional Vectors with a Theoretical Error Bound for Approximate Nearest
/// Neighbor Search" (2024), sections 3.2 and 3.3. With o = x - c, u = P o / |o| and s the signs of u over the root of
/// the dimensions, the product of u and a rotated query q' is near that of s and q', divided by that of s and u.
/// The query keeps 4 bits of each number, a plane of words for each bit.
/// Thread safety: a row is written before it is published; all else is immutable.
/// </remarks>
internal sealed unsafe class BitCodes : IDisposable
{
    /// <summary>Bits of a number of the query.</summary>
    public const int Planes = 4;

    private const int WordBits = 64;
    private const int Levels = (1 << Planes) - 1;

    private readonly NativeRows _rows;
    private readonly float[] _centre;
    private readonly bool _squared;
    private readonly float _centreSquare;

    public BitCodes(NativeMemoryAccount account, VectorMetric metric, float[] centre, ulong seed)
    {
        _centre = centre;
        _squared = metric == VectorMetric.Euclid;
        Rotation = new Rotation(centre.Length, seed);
        Words = (centre.Length + WordBits - 1) / WordBits;
        int bytes = (Words * sizeof(ulong)) + (2 * sizeof(float));
        int alignment = bytes > 64 ? 64 : 16;
        _rows = new NativeRows(account, (bytes + alignment - 1) / alignment * alignment);
        foreach (float value in centre)
            _centreSquare += value * value;
    }

    /// <summary>64-bit words of a row's bits.</summary>
    public int Words { get; }

    /// <summary>The rotation.</summary>
    public Rotation Rotation { get; }

    /// <summary>What is subtracted from each vector.</summary>
    public ReadOnlySpan<float> Centre => _centre;

    /// <summary>The rows.</summary>
    public NativeRows Rows => _rows;

    /// <summary>Bytes of a coded query.</summary>
    public int QueryBytes => Words * Planes * sizeof(ulong);

    /// <summary>Writes a row.</summary>
    /// <param name="row">The row.</param>
    /// <param name="vector">Its vector; overwritten.</param>
    public void Encode(uint row, Span<float> vector)
    {
        (float norm, float withCentre) = Centred(vector);
        Rotation.Apply(vector);
        var words = (ulong*)_rows[row];
        float sum = 0;
        for (int word = 0; word < Words; word++)
        {
            ulong bits = 0;
            int first = word * WordBits;
            int count = Math.Min(WordBits, vector.Length - first);
            for (int i = 0; i < count; i++)
            {
                float value = vector[first + i];
                sum += MathF.Abs(value);
                bits |= value > 0 ? 1UL << i : 0;
            }

            words[word] = bits;
        }

        // |o| divided by the product of s and u, and by the root of the dimensions that s carries.
        float scale = sum > 0 ? norm * norm / sum : 0;
        var factors = (float*)(words + Words);
        factors[0] = _squared ? norm * norm : -(withCentre + _centreSquare);
        factors[1] = _squared ? 2 * scale : scale;
    }

    /// <summary>Makes room for a row without bits, and clears it.</summary>
    public void Clear(uint row)
    {
        _rows.Ensure(row);
        new Span<byte>(_rows[row], _rows.Stride).Clear();
    }

    /// <summary>A scorer of a query.</summary>
    /// <param name="query">The query; overwritten.</param>
    /// <param name="buffer">Takes the coded query; used as long as the scorer is.</param>
    /// <param name="confidence">How many standard errors below the estimate the bound lies.</param>
    public BitScorer OfQuery(Span<float> query, byte* buffer, float confidence)
    {
        (float norm, float withCentre) = Centred(query);
        Rotation.Apply(query);
        float most = LargestMagnitude(query);

        float step = most > 0 ? 2 * most / Levels : 1;
        var planes = (ulong*)buffer;
        uint sum = WritePlanes(query, most, 1 / step, planes);

        // A sign differs from the number it stands for by some 0.6 of the query's length over the root of the dimensions.
        const float SignError = 0.6f;
        return new BitScorer
        {
            Rows = _rows.Addresses,
            Query = planes,
            Words = Words,
            Constant = _squared ? norm * norm : -withCentre,
            CountFactor = -2 * most,
            LevelFactor = 2 * step,
            Offset = (query.Length * most) - (step * sum),
            Margin = confidence * SignError * norm,
        };
    }

    /// <inheritdoc/>
    public void Dispose() => _rows.Dispose();

    private static float LargestMagnitude(ReadOnlySpan<float> vector)
    {
        var largest = Vector128<float>.Zero;
        int i = 0;
        for (; i <= vector.Length - Vector128<float>.Count; i += Vector128<float>.Count)
            largest = Vector128.Max(largest, Vector128.Abs(Vector128.Create(vector[i..])));
        float most = MathF.Max(MathF.Max(largest[0], largest[1]), MathF.Max(largest[2], largest[3]));
        for (; i < vector.Length; i++)
            most = MathF.Max(most, MathF.Abs(vector[i]));
        return most;
    }

    // A bit of each number's level in each of four planes, word by word; gives the sum of the levels.
    private uint WritePlanes(ReadOnlySpan<float> query, float most, float inverse, ulong* planes)
    {
        new Span<ulong>(planes, Words * Planes).Clear();
        uint sum = 0;
        int i = 0;
        if (Vector512.IsHardwareAccelerated)
        {
            var total = Vector512<int>.Zero;
            for (; i <= query.Length - Vector512<float>.Count; i += Vector512<float>.Count)
            {
                Vector512<float> scaled = (Vector512.Create(query[i..]) + Vector512.Create(most)) * Vector512.Create(inverse);
                Vector512<int> level = Vector512.ConvertToInt32(scaled + Vector512.Create(0.5f));
                level = Vector512.Clamp(level, Vector512<int>.Zero, Vector512.Create(Levels));
                total += level;
                for (int plane = 0; plane < Planes; plane++)
                {
                    // The plane's bit becomes the sign.
                    ulong bits = Vector512.ShiftLeft(level, 31 - plane).ExtractMostSignificantBits();
                    planes[(i / WordBits * Planes) + plane] |= bits << (i % WordBits);
                }
            }

            sum = (uint)Vector512.Sum(total);
        }

        for (; i < query.Length; i++)
        {
            uint level = (uint)Math.Clamp((int)(((query[i] + most) * inverse) + 0.5f), 0, Levels);
            sum += level;
            for (int plane = 0; plane < Planes; plane++)
                planes[(i / WordBits * Planes) + plane] |= (ulong)((level >> plane) & 1) << (i % WordBits);
        }

        return sum;
    }

    // The length of the vector less the centre, which it becomes, and the product of that with the centre.
    private (float Norm, float WithCentre) Centred(Span<float> vector)
    {
        var squares = Vector128<float>.Zero;
        var products = Vector128<float>.Zero;
        int i = 0;
        for (; i <= vector.Length - Vector128<float>.Count; i += Vector128<float>.Count)
        {
            Vector128<float> centre = Vector128.Create(_centre.AsSpan(i));
            Vector128<float> rest = Vector128.Create<float>(vector[i..]) - centre;
            rest.CopyTo(vector[i..]);
            squares += rest * rest;
            products += rest * centre;
        }

        float square = Vector128.Sum(squares);
        float product = Vector128.Sum(products);
        for (; i < vector.Length; i++)
        {
            vector[i] -= _centre[i];
            square += vector[i] * vector[i];
            product += vector[i] * _centre[i];
        }

        return (MathF.Sqrt(square), product);
    }
}

/// <summary>Estimates distances from bits.</summary>
internal readonly unsafe struct BitScorer : IRowScorer
{
    public required RowAddresses Rows { get; init; }

    public required ulong* Query { get; init; }

    public required int Words { get; init; }

    public required float Constant { get; init; }

    public required float CountFactor { get; init; }

    public required float LevelFactor { get; init; }

    public required float Offset { get; init; }

    public required float Margin { get; init; }

    /// <inheritdoc/>
    public int Ahead => PrefetchDepth.Of(Words * sizeof(ulong));

    /// <inheritdoc/>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public float Distance(uint row) => Estimate(row, Offset);

    /// <summary>What the distance is hardly ever below.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public float Lower(uint row) => Estimate(row, Offset + Margin);

    /// <inheritdoc/>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public void Prefetch(uint row)
    {
        byte* bits = Rows[row];
        CpuPrefetch.Read(bits);
        if (Words > 6)
            CpuPrefetch.Read(bits + 64);
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private float Estimate(uint row, float offset)
    {
        var bits = (ulong*)Rows[row];
        ulong* planes = Query;
        int count = 0, first = 0, second = 0, third = 0, fourth = 0;
        for (int word = 0; word < Words; word++, planes += BitCodes.Planes)
        {
            ulong value = bits[word];
            count += BitOperations.PopCount(value);
            first += BitOperations.PopCount(value & planes[0]);
            second += BitOperations.PopCount(value & planes[1]);
            third += BitOperations.PopCount(value & planes[2]);
            fourth += BitOperations.PopCount(value & planes[3]);
        }

        var factors = (float*)(bits + Words);
        int levels = first + (2 * second) + (4 * third) + (8 * fourth);
        float product = (CountFactor * count) + (LevelFactor * levels) + offset;
        return Constant + factors[0] - (factors[1] * product);
    }
}
