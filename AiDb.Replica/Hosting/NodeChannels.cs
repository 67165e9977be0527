using AiDb.Contracts;
using AiDb.Contracts.Multiplexing;
using Grpc.Core;
using Grpc.Core.Interceptors;
using Grpc.Net.Client;

namespace AiDb.Replica.Hosting;

/// <summary>Channels to other nodes of the cluster.</summary>
internal static class NodeChannels
{
    /// <summary>Opens a channel. A node that hangs rather than closes is noticed by its missing answers to
    /// pings.</summary>
    public static GrpcChannel Open(string address) => GrpcChannel.ForAddress(address, new GrpcChannelOptions
    {
        HttpHandler = new SocketsHttpHandler
        {
            EnableMultipleHttp2Connections = true,
            ConnectTimeout = TimeSpan.FromSeconds(2),
            KeepAlivePingDelay = TimeSpan.FromSeconds(2),
            KeepAlivePingTimeout = TimeSpan.FromSeconds(2),
            PooledConnectionIdleTimeout = Timeout.InfiniteTimeSpan,
        },
        DisposeHttpClient = true,
        MaxReceiveMessageSize = WireLimits.MaxMessageBytes,
        MaxSendMessageSize = WireLimits.MaxMessageBytes,
    });

    /// <summary>Calls over a channel carry the cluster's secret.</summary>
    public static CallInvoker WithSecret(this GrpcChannel channel, string secret) =>
        channel.Intercept(headers =>
        {
            headers.Add(ClusterSecret.HeaderName, secret);
            return headers;
        });
}

/// <summary>What a replica has open to one primary: the shared stream, and the channel for feeds.</summary>
internal sealed class PrimaryConnection : IAsyncDisposable
{
    private readonly GrpcChannel _channel;

    public PrimaryConnection(string address, string secret)
    {
        Address = address;
        _channel = NodeChannels.Open(address);
        Invoker = _channel.WithSecret(secret);
        Exchange = new NodeConnection(Invoker);
    }

    public string Address { get; }

    public CallInvoker Invoker { get; }

    public NodeConnection Exchange { get; }

    public async ValueTask DisposeAsync()
    {
        await Exchange.DisposeAsync().ConfigureAwait(false);
        _channel.Dispose();
    }
}
