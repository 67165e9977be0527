using AiDb.ServiceDefaults;
using Microsoft.AspNetCore.Hosting.Server;

namespace AiDb.Gateway.Hosting;

/// <summary>Starts what stands behind the gateway before it listens, says where it listens, and ends the
/// process when it cannot serve any more.</summary>
internal sealed partial class GatewayWorker(
    ClusterHost cluster, GatewayOptions options, GatewayListeners listeners, IServer server, IHostApplicationLifetime lifetime,
    ILogger<GatewayWorker> logger) : IHostedLifecycleService
{
    /// <inheritdoc/>
    public Task StartingAsync(CancellationToken cancellationToken) => cluster.StartAsync(cancellationToken);

    /// <inheritdoc/>
    public Task StartAsync(CancellationToken cancellationToken) => Task.CompletedTask;

    /// <inheritdoc/>
    public Task StartedAsync(CancellationToken cancellationToken)
    {
        (string rest, string grpc) = listeners.Addresses(server);
        cluster.Register(options.NodeAddress ?? NodeListeners.Advertise(grpc));
        LogListening(
            GatewayServer.Version, options.Mode.ToString().ToLowerInvariant(), rest, grpc, rest + "/docs", options.DataDirectory);
        _ = WatchAsync();
        return Task.CompletedTask;
    }

    /// <inheritdoc/>
    public Task StoppingAsync(CancellationToken cancellationToken) => Task.CompletedTask;

    /// <inheritdoc/>
    public Task StopAsync(CancellationToken cancellationToken) => Task.CompletedTask;

    /// <inheritdoc/>
    public Task StoppedAsync(CancellationToken cancellationToken) => cluster.DisposeAsync().AsTask();

    private async Task WatchAsync()
    {
        try
        {
            await cluster.WatchAsync();
        }
        catch (OperationCanceledException)
        {
            // The process ends.
        }
        catch (Exception exception)
        {
            LogFailed(exception.Message, exception is AiDbException ? null : exception);
            Environment.ExitCode = 1;
            lifetime.StopApplication();
        }
    }

    [LoggerMessage(
        EventId = 2, Level = LogLevel.Information,
        Message = "AiDb {Version} ({Mode}) is listening: REST {Rest}, gRPC {Grpc}; documentation {Docs}; data in {Directory}")]
    private partial void LogListening(
        string version, string mode, string rest, string grpc, string docs, string directory);

    [LoggerMessage(EventId = 1, Level = LogLevel.Critical, Message = "The gateway cannot serve and ends: {Reason}")]
    private partial void LogFailed(string reason, Exception? exception);
}
