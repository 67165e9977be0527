using System.IO.Compression;
using Grpc.Net.Compression;

namespace AiDb.Tests.Interop;

/// <summary>gzip that notes its use: a message passes through it exactly when its compression flag is
/// set.</summary>
internal sealed class NotingGzip : ICompressionProvider
{
    private int _compressed;
    private int _decompressed;

    public string EncodingName => "gzip";

    /// <summary>Messages sent with the flag since this was last asked.</summary>
    public int TakeCompressed() => Interlocked.Exchange(ref _compressed, 0);

    /// <summary>Messages received with the flag since this was last asked.</summary>
    public int TakeDecompressed() => Interlocked.Exchange(ref _decompressed, 0);

    public Stream CreateCompressionStream(Stream stream, CompressionLevel? compressionLevel)
    {
        Interlocked.Increment(ref _compressed);
        return new GZipStream(stream, compressionLevel ?? CompressionLevel.Fastest, leaveOpen: true);
    }

    public Stream CreateDecompressionStream(Stream stream)
    {
        Interlocked.Increment(ref _decompressed);
        return new GZipStream(stream, CompressionMode.Decompress, leaveOpen: true);
    }
}
