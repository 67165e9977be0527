using System.Threading.Channels;
using Grpc.Core;

namespace AiDb.Tests.Interop;

/// <summary>What the server saw of its calls that no client can tell: compression flags and cancelled tokens.</summary>
internal sealed class InteropObserver
{
    private readonly Channel<string> _cancelled = Channel.CreateUnbounded<string>();

    public NotingGzip Gzip { get; } = new();

    /// <summary>The methods of calls whose token was cancelled while they ran, in that order.</summary>
    public ChannelReader<string> Cancelled => _cancelled.Reader;

    public IDisposable Watch(ServerCallContext context) =>
        context.CancellationToken.Register(() => _cancelled.Writer.TryWrite(context.Method));
}
