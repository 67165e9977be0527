using System.Runtime.CompilerServices;
using System.Runtime.Intrinsics;

namespace AiDb.Engine.Vectors.Distances;

/// <summary>How the numbers of a row are read as floats.</summary>
internal unsafe interface ILanes
{
    /// <summary>16 numbers from number <paramref name="index"/> on.</summary>
    static abstract Vector512<float> Load512(byte* row, int index);

    /// <summary>8 numbers.</summary>
    static abstract Vector256<float> Load256(byte* row, int index);

    /// <summary>4 numbers.</summary>
    static abstract Vector128<float> Load128(byte* row, int index);

    /// <summary>One number.</summary>
    static abstract float Load(byte* row, int index);
}

/// <summary>Numbers of 4 bytes.</summary>
internal readonly unsafe struct FloatLanes : ILanes
{
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Vector512<float> Load512(byte* row, int index) => Vector512.Load((float*)row + index);

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Vector256<float> Load256(byte* row, int index) => Vector256.Load((float*)row + index);

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Vector128<float> Load128(byte* row, int index) => Vector128.Load((float*)row + index);

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static float Load(byte* row, int index) => ((float*)row)[index];
}

/// <summary>Numbers of 2 bytes, IEEE 754 binary16, all finite.</summary>
/// <remarks>
/// .NET offers no widening of halves in vectors. The bits of a half without its sign, 13 places to the left, are
/// the float of a 2^112th of its value, subnormal numbers included; the product with 2^112 is exact.
/// </remarks>
internal readonly unsafe struct HalfLanes : ILanes
{
    private const uint Magnitude = 0x7fff;
    private const uint Sign = 0x8000;
    private const uint ScaleBits = (127 + 112) << 23;

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Vector512<float> Load512(byte* row, int index)
    {
        (Vector256<uint> low, Vector256<uint> high) = Vector256.Widen(Vector256.Load((ushort*)row + index));
        Vector512<uint> bits = Vector512.Create(low, high);
        Vector512<float> magnitude = Vector512.ShiftLeft(bits & Vector512.Create(Magnitude), 13).AsSingle()
            * Vector512.Create(ScaleBits).AsSingle();
        return (magnitude.AsUInt32() | Vector512.ShiftLeft(bits & Vector512.Create(Sign), 16)).AsSingle();
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Vector256<float> Load256(byte* row, int index)
    {
        (Vector128<uint> low, Vector128<uint> high) = Vector128.Widen(Vector128.Load((ushort*)row + index));
        Vector256<uint> bits = Vector256.Create(low, high);
        Vector256<float> magnitude = Vector256.ShiftLeft(bits & Vector256.Create(Magnitude), 13).AsSingle()
            * Vector256.Create(ScaleBits).AsSingle();
        return (magnitude.AsUInt32() | Vector256.ShiftLeft(bits & Vector256.Create(Sign), 16)).AsSingle();
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Vector128<float> Load128(byte* row, int index)
    {
        ulong four = Unsafe.ReadUnaligned<ulong>((ushort*)row + index);
        Vector128<uint> bits = Vector128.WidenLower(Vector128.CreateScalar(four).AsUInt16());
        Vector128<float> magnitude = Vector128.ShiftLeft(bits & Vector128.Create(Magnitude), 13).AsSingle()
            * Vector128.Create(ScaleBits).AsSingle();
        return (magnitude.AsUInt32() | Vector128.ShiftLeft(bits & Vector128.Create(Sign), 16)).AsSingle();
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static float Load(byte* row, int index) => (float)((Half*)row)[index];
}
