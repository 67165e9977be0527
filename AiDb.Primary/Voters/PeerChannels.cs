using AiDb.Contracts;
using Grpc.Net.Client;

namespace AiDb.Primary.Voters;

/// <summary>Connections from one primary to another.</summary>
internal static class PeerChannels
{
    /// <summary>Opens one. A node that does not answer for 4 s counts as gone.</summary>
    public static GrpcChannel Open(string address) => GrpcChannel.ForAddress(address, new GrpcChannelOptions
    {
        HttpHandler = new SocketsHttpHandler
        {
            ConnectTimeout = TimeSpan.FromSeconds(2),
            KeepAlivePingDelay = TimeSpan.FromSeconds(2),
            KeepAlivePingTimeout = TimeSpan.FromSeconds(2),
            PooledConnectionIdleTimeout = Timeout.InfiniteTimeSpan,
        },
        DisposeHttpClient = true,
        MaxReceiveMessageSize = WireLimits.MaxMessageBytes,
        MaxSendMessageSize = WireLimits.MaxMessageBytes,
    });
}
