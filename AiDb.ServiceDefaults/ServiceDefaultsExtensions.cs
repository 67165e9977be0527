using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Diagnostics.HealthChecks;
using Microsoft.AspNetCore.Http;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Diagnostics.HealthChecks;
using Microsoft.Extensions.Logging;
using OpenTelemetry;
using OpenTelemetry.Metrics;
using OpenTelemetry.Resources;
using OpenTelemetry.Trace;

namespace Microsoft.Extensions.Hosting;

/// <summary>
/// What every service of AiDb shares: telemetry, health, service discovery and resilient HTTP clients. A
/// service calls <see cref="AddServiceDefaults"/> before it builds and <see cref="MapDefaultEndpoints"/>
/// after.
/// </summary>
public static class ServiceDefaultsExtensions
{
    /// <summary>Every check passes: the process can do its work.</summary>
    public const string HealthPath = "/health";

    /// <summary>The process answers at all: only the checks with the tag <see cref="LiveTag"/>.</summary>
    public const string AlivePath = "/alive";

    /// <summary>All metrics in the Prometheus text format.</summary>
    public const string MetricsPath = "/metrics";

    /// <summary>The tag of a health check whose failure means that the process should be restarted.</summary>
    public const string LiveTag = "live";

    private const string OwnInstruments = "AiDb.*";
    private const string OtlpEndpointSetting = "OTEL_EXPORTER_OTLP_ENDPOINT";
    private const string ServiceNameSetting = "OTEL_SERVICE_NAME";

    /// <summary>Adds telemetry, health checks, service discovery and resilience. Only clients of
    /// IHttpClientFactory are touched by the last two: the inner gRPC channels keep streams open for hours
    /// and retry by rules of their own.</summary>
    public static TBuilder AddServiceDefaults<TBuilder>(this TBuilder builder) where TBuilder : IHostApplicationBuilder
    {
        builder.ConfigureOpenTelemetry();
        builder.AddDefaultHealthChecks();

        builder.Services.AddServiceDiscovery();
        builder.Services.ConfigureHttpClientDefaults(http =>
        {
            http.AddStandardResilienceHandler();
            http.AddServiceDiscovery();
        });

        return builder;
    }

    /// <summary>Collects traces, metrics and logs of the process: all meters and sources named AiDb.*, those
    /// of ASP.NET Core, of HTTP clients and of the runtime. Metrics are always readable at
    /// <see cref="MetricsPath"/>; all three go out over OTLP when OTEL_EXPORTER_OTLP_ENDPOINT is
    /// set.</summary>
    public static TBuilder ConfigureOpenTelemetry<TBuilder>(this TBuilder builder)
        where TBuilder : IHostApplicationBuilder
    {
        builder.Logging.AddOpenTelemetry(logging =>
        {
            logging.IncludeFormattedMessage = true;
            logging.IncludeScopes = true;
        });

        var telemetry = builder.Services.AddOpenTelemetry()
            .ConfigureResource(resource => DescribeService(resource, builder))
            .WithMetrics(metrics => metrics
                .AddMeter(OwnInstruments)
                .AddAspNetCoreInstrumentation()
                .AddHttpClientInstrumentation()
                .AddRuntimeInstrumentation()
                .AddPrometheusExporter())
            .WithTracing(tracing => tracing
                .AddSource(OwnInstruments)
                .AddAspNetCoreInstrumentation(options => options.Filter = IsWorthATrace)
                .AddHttpClientInstrumentation());

        if (!string.IsNullOrWhiteSpace(builder.Configuration[OtlpEndpointSetting]))
        {
            telemetry.UseOtlpExporter();
        }

        return builder;
    }

    /// <summary>Adds the check that the process answers. Services add their own readiness checks beside
    /// it.</summary>
    public static TBuilder AddDefaultHealthChecks<TBuilder>(this TBuilder builder)
        where TBuilder : IHostApplicationBuilder
    {
        builder.Services.AddHealthChecks().AddCheck("self", () => HealthCheckResult.Healthy(), [LiveTag]);
        // Every probe of a check that fails would be an error in the log; HealthLog tells when it begins and
        // when it ends.
        builder.Logging.AddFilter("Microsoft.Extensions.Diagnostics.HealthChecks", LogLevel.None);
        builder.Services.AddSingleton<IHealthCheckPublisher, AiDb.ServiceDefaults.HealthLog>();
        builder.Services.Configure<HealthCheckPublisherOptions>(options =>
        {
            options.Delay = TimeSpan.FromSeconds(5);
            options.Period = TimeSpan.FromSeconds(5);
        });
        return builder;
    }

    /// <summary>Maps <see cref="HealthPath"/>, <see cref="AlivePath"/> and <see cref="MetricsPath"/>, in
    /// every environment: orchestrators and scrapers need them most in production. They name no
    /// data.</summary>
    public static WebApplication MapDefaultEndpoints(this WebApplication app)
    {
        app.MapHealthChecks(HealthPath).AllowAnonymous();
        app.MapHealthChecks(AlivePath, new HealthCheckOptions { Predicate = check => check.Tags.Contains(LiveTag) })
            .AllowAnonymous();
        app.MapPrometheusScrapingEndpoint(MetricsPath).AllowAnonymous();
        return app;
    }

    // OTEL_SERVICE_NAME, when an orchestrator sets it, is read by OpenTelemetry itself and wins.
    private static void DescribeService(ResourceBuilder resource, IHostApplicationBuilder builder)
    {
        if (string.IsNullOrWhiteSpace(builder.Configuration[ServiceNameSetting]))
        {
            resource.AddService(builder.Environment.ApplicationName, autoGenerateServiceInstanceId: true);
        }
    }

    // Probes and scrapes come every few seconds and would drown the requests that people look for.
    private static bool IsWorthATrace(HttpContext context) =>
        context.Request.Path.Value is not (HealthPath or AlivePath or MetricsPath or "/healthz" or "/readyz" or "/livez");
}
