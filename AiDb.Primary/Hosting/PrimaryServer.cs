using AiDb.Cluster.Model;
using AiDb.Contracts;
using AiDb.Primary.Voters;
using AiDb.ServiceDefaults;

namespace AiDb.Primary.Hosting;

/// <summary>Puts the process of a primary together.</summary>
public static class PrimaryServer
{
    /// <summary>Builds it from its command line, its environment and its settings files.</summary>
    /// <exception cref="InvalidOperationException">Settings are missing or malformed; the message names all
    /// of them.</exception>
    public static WebApplication Build(string[] args)
    {
        WebApplicationBuilder builder = WebApplication.CreateBuilder(new WebApplicationOptions
        {
            Args = args,
            // Settings files lie beside the program, data in the folder it is started from.
            ContentRootPath = AppContext.BaseDirectory,
        });
        PrimaryOptions options = PrimaryOptions.Read(builder.Configuration);
        builder.AddServiceDefaults();
        // One line of its own says where the node listens.
        builder.Logging.AddFilter("Microsoft.AspNetCore", LogLevel.Warning);
        builder.Logging.AddFilter("Microsoft.Hosting.Lifetime", LogLevel.Warning);
        builder.Services.AddSingleton(NodeListeners.Configure(builder, WireLimits.MaxMessageBytes));
        builder.Services.AddSingleton(options);
        builder.Services.AddSingleton(TimeProvider.System);
        builder.Services.AddSingleton(
            _ => MetadataStores.Open(options.Node.Metadata, options.Node.ClusterSecret, TimeProvider.System));
        builder.Services.AddSingleton<ClusterMapWatcher>();
        builder.Services.AddSingleton<PrimaryNode>();
        builder.Services.AddSingleton<PrimaryWorker>();
        builder.Services.AddHostedService(services => services.GetRequiredService<PrimaryWorker>());
        builder.Services.AddHealthChecks().AddCheck<PrimaryWorker>("shards");
        builder.Services.AddGrpcHealthChecks();
        builder.Services.AddSingleton(new ClusterSecretInterceptor(new ClusterSecret(options.Node.ClusterSecret)));
        builder.Services.AddGrpc(grpc =>
        {
            grpc.MaxReceiveMessageSize = WireLimits.MaxMessageBytes;
            grpc.MaxSendMessageSize = WireLimits.MaxMessageBytes;
        })
        .AddServiceOptions<ShardService>(service => service.Interceptors.Add<ClusterSecretInterceptor>())
        .AddServiceOptions<ReplicationService>(service => service.Interceptors.Add<ClusterSecretInterceptor>());

        WebApplication app = builder.Build();
        app.MapGrpcService<ShardService>();
        app.MapGrpcService<ReplicationService>();
        app.MapGrpcHealthChecksService();
        app.MapDefaultEndpoints();
        return app;
    }
}
