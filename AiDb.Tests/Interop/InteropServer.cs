using System.Net;
using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Hosting;
using Microsoft.AspNetCore.Hosting.Server;
using Microsoft.AspNetCore.Hosting.Server.Features;
using Microsoft.AspNetCore.Server.Kestrel.Core;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Logging;

namespace AiDb.Tests.Interop;

/// <summary>The interoperability service on Kestrel, cleartext HTTP/2 at a free port.</summary>
internal sealed class InteropServer : IAsyncDisposable
{
    public const int MaxMessageBytes = 8 * 1024 * 1024;

    private readonly WebApplication _app;

    private InteropServer(WebApplication app, InteropObserver observer)
    {
        _app = app;
        Observer = observer;
        Address = new Uri(app.Services.GetRequiredService<IServer>()
            .Features.Get<IServerAddressesFeature>()!.Addresses.Single());
    }

    public Uri Address { get; }

    public InteropObserver Observer { get; }

    public static async Task<InteropServer> StartAsync()
    {
        var observer = new InteropObserver();
        var builder = WebApplication.CreateBuilder();
        builder.Logging.ClearProviders();
        builder.WebHost.ConfigureKestrel(kestrel =>
        {
            // With Kestrel's 100, a burst from grpc-js ends in ENHANCE_YOUR_CALM: it ends its streams with a
            // frame of their own, so more of them are tracked than are served.
            kestrel.Limits.Http2.MaxStreamsPerConnection = 1000;
            kestrel.Listen(IPAddress.Loopback, 0, listen => listen.Protocols = HttpProtocols.Http2);
        });
        builder.Services.AddSingleton(observer);
        builder.Services.AddGrpc(options =>
        {
            options.MaxReceiveMessageSize = MaxMessageBytes;
            options.CompressionProviders.Clear();
            options.CompressionProviders.Add(observer.Gzip);
            options.ResponseCompressionAlgorithm = "gzip";
        });

        var app = builder.Build();
        app.MapGrpcService<InteropService>();
        await app.StartAsync();
        return new InteropServer(app, observer);
    }

    public ValueTask DisposeAsync() => _app.DisposeAsync();
}
