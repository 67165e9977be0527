using AiDb.Engine.Vectors;
using AiDb.Engine.Vectors.Quantization;
using AiDb.Tests.TestSupport;

namespace AiDb.Tests.Engine.Vectors.Quantization;

public sealed class CodesTests
{
    [Theory]
    [InlineData("Scalar", true, 0.97)]
    [InlineData("Scalar", false, 0.9)]
    [InlineData("Binary", true, 0.96)]
    [InlineData("Binary", false, 0.9)]
    public void Codes_find_nearly_all_of_the_nearest(string kind, bool keepOriginals, double least)
    {
        foreach (VectorMetric metric in Enum.GetValues<VectorMetric>())
        {
            TestVectors vectors = new(TestSeed.Base, 70, metric);
            QuantizationOptions quantization = new()
            {
                Kind = Enum.Parse<QuantizationKind>(kind),
                KeepOriginals = keepOriginals,
            };
            (DenseIndex index, DenseIndexModel model) = vectors.Build(1500, quantization);
            using DenseIndex owned = index;
            double recall = vectors.Recall(index, model, new DenseSearch { Ef = 120 });
            Assert.True(recall >= least, $"{metric}: recall {recall}, seed {TestSeed.Base}");
            double exact = vectors.Recall(index, model, new DenseSearch { Exact = true, Ef = 40 }, 10);
            Assert.True(exact >= (keepOriginals ? 0.999 : 0.9), $"{metric}: recall {exact} of a scan, seed {TestSeed.Base}");
        }
    }

    [Theory]
    [InlineData(4, true, 0.97)]
    [InlineData(8, true, 0.97)]
    [InlineData(8, false, 0.5)]
    [InlineData(16, true, 0.95)]
    [InlineData(32, true, 0.9)]
    [InlineData(64, true, 0.8)]
    [InlineData(64, false, 0.2)]
    public void Product_codes_find_nearly_all_of_the_nearest_in_as_little_memory_as_is_asked_for(
        int compression, bool keepOriginals, double least)
    {
        const int Count = 3000, Dimensions = 70;
        foreach (VectorMetric metric in Enum.GetValues<VectorMetric>())
        {
            TestVectors vectors = new(TestSeed.Base, Dimensions, metric);
            QuantizationOptions quantization = new()
            {
                Kind = QuantizationKind.Product,
                Compression = compression,
                KeepOriginals = keepOriginals,
            };
            (DenseIndex index, DenseIndexModel model) = vectors.Build(Count, quantization);
            using DenseIndex owned = index;
            double recall = vectors.Recall(index, model, new DenseSearch { Ef = 200 });
            Assert.True(recall >= least, $"{metric}: recall {recall}, seed {TestSeed.Base}");
            (DenseIndex scalar, _) = vectors.Build(Count, quantization with { Kind = QuantizationKind.Scalar });
            using DenseIndex compared = scalar;
            long points = compression == 4 ? 0 : 2L * 256 * 4 * (Dimensions + 32);
            long saved = Count * (96L - Math.Max(16, Dimensions * 4 / compression + 32)) - points;
            Assert.True(
                compression == 4 ? index.NativeBytes == scalar.NativeBytes : scalar.NativeBytes - index.NativeBytes >= saved,
                $"{index.NativeBytes} bytes beside {scalar.NativeBytes}");
        }
    }

    [Theory]
    [InlineData(2)]
    [InlineData(4)]
    [InlineData(8)]
    [InlineData(16)]
    public void A_codebook_keeps_few_vectors_exactly_and_many_as_well_as_its_parts_are_small(int width)
    {
        const int Dimensions = 37;
        var random = new Random(TestSeed.Base);
        float[] few = Numbers(200), many = Numbers(4000);
        ProductCodebook exact = ProductCodebook.Train(few, Dimensions, width);
        Assert.Equal(0, ErrorOf(exact, few), 1e-9);
        ProductCodebook close = ProductCodebook.Train(many, Dimensions, width);
        double error = ErrorOf(close, many) / many.Sum(static value => (double)value * value);

        // 256 points for so many normal numbers: what theory allows at best is 2^(-16/width) of the square.
        double bound = Math.Pow(2, -16.0 / width);
        Assert.InRange(error, bound / 2, Math.Min(0.95, 3 * bound));

        float[] Numbers(int vectors) => [.. Enumerable.Range(0, vectors).SelectMany(
            _ => DenseIndexModel.RandomVector(random, Dimensions, VectorMetric.Euclid))];

        double ErrorOf(ProductCodebook book, float[] numbers)
        {
            double sum = 0;
            float[] part = new float[width];
            for (int vector = 0; vector < numbers.Length; vector += Dimensions)
            {
                for (int i = 0; i < book.Parts; i++)
                {
                    ProductCodebook.CopyPart(numbers.AsSpan(vector, Dimensions), i, part);
                    byte code = book.Nearest(i, part, out float square);
                    ReadOnlySpan<float> point = book.All.Slice(((i * ProductCodebook.Points) + code) * width, width);
                    float real = 0;
                    for (int j = 0; j < width; j++)
                        real += (part[j] - point[j]) * (part[j] - point[j]);
                    Assert.Equal(real, square, 1e-4);
                    sum += real;
                }
            }

            return sum;
        }
    }

    [Fact]
    public void Vectors_that_are_not_kept_are_read_from_the_codes_or_from_where_they_are()
    {
        TestVectors vectors = new(TestSeed.Base, 30, VectorMetric.Euclid);
        QuantizationOptions quantization = new() { Kind = QuantizationKind.Scalar, KeepOriginals = false, Quantile = 1 };
        (DenseIndex index, DenseIndexModel model) = vectors.Build(400, quantization);
        using DenseIndex owned = index;
        float[] vector = new float[30];
        Assert.True(index.TryGet(7, vector));
        Assert.InRange(vector.Zip(model.Vectors[7], static (a, b) => MathF.Abs(a - b)).Max(), 1e-9f, 0.05f);
        float[] query = vectors.Next();
        Assert.Equal(model.Score(query, 7), index.Score(query, 7), 0.05);
        index.Originals = new ModelVectors(model);
        Assert.True(index.TryGet(7, vector));
        Assert.Equal(model.Vectors[7], vector);
        ScoredOffset[] best = new ScoredOffset[5];
        Assert.Equal(5, index.Search(query, new DenseSearch { Ef = 100, Rescore = true }, best));
        Assert.All(best, entry => Assert.Equal(model.Score(query, entry.Offset), entry.Score, 1e-4));
    }

    [Fact]
    public void A_rotation_keeps_lengths_and_products_at_every_number_of_dimensions()
    {
        var random = new Random(TestSeed.Base);
        foreach (int dimensions in (int[])[1, 2, 3, 7, 16, 31, 64, 100, 512, 784, 1000])
        {
            Rotation rotation = new(dimensions, 42);
            float[] left = DenseIndexModel.RandomVector(random, dimensions, VectorMetric.Euclid);
            float[] right = DenseIndexModel.RandomVector(random, dimensions, VectorMetric.Euclid);
            double length = Dot(left, left), product = Dot(left, right);
            float[] first = [.. left];
            rotation.Apply(left);
            rotation.Apply(right);
            Assert.Equal(length, Dot(left, left), 1e-3 * dimensions);
            Assert.Equal(product, Dot(left, right), 1e-3 * dimensions);
            if (dimensions >= 16)
                Assert.NotEqual(first, left);
        }
    }

    [Fact]
    public void A_grid_covers_its_share_of_the_numbers_and_keeps_bytes_exactly()
    {
        float[] numbers = [.. Enumerable.Range(0, 1000).Select(static i => (float)i)];
        ByteGrid grid = ByteGrid.Train(numbers, 0.9f);
        Assert.InRange(grid.Origin, 45, 55);
        Assert.InRange(grid.Origin + (255 * grid.Step), 945, 955);
        Assert.Equal(ByteGrid.Identity, ByteGrid.Train([0, 255, 17], 0.9f));
        Assert.True(ByteGrid.Train([3.5f, 3.5f], 1).Step > 0);
    }

    private static double Dot(float[] left, float[] right) => left.Zip(right, static (a, b) => (double)a * b).Sum();

    private sealed class ModelVectors(DenseIndexModel model) : IOriginalVectors
    {
        public bool TryRead(uint offset, Span<float> vector)
        {
            model.Vectors[offset].CopyTo(vector);
            return true;
        }
    }
}
