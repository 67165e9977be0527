using K4os.Compression.LZ4;

namespace AiDb.Engine.Compression;

/// <summary>Compresses and expands the content of a table block.</summary>
internal static class BlockCodec
{
    /// <summary>Compresses, and returns 0 where that saves less than an eighth.</summary>
    /// <param name="source">The content.</param>
    /// <param name="target">At least as long as the content.</param>
    public static int TryCompress(ReadOnlySpan<byte> source, Span<byte> target)
    {
        int limit = source.Length - source.Length / 8;
        int length = LZ4Codec.Encode(source, target[..limit]);
        return length > 0 ? length : 0;
    }

    /// <summary>Fills the target exactly; never writes beyond it.</summary>
    /// <returns>False when the bytes are not the LZ4 form of content of that length.</returns>
    public static bool TryExpand(ReadOnlySpan<byte> source, Span<byte> target) =>
        LZ4Codec.Decode(source, target) == target.Length;
}
