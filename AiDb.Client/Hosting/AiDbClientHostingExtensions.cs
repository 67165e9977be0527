using AiDb;
using AiDb.Client;
using AiDb.Client.Hosting;
using Microsoft.Extensions.Configuration;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Diagnostics.HealthChecks;

namespace Microsoft.Extensions.Hosting;

/// <summary>Registers <see cref="AiDbClient"/> with an application.</summary>
public static class AiDbClientHostingExtensions
{
    /// <summary>Registers an <see cref="AiDbClient"/> as a singleton, with its health check, traces and
    /// metrics. Its settings come from <c>Aspire:AiDb:Client</c>, then
    /// <c>Aspire:AiDb:Client:{connectionName}</c>, then the connection string
    /// <c>ConnectionStrings:{connectionName}</c>, then <paramref name="configure"/>.</summary>
    /// <param name="builder">The application.</param>
    /// <param name="connectionName">The name of the connection string.</param>
    /// <param name="configure">Has the last word on the settings.</param>
    /// <exception cref="AiDbException">When the client is first asked for:
    /// <see cref="AiDbErrorKind.InvalidArgument"/>, naming every invalid setting.</exception>
    public static IHostApplicationBuilder AddAiDbClient(
        this IHostApplicationBuilder builder, string connectionName,
        Func<AiDbClientSettings, AiDbClientSettings>? configure = null)
    {
        ArgumentNullException.ThrowIfNull(builder);
        AiDbClientSettings settings = ReadSettings(builder, connectionName, configure);
        builder.Services.AddSingleton(services => Create(services, settings, connectionName));
        AddTelemetry(builder, settings);
        AddHealthCheck(builder, settings, "AiDb.Client", static services => services.GetRequiredService<AiDbClient>());
        return builder;
    }

    /// <summary>As <see cref="AddAiDbClient"/>, for applications with several clients: this one is asked for
    /// with <c>[FromKeyedServices(name)]</c>, and <paramref name="name"/> is the connection string's name
    /// too.</summary>
    public static IHostApplicationBuilder AddKeyedAiDbClient(
        this IHostApplicationBuilder builder, string name, Func<AiDbClientSettings, AiDbClientSettings>? configure = null)
    {
        ArgumentNullException.ThrowIfNull(builder);
        AiDbClientSettings settings = ReadSettings(builder, name, configure);
        builder.Services.AddKeyedSingleton(name, (services, _) => Create(services, settings, name));
        AddTelemetry(builder, settings);
        AddHealthCheck(
            builder, settings, $"AiDb.Client_{name}", services => services.GetRequiredKeyedService<AiDbClient>(name));
        return builder;
    }

    private static AiDbClientSettings ReadSettings(
        IHostApplicationBuilder builder, string connectionName, Func<AiDbClientSettings, AiDbClientSettings>? configure)
    {
        ArgumentException.ThrowIfNullOrEmpty(connectionName);
        IConfigurationSection section = builder.Configuration.GetSection(AiDbClientSettings.ConfigurationSection);
        AiDbClientSettings settings = Bind(section.GetSection(connectionName), Bind(section, new AiDbClientSettings()));
        if (builder.Configuration.GetConnectionString(connectionName) is { Length: > 0 } connectionString)
            settings = ConnectionStringParser.Apply(settings, connectionString);
        return configure is null ? settings : configure(settings);
    }

    private static AiDbClientSettings Bind(IConfigurationSection section, AiDbClientSettings defaults)
    {
        // The binder appends to lists; addresses of a more specific section replace those of the general one.
        AiDbClientSettings settings = defaults with
        {
            Endpoints = section.GetSection(nameof(AiDbClientSettings.Endpoints)).Exists() ? [] : defaults.Endpoints,
        };
        section.Bind(settings);
        return settings;
    }

    private static AiDbClient Create(IServiceProvider services, AiDbClientSettings settings, string connectionName)
    {
        if (settings.Endpoints.Count == 0)
        {
            throw new AiDbException(
                AiDbErrorKind.InvalidArgument,
                $"No address of AiDb: set ConnectionStrings:{connectionName} to 'Endpoint=http://host:6334;ApiKey=...', or "
                + $"{AiDbClientSettings.ConfigurationSection}:Endpoints.");
        }

        return new AiDbClient(settings, services.GetService<TimeProvider>());
    }

    private static void AddTelemetry(IHostApplicationBuilder builder, AiDbClientSettings settings)
    {
        if (!settings.DisableTracing)
        {
            builder.Services.AddOpenTelemetry()
                .WithTracing(static tracing => tracing.AddSource(AiDbClient.TelemetryName));
        }

        if (!settings.DisableMetrics)
        {
            builder.Services.AddOpenTelemetry()
                .WithMetrics(static metrics => metrics.AddMeter(AiDbClient.TelemetryName));
        }
    }

    private static void AddHealthCheck(
        IHostApplicationBuilder builder, AiDbClientSettings settings, string name, Func<IServiceProvider, AiDbClient> find)
    {
        if (settings.DisableHealthChecks)
            return;
        builder.Services.AddHealthChecks().Add(new HealthCheckRegistration(
            name, services => new AiDbHealthCheck(find(services)), failureStatus: null, tags: ["ready"]));
    }
}
