using AiDb.Gateway.Hosting;
using AiDb.Primary.Hosting;
using AiDb.Tests.Gateway.Support;
using Grpc.Net.Client;
using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Hosting.Server;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Diagnostics.HealthChecks;

namespace AiDb.Tests.Gateway.Qdrant;

/// <summary>A gateway with real sockets and disks: stand-alone, or in front of several primaries.</summary>
internal sealed class CollectionCluster : IAsyncDisposable
{
    public const string ApiKey = "the-key-of-this-test";

    private const string Secret = "the secret of this test";

    private static readonly TimeSpan Patience = TimeSpan.FromSeconds(60);

    private readonly string _folder = Path.Combine(Path.GetTempPath(), "aidb-points-" + Guid.NewGuid().ToString("N"));
    private readonly List<WebApplication> _primaries = [];
    private readonly Dictionary<string, WebApplication> _byName = new(StringComparer.Ordinal);
    private string[] _settings = [];
    private string[] _primarySettings = [];
    private WebApplication? _gateway;

    private CollectionCluster()
    {
    }

    public Uri Rest { get; private set; } = null!;

    public Uri Grpc { get; private set; } = null!;

    public GrpcChannel Channel { get; private set; } = null!;

    public IServiceProvider Services => _gateway!.Services;

    /// <summary>Starts it.</summary>
    /// <param name="shards">1: stand-alone; more: a primary each.</param>
    /// <param name="settings">Further settings of the gateway.</param>
    public static Task<CollectionCluster> StartAsync(int shards, params string[] settings) => StartAsync(shards, settings, []);

    /// <summary>Starts it.</summary>
    /// <param name="shards">1: stand-alone; more: a primary each.</param>
    /// <param name="settings">Further settings of the gateway.</param>
    /// <param name="primarySettings">Further settings of the primaries.</param>
    public static async Task<CollectionCluster> StartAsync(int shards, string[] settings, string[] primarySettings)
    {
        CollectionCluster cluster = new() { _settings = settings, _primarySettings = primarySettings };
        try
        {
            await cluster.StartGatewayAsync(shards);
            for (int i = 1; shards > 1 && i <= shards; i++)
                await cluster.StartPrimaryAsync($"primary-{i}");
            await cluster.UntilHealthyAsync();
            return cluster;
        }
        catch
        {
            await cluster.DisposeAsync();
            throw;
        }
    }

    /// <summary>Stops all processes' parts and starts them on the same data.</summary>
    public async Task RestartAsync()
    {
        int shards = Math.Max(1, _primaries.Count);
        await StopAsync();
        await StartGatewayAsync(shards);
        for (int i = 1; shards > 1 && i <= shards; i++)
            await StartPrimaryAsync($"primary-{i}");
        await UntilHealthyAsync();
    }

    public async ValueTask DisposeAsync()
    {
        await StopAsync();
        if (Directory.Exists(_folder))
            Directory.Delete(_folder, recursive: true);
    }

    private async Task StartGatewayAsync(int shards)
    {
        string[] mode = shards == 1
            ? []
            : ["--AiDb:Mode=cluster", $"--AiDb:Cluster:Shards={shards}", $"--AiDb:Cluster:Secret={Secret}"];
        _gateway = GatewayServer.Build(GatewayFixture.Arguments(
            Path.Combine(_folder, "gateway"),
            ["--AiDb:ApiKey=" + ApiKey, "--Logging:LogLevel:Default=Warning", .. mode, .. _settings]));
        await _gateway.StartAsync();
        (string rest, string grpc) =
            Services.GetRequiredService<GatewayListeners>().Addresses(Services.GetRequiredService<IServer>());
        Rest = new Uri(rest);
        Grpc = new Uri(grpc);
        Channel = GrpcChannel.ForAddress(grpc, new GrpcChannelOptions
        {
            MaxReceiveMessageSize = 256 << 20,
            MaxSendMessageSize = 256 << 20,
        });
    }

    /// <summary>The primary of a name, which must run.</summary>
    public PrimaryNode Primary(string id) => _byName[id].Services.GetRequiredService<PrimaryNode>();

    /// <summary>The primary of a name; null: it does not run.</summary>
    public PrimaryNode? FindPrimary(string id) => _byName.TryGetValue(id, out WebApplication? primary)
        ? primary.Services.GetRequiredService<PrimaryNode>()
        : null;

    /// <summary>Stops a primary in the middle of whatever it does.</summary>
    public async Task StopPrimaryAsync(string id)
    {
        WebApplication primary = _byName[id];
        _primaries.Remove(primary);
        _byName.Remove(id);
        using CancellationTokenSource now = new();
        await now.CancelAsync();
        await primary.StopAsync(now.Token);
        await primary.DisposeAsync();
    }

    /// <summary>Starts a primary, a new one or one that was stopped.</summary>
    public async Task StartPrimaryAsync(string id)
    {
        WebApplication primary = _byName[id] = PrimaryServer.Build(
        [
            $"--AiDb:Node:Id={id}",
            $"--AiDb:Metadata:Address={Grpc.GetLeftPart(UriPartial.Authority)}",
            $"--AiDb:Cluster:Secret={Secret}",
            $"--AiDb:DataDirectory={Path.Combine(_folder, id)}",
            "--Logging:LogLevel:Default=None",
            .. _primarySettings,
        ]);
        _primaries.Add(primary);
        await primary.StartAsync();
    }

    private async Task UntilHealthyAsync()
    {
        HealthCheckService health = Services.GetRequiredService<HealthCheckService>();
        using CancellationTokenSource patience = new(Patience);
        while ((await health.CheckHealthAsync(patience.Token)).Status != HealthStatus.Healthy)
            await Task.Delay(20, patience.Token);
    }

    private async Task StopAsync()
    {
        Channel?.Dispose();
        using CancellationTokenSource now = new();
        await now.CancelAsync();
        foreach (WebApplication primary in _primaries)
        {
            await primary.StopAsync(now.Token);
            await primary.DisposeAsync();
        }

        _primaries.Clear();
        if (_gateway is null)
            return;
        await _gateway.StopAsync(now.Token);
        await _gateway.DisposeAsync();
        _gateway = null;
    }
}
