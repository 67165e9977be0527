using Grpc.Core;
using Grpc.Core.Interceptors;
using Grpc.Net.Client;

namespace AiDb.Contracts.Multiplexing;

/// <summary>gRPC channels from one node of a cluster, or a tool, to another.</summary>
public static class NodeChannels
{
    private static readonly TimeSpan ConnectTimeout = TimeSpan.FromSeconds(2);

    /// <summary>Opens a channel; nothing is connected before its first call.</summary>
    /// <param name="address">The node's gRPC address, <c>http://host:port</c> or <c>https://host:port</c>.</param>
    /// <param name="pingInterval">How often a connection with calls under way is probed; a node that does not answer for as long
    /// again counts as gone, also one that hangs rather than closes. Null: 2 s.</param>
    public static GrpcChannel Open(string address, TimeSpan? pingInterval = null)
    {
        TimeSpan interval = pingInterval ?? TimeSpan.FromSeconds(2);
        return GrpcChannel.ForAddress(address, new GrpcChannelOptions
        {
            HttpHandler = new SocketsHttpHandler
            {
                EnableMultipleHttp2Connections = true,
                ConnectTimeout = ConnectTimeout,
                KeepAlivePingDelay = interval,
                KeepAlivePingTimeout = interval,

                // The streams of an idle cluster are silent for hours.
                PooledConnectionIdleTimeout = Timeout.InfiniteTimeSpan,
            },
            DisposeHttpClient = true,
            MaxReceiveMessageSize = WireLimits.MaxMessageBytes,
            MaxSendMessageSize = WireLimits.MaxMessageBytes,
        });
    }

    /// <summary>Calls over a channel carry the cluster's secret.</summary>
    public static CallInvoker WithSecret(this GrpcChannel channel, string secret) =>
        channel.Intercept(headers =>
        {
            headers.Add(ClusterSecret.HeaderName, secret);
            return headers;
        });
}
