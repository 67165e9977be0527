using Microsoft.Extensions.Diagnostics.HealthChecks;

namespace AiDb.Client.Hosting;

/// <summary>Healthy when a gateway answers.</summary>
internal sealed class AiDbHealthCheck(AiDbClient client) : IHealthCheck
{
    public async Task<HealthCheckResult> CheckHealthAsync(
        HealthCheckContext context, CancellationToken cancellationToken = default)
    {
        try
        {
            ClusterDescription cluster = await client.GetClusterAsync(cancellationToken).ConfigureAwait(false);
            int alive = cluster.Nodes.Count(static node => node.Alive);
            return HealthCheckResult.Healthy($"{cluster.Mode}, {alive} of {cluster.Nodes.Count} nodes alive");
        }
        catch (AiDbException exception)
        {
            return new HealthCheckResult(context.Registration.FailureStatus, exception.Message, exception);
        }
    }
}
