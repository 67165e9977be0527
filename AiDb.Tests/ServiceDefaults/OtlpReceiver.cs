using System.Threading.Channels;
using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Http;
using Microsoft.AspNetCore.Server.Kestrel.Core;

namespace AiDb.Tests.ServiceDefaults;

/// <summary>The receiving end of OTLP over gRPC: keeps the protobuf messages that a service
/// exports.</summary>
internal sealed class OtlpReceiver : IAsyncDisposable
{
    private const int MessagePrefixBytes = 5;

    private readonly WebApplication _app;

    private OtlpReceiver(WebApplication app) => _app = app;

    public Uri Address => ServiceDefaultsHost.AddressOf(_app);

    public Channel<byte[]> Traces { get; } = Channel.CreateUnbounded<byte[]>();

    public Channel<byte[]> Metrics { get; } = Channel.CreateUnbounded<byte[]>();

    public Channel<byte[]> Logs { get; } = Channel.CreateUnbounded<byte[]>();

    public static async Task<OtlpReceiver> StartAsync()
    {
        OtlpReceiver? receiver = null;
        var app = await ServiceDefaultsHost.StartBareAsync(HttpProtocols.Http2, app =>
        {
            Map(app, "trace.v1.TraceService", () => receiver!.Traces);
            Map(app, "metrics.v1.MetricsService", () => receiver!.Metrics);
            Map(app, "logs.v1.LogsService", () => receiver!.Logs);
        });
        return receiver = new OtlpReceiver(app);
    }

    public ValueTask DisposeAsync() => _app.DisposeAsync();

    private static void Map(WebApplication app, string service, Func<Channel<byte[]>> channel) =>
        app.MapPost($"/opentelemetry.proto.collector.{service}/Export", async (HttpContext context) =>
        {
            using var body = new MemoryStream();
            await context.Request.Body.CopyToAsync(body, context.RequestAborted);
            await channel().Writer.WriteAsync(body.ToArray()[MessagePrefixBytes..], context.RequestAborted);

            context.Response.ContentType = "application/grpc";
            await context.Response.Body.WriteAsync(new byte[MessagePrefixBytes], context.RequestAborted);
            context.Response.AppendTrailer("grpc-status", "0");
        });
}
