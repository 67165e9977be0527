using System.Net;
using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Http;
using Microsoft.AspNetCore.Server.Kestrel.Core;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Diagnostics.HealthChecks;

namespace AiDb.Tests.ServiceDefaults;

public sealed class EndpointTests
{
    private static readonly HttpClient Http = new();

    [Fact]
    public async Task Health_and_alive_answer_in_production_too()
    {
        await using var app = await ServiceDefaultsHost.StartServiceAsync(_ => { });
        var address = ServiceDefaultsHost.AddressOf(app);

        Assert.Equal("Healthy", await Http.GetStringAsync(new Uri(address, "/health")));
        Assert.Equal("Healthy", await Http.GetStringAsync(new Uri(address, "/alive")));
    }

    [Fact]
    public async Task A_service_that_cannot_work_is_alive_but_not_healthy()
    {
        await using var app = await ServiceDefaultsHost.StartServiceAsync(
            _ => { },
            builder => builder.Services.AddHealthChecks()
                .AddCheck("disk", () => HealthCheckResult.Unhealthy("The disk is full.")));
        var address = ServiceDefaultsHost.AddressOf(app);

        using var health = await Http.GetAsync(new Uri(address, "/health"));
        using var alive = await Http.GetAsync(new Uri(address, "/alive"));
        Assert.Equal(HttpStatusCode.ServiceUnavailable, health.StatusCode);
        Assert.Equal(HttpStatusCode.OK, alive.StatusCode);
    }

    [Fact]
    public async Task A_client_finds_a_service_by_name_and_tries_again_when_told_to()
    {
        var calls = 0;
        await using var backend = await ServiceDefaultsHost.StartBareAsync(
            HttpProtocols.Http1,
            app => app.MapGet("/work", (HttpContext context) =>
            {
                context.Response.Headers.RetryAfter = "0";
                return Interlocked.Increment(ref calls) < 3 ? Results.StatusCode(503) : Results.Text("done");
            }));
        await using var service = await ServiceDefaultsHost.StartServiceAsync(
            _ => { }, ("services:backend:http:0", ServiceDefaultsHost.AddressOf(backend).ToString()));

        var client = service.Services.GetRequiredService<IHttpClientFactory>().CreateClient("any");
        var answer = await client.GetStringAsync(new Uri("http://backend/work"));

        Assert.Equal("done", answer);
        Assert.Equal(3, calls);
    }
}
