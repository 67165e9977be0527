using System.Net;
using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Hosting;
using Microsoft.AspNetCore.Hosting.Server;
using Microsoft.AspNetCore.Hosting.Server.Features;
using Microsoft.AspNetCore.Http;
using Microsoft.AspNetCore.Server.Kestrel.Core;
using Microsoft.Extensions.Configuration;
using Microsoft.Extensions.DependencyInjection;

namespace AiDb.ServiceDefaults;

/// <summary>
/// Where a node behind the gateway listens: gRPC on a port of its own, since cleartext HTTP/2 shares none,
/// and HTTP/1 for health and metrics. Settings: <c>Kestrel:Endpoints:Grpc</c> and others beside it; or URLS,
/// whose first address is gRPC and whose others are HTTP/1; or nothing, which means free ports on loopback.
/// </summary>
public sealed class NodeListeners
{
    private const string EndpointsSection = "Kestrel:Endpoints";
    private const string GrpcEndpoint = "Grpc";
    private const int StreamWindowBytes = 4 << 20;
    private const int ConnectionWindowBytes = 16 << 20;

    private readonly int _grpcIndex;

    private NodeListeners(int grpcIndex) => _grpcIndex = grpcIndex;

    /// <summary>Sets the listeners up.</summary>
    /// <param name="builder">The node.</param>
    /// <param name="maxMessageBytes">The largest message that the node takes.</param>
    public static NodeListeners Configure(WebApplicationBuilder builder, int maxMessageBytes)
    {
        int grpcIndex = 0;
        string? urls = builder.Configuration[WebHostDefaults.ServerUrlsKey];
        List<IConfigurationSection> endpoints = [.. builder.Configuration.GetSection(EndpointsSection).GetChildren()];
        builder.WebHost.ConfigureKestrel(kestrel =>
        {
            kestrel.Limits.MaxRequestBodySize = null;
            kestrel.Limits.MaxRequestBufferSize = Math.Max(1 << 20, maxMessageBytes / 64);
            kestrel.Limits.Http2.InitialStreamWindowSize = StreamWindowBytes;
            kestrel.Limits.Http2.InitialConnectionWindowSize = ConnectionWindowBytes;
            // A peer that hangs, rather than closes, is noticed by its missing answers to pings.
            kestrel.Limits.Http2.KeepAlivePingDelay = TimeSpan.FromSeconds(5);
            kestrel.Limits.Http2.KeepAlivePingTimeout = TimeSpan.FromSeconds(5);
            if (endpoints.Count > 0)
                return;
            if (!string.IsNullOrWhiteSpace(urls))
            {
                ListenOn(kestrel, urls);
                return;
            }

            kestrel.Listen(IPAddress.Loopback, 0, listener => listener.Protocols = HttpProtocols.Http2);
            kestrel.Listen(IPAddress.Loopback, 0, listener => listener.Protocols = HttpProtocols.Http1);
        });
        if (endpoints.Count > 0)
        {
            // Kestrel binds the endpoints of the settings in this order, too.
            int index = endpoints.FindIndex(
                endpoint => string.Equals(endpoint.Key, GrpcEndpoint, StringComparison.OrdinalIgnoreCase));
            grpcIndex = Math.Max(index, 0);
        }

        // Its addresses are bound above, with the right protocols.
        builder.WebHost.UseSetting(WebHostDefaults.ServerUrlsKey, "");
        return new NodeListeners(grpcIndex);
    }

    /// <summary>The addresses of a running node, gRPC first.</summary>
    /// <param name="services">The node's services.</param>
    public (string Grpc, IReadOnlyList<string> Others) Addresses(IServiceProvider services)
    {
        List<string> addresses =
            [.. services.GetRequiredService<IServer>().Features.Get<IServerAddressesFeature>()?.Addresses ?? []];
        if (addresses.Count == 0)
            throw new InvalidOperationException("The node does not listen anywhere; check URLS and Kestrel:Endpoints.");
        string grpc = addresses[Math.Min(_grpcIndex, addresses.Count - 1)];
        addresses.Remove(grpc);
        return (grpc, addresses);
    }

    /// <summary>An address as other machines reach it: an address that stands for every interface becomes the
    /// machine's name.</summary>
    public static string Advertise(string address)
    {
        string host = new Uri(address.Replace("://*", "://0.0.0.0", StringComparison.Ordinal)
            .Replace("://+", "://0.0.0.0", StringComparison.Ordinal)).Host.Trim('[', ']');
        if (!IPAddress.TryParse(host, out IPAddress? ip) || !(ip.Equals(IPAddress.Any) || ip.Equals(IPAddress.IPv6Any)))
            return address;
        int port = new Uri(address).Port;
        return $"{new Uri(address).Scheme}://{Dns.GetHostName()}:{port}";
    }

    private static void ListenOn(KestrelServerOptions kestrel, string urls)
    {
        bool first = true;
        foreach (string url in urls.Split(';', StringSplitOptions.RemoveEmptyEntries | StringSplitOptions.TrimEntries))
        {
            BindingAddress address = BindingAddress.Parse(url);
            HttpProtocols protocols = first ? HttpProtocols.Http2 : HttpProtocols.Http1;
            first = false;
            if (string.Equals(address.Host, "localhost", StringComparison.OrdinalIgnoreCase))
                kestrel.Listen(IPAddress.Loopback, address.Port, listener => listener.Protocols = protocols);
            else if (IPAddress.TryParse(address.Host.Trim('[', ']'), out IPAddress? ip))
                kestrel.Listen(ip, address.Port, listener => listener.Protocols = protocols);
            else
                kestrel.ListenAnyIP(address.Port, listener => listener.Protocols = protocols);
        }
    }
}
