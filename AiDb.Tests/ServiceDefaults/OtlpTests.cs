using System.Diagnostics;
using System.Diagnostics.Metrics;
using System.Text;
using System.Threading.Channels;
using Microsoft.AspNetCore.Builder;
using Microsoft.Extensions.Logging;

namespace AiDb.Tests.ServiceDefaults;

public sealed class OtlpTests
{
    private static readonly TimeSpan Patience = TimeSpan.FromSeconds(30);

    [Fact]
    public async Task Traces_metrics_and_logs_of_a_request_arrive_at_the_collector()
    {
        using var source = new ActivitySource("AiDb.Example.Traced");
        using var meter = new Meter("AiDb.Example.Exported");
        var writes = meter.CreateCounter<long>("aidb.exported.writes", "{write}", "Writes.");
        await using var receiver = await OtlpReceiver.StartAsync();
        var traceId = default(ActivityTraceId);

        var app = await ServiceDefaultsHost.StartServiceAsync(
            service => service.MapGet("/traced", (ILogger<OtlpTests> logger) =>
            {
                using var activity = source.StartActivity("append to the log");
                traceId = Activity.Current!.TraceId;
                writes.Add(1);
#pragma warning disable CA1848 // One message in a test.
                logger.LogInformation("Wrote {Count} entries", 3);
#pragma warning restore CA1848
                return "done";
            }),
            ("OTEL_EXPORTER_OTLP_ENDPOINT", receiver.Address.ToString()));
        await using (app)
        {
            using var client = new HttpClient { BaseAddress = ServiceDefaultsHost.AddressOf(app) };
            await client.GetStringAsync("/health");
            await client.GetStringAsync("/traced");
        }

        var traces = await ReceiveAsync(receiver.Traces);
        AssertContains(traces, "AiDb.Tests"u8);
        AssertContains(traces, "GET /traced"u8);
        AssertContains(traces, "append to the log"u8);
        AssertContains(traces, Convert.FromHexString(traceId.ToHexString()));
        Assert.Equal(-1, traces.AsSpan().IndexOf("GET /health"u8));
        AssertContains(await ReceiveAsync(receiver.Metrics), "aidb.exported.writes"u8);
        AssertContains(await ReceiveAsync(receiver.Logs), "Wrote 3 entries"u8);
    }

    [Fact]
    public async Task Nothing_is_exported_without_the_endpoint_setting()
    {
        await using var receiver = await OtlpReceiver.StartAsync();
        await using (var app = await ServiceDefaultsHost.StartServiceAsync(
            service => service.MapGet("/quiet", () => "done"), ("OTEL_EXPORTER_OTLP_ENDPOINT", "")))
        {
            using var client = new HttpClient { BaseAddress = ServiceDefaultsHost.AddressOf(app) };
            await client.GetStringAsync("/quiet");
        }

        Assert.False(receiver.Traces.Reader.TryPeek(out _));
        Assert.False(receiver.Metrics.Reader.TryPeek(out _));
    }

    private static async Task<byte[]> ReceiveAsync(Channel<byte[]> channel)
    {
        using var patience = CancellationTokenSource.CreateLinkedTokenSource(TestContext.Current.CancellationToken);
        patience.CancelAfter(Patience);
        var all = new List<byte>(await channel.Reader.ReadAsync(patience.Token));
        while (channel.Reader.TryRead(out var more))
        {
            all.AddRange(more);
        }

        return [.. all];
    }

    private static void AssertContains(byte[] message, ReadOnlySpan<byte> part) =>
        Assert.True(message.AsSpan().IndexOf(part) >= 0, $"{Encoding.UTF8.GetString(part)} is not in the export.");
}
