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
