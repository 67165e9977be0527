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

    /// <summary>Looks at the token when the method ends.</summary>
    public IDisposable Watch(ServerCallContext context) => new Watched(this, context);

    private sealed class Watched(InteropObserver observer, ServerCallContext context) : IDisposable
    {
        public void Dispose()
        {
            if (context.CancellationToken.IsCancellationRequested)
            {
                observer._cancelled.Writer.TryWrite(context.Method);
            }
        }
    }
}
