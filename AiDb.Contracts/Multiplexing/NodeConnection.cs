using AiDb.Contracts.Internal.V1;
using Grpc.Core;

namespace AiDb.Contracts.Multiplexing;

/// <summary>The shared stream to one node of the cluster.</summary>
/// <remarks>Thread safety: all members may be called concurrently. The channel belongs to the caller, who
/// closes it after this.</remarks>
public sealed class NodeConnection : IShardClient
{
    private readonly StreamMultiplexer<Request, Response, RequestFrame, ResponseFrame> _multiplexer;

    /// <summary>Starts to connect.</summary>
    /// <param name="invoker">The channel to the node.</param>
    /// <param name="clusterSecret">What every inner call carries; null or empty: nothing.</param>
    /// <param name="options">Bounds and times.</param>
    public NodeConnection(CallInvoker invoker, string? clusterSecret = null, MultiplexerOptions? options = null)
    {
        var client = new Shard.ShardClient(invoker);
        Grpc.Core.Metadata headers = [];
        if (!string.IsNullOrEmpty(clusterSecret))
            headers.Add(ClusterSecret.HeaderName, clusterSecret);
        _multiplexer = new StreamMultiplexer<Request, Response, RequestFrame, ResponseFrame>(
            ExchangeProtocol.Instance, token => client.Exchange(headers, cancellationToken: token), options);
    }

    /// <summary>Whether the stream stands.</summary>
    public bool IsConnected => _multiplexer.IsConnected;

    /// <summary>Requests without an answer.</summary>
    public int InFlight => _multiplexer.InFlight;

    /// <summary>Frames written since the start.</summary>
    public long FramesSent => _multiplexer.FramesSent;

    /// <summary>Requests written since the start.</summary>
    public long RequestsSent => _multiplexer.RequestsSent;

    /// <inheritdoc/>
    public ValueTask<Response> SendAsync(Request request, CancellationToken cancellationToken = default) =>
        _multiplexer.SendAsync(request, cancellationToken);

    /// <inheritdoc/>
    public ValueTask DisposeAsync() => _multiplexer.DisposeAsync();
}
