using System.Net;
using System.Text;
using System.Text.Json;
using AiDb.Engine.Collections;
using AiDb.Gateway.Errors;
using AiDb.Gateway.Front;
using AiDb.Gateway.Hosting;
using AiDb.Gateway.Qdrant.Rest;
using AiDb.Gateway.Qdrant.Snapshots;
using AiDb.Gateway.Routing;
using AiDb.Tests.Gateway.Support;
using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Hosting;
using Microsoft.AspNetCore.Hosting.Server;
using Microsoft.AspNetCore.Hosting.Server.Features;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Logging;

namespace AiDb.Tests.Gateway.Qdrant;

/// <summary>Qdrant's routes over a real server and socket, with collections that note what they are
/// asked.</summary>
public sealed class QdrantEdge : IAsyncLifetime
{
    private readonly string _folder = Directory.CreateTempSubdirectory("aidb-qdrant-").FullName;
    private WebApplication _app = null!;
    private FrontHarness _cluster = null!;

    /// <summary>What the routes ask; a test begins with new ones.</summary>
    internal RecordingCollections Collections { get; set; } = new();

    public HttpClient Http { get; } = new();

    public string DataDirectory => _folder;

    internal Admission Admission => _app.Services.GetRequiredService<Admission>();

    public async ValueTask InitializeAsync()
    {
        _cluster = await FrontHarness.StartAsync(shards: 1);
        WebApplicationBuilder builder = WebApplication.CreateSlimBuilder();
        builder.Logging.ClearProviders();
        builder.WebHost.UseUrls("http://127.0.0.1:0");
        builder.WebHost.ConfigureKestrel(kestrel => kestrel.Limits.MaxRequestBodySize = 32 << 20);
        builder.Services.AddSingleton(TimeProvider.System);
        builder.Services.AddSingleton(new Admission(100, 256 << 20));
        builder.Services.AddSingleton<IShardRouter>(_cluster);
        builder.Services.AddSingleton(
            new GatewayOptions { Mode = GatewayMode.Standalone, DataDirectory = _folder, NodeId = "gateway" });
        builder.Services.AddSingleton<SnapshotStore>();
        builder.Services.AddTransient<ICollections>(_ => Collections);
        _app = builder.Build();
        _app.Use(static next => context => QdrantRequest.MarkAsync(context, next));
        _app.UseMiddleware<ProblemMiddleware>();
        _app.UseRouting();
        QdrantApi.Map(_app);
        await _app.StartAsync();
        Http.BaseAddress = new Uri(
            _app.Services.GetRequiredService<IServer>().Features.Get<IServerAddressesFeature>()!.Addresses.Single());
    }

    /// <summary>Sends a request and reads the answer, which is JSON in every case.</summary>
    public async Task<(HttpStatusCode Status, JsonElement Body)> SendAsync(string method, string target, string? body = null)
    {
        using HttpRequestMessage request = new(new HttpMethod(method), target);
        if (body is not null)
            request.Content = new StringContent(body, Encoding.UTF8, "application/json");
        using HttpResponseMessage response = await Http.SendAsync(request);
        Assert.Equal("application/json", response.Content.Headers.ContentType?.MediaType);
        using JsonDocument document = JsonDocument.Parse(await response.Content.ReadAsStringAsync());
        return (response.StatusCode, document.RootElement.Clone());
    }

    /// <summary>The result of a request that succeeds.</summary>
    public async Task<string> ResultAsync(string method, string target, string? body = null)
    {
        (HttpStatusCode status, JsonElement answer) = await SendAsync(method, target, body);
        Assert.True(status == HttpStatusCode.OK, answer.GetRawText());
        Assert.Equal("ok", answer.GetProperty("status").GetString());
        Assert.True(answer.GetProperty("time").GetDouble() >= 0);
        return answer.GetProperty("result").GetRawText();
    }

    /// <summary>The error of a request that fails.</summary>
    public async Task<(int Status, string Error)> ErrorAsync(string method, string target, string? body = null)
    {
        (HttpStatusCode status, JsonElement answer) = await SendAsync(method, target, body);
        Assert.True(answer.GetProperty("time").GetDouble() >= 0);
        return ((int)status, answer.GetProperty("status").GetProperty("error").GetString()!);
    }

    public async ValueTask DisposeAsync()
    {
        Http.Dispose();
        await _app.StopAsync();
        await _app.DisposeAsync();
        await _cluster.DisposeAsync();
        Directory.Delete(_folder, recursive: true);
    }
}
