using System.Buffers.Binary;
using System.Security.Cryptography;
using System.Text;
using System.Text.Json;

namespace AiDb.Samples.Words;

/// <summary>A word and the hash that its stored value must have.</summary>
internal readonly record struct Word(string Key, ulong Hash)
{
    /// <summary>Hashes a value.</summary>
    public static ulong HashOf(ReadOnlySpan<byte> value)
    {
        Span<byte> digest = stackalloc byte[SHA256.HashSizeInBytes];
        SHA256.HashData(value, digest);
        return BinaryPrimitives.ReadUInt64LittleEndian(digest);
    }

    /// <summary>Reads the lines of a file.</summary>
    public static async IAsyncEnumerable<(Word Word, byte[] Value)> ReadAsync(string path)
    {
        using StreamReader lines = new(path, Encoding.UTF8);
        while (await lines.ReadLineAsync() is { } line)
        {
            using JsonDocument document = JsonDocument.Parse(line);
            byte[] value = Encoding.UTF8.GetBytes(document.RootElement.GetProperty("value").GetRawText());
            yield return (new Word(document.RootElement.GetProperty("key").GetString()!, HashOf(value)), value);
        }
    }
}
