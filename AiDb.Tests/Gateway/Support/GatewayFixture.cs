using AiDb.Gateway.Hosting;
using Grpc.Net.Client;
using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Hosting.Server;
using Microsoft.Extensions.DependencyInjection;

namespace AiDb.Tests.Gateway.Support;

/// <summary>A whole stand-alone gateway: real server, real sockets, real disk, ports of its own.</summary>
public sealed class GatewayFixture : IAsyncLifetime
{
    private readonly string _folder = Path.Combine(Path.GetTempPath(), "aidb-gateway-" + Guid.NewGuid().ToString("N"));
    private WebApplication? _app;

    public HttpClient Http { get; private set; } = null!;

    public GrpcChannel Channel { get; private set; } = null!;

    public Uri RestAddress { get; private set; } = null!;

    public string DataDirectory => _folder;

    internal IServiceProvider Services => _app!.Services;

    /// <summary>Starts a gateway with other settings.</summary>
    internal static async Task<GatewayFixture> StartAsync(params string[] settings)
    {
        GatewayFixture fixture = new();
        await fixture.StartAsyncWith(settings);
        return fixture;
    }

    public async ValueTask InitializeAsync() => await StartAsyncWith([]);

    public async ValueTask DisposeAsync()
    {
        Http?.Dispose();
        Channel?.Dispose();
        if (_app is not null)
        {
            await _app.StopAsync();
            await _app.DisposeAsync();
        }

        if (Directory.Exists(_folder))
            Directory.Delete(_folder, recursive: true);
    }

    /// <summary>Stops the gateway and starts another one on the same data.</summary>
    internal async Task RestartAsync()
    {
        Http.Dispose();
        Channel.Dispose();
        await _app!.StopAsync();
        await _app.DisposeAsync();
        await StartAsyncWith([]);
    }

    internal static string[] Arguments(string folder, params string[] settings) =>
    [
        "--AiDb:DataDirectory=" + folder,
        "--Kestrel:Endpoints:Grpc:Url=http://127.0.0.1:0",
        "--Kestrel:Endpoints:Grpc:Protocols=Http2",
        "--Kestrel:Endpoints:Rest:Url=http://127.0.0.1:0",
        "--Kestrel:Endpoints:Rest:Protocols=Http1",
        .. settings,
    ];

    private async Task StartAsyncWith(string[] settings)
    {
        _app = GatewayServer.Build(Arguments(_folder, settings));
        await _app.StartAsync();
        (string rest, string grpc) =
            _app.Services.GetRequiredService<GatewayListeners>().Addresses(_app.Services.GetRequiredService<IServer>());
        RestAddress = new Uri(rest);
        Http = new HttpClient { BaseAddress = RestAddress, Timeout = TimeSpan.FromSeconds(60) };
        Channel = GrpcChannel.ForAddress(grpc, new GrpcChannelOptions
        {
            MaxReceiveMessageSize = 256 << 20,
            MaxSendMessageSize = 256 << 20,
        });
    }
}

/// <summary>One gateway for all tests that do not change its settings; each uses tables of its own.</summary>
[CollectionDefinition(Name)]
public sealed class GatewayCollection : ICollectionFixture<GatewayFixture>
{
    public const string Name = "gateway";
}
