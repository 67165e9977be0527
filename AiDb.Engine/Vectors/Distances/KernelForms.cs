namespace AiDb.Engine.Vectors.Distances;

/// <summary>The forms of the kernels one by one, whatever the dispatch would choose: what the property tests compare
/// with each other. A form whose vectors the processor lacks runs by the substitutes of .NET.</summary>
internal static unsafe class KernelForms
{
    /// <summary>A sum over floats in vectors of <paramref name="bits"/> bits: 512, 256, 128, or 0, one by
    /// one.</summary>
    public static float Sum<TFold, TLanes>(int bits, ReadOnlySpan<float> query, ReadOnlySpan<byte> row)
        where TFold : struct, IFold
        where TLanes : struct, ILanes
    {
        fixed (float* left = query)
        {
            fixed (byte* right = row)
            {
                return bits switch
                {
                    512 => FloatKernels.Sum512<TFold, TLanes>(left, right, query.Length),
                    256 => FloatKernels.Sum256<TFold, TLanes>(left, right, query.Length),
                    128 => FloatKernels.Sum128<TFold, TLanes>(left, right, query.Length),
                    _ => FloatKernels.SumScalar<TFold, TLanes>(left, right, 0, query.Length, 0),
                };
            }
        }
    }

    /// <summary><see cref="ByteKernels.DotLess128"/> in vectors of so many bits; 1: as dispatched.</summary>
    public static int DotLess128(int bits, ReadOnlySpan<byte> left, ReadOnlySpan<byte> right)
    {
        fixed (byte* a = left, b = right)
        {
            return bits switch
            {
                1 => ByteKernels.DotLess128(a, b, left.Length),
                512 when System.Runtime.Intrinsics.X86.Avx512BW.IsSupported => ByteKernels.Dot512(a, b, left.Length),
                256 when System.Runtime.Intrinsics.X86.Avx2.IsSupported => ByteKernels.Dot256(a, b, left.Length),
                128 => ByteKernels.Dot128(a, b, left.Length),
                _ => ByteKernels.DotScalar(a, b, 0, left.Length),
            };
        }
    }

    /// <summary><see cref="ByteKernels.Squared"/>.</summary>
    public static uint Squared(ReadOnlySpan<byte> left, ReadOnlySpan<byte> right)
    {
        fixed (byte* a = left, b = right)
            return ByteKernels.Squared(a, b, left.Length);
    }

    /// <summary><see cref="ByteKernels.Absolute"/>.</summary>
    public static uint Absolute(ReadOnlySpan<byte> left, ReadOnlySpan<byte> right)
    {
        fixed (byte* a = left, b = right)
            return ByteKernels.Absolute(a, b, left.Length);
    }

    /// <summary><see cref="ByteKernels.Total"/>.</summary>
    public static uint Total(ReadOnlySpan<byte> row)
    {
        fixed (byte* a = row)
            return ByteKernels.Total(a, row.Length);
    }
}
