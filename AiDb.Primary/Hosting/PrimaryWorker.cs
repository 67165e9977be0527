using AiDb.Primary.Backup;
using AiDb.ServiceDefaults;
using Microsoft.Extensions.Diagnostics.HealthChecks;

namespace AiDb.Primary.Hosting;

/// <summary>Runs a primary for as long as its process lives, and ends the process when it cannot
/// serve.</summary>
internal sealed partial class PrimaryWorker(
    PrimaryNode node,
    PrimaryOptions options,
    NodeListeners listeners,
    IServiceProvider services,
    IHostApplicationLifetime lifetime,
    ILogger<PrimaryWorker> logger) : BackgroundService, IHostedLifecycleService, IHealthCheck
{
    /// <inheritdoc/>
    public Task<HealthCheckResult> CheckHealthAsync(
        HealthCheckContext context, CancellationToken cancellationToken = default)
    {
        if (node.NotReady is { } reason)
            return Task.FromResult(HealthCheckResult.Unhealthy(reason));
        foreach (Shards.ShardHost shard in node.Shards)
        {
            if (shard.Database.ReadOnlyReason is { } readOnly)
                return Task.FromResult(HealthCheckResult.Degraded($"Shard {shard.Shard}: {readOnly.Message}"));
        }

        return Task.FromResult(BackupHealth.Problem(node.Shards, node.Backup) is { } problem
            ? HealthCheckResult.Degraded(problem)
            : HealthCheckResult.Healthy());
    }

    /// <inheritdoc/>
    public Task StartingAsync(CancellationToken cancellationToken) => Task.CompletedTask;

    /// <inheritdoc/>
    public Task StartedAsync(CancellationToken cancellationToken) => Task.CompletedTask;

    /// <summary>Before anything is closed: the other voters must still be heard.</summary>
    public Task StoppingAsync(CancellationToken cancellationToken) => node.LeaveAsync(cancellationToken);

    /// <inheritdoc/>
    public Task StoppedAsync(CancellationToken cancellationToken) => Task.CompletedTask;

    /// <inheritdoc/>
    protected override async Task ExecuteAsync(CancellationToken stoppingToken)
    {
        // The port is known only once the server listens.
        var started = new TaskCompletionSource(TaskCreationOptions.RunContinuationsAsynchronously);
        using CancellationTokenRegistration registration = lifetime.ApplicationStarted.Register(started.SetResult);
        await started.Task.WaitAsync(stoppingToken).ConfigureAwait(false);
        (string grpc, IReadOnlyList<string> others) = listeners.Addresses(services);
        LogListening(options.Node.NodeId, grpc, string.Join(", ", others), options.DataDirectory);
        try
        {
            Task following = node.Map.RunAsync(stoppingToken);
            Task serving = node.RunAsync(
                options.Node.NodeAddress ?? NodeListeners.Advertise(grpc), stoppingToken);
            await (await Task.WhenAny(following, serving).ConfigureAwait(false)).ConfigureAwait(false);
        }
        catch (OperationCanceledException) when (stoppingToken.IsCancellationRequested)
        {
            // The process ends; its data is closed when the node is disposed.
        }
        catch (Exception exception)
        {
            LogFailed(options.Node.NodeId, exception.Message, exception is AiDbException ? null : exception);
            Environment.ExitCode = exception is AiDbException ? 3 : 1;
            lifetime.StopApplication();
        }
    }

    [LoggerMessage(
        EventId = 1, Level = LogLevel.Information,
        Message = "Primary {Node} is listening on {Grpc} (gRPC) and {Others} (health, metrics); data in {Directory}")]
    private partial void LogListening(string node, string grpc, string others, string directory);

    [LoggerMessage(EventId = 2, Level = LogLevel.Critical, Message = "Primary {Node} cannot serve and ends: {Reason}")]
    private partial void LogFailed(string node, string reason, Exception? exception);
}
