using System.Runtime.InteropServices;
using AiDb.Engine.Vectors;
using AiDb.Engine.Vectors.Distances;
using AiDb.Tests.TestSupport;

namespace AiDb.Tests.Engine.Vectors.Distances;

public sealed class KernelTests
{
    private static readonly int[] Widths = [128, 256, 512];

    [Fact]
    public void Every_width_of_the_float_kernels_gives_the_sum_of_the_scalar_one()
    {
        var random = new Random(TestSeed.Base);
        for (int count = 1; count < 200; count++)
        {
            float[] query = Floats(random, count), row = Floats(random, count);
            Half[] halves = [.. row.Select(static value => (Half)value)];
            foreach (int bits in Widths)
            {
                Check<DotFold, FloatLanes>(bits, query, MemoryMarshal.AsBytes<float>(row));
                Check<SquaredFold, FloatLanes>(bits, query, MemoryMarshal.AsBytes<float>(row));
                Check<AbsoluteFold, FloatLanes>(bits, query, MemoryMarshal.AsBytes<float>(row));
                Check<DotFold, HalfLanes>(bits, query, MemoryMarshal.AsBytes<Half>(halves));
                Check<SquaredFold, HalfLanes>(bits, query, MemoryMarshal.AsBytes<Half>(halves));
                Check<AbsoluteFold, HalfLanes>(bits, query, MemoryMarshal.AsBytes<Half>(halves));
            }
        }
    }

    [Fact]
    public void Every_finite_half_is_widened_exactly()
    {
        Half[] row = new Half[16];
        float[] one = new float[16];
        one[0] = 1;
        for (int bits = 0; bits <= ushort.MaxValue; bits++)
        {
            row[0] = BitConverter.UInt16BitsToHalf((ushort)bits);
            if (!Half.IsFinite(row[0]))
                continue;
            foreach (int width in Widths)
                Assert.Equal((float)row[0], KernelForms.Sum<DotFold, HalfLanes>(width, one, MemoryMarshal.AsBytes<Half>(row)));
        }
    }

    [Fact]
    public void The_byte_kernels_are_exact_at_every_length_and_at_the_extremes()
    {
        var random = new Random(TestSeed.Base);
        for (int count = 1; count < 400; count++)
        {
            byte[] left = new byte[count], right = new byte[count];
            random.NextBytes(left);
            random.NextBytes(right);
            if (count % 5 == 0)
            {
                left.AsSpan().Fill(255);
                right.AsSpan().Fill((byte)(count % 2 == 0 ? 0 : 255));
            }

            int dot = left.Zip(right, static (a, b) => a * (b - 128)).Sum();
            foreach (int bits in (int[])[0, 1, 128, 256, 512])
                Assert.Equal(dot, KernelForms.DotLess128(bits, left, right));
            Assert.Equal((uint)left.Zip(right, static (a, b) => (a - b) * (a - b)).Sum(), KernelForms.Squared(left, right));
            Assert.Equal((uint)left.Zip(right, static (a, b) => Math.Abs(a - b)).Sum(), KernelForms.Absolute(left, right));
            Assert.Equal((uint)left.Sum(static a => a), KernelForms.Total(left));
        }
    }

    [Fact]
    public void The_longest_rows_of_bytes_do_not_overflow()
    {
        byte[] high = new byte[DenseIndexOptions.MaxDimensions], low = new byte[DenseIndexOptions.MaxDimensions];
        high.AsSpan().Fill(255);
        Assert.Equal(-255 * 128 * high.Length, KernelForms.DotLess128(1, high, low));
        Assert.Equal(255 * 127 * high.Length, KernelForms.DotLess128(1, high, high));
        Assert.Equal(255u * 255u * (uint)high.Length, KernelForms.Squared(high, low));
    }

    private static float[] Floats(Random random, int count) =>
        [.. Enumerable.Range(0, count).Select(_ => (float)((random.NextDouble() * 4) - 2))];

    private static void Check<TFold, TLanes>(int bits, ReadOnlySpan<float> query, ReadOnlySpan<byte> row)
        where TFold : struct, IFold
        where TLanes : struct, ILanes
    {
        float expected = KernelForms.Sum<TFold, TLanes>(0, query, row);
        float actual = KernelForms.Sum<TFold, TLanes>(bits, query, row);
        Assert.True(
            MathF.Abs(expected - actual) <= 1e-5f * query.Length * 4,
            $"{typeof(TFold).Name} {typeof(TLanes).Name} {bits}: {actual}, not {expected} of {query.Length}");
    }
}
