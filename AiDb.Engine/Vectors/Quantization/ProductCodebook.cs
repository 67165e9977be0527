using System.Numerics;
using System.Runtime.CompilerServices;

namespace AiDb.Engine.Vectors.Quantization;

/// <summary>For each part of a vector, the 256 points that stand for it.</summary>
/// <remarks>
/// A part is <see cref="Width"/> numbers that follow each other; the last one is filled up with zeroes, as is a part that
/// makes their number even, so that kernels have no rest. Source of the codes: Jégou, Douze and Schmid, "Product Quantization
/// for Nearest Neighbor Search" (2011); the points by Lloyd's algorithm. Thread safety: immutable.
/// </remarks>
internal sealed unsafe class ProductCodebook
{
    /// <summary>Points of a part: what a byte tells apart.</summary>
    public const int Points = 256;

    private const int Rounds = 10;
    private const int VectorsPerPoint = 16;

    // Pinned: the scorers hold addresses. By part, point and number; and, for the coding, by part, number and point.
    private readonly float[] _points;
    private readonly float[] _byNumber;

    /// <summary>A codebook of known points.</summary>
    /// <param name="dimensions">Numbers of a vector.</param>
    /// <param name="width">Numbers of a part: 2, 4, 8 or 16.</param>
    /// <param name="points">By part, point and number; parts as of <see cref="PartsOf"/>.</param>
    public ProductCodebook(int dimensions, int width, ReadOnlySpan<float> points)
    {
        Dimensions = dimensions;
        Width = width;
        Parts = PartsOf(dimensions, width);
        _points = GC.AllocateUninitializedArray<float>(Parts * Points * width, pinned: true);
        points.CopyTo(_points);
        _byNumber = GC.AllocateUninitializedArray<float>(_points.Length, pinned: true);
        for (int part = 0; part < Parts; part++)
            Transpose(part);
    }

    /// <summary>Numbers of a vector.</summary>
    public int Dimensions { get; }

    /// <summary>Numbers of a part.</summary>
    public int Width { get; }

    /// <summary>Parts of a vector, and bytes of its codes; even.</summary>
    public int Parts { get; }

    /// <summary>The points by part, point and number.</summary>
    public ReadOnlySpan<float> All => _points;

    /// <summary>The first point; those of a part follow each other.</summary>
    public float* Address => (float*)Unsafe.AsPointer(ref _points[0]);

    /// <summary>Bytes of memory.</summary>
    public long Bytes => 2L * _points.Length * sizeof(float);

    /// <summary>Parts of a vector of so many numbers.</summary>
    public static int PartsOf(int dimensions, int width) => ((dimensions + width - 1) / width + 1) / 2 * 2;

    /// <summary>Finds points for vectors: a part's points are the middles of those vectors' parts that are nearest to them.</summary>
    /// <param name="numbers">Vectors one after the other.</param>
    /// <param name="dimensions">Numbers of a vector.</param>
    /// <param name="width">Numbers of a part: 2, 4, 8 or 16.</param>
    public static ProductCodebook Train(ReadOnlySpan<float> numbers, int dimensions, int width)
    {
        int parts = PartsOf(dimensions, width);
        int vectors = numbers.Length / dimensions;
        int stride = Math.Max(1, vectors / (Points * VectorsPerPoint));
        int used = vectors == 0 ? 0 : (vectors + stride - 1) / stride;
        var book = new ProductCodebook(dimensions, width, new float[parts * Points * width]);
        float[] samples = new float[used * width];
        byte[] nearest = new byte[used];
        for (int part = 0; part < parts && used > 0; part++)
        {
            for (int i = 0; i < used; i++)
                CopyPart(numbers.Slice(i * stride * dimensions, dimensions), part, samples.AsSpan(i * width, width));
            book.TrainPart(part, samples, nearest);
        }

        return book;
    }

    /// <summary>The point nearest to a part of a vector.</summary>
    /// <param name="part">The part.</param>
    /// <param name="numbers">Its numbers.</param>
    /// <param name="square">Their squared distance.</param>
    public byte Nearest(int part, ReadOnlySpan<float> numbers, out float square)
    {
        int lanes = Vector<float>.Count;
        fixed (float* columns = &_byNumber[part * Points * Width])
        {
            var least = new Vector<float>(float.PositiveInfinity);
            Vector<int> at = default;
            Vector<int> index = IndexVector();
            for (int point = 0; point < Points; point += lanes)
            {
                Vector<float> sum = default;
                for (int i = 0; i < numbers.Length; i++)
                {
                    Vector<float> difference = new Vector<float>(numbers[i]) - *(Vector<float>*)(columns + (i * Points) + point);
                    sum += difference * difference;
                }

                Vector<int> isLess = Vector.LessThan(sum, least);
                least = Vector.ConditionalSelect(isLess, sum, least);
                at = Vector.ConditionalSelect(isLess, index, at);
                index += new Vector<int>(lanes);
            }

            int best = 0;
            for (int lane = 1; lane < lanes; lane++)
            {
                if (least[lane] < least[best] || (least[lane] == least[best] && at[lane] < at[best]))
                    best = lane;
            }

            square = least[best];
            return (byte)at[best];
        }
    }

    /// <summary>Copies a part of a vector, filled up with zeroes.</summary>
    public static void CopyPart(ReadOnlySpan<float> vector, int part, Span<float> target)
    {
        int first = Math.Min(vector.Length, part * target.Length);
        int count = Math.Min(target.Length, vector.Length - first);
        vector.Slice(first, count).CopyTo(target);
        target[count..].Clear();
    }

    private static Vector<int> IndexVector()
    {
        Span<int> numbers = stackalloc int[Vector<int>.Count];
        for (int i = 0; i < numbers.Length; i++)
            numbers[i] = i;
        return new Vector<int>(numbers);
    }

    private Span<float> PointsOf(int part) => _points.AsSpan(part * Points * Width, Points * Width);

    // Begins with vectors spread over the sample. A point that nobody is nearest to takes the vector that is farthest from its
    // own: the same for the same vectors, so that an index is the same wherever it is built.
    private void TrainPart(int part, ReadOnlySpan<float> samples, Span<byte> nearest)
    {
        int used = nearest.Length;
        Span<float> points = PointsOf(part);
        for (int point = 0; point < Points; point++)
            samples.Slice((int)((long)point * used / Points) * Width, Width).CopyTo(points[(point * Width)..]);
        Transpose(part);
        double[] sums = new double[Points * Width];
        int[] counts = new int[Points];
        float[] errors = new float[used];
        for (int round = 0; round < Rounds; round++)
        {
            Array.Clear(sums);
            Array.Clear(counts);
            for (int i = 0; i < used; i++)
            {
                ReadOnlySpan<float> sample = samples.Slice(i * Width, Width);
                nearest[i] = Nearest(part, sample, out errors[i]);
                counts[nearest[i]]++;
                for (int j = 0; j < Width; j++)
                    sums[(nearest[i] * Width) + j] += sample[j];
            }

            for (int point = 0; point < Points; point++)
            {
                if (counts[point] == 0)
                {
                    Replace(points.Slice(point * Width, Width), samples, errors);
                    continue;
                }

                for (int j = 0; j < Width; j++)
                    points[(point * Width) + j] = (float)(sums[(point * Width) + j] / counts[point]);
            }

            Transpose(part);
        }
    }

    private void Replace(Span<float> point, ReadOnlySpan<float> samples, Span<float> errors)
    {
        int farthest = 0;
        for (int i = 1; i < errors.Length; i++)
        {
            if (errors[i] > errors[farthest])
                farthest = i;
        }

        samples.Slice(farthest * Width, Width).CopyTo(point);
        errors[farthest] = 0;
    }

    private void Transpose(int part)
    {
        ReadOnlySpan<float> points = PointsOf(part);
        Span<float> columns = _byNumber.AsSpan(part * Points * Width, Points * Width);
        for (int point = 0; point < Points; point++)
        {
            for (int i = 0; i < Width; i++)
                columns[(i * Points) + point] = points[(point * Width) + i];
        }
    }
}
