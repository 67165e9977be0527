using System.Diagnostics.Metrics;
using AiDb.Tests.TestSupport;
using Microsoft.AspNetCore.Builder;

namespace AiDb.Tests.ServiceDefaults;

public sealed class MetricsTests
{
    [Fact]
    public async Task Promtool_accepts_the_metrics_of_a_service()
    {
        var promtool = Peers.Require("promtool");
        var text = await ScrapeAsync();

        var (_, output, errors) = await PeerProcess.RunAsync(
            promtool, ["check", "metrics"], text, TestContext.Current.CancellationToken);

        Assert.DoesNotContain(Promtool.Complaints(output + errors), line => !IsOfAnotherTest(line));
    }

    [Fact]
    public async Task Own_meters_and_those_of_the_platform_are_scraped_with_units_in_their_names()
    {
        var text = await ScrapeAsync();

        Assert.Contains("aidb_example_writes_total{", text, StringComparison.Ordinal);
        Assert.Contains("aidb_example_sync_duration_seconds_bucket{", text, StringComparison.Ordinal);
        Assert.Contains("aidb_example_memtable_size_bytes{", text, StringComparison.Ordinal);
        Assert.Contains("http_server_request_duration_seconds_bucket{", text, StringComparison.Ordinal);
        Assert.Contains("http_client_request_duration_seconds_bucket{", text, StringComparison.Ordinal);
        Assert.Contains("kestrel_active_connections{", text, StringComparison.Ordinal);
        Assert.Contains("dotnet_gc_collections_total{", text, StringComparison.Ordinal);
        Assert.DoesNotContain("others_private_count", text, StringComparison.Ordinal);
    }

    // Meters belong to the process, so a scrape sees those of tests that run at the same time.
    private static bool IsOfAnotherTest(string complaint) =>
        complaint.StartsWith("aidb_", StringComparison.Ordinal)
        && !complaint.StartsWith("aidb_example_", StringComparison.Ordinal);

    private static async Task<string> ScrapeAsync()
    {
        using var meter = new Meter("AiDb.Example");
        var writes = meter.CreateCounter<long>("aidb.example.writes", "{write}", "Writes that were acknowledged.");
        var duration = meter.CreateHistogram<double>("aidb.example.sync.duration", "s", "Time of a sync of the log.");
        meter.CreateObservableGauge("aidb.example.memtable.size", () => 42L, "By", "Bytes in the memtable.");
        using var othersMeter = new Meter("Others.Private");
        var others = othersMeter.CreateCounter<long>("others.private.count");

        await using var app = await ServiceDefaultsHost.StartServiceAsync(service => service.MapGet("/", () =>
        {
            writes.Add(1);
            duration.Record(0.003);
            others.Add(1);
            return "done";
        }));
        using var client = new HttpClient { BaseAddress = ServiceDefaultsHost.AddressOf(app) };
        await client.GetStringAsync("/");
        GC.Collect();

        using var response = await client.GetAsync("/metrics");
        response.EnsureSuccessStatusCode();
        Assert.Equal("text/plain", response.Content.Headers.ContentType?.MediaType);
        return await response.Content.ReadAsStringAsync();
    }
}
