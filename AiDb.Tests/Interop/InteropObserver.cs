using System.Threading.Channels;
using Grpc.Core;

namespace AiDb.Tests.Interop;

/// <summary>What the server saw of its calls that no client can tell: compression flags and cancelled
/// tokens.</summary>
internal sealed class InteropObserver
{
    private readonly Channel<string> _cancelled = Channel.CreateUnbounded<string>();

    private int _running;

    public NotingGzip Gzip { get; } = new();

    /// <summary>Watched methods that have not ended.</summary>
    public int Running => Volatile.Read(ref _running);

    /// <summary>The methods of calls that the client gave up while they ran, in that order.</summary>
    public ChannelReader<string> Cancelled => _cancelled.Reader;

    /// <summary>Runs a method's body and notes when it ends because its client is gone: the reset stream
    /// shows in a read that waits, the token everywhere else, and either may be first; a read that begins after that
    /// is refused as an invalid operation.</summary>
    public async Task WatchAsync(ServerCallContext context, Func<Task> body)
    {
        Interlocked.Increment(ref _running);
        try
        {
            await body();
        }
        catch (Exception exception) when (
            exception is IOException or OperationCanceledException
            || (exception is InvalidOperationException && context.CancellationToken.IsCancellationRequested))
        {
            _cancelled.Writer.TryWrite(context.Method);
            throw;
        }
        finally
        {
            Interlocked.Decrement(ref _running);
        }
    }
}
