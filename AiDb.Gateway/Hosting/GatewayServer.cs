using System.Text.Json.Serialization;
using AiDb.Cluster.Metadata;
using AiDb.Cluster.Model;
using AiDb.Contracts;
using AiDb.Engine.Collections;
using AiDb.Gateway.Collections;
using AiDb.Gateway.Errors;
using AiDb.Gateway.Front;
using AiDb.Gateway.Grpc;
using AiDb.Gateway.Moving;
using AiDb.Gateway.OpenApi;
using AiDb.Gateway.Qdrant;
using AiDb.Gateway.Qdrant.Grpc;
using AiDb.Gateway.Qdrant.Rest;
using AiDb.Gateway.Qdrant.Snapshots;
using AiDb.Gateway.Rest;
using AiDb.Gateway.Routing;
using AiDb.Gateway.Security;
using Microsoft.AspNetCore.Diagnostics.HealthChecks;

namespace AiDb.Gateway.Hosting;

/// <summary>Puts the process of a gateway together.</summary>
internal static class GatewayServer
{
    /// <summary>The version that the gateway says it is.</summary>
    public static string Version { get; } = typeof(GatewayServer).Assembly.GetName().Version?.ToString(3) ?? "0";

    /// <summary>Builds it from its command line, its environment and its settings files.</summary>
    /// <param name="args">The command line: <c>--AiDb:DataDirectory=…</c>, <c>--urls …</c>.</param>
    /// <exception cref="InvalidOperationException">Settings are missing or malformed; the message names all
    /// of them.</exception>
    public static WebApplication Build(string[] args)
    {
        // Settings files lie beside the program; the data folder is where one stands.
        WebApplicationBuilder builder = WebApplication.CreateBuilder(new WebApplicationOptions
        {
            Args = args,
            ContentRootPath = AppContext.BaseDirectory,
        });
        GatewayOptions options = GatewayOptions.Read(builder.Configuration);
        builder.Services.AddSingleton(GatewayListeners.Configure(builder, options.ApiKey is not null));
        builder.AddServiceDefaults();
        builder.Logging.AddFilter("Microsoft.AspNetCore", LogLevel.Warning);
        builder.Logging.AddFilter("Microsoft.Hosting.Lifetime", LogLevel.Warning);
        builder.Logging.AddFilter("Grpc", LogLevel.Warning);

        // What hinders the start is one line of the program's own, not a stack trace.
        builder.Logging.AddFilter("Microsoft.Extensions.Hosting.Internal.Host", LogLevel.None);
        AddServices(builder.Services, options);

        WebApplication app = builder.Build();
        app.Use(static next => context => QdrantRequest.MarkAsync(context, next));
        app.UseMiddleware<ProblemMiddleware>();
        app.Use(static next => context => KeyValueTarget.RewriteAsync(context, next));
        app.UseRouting();
        app.UseSwaggerUI(ui =>
        {
            ui.RoutePrefix = "docs";
            ui.DocumentTitle = "AiDb";
            ui.SwaggerEndpoint("/openapi/v1.json", "AiDb v1");
        });
        app.UseMiddleware<AccessMiddleware>();
        MapEndpoints(app, options);
        return app;
    }

    private static void AddServices(IServiceCollection services, GatewayOptions options)
    {
        services.AddSingleton(options);
        services.AddSingleton(TimeProvider.System);
        services.AddSingleton(new Admission(options.MaxRequestsInFlight, options.MaxBodyBytesInFlight));
        services.AddSingleton<ClusterHost>();
        services.AddSingleton<IMetadataStore>(provider => provider.GetRequiredService<ClusterHost>().Store);
        services.AddSingleton(provider => provider.GetRequiredService<ClusterHost>().Map);
        services.AddSingleton<IShardRouter>(provider => provider.GetRequiredService<ClusterHost>().Router);
        services.AddSingleton<Catalogue>();
        services.AddSingleton<TableCatalogue>();
        services.AddSingleton(provider => new KeyValueFront(
            provider.GetRequiredService<IShardRouter>(),
            provider.GetRequiredService<TableCatalogue>(),
            provider.GetRequiredService<Admission>(),
            options.Front,
            provider.GetRequiredService<TimeProvider>()));
        services.AddSingleton(provider => provider.GetRequiredService<ClusterHost>().Nodes);
        services.AddSingleton<VoterAdmin>();
        services.AddSingleton<AdminFront>();
        services.AddSingleton<PlacementFront>();
        services.AddSingleton<SnapshotStore>();
        AddCollections(services, options);
        services.AddHostedService<GatewayWorker>();
        services.AddHealthChecks().AddCheck<ClusterHost>("shards");
        services.AddGrpcHealthChecks();
        services.AddGrpc(grpc =>
        {
            grpc.MaxReceiveMessageSize = WireLimits.MaxMessageBytes;
            grpc.MaxSendMessageSize = WireLimits.MaxMessageBytes;

            // Its catch-all route would take REST addresses of two segments away from their 405.
            grpc.IgnoreUnknownServices = true;
        });
        services.ConfigureHttpJsonOptions(json =>
        {
            json.SerializerOptions.NumberHandling = JsonNumberHandling.Strict;
            json.SerializerOptions.TypeInfoResolverChain.Insert(0, BackupJson.Default);
            json.SerializerOptions.TypeInfoResolverChain.Insert(0, PlacementJson.Default);
            json.SerializerOptions.TypeInfoResolverChain.Insert(0, RestJson.Default);
        });
        services.AddOpenApi(OpenApiSetup.DocumentName, OpenApiSetup.Configure);
    }

    private static void AddCollections(IServiceCollection services, GatewayOptions options)
    {
        services.AddSingleton<CollectionCatalogue>();
        services.AddSingleton(provider => new CollectionCaller(
            new ShardCaller(
                provider.GetRequiredService<IShardRouter>(), provider.GetRequiredService<TimeProvider>(),
                options.Front.RetryTime),
            options.Front));
        services.AddSingleton<CollectionFront>();
        services.AddSingleton<ICollections>(static provider => provider.GetRequiredService<CollectionFront>());
        services.AddSingleton<GrpcCalls>();
        services.AddSingleton<PointWriteCalls>();
        services.AddSingleton<PointReadCalls>();
        services.AddSingleton<QueryCalls>();
        services.AddSingleton<OlderCalls>();
    }

    private static void MapEndpoints(WebApplication app, GatewayOptions options)
    {
        app.MapGet("/", (Delegate)TitleAsync)
            .WithTags("Cluster").WithName("GetTitle").Describe(AdminDocs.Title).AllowAnonymous();
        KeyApi.Map(app);
        ListApi.Map(app);
        BatchApi.Map(app);
        AdminApi.Map(app);
        PlacementApi.Map(app);
        BackupApi.Map(app);
        QdrantApi.Map(app);
        app.MapOpenApi("/openapi/{documentName}.json").AllowAnonymous();
        app.MapDefaultEndpoints();
        app.MapHealthChecks("/healthz").AllowAnonymous();
        app.MapHealthChecks("/readyz").AllowAnonymous();
        app.MapHealthChecks(
            "/livez", new HealthCheckOptions { Predicate = static check => check.Tags.Contains("live") }).AllowAnonymous();
        app.MapGrpcService<KeyValueService>();
        app.MapGrpcService<AdminService>();
        app.MapGrpcService<HealthService>();
        app.MapGrpcService<CollectionsService>();
        app.MapGrpcService<PointsService>();
        app.MapGrpcService<SnapshotsService>();
        app.MapGrpcService<VectorsService>();
        app.MapGrpcHealthChecksService().AllowAnonymous();
        if (options is { Mode: GatewayMode.Cluster, Metadata: null })
            app.MapGrpcService<MetadataService>();
    }

    private static Task TitleAsync(HttpContext context) => context.Response.WriteAsJsonAsync(
        new TitleAnswer("AiDb", QdrantVersion.Spoken, Version), RestJson.Default.TitleAnswer, contentType: null, context.RequestAborted);
}
