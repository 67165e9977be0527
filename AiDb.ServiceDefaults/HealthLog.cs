using Microsoft.Extensions.Diagnostics.HealthChecks;
using Microsoft.Extensions.Logging;

namespace AiDb.ServiceDefaults;

/// <summary>Tells the log when a health check begins to fail, why, and when it passes again: one line each,
/// however often the service is probed.</summary>
/// <remarks>Thread safety: none; the host publishes one report after the other.</remarks>
public sealed partial class HealthLog(ILogger<HealthLog> logger) : IHealthCheckPublisher
{
    private readonly Dictionary<string, HealthStatus> _known = new(StringComparer.Ordinal);

    /// <inheritdoc/>
    public Task PublishAsync(HealthReport report, CancellationToken cancellationToken)
    {
        foreach ((string check, HealthReportEntry entry) in report.Entries)
        {
            if (_known.GetValueOrDefault(check, HealthStatus.Healthy) == entry.Status)
                continue;
            _known[check] = entry.Status;
            if (entry.Status == HealthStatus.Healthy)
                LogPasses(check);
            else
                LogFails(check, entry.Status, entry.Description ?? entry.Exception?.Message, entry.Exception);
        }

        return Task.CompletedTask;
    }

    [LoggerMessage(EventId = 1, Level = LogLevel.Warning, Message = "Health check {Check} is {Status}: {Reason}")]
    private partial void LogFails(string check, HealthStatus status, string? reason, Exception? exception);

    [LoggerMessage(EventId = 2, Level = LogLevel.Information, Message = "Health check {Check} passes again")]
    private partial void LogPasses(string check);
}
