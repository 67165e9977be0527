using AiDb.ServiceDefaults;
using Microsoft.Extensions.Diagnostics.HealthChecks;

namespace AiDb.Replica.Hosting;

/// <summary>Runs a replica for as long as its process lives.</summary>
internal sealed partial class ReplicaWorker(
    ReplicaNode node,
    ReplicaOptions options,
    NodeListeners listeners,
    IServiceProvider services,
    IHostApplicationLifetime lifetime,
    ILogger<ReplicaWorker> logger) : BackgroundService, IHealthCheck
{
    /// <inheritdoc/>
    public Task<HealthCheckResult> CheckHealthAsync(
        HealthCheckContext context, CancellationToken cancellationToken = default) =>
        Task.FromResult(node.NotReady is { } reason ? HealthCheckResult.Unhealthy(reason) : HealthCheckResult.Healthy());

    /// <inheritdoc/>
    protected override async Task ExecuteAsync(CancellationToken stoppingToken)
    {
        // The port is known only once the server listens.
        var started = new TaskCompletionSource(TaskCreationOptions.RunContinuationsAsynchronously);
        using CancellationTokenRegistration registration = lifetime.ApplicationStarted.Register(started.SetResult);
        await started.Task.WaitAsync(stoppingToken).ConfigureAwait(false);
        (string grpc, IReadOnlyList<string> others) = listeners.Addresses(services);
        LogListening(options.Node.NodeId, grpc, string.Join(", ", others));
        try
        {
            Task following = node.Map.RunAsync(stoppingToken);
            Task serving = node.RunAsync(options.Node.NodeAddress ?? NodeListeners.Advertise(grpc), stoppingToken);
            await (await Task.WhenAny(following, serving).ConfigureAwait(false)).ConfigureAwait(false);
        }
        catch (OperationCanceledException) when (stoppingToken.IsCancellationRequested)
        {
            // The process ends; nothing needs to be kept.
        }
        catch (Exception exception)
        {
            LogFailed(options.Node.NodeId, exception.Message, exception is AiDbException ? null : exception);
            Environment.ExitCode = 1;
            lifetime.StopApplication();
        }
    }

    [LoggerMessage(
        EventId = 1, Level = LogLevel.Information,
        Message = "Replica {Node} is listening on {Grpc} (gRPC) and {Others} (health, metrics)")]
    private partial void LogListening(string node, string grpc, string others);

    [LoggerMessage(EventId = 2, Level = LogLevel.Critical, Message = "Replica {Node} cannot serve and ends: {Reason}")]
    private partial void LogFailed(string node, string reason, Exception? exception);
}
