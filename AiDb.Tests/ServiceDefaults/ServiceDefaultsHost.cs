using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Hosting;
using Microsoft.AspNetCore.Hosting.Server;
using Microsoft.AspNetCore.Hosting.Server.Features;
using Microsoft.AspNetCore.Server.Kestrel.Core;
using Microsoft.Extensions.Configuration;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Hosting;
using Microsoft.Extensions.Logging;

namespace AiDb.Tests.ServiceDefaults;

/// <summary>Small services on Kestrel at a free port, with and without the service defaults.</summary>
internal static class ServiceDefaultsHost
{
    public static Task<WebApplication> StartServiceAsync(
        Action<WebApplication> map, params (string Name, string Value)[] settings) =>
        StartServiceAsync(map, _ => { }, settings);

    public static async Task<WebApplication> StartServiceAsync(
        Action<WebApplication> map,
        Action<WebApplicationBuilder> configure,
        params (string Name, string Value)[] settings)
    {
        var builder = CreateBuilder(HttpProtocols.Http1);
        builder.Configuration.AddInMemoryCollection(
            settings.Select(setting => KeyValuePair.Create(setting.Name, (string?)setting.Value)));
        builder.AddServiceDefaults();
        configure(builder);
        var app = builder.Build();
        app.MapDefaultEndpoints();
        map(app);
        await app.StartAsync();
        return app;
    }

    public static async Task<WebApplication> StartBareAsync(HttpProtocols protocols, Action<WebApplication> map)
    {
        var app = CreateBuilder(protocols).Build();
        map(app);
        await app.StartAsync();
        return app;
    }

    public static Uri AddressOf(WebApplication app) =>
        new(app.Services.GetRequiredService<IServer>().Features.Get<IServerAddressesFeature>()!.Addresses.First());

    private static WebApplicationBuilder CreateBuilder(HttpProtocols protocols)
    {
        var builder = WebApplication.CreateBuilder(new WebApplicationOptions
        {
            EnvironmentName = "Production",
            ApplicationName = "AiDb.Tests",
        });
        builder.Logging.ClearProviders();
        builder.WebHost.ConfigureKestrel(kestrel =>
            kestrel.Listen(System.Net.IPAddress.Loopback, 0, listen => listen.Protocols = protocols));
        return builder;
    }
}
