using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Hosting;
using Microsoft.Extensions.Logging;

namespace AiDb.Tests.Cluster.Metadata;

/// <summary>A web server that knows none of the addresses asked for.</summary>
internal sealed class StrangeServer : IAsyncDisposable
{
    private readonly WebApplication _application;

    private StrangeServer(WebApplication application) => _application = application;

    public string Host => new Uri(_application.Urls.First()).Authority;

    public static async Task<StrangeServer> StartAsync()
    {
        WebApplicationBuilder builder = WebApplication.CreateSlimBuilder();
        builder.Logging.ClearProviders();
        builder.WebHost.UseUrls("http://127.0.0.1:0");
        WebApplication application = builder.Build();
        await application.StartAsync();
        return new StrangeServer(application);
    }

    public ValueTask DisposeAsync() => _application.DisposeAsync();
}
