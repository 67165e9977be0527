using System.Net;
using AiDb.Contracts;
using Microsoft.AspNetCore.Hosting.Server;
using Microsoft.AspNetCore.Hosting.Server.Features;
using Microsoft.AspNetCore.Server.Kestrel.Core;

namespace AiDb.Gateway.Hosting;

/// <summary>Where the gateway listens: Kestrel's settings as they are; or URLS or HTTP_PORTS, whose first
/// address is REST and whose second is gRPC; or, with neither, REST on 6333 and gRPC on 6334 of
/// loopback.</summary>
internal sealed class GatewayListeners
{
    public const int RestPort = 6333;
    public const int GrpcPort = 6334;

    private const string EndpointsSection = "Kestrel:Endpoints";
    private const string GrpcEndpoint = "Grpc";
    private const int RequestLineBytes = 32 << 10;

    private readonly int _grpcIndex;

    private GatewayListeners(int grpcIndex) => _grpcIndex = grpcIndex;

    /// <summary>Sets the listeners up.</summary>
    /// <exception cref="InvalidOperationException">One is beyond loopback, and there is no API
    /// key.</exception>
    public static GatewayListeners Configure(WebApplicationBuilder builder, bool hasApiKey)
    {
        List<IConfigurationSection> endpoints = [.. builder.Configuration.GetSection(EndpointsSection).GetChildren()];
        List<string> configured = endpoints.ConvertAll(endpoint => endpoint["Url"] ?? "");
        bool byKestrel = configured.Count > 0;
        if (!byKestrel)
            configured = UrlsOf(builder.Configuration);
        if (!hasApiKey && configured.Find(url => !IsLoopback(url)) is { } open)
        {
            throw new InvalidOperationException(
                $"'{open}' can be reached from other machines, so an API key is needed: set AiDb:ApiKey (environment "
                + "AiDb__ApiKey), or listen on 127.0.0.1.");
        }

        bool byUrls = !byKestrel && configured.Count > 0;
        bool isPlain = configured.TrueForAll(url => url.StartsWith("http://", StringComparison.OrdinalIgnoreCase));
        builder.WebHost.ConfigureKestrel(kestrel =>
        {
            kestrel.AddServerHeader = false;
            kestrel.Limits.MaxRequestBodySize = WireLimits.MaxMessageBytes;
            kestrel.Limits.MaxRequestLineSize = RequestLineBytes;
            kestrel.Limits.MaxRequestBufferSize = 2 << 20;
            kestrel.Limits.Http2.InitialStreamWindowSize = 2 << 20;
            kestrel.Limits.Http2.InitialConnectionWindowSize = 8 << 20;
            kestrel.Limits.Http2.MaxStreamsPerConnection = 1000;
            if (byUrls && isPlain)
                Listen(kestrel, configured);
            else if (!byKestrel && !byUrls)
                Listen(kestrel, [$"http://127.0.0.1:{RestPort}", $"http://127.0.0.1:{GrpcPort}"]);
        });

        // Bound above, with the protocols that they need.
        if (byUrls && isPlain)
        {
            builder.Configuration[WebHostDefaults.ServerUrlsKey] = "";
            builder.WebHost.UseSetting(WebHostDefaults.ServerUrlsKey, "");
            builder.WebHost.UseSetting(WebHostDefaults.HttpPortsKey, "");
        }

        // Kestrel binds the endpoints of its settings in their order, too.
        int named = endpoints.FindIndex(
            endpoint => string.Equals(endpoint.Key, GrpcEndpoint, StringComparison.OrdinalIgnoreCase));
        return new GatewayListeners(byKestrel ? Math.Max(named, 0) : 1);
    }

    /// <summary>The addresses of a running gateway: all but gRPC, and gRPC (where there is one address, it
    /// serves both).</summary>
    public (string Http, string Grpc) Addresses(IServer server)
    {
        List<string> all = [.. server.Features.Get<IServerAddressesFeature>()?.Addresses ?? []];
        if (all.Count == 0)
            throw new InvalidOperationException("The gateway does not listen anywhere; check URLS and Kestrel:Endpoints.");
        string grpc = all[Math.Min(_grpcIndex, all.Count - 1)];
        return (all.Find(address => !string.Equals(address, grpc, StringComparison.Ordinal)) ?? grpc, grpc);
    }

    /// <summary>Whether only this machine reaches an address.</summary>
    internal static bool IsLoopback(string url)
    {
        if (url.Contains("://*", StringComparison.Ordinal) || url.Contains("://+", StringComparison.Ordinal))
            return false;
        return Uri.TryCreate(url, UriKind.Absolute, out Uri? uri) && uri.IsLoopback;
    }

    private static List<string> UrlsOf(ConfigurationManager configuration)
    {
        if (configuration[WebHostDefaults.ServerUrlsKey] is { Length: > 0 } urls)
            return [.. Split(urls)];
        return
        [
            .. Split(configuration[WebHostDefaults.HttpPortsKey]).Select(port => $"http://*:{port}"),
            .. Split(configuration[WebHostDefaults.HttpsPortsKey]).Select(port => $"https://*:{port}"),
        ];
    }

    private static string[] Split(string? list) =>
        (list ?? "").Split(';', StringSplitOptions.RemoveEmptyEntries | StringSplitOptions.TrimEntries);

    private static void Listen(KestrelServerOptions kestrel, IReadOnlyList<string> urls)
    {
        for (int i = 0; i < urls.Count; i++)
        {
            BindingAddress address = BindingAddress.Parse(urls[i]);
            HttpProtocols protocols = i == 1 ? HttpProtocols.Http2 : HttpProtocols.Http1;
            void Set(ListenOptions listener) => listener.Protocols = protocols;
            if (string.Equals(address.Host, "localhost", StringComparison.OrdinalIgnoreCase))
                kestrel.Listen(IPAddress.Loopback, address.Port, Set);
            else if (IPAddress.TryParse(address.Host.Trim('[', ']'), out IPAddress? ip))
                kestrel.Listen(ip, address.Port, Set);
            else
                kestrel.ListenAnyIP(address.Port, Set);
        }
    }
}
