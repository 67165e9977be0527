using System.Runtime.CompilerServices;
using System.Runtime.Intrinsics;

namespace AiDb.Engine.Vectors.Distances;

/// <summary>Sums over the pairs of a query of floats and a row, in the widest vectors that the processor has, with
/// four accumulators so that no addition waits for the one before.</summary>
internal static unsafe class FloatKernels
{
    /// <summary>The sum over <paramref name="count"/> pairs.</summary>
    public static float Sum<TFold, TLanes>(byte* query, byte* row, int count)
        where TFold : struct, IFold
        where TLanes : struct, ILanes
    {
        if (Vector512.IsHardwareAccelerated && count >= Vector512<float>.Count)
            return Sum512<TFold, TLanes>((float*)query, row, count);
        if (Vector256.IsHardwareAccelerated && count >= Vector256<float>.Count)
            return Sum256<TFold, TLanes>((float*)query, row, count);
        return Vector128.IsHardwareAccelerated
            ? Sum128<TFold, TLanes>((float*)query, row, count)
            : SumScalar<TFold, TLanes>((float*)query, row, 0, count, 0);
    }

    /// <summary>The sum one by one: what the vector forms are tested against, and their rest.</summary>
    public static float SumScalar<TFold, TLanes>(float* query, byte* row, int index, int count, float sum)
        where TFold : struct, IFold
        where TLanes : struct, ILanes
    {
        for (; index < count; index++)
            sum = TFold.Add(sum, query[index], TLanes.Load(row, index));
        return sum;
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    internal static float Sum512<TFold, TLanes>(float* query, byte* row, int count)
        where TFold : struct, IFold
        where TLanes : struct, ILanes
    {
        const int Width = 16;
        Vector512<float> first = default, second = default, third = default, fourth = default;
        int index = 0;
        for (; index <= count - (4 * Width); index += 4 * Width)
        {
            first = TFold.Add(first, Vector512.Load(query + index), TLanes.Load512(row, index));
            second = TFold.Add(second, Vector512.Load(query + index + Width), TLanes.Load512(row, index + Width));
            third = TFold.Add(
                third, Vector512.Load(query + index + (2 * Width)), TLanes.Load512(row, index + (2 * Width)));
            fourth = TFold.Add(
                fourth, Vector512.Load(query + index + (3 * Width)), TLanes.Load512(row, index + (3 * Width)));
        }

        for (; index <= count - Width; index += Width)
            first = TFold.Add(first, Vector512.Load(query + index), TLanes.Load512(row, index));
        float sum = Vector512.Sum((first + second) + (third + fourth));
        return index == count ? sum : SumRest<TFold, TLanes>(query, row, index, count, sum);
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    internal static float Sum256<TFold, TLanes>(float* query, byte* row, int count)
        where TFold : struct, IFold
        where TLanes : struct, ILanes
    {
        const int Width = 8;
        Vector256<float> first = default, second = default, third = default, fourth = default;
        int index = 0;
        for (; index <= count - (4 * Width); index += 4 * Width)
        {
            first = TFold.Add(first, Vector256.Load(query + index), TLanes.Load256(row, index));
            second = TFold.Add(second, Vector256.Load(query + index + Width), TLanes.Load256(row, index + Width));
            third = TFold.Add(
                third, Vector256.Load(query + index + (2 * Width)), TLanes.Load256(row, index + (2 * Width)));
            fourth = TFold.Add(
                fourth, Vector256.Load(query + index + (3 * Width)), TLanes.Load256(row, index + (3 * Width)));
        }

        for (; index <= count - Width; index += Width)
            first = TFold.Add(first, Vector256.Load(query + index), TLanes.Load256(row, index));
        float sum = Vector256.Sum((first + second) + (third + fourth));
        return index == count ? sum : SumRest<TFold, TLanes>(query, row, index, count, sum);
    }

    internal static float Sum128<TFold, TLanes>(float* query, byte* row, int count)
        where TFold : struct, IFold
        where TLanes : struct, ILanes
    {
        const int Width = 4;
        Vector128<float> first = default, second = default, third = default, fourth = default;
        int index = 0;
        for (; index <= count - (4 * Width); index += 4 * Width)
        {
            first = TFold.Add(first, Vector128.Load(query + index), TLanes.Load128(row, index));
            second = TFold.Add(second, Vector128.Load(query + index + Width), TLanes.Load128(row, index + Width));
            third = TFold.Add(
                third, Vector128.Load(query + index + (2 * Width)), TLanes.Load128(row, index + (2 * Width)));
            fourth = TFold.Add(
                fourth, Vector128.Load(query + index + (3 * Width)), TLanes.Load128(row, index + (3 * Width)));
        }

        float sum = Vector128.Sum((first + second) + (third + fourth));
        return index == count ? sum : SumRest<TFold, TLanes>(query, row, index, count, sum);
    }

    private static float SumRest<TFold, TLanes>(float* query, byte* row, int index, int count, float sum)
        where TFold : struct, IFold
        where TLanes : struct, ILanes
    {
        const int Width = 4;
        Vector128<float> rest = default;
        for (; index <= count - Width; index += Width)
            rest = TFold.Add(rest, Vector128.Load(query + index), TLanes.Load128(row, index));
        return SumScalar<TFold, TLanes>(query, row, index, count, sum + Vector128.Sum(rest));
    }
}
