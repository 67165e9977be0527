using System.Buffers.Binary;
using AiDb.Engine.Storage;
using AiDb.Engine.Vectors;
using AiDb.Engine.Vectors.Files;
using AiDb.Tests.Engine.Storage;
using AiDb.Tests.TestSupport;

namespace AiDb.Tests.Engine.Vectors.Files;

public sealed class VectorIndexFileTests
{
    private const string Path = "db/vectors.index";

    public static TheoryData<string> Forms => ["none", "scalar", "binary", "binary without originals", "product", "product only"];

    [Theory]
    [MemberData(nameof(Forms))]
    public void What_was_saved_is_loaded_and_searched_and_changed_as_before(string form)
    {
        TestVectors vectors = new(TestSeed.Base, 20, VectorMetric.Euclid);
        QuantizationOptions? quantization = Quantization(form);
        SimulatedFileSystem disk = NewDisk();
        (DenseIndex index, DenseIndexModel model) = vectors.Build(1500, quantization);
        float[] query = vectors.Next();
        ScoredOffset[] before = new ScoredOffset[10], after = new ScoredOffset[10];
        using (index)
        {
            // Some that wait, some that are removed, some of each.
            for (uint offset = 0; offset < 200; offset++)
            {
                if (offset % 3 == 0)
                {
                    index.Remove(offset);
                    model.Vectors.Remove(offset);
                }
                else
                {
                    model.Vectors[offset + 1400] = vectors.Next();
                    index.Set(offset + 1400, model.Vectors[offset + 1400]);
                }
            }

            index.IndexNext(50, TestContext.Current.CancellationToken);
            index.Save(disk, Path, 5, 77, TestContext.Current.CancellationToken);
            Assert.Equal(10, index.Search(query, new DenseSearch { Ef = 200 }, before));
        }

        using DenseIndex loaded = DenseIndex.Load(disk.Crash(), Path, vectors.Options(quantization), out ulong version);
        Assert.Equal(77UL, version);
        Assert.Equal(model.Vectors.Count, loaded.Count);
        Assert.Equal(10, loaded.Search(query, new DenseSearch { Ef = 200 }, after));
        Assert.Equal(before, after);
        foreach (uint offset in model.Vectors.Keys.Take(300).ToArray())
        {
            model.Vectors[offset] = vectors.Next();
            loaded.Set(offset, model.Vectors[offset]);
        }

        TestVectors.IndexAll(loaded);
        Assert.Equal(model.Vectors.Count, loaded.IndexedCount);
        double recall = vectors.Recall(loaded, model, new DenseSearch { Ef = 150 });
        Assert.True(recall >= (form == "product only" ? 0.75 : 0.93), $"recall {recall}, seed {TestSeed.Base}");
    }

    [Fact]
    public void An_index_of_one_vector_has_the_documented_bytes()
    {
        SimulatedFileSystem disk = NewDisk();
        DenseIndexOptions options = new() { Dimensions = 2, Metric = VectorMetric.Dot };
        using DenseIndex index = new(options);
        index.Set(0, [1.5f, -2]);
        index.Save(disk, Path, 1, 9, TestContext.Current.CancellationToken);
        byte[] file = disk.ReadRaw(Path);
        Assert.Equal(16_448, file.Length);
        Assert.Equal("AIDBVECI", System.Text.Encoding.ASCII.GetString(file, 0, 8));
        Assert.Equal(
            "01000000000000000100000000000000000000000000000009000000000000000200000001000000",
            Convert.ToHexStringLower(file.AsSpan(8, 40)));
        Assert.Equal("10000000" + "01000000" + "01000000" + "01000000" + "00000000", Convert.ToHexStringLower(file.AsSpan(48, 20)));
        Assert.Equal("00000000" + "0000803f" + "03000000" + "ffffffffffffffff", Convert.ToHexStringLower(file.AsSpan(68, 20)));
        Assert.Equal("0000000000000000ffffffff00000000", Convert.ToHexStringLower(file.AsSpan(4096, 16)));
        Assert.Equal("00000000", Convert.ToHexStringLower(file.AsSpan(8192, 4)));
        Assert.Equal("0000c03f000000c0", Convert.ToHexStringLower(file.AsSpan(12_288, 8)));
        Assert.Equal("AIDBVECF", System.Text.Encoding.ASCII.GetString(file, file.Length - 8, 8));
        Assert.Equal(file.Length, BinaryPrimitives.ReadInt64LittleEndian(file.AsSpan(file.Length - 48)));
    }

    [Fact]
    public void A_changed_or_cut_file_is_refused_and_never_searched()
    {
        TestVectors vectors = new(TestSeed.Base, 9, VectorMetric.Cosine);
        QuantizationOptions quantization = new() { Kind = QuantizationKind.Binary };
        SimulatedFileSystem disk = NewDisk();
        (DenseIndex index, _) = vectors.Build(300, quantization);
        using (index)
            index.Save(disk, Path, 5, 77, TestContext.Current.CancellationToken);
        byte[] whole = disk.ReadRaw(Path);
        var random = new Random(TestSeed.Base);
        int refused = 0;
        for (int round = 0; round < 400; round++)
        {
            byte[] damaged = round % 10 == 0 ? whole[..random.Next(whole.Length)] : [.. whole];
            if (round % 10 != 0)
                damaged[random.Next(damaged.Length)] ^= (byte)(1 << random.Next(8));
            disk.WriteRaw(Path, damaged);
            try
            {
                // A byte of the padding says nothing.
                using DenseIndex loaded = DenseIndex.Load(disk, Path, vectors.Options(quantization), out _);
                Assert.Equal(300, loaded.Count);
            }
            catch (AiDbException error)
            {
                Assert.Equal(AiDbErrorKind.DataLoss, error.Kind);
                Assert.Contains(Path, error.Message, StringComparison.Ordinal);
                Assert.Contains("offset", error.Message, StringComparison.Ordinal);
                refused++;
            }
        }

        Assert.True(refused > 200, $"{refused} refused, seed {TestSeed.Base}");
    }

    [Fact]
    public void Damage_under_checksums_that_hold_is_refused_or_harmless()
    {
        TestVectors vectors = new(TestSeed.Base, 9, VectorMetric.Euclid);
        SimulatedFileSystem disk = NewDisk();
        (DenseIndex index, _) = vectors.Build(300);
        using (index)
            index.Save(disk, Path, 5, 77, TestContext.Current.CancellationToken);
        byte[] whole = disk.ReadRaw(Path);
        var random = new Random(TestSeed.Base);
        ScoredOffset[] best = new ScoredOffset[10];
        for (int round = 0; round < 400; round++)
        {
            byte[] damaged = [.. whole];
            for (int i = 0; i < 3; i++)
                damaged[random.Next(round % 2 == 0 ? 40 : 4096, damaged.Length - 64)] = (byte)random.Next(256);
            Reseal(damaged);
            disk.WriteRaw(Path, damaged);
            try
            {
                using DenseIndex loaded = DenseIndex.Load(disk, Path, vectors.Options(), out _);
                loaded.Search(vectors.Next(), new DenseSearch { Ef = 50 }, best);
                loaded.Set(3, vectors.Next());
                TestVectors.IndexAll(loaded);
                loaded.Search(vectors.Next(), new DenseSearch { Ef = 50 }, best);
            }
            catch (AiDbException error)
            {
                Assert.True(error.Kind is AiDbErrorKind.DataLoss or AiDbErrorKind.PreconditionFailed, error.ToString());
            }
        }
    }

    [Fact]
    public void Product_codes_of_another_compression_are_of_another_shape()
    {
        TestVectors vectors = new(TestSeed.Base, 20, VectorMetric.Euclid);
        SimulatedFileSystem disk = NewDisk();
        QuantizationOptions quantization = new() { Kind = QuantizationKind.Product, Compression = 8 };
        (DenseIndex index, _) = vectors.Build(300, quantization);
        using (index)
            index.Save(disk, Path, 5, 77, TestContext.Current.CancellationToken);
        foreach (QuantizationOptions? other in (QuantizationOptions?[])[
            quantization with { Compression = 16 }, quantization with { Compression = 4 }, Quantization("binary"), null])
        {
            Assert.Equal(
                AiDbErrorKind.PreconditionFailed,
                Assert.Throws<AiDbException>(() => DenseIndex.Load(disk, Path, vectors.Options(other), out _)).Kind);
        }
    }

    [Fact]
    public void A_missing_file_and_one_of_another_shape_say_so()
    {
        SimulatedFileSystem disk = NewDisk();
        DenseIndexOptions options = new() { Dimensions = 2, Metric = VectorMetric.Dot };
        Assert.Equal(
            AiDbErrorKind.NotFound, Assert.Throws<AiDbException>(() => DenseIndex.Load(disk, Path, options, out _)).Kind);
        using (DenseIndex index = new(options))
            index.Save(disk, Path, 1, 9, TestContext.Current.CancellationToken);
        foreach (DenseIndexOptions other in (DenseIndexOptions[])[
            options with { Dimensions = 3 }, options with { Metric = VectorMetric.Euclid },
            options with { Element = VectorElement.UInt8 }, options with { Hnsw = new HnswOptions { M = 8 } }])
        {
            Assert.Equal(
                AiDbErrorKind.PreconditionFailed,
                Assert.Throws<AiDbException>(() => DenseIndex.Load(disk, Path, other, out _)).Kind);
        }

        byte[] file = disk.ReadRaw(Path);
        file[8] = 2;
        Reseal(file);
        disk.WriteRaw(Path, file);
        Assert.Equal(
            AiDbErrorKind.Unimplemented,
            Assert.Throws<AiDbException>(() => DenseIndex.Load(disk, Path, options, out _)).Kind);
    }

    [Fact]
    public void A_crash_or_a_full_disk_while_saving_leaves_the_file_of_before()
    {
        TestVectors vectors = new(TestSeed.Base, 6, VectorMetric.Euclid);
        (DenseIndex index, _) = vectors.Build(100);
        using DenseIndex owned = index;
        SimulatedFileSystem disk = NewDisk();
        index.Save(disk, Path, 1, 1, TestContext.Current.CancellationToken);
        for (int operation = 1; ; operation++)
        {
            SimulatedFileSystem fork = disk.Fork(operation);
            fork.CrashAt(fork.OperationCount + operation);
            try
            {
                index.Save(fork, Path, 2, 2, TestContext.Current.CancellationToken);
                break;
            }
            catch (SimulatedCrashException)
            {
                using DenseIndex loaded = DenseIndex.Load(fork.Crash(), Path, vectors.Options(), out ulong version);
                Assert.InRange(version, 1UL, 2UL);
                Assert.Equal(100, loaded.Count);
            }
        }
    }

    private static SimulatedFileSystem NewDisk()
    {
        SimulatedFileSystem disk = new(TestSeed.Base);
        disk.CreateDirectory("db");
        return disk;
    }

    private static QuantizationOptions? Quantization(string form) => form switch
    {
        "none" => null,
        "scalar" => new QuantizationOptions { Kind = QuantizationKind.Scalar },
        "product" => new QuantizationOptions { Kind = QuantizationKind.Product, Compression = 8 },
        "product only" => new QuantizationOptions { Kind = QuantizationKind.Product, Compression = 8, KeepOriginals = false },
        _ => new QuantizationOptions { Kind = QuantizationKind.Binary, KeepOriginals = form == "binary" },
    };

    // Makes all checksums hold again.
    private static void Reseal(byte[] file)
    {
        for (int i = 0; i < BinaryPrimitives.ReadInt32LittleEndian(file.AsSpan(76)) && i < 8; i++)
        {
            Span<byte> entry = file.AsSpan(88 + (i * 32), 32);
            long offset = BinaryPrimitives.ReadInt64LittleEndian(entry[8..]);
            long bytes = BinaryPrimitives.ReadInt64LittleEndian(entry[16..]);
            if (offset >= 0 && bytes >= 0 && offset <= file.Length - bytes)
            {
                BinaryPrimitives.WriteUInt32LittleEndian(
                    entry[24..], Crc32C.Compute(file.AsSpan((int)offset, (int)bytes)));
            }
        }

        uint header = Crc32C.Compute(file.AsSpan(0, VectorIndexFormat.HeaderChecksumAt));
        BinaryPrimitives.WriteUInt32LittleEndian(file.AsSpan(VectorIndexFormat.HeaderChecksumAt), header);
        UInt128 id = BinaryPrimitives.ReadUInt128LittleEndian(file.AsSpan(16));
        VectorIndexFormat.WriteFooter(file.AsSpan(file.Length - 64), id, file.Length, header);
    }
}
