using System.Runtime.CompilerServices;
using System.Runtime.Intrinsics;
using System.Runtime.Intrinsics.X86;

namespace AiDb.Engine.Vectors.Distances;

/// <summary>Sums over the pairs of two rows of bytes; all are exact integers.</summary>
/// <remarks>The most pairs are 65,536: a sum of products of bytes stays below 2^32, one of products of which a
/// side is less 128 within 32 bits.</remarks>
internal static unsafe class ByteKernels
{
    private const byte SignFlip = 0x80;

    /// <summary>The inner product of <paramref name="left"/> and of <paramref name="right"/> less 128: the form
    /// that the processor's instruction takes. The caller adds 128 times the sum of the left side.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static int DotLess128(byte* left, byte* right, int count)
    {
        if (AvxVnni.IsSupported && count >= 32)
            return DotVnni(left, right, count);
        if (Avx512BW.IsSupported && count >= 32)
            return Dot512(left, right, count);
        if (Avx2.IsSupported && count >= 16)
            return Dot256(left, right, count);
        return Vector128.IsHardwareAccelerated
            ? Dot128(left, right, count)
            : DotScalar(left, right, 0, count);
    }

    /// <summary><see cref="DotLess128"/> one by one.</summary>
    public static int DotScalar(byte* left, byte* right, int index, int count)
    {
        int sum = 0;
        for (; index < count; index++)
            sum += left[index] * (right[index] - 128);
        return sum;
    }

    /// <summary>The sum of the bytes.</summary>
    public static uint Total(byte* row, int count)
    {
        uint sum = 0;
        int index = 0;
        if (Avx2.IsSupported)
        {
            Vector256<ulong> total = default;
            for (; index <= count - 32; index += 32)
                total += Avx2.SumAbsoluteDifferences(Vector256.Load(row + index), default).AsUInt64();
            sum = (uint)Vector256.Sum(total);
        }

        for (; index < count; index++)
            sum += row[index];
        return sum;
    }

    /// <summary>The sum of the absolute differences.</summary>
    public static uint Absolute(byte* left, byte* right, int count)
    {
        ulong sum = 0;
        int index = 0;
        if (Avx512BW.IsSupported)
        {
            Vector512<ulong> total = default;
            for (; index <= count - 64; index += 64)
            {
                total += Avx512BW.SumAbsoluteDifferences(
                    Vector512.Load(left + index), Vector512.Load(right + index)).AsUInt64();
            }

            sum = Vector512.Sum(total);
        }

        if (Avx2.IsSupported)
        {
            Vector256<ulong> total = default;
            for (; index <= count - 32; index += 32)
            {
                total += Avx2.SumAbsoluteDifferences(
                    Vector256.Load(left + index), Vector256.Load(right + index)).AsUInt64();
            }

            sum += Vector256.Sum(total);
        }
        else
        {
            Vector128<uint> total = default;
            for (; index <= count - 16; index += 16)
            {
                Vector128<byte> a = Vector128.Load(left + index);
                Vector128<byte> b = Vector128.Load(right + index);
                (Vector128<ushort> low, Vector128<ushort> high) =
                    Vector128.Widen(Vector128.Max(a, b) - Vector128.Min(a, b));
                (Vector128<uint> even, Vector128<uint> odd) = Vector128.Widen(low + high);
                total += even + odd;
            }

            sum += Vector128.Sum(total);
        }

        for (; index < count; index++)
            sum += (uint)Math.Abs(left[index] - right[index]);
        return (uint)sum;
    }

    /// <summary>The squared Euclidean distance.</summary>
    public static uint Squared(byte* left, byte* right, int count)
    {
        uint sum = 0;
        int index = 0;
        if (Avx512BW.IsSupported)
        {
            Vector512<int> first = default, second = default;
            for (; index <= count - 64; index += 64)
            {
                Vector512<short> near = Difference512(left + index, right + index);
                Vector512<short> far = Difference512(left + index + 32, right + index + 32);
                first += Avx512BW.MultiplyAddAdjacent(near, near);
                second += Avx512BW.MultiplyAddAdjacent(far, far);
            }

            sum = (uint)Vector512.Sum(first + second);
        }
        else if (Avx2.IsSupported)
        {
            Vector256<int> first = default, second = default;
            for (; index <= count - 32; index += 32)
            {
                Vector256<short> near = Difference256(left + index, right + index);
                Vector256<short> far = Difference256(left + index + 16, right + index + 16);
                first += Avx2.MultiplyAddAdjacent(near, near);
                second += Avx2.MultiplyAddAdjacent(far, far);
            }

            sum = (uint)Vector256.Sum(first + second);
        }

        return sum + SquaredRest(left, right, index, count);
    }

    /// <summary><see cref="Squared"/> from <paramref name="index"/> on.</summary>
    public static uint SquaredRest(byte* left, byte* right, int index, int count)
    {
        uint sum = 0;
        for (; index < count; index++)
        {
            int difference = left[index] - right[index];
            sum += (uint)(difference * difference);
        }

        return sum;
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static int DotVnni(byte* left, byte* right, int count)
    {
        Vector256<byte> flip = Vector256.Create(SignFlip);
        Vector256<int> first = default, second = default, third = default, fourth = default;
        int index = 0;
        for (; index <= count - 128; index += 128)
        {
            first = AddVnni(first, left + index, right + index, flip);
            second = AddVnni(second, left + index + 32, right + index + 32, flip);
            third = AddVnni(third, left + index + 64, right + index + 64, flip);
            fourth = AddVnni(fourth, left + index + 96, right + index + 96, flip);
        }

        for (; index <= count - 32; index += 32)
            first = AddVnni(first, left + index, right + index, flip);
        int sum = Vector256.Sum((first + second) + (third + fourth));
        return index == count ? sum : sum + DotRest(left, right, index, count);
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static Vector256<int> AddVnni(Vector256<int> sum, byte* left, byte* right, Vector256<byte> flip) =>
        AvxVnni.MultiplyWideningAndAdd(sum, Vector256.Load(left), (Vector256.Load(right) ^ flip).AsSByte());

    internal static int Dot512(byte* left, byte* right, int count)
    {
        Vector512<short> shift = Vector512.Create((short)128);
        Vector512<int> first = default, second = default;
        int index = 0;
        for (; index <= count - 64; index += 64)
        {
            first += Avx512BW.MultiplyAddAdjacent(Widen512(left + index), Widen512(right + index) - shift);
            second += Avx512BW.MultiplyAddAdjacent(Widen512(left + index + 32), Widen512(right + index + 32) - shift);
        }

        for (; index <= count - 32; index += 32)
            first += Avx512BW.MultiplyAddAdjacent(Widen512(left + index), Widen512(right + index) - shift);
        return Vector512.Sum(first + second) + DotRest(left, right, index, count);
    }

    internal static int Dot256(byte* left, byte* right, int count)
    {
        Vector256<short> shift = Vector256.Create((short)128);
        Vector256<int> first = default, second = default;
        int index = 0;
        for (; index <= count - 32; index += 32)
        {
            first += Avx2.MultiplyAddAdjacent(Widen256(left + index), Widen256(right + index) - shift);
            second += Avx2.MultiplyAddAdjacent(Widen256(left + index + 16), Widen256(right + index + 16) - shift);
        }

        for (; index <= count - 16; index += 16)
            first += Avx2.MultiplyAddAdjacent(Widen256(left + index), Widen256(right + index) - shift);
        return Vector256.Sum(first + second) + DotRest(left, right, index, count);
    }

    internal static int Dot128(byte* left, byte* right, int count)
    {
        Vector128<short> shift = Vector128.Create((short)128);
        Vector128<int> sum = default;
        int index = 0;
        for (; index <= count - 8; index += 8)
        {
            Vector128<short> a = Widen128(left + index);
            Vector128<short> b = Widen128(right + index) - shift;
            (Vector128<int> lowA, Vector128<int> highA) = Vector128.Widen(a);
            (Vector128<int> lowB, Vector128<int> highB) = Vector128.Widen(b);
            sum += (lowA * lowB) + (highA * highB);
        }

        return Vector128.Sum(sum) + DotScalar(left, right, index, count);
    }

    private static int DotRest(byte* left, byte* right, int index, int count)
    {
        if (index > count - 8)
            return DotScalar(left, right, index, count);
        return Dot128(left + index, right + index, count - index);
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static Vector512<short> Widen512(byte* row) => Avx512BW.ConvertToVector512Int16(Vector256.Load(row));

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static Vector256<short> Widen256(byte* row) => Avx2.ConvertToVector256Int16(Vector128.Load(row));

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static Vector128<short> Widen128(byte* row) =>
        Vector128.WidenLower(Vector128.CreateScalar(Unsafe.ReadUnaligned<ulong>(row)).AsByte()).AsInt16();

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static Vector512<short> Difference512(byte* left, byte* right) => Widen512(left) - Widen512(right);

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static Vector256<short> Difference256(byte* left, byte* right) => Widen256(left) - Widen256(right);
}
