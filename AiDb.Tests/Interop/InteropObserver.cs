using System.IO.Compression;
using Grpc.Core;
using Grpc.Net.Compression;

namespace AiDb.Tests.Interop;

/// <summary>What the server saw of its calls that no client can tell: compression flags and cancelled tokens.</summary>
internal sealed class InteropObserver
{
    private int _lastRequestWasCompressed;
    private int _cancelled;
    private int _compressedResponses;

    /// <summary>Calls whose token was cancelled before the method ended.</summary>
    public int Cancelled => Volatile.Read(ref _cancelled);

    /// <summary>Messages that the server sent with the compression flag.</summary>
    public int CompressedResponses => Volatile.Read(ref _compressedResponses);

    /// <summary>gzip that notes its use: a message passes through it exactly when its flag is set.</summary>
    public ICompressionProvider Gzip => new NotingGzip(this);

    /// <summary>Whether a compressed message arrived since this was last asked.</summary>
    public bool TakeLastRequestWasCompressed() => Interlocked.Exchange(ref _lastRequestWasCompressed, 0) == 1;

    /// <summary>Counts the call when its token is cancelled while it runs.</summary>
    public IDisposable Watch(ServerCallContext context) =>
        context.CancellationToken.Register(() => Interlocked.Increment(ref _cancelled));

    private sealed class NotingGzip(InteropObserver observer) : ICompressionProvider
    {
        public string EncodingName => "gzip";

        public Stream CreateCompressionStream(Stream stream, CompressionLevel? compressionLevel)
        {
            Interlocked.Increment(ref observer._compressedResponses);
            return new GZipStream(stream, compressionLevel ?? CompressionLevel.Fastest, leaveOpen: true);
        }

        public Stream CreateDecompressionStream(Stream stream)
        {
            Interlocked.Exchange(ref observer._lastRequestWasCompressed, 1);
            return new GZipStream(stream, CompressionMode.Decompress, leaveOpen: true);
        }
    }
}
