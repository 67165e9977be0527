using AiDb.ServiceDefaults;
using AiDb.Tests.TestSupport;
using Microsoft.Extensions.Diagnostics.HealthChecks;

namespace AiDb.Tests.ServiceDefaults;

public sealed class HealthLogTests
{
    [Fact]
    public async Task A_check_that_fails_is_one_line_when_it_begins_and_one_when_it_ends()
    {
        LogLines<HealthLog> lines = new();
        HealthLog log = new(lines);
        foreach ((HealthStatus status, int expected) in new[]
        {
            (HealthStatus.Healthy, 0), (HealthStatus.Unhealthy, 1), (HealthStatus.Unhealthy, 1), (HealthStatus.Healthy, 2),
            (HealthStatus.Healthy, 2), (HealthStatus.Unhealthy, 3),
        })
        {
            HealthReportEntry entry = new(status, "waiting", TimeSpan.Zero, exception: null, data: null);
            HealthReport report = new(
                new Dictionary<string, HealthReportEntry> { ["shards"] = entry }, TimeSpan.Zero);
            await log.PublishAsync(report, TestContext.Current.CancellationToken);
            Assert.Equal(expected, lines.Count);
        }
    }
}
