using System.Runtime.CompilerServices;
using System.Runtime.Intrinsics;

namespace AiDb.Engine.Vectors.Distances;

/// <summary>What a distance adds up for each pair of numbers.</summary>
internal interface IFold
{
    /// <summary>The sum so far and 16 more pairs.</summary>
    static abstract Vector512<float> Add(Vector512<float> sum, Vector512<float> left, Vector512<float> right);

    /// <summary>The sum so far and 8 more pairs.</summary>
    static abstract Vector256<float> Add(Vector256<float> sum, Vector256<float> left, Vector256<float> right);

    /// <summary>The sum so far and 4 more pairs.</summary>
    static abstract Vector128<float> Add(Vector128<float> sum, Vector128<float> left, Vector128<float> right);

    /// <summary>The sum so far and one more pair.</summary>
    static abstract float Add(float sum, float left, float right);
}

/// <summary>The inner product.</summary>
internal readonly struct DotFold : IFold
{
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Vector512<float> Add(Vector512<float> sum, Vector512<float> left, Vector512<float> right) =>
        Vector512.MultiplyAddEstimate(left, right, sum);

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Vector256<float> Add(Vector256<float> sum, Vector256<float> left, Vector256<float> right) =>
        Vector256.MultiplyAddEstimate(left, right, sum);

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Vector128<float> Add(Vector128<float> sum, Vector128<float> left, Vector128<float> right) =>
        Vector128.MultiplyAddEstimate(left, right, sum);

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static float Add(float sum, float left, float right) => sum + (left * right);
}

/// <summary>The squared Euclidean distance.</summary>
internal readonly struct SquaredFold : IFold
{
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Vector512<float> Add(Vector512<float> sum, Vector512<float> left, Vector512<float> right)
    {
        Vector512<float> difference = left - right;
        return Vector512.MultiplyAddEstimate(difference, difference, sum);
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Vector256<float> Add(Vector256<float> sum, Vector256<float> left, Vector256<float> right)
    {
        Vector256<float> difference = left - right;
        return Vector256.MultiplyAddEstimate(difference, difference, sum);
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Vector128<float> Add(Vector128<float> sum, Vector128<float> left, Vector128<float> right)
    {
        Vector128<float> difference = left - right;
        return Vector128.MultiplyAddEstimate(difference, difference, sum);
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static float Add(float sum, float left, float right) => sum + ((left - right) * (left - right));
}

/// <summary>The sum of absolute differences.</summary>
internal readonly struct AbsoluteFold : IFold
{
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Vector512<float> Add(Vector512<float> sum, Vector512<float> left, Vector512<float> right) =>
        sum + Vector512.Abs(left - right);

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Vector256<float> Add(Vector256<float> sum, Vector256<float> left, Vector256<float> right) =>
        sum + Vector256.Abs(left - right);

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Vector128<float> Add(Vector128<float> sum, Vector128<float> left, Vector128<float> right) =>
        sum + Vector128.Abs(left - right);

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static float Add(float sum, float left, float right) => sum + MathF.Abs(left - right);
}
