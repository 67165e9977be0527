using AiDb.Contracts;
using AiDb.Contracts.Multiplexing;
using AiDb.Contracts.V1;
using Grpc.Core;
using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Hosting;
using Microsoft.AspNetCore.Hosting.Server;
using Microsoft.AspNetCore.Hosting.Server.Features;
using Microsoft.AspNetCore.Server.Kestrel.Core;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Logging;

namespace AiDb.Tests.Client;

/// <summary>What a <see cref="FaultyGateway"/> does to one request.</summary>
internal abstract record Fault
{
    /// <summary>Answers with an error and does nothing.</summary>
    public sealed record Refuse(AiDbErrorKind Kind, TimeSpan? RetryAfter = null) : Fault;

    /// <summary>Breaks the connection, before or after the request took effect.</summary>
    public sealed record Break(bool Applied) : Fault;

    /// <summary>Answers only when the task has ended.</summary>
    public sealed record Wait(Task Until) : Fault;
}

/// <summary>A gateway over real sockets that keeps its keys in a dictionary and fails as a test tells it
/// to.</summary>
internal sealed class FaultyGateway : KeyValue.KeyValueBase, IAsyncDisposable
{
    private readonly Lock _gate = new();
    private readonly SortedDictionary<string, (byte[] Value, ulong Version)> _items = new(StringComparer.Ordinal);
    private readonly List<PipelineRequest> _requests = [];
    private WebApplication? _app;
    private ulong _version;

    /// <summary>Decides about each request; null: no fault.</summary>
    public Func<PipelineRequest, Fault?> Decide { get; set; } = static _ => null;

    /// <summary>The key that calls must carry; null: none.</summary>
    public string? ApiKey { get; set; }

    /// <summary>Pages after which a scan's stream breaks, once; null: never.</summary>
    public int? BreakScanAfterPages { get; set; }

    public string Address { get; private set; } = "";

    public int Streams { get; private set; }

    public IReadOnlyList<PipelineRequest> Requests
    {
        get
        {
            lock (_gate)
                return [.. _requests];
        }
    }

    public static async Task<FaultyGateway> StartAsync(int port = 0)
    {
        FaultyGateway gateway = new();
        WebApplicationBuilder builder = WebApplication.CreateSlimBuilder();
        builder.Logging.ClearProviders();
        builder.WebHost.ConfigureKestrel(kestrel =>
            kestrel.Listen(System.Net.IPAddress.Loopback, port, static listen => listen.Protocols = HttpProtocols.Http2));
        builder.Services.AddGrpc();
        builder.Services.AddSingleton(gateway);
        WebApplication app = builder.Build();
        app.MapGrpcService<FaultyGateway>();
        await app.StartAsync();
        gateway._app = app;
        gateway.Address = app.Services.GetRequiredService<IServer>().Features.Get<IServerAddressesFeature>()!.Addresses.Single();
        return gateway;
    }

    public byte[]? Stored(string key)
    {
        lock (_gate)
            return _items.TryGetValue(key, out var item) ? item.Value : null;
    }

    public override Task Pipeline(
        IAsyncStreamReader<PipelineRequests> requestStream, IServerStreamWriter<PipelineResponses> responseStream,
        ServerCallContext context)
    {
        CheckKey(context);
        Streams++;
        return FrameServer<PipelineRequest, PipelineResponse, PipelineRequests, PipelineResponses>.ServeAsync(
            PipelineProtocol.Instance, requestStream, responseStream, context,
            (request, _) => AnswerAsync(request, context));
    }

    public override async Task Scan(
        ScanRequest request, IServerStreamWriter<ScanResponse> responseStream, ServerCallContext context)
    {
        CheckKey(context);
        string[] keys;
        lock (_gate)
            keys = [.. _items.Keys.Where(key => string.CompareOrdinal(key, request.Cursor) > 0)];
        for (int index = 0; index < keys.Length; index++)
        {
            if (BreakScanAfterPages is { } pages && index == pages)
            {
                BreakScanAfterPages = null;
                context.GetHttpContext().Abort();
                return;
            }

            ScanResponse page = new() { Cursor = index == keys.Length - 1 ? "" : keys[index] };
            page.Items.Add(new ScanItem { Key = Google.Protobuf.ByteString.CopyFromUtf8(keys[index]) });
            await responseStream.WriteAsync(page);
        }
    }

    public async ValueTask DisposeAsync()
    {
        if (_app is not null)
            await _app.DisposeAsync();
    }

    private void CheckKey(ServerCallContext context)
    {
        if (ApiKey is not null && context.RequestHeaders.GetValue("api-key") != ApiKey)
            throw ErrorMapping.ToRpc(new AiDbException(AiDbErrorKind.Unauthenticated, "The API key is wrong."));
    }

    private async ValueTask<PipelineResponse> AnswerAsync(PipelineRequest request, ServerCallContext context)
    {
        lock (_gate)
            _requests.Add(request.Clone());
        Fault? fault = Decide(request);
        switch (fault)
        {
            case Fault.Refuse refusal:
                throw new AiDbException(refusal.Kind, "As the test told.") { RetryAfter = refusal.RetryAfter };
            case Fault.Break { Applied: false }:
                context.GetHttpContext().Abort();
                throw new AiDbException(AiDbErrorKind.Unavailable, "Nobody reads this.");
            case Fault.Wait wait:
                await wait.Until;
                break;
        }

        PipelineResponse response = Apply(request);
        if (fault is Fault.Break)
            context.GetHttpContext().Abort();
        return response;
    }

    private PipelineResponse Apply(PipelineRequest request)
    {
        lock (_gate)
        {
            switch (request.CallCase)
            {
                case PipelineRequest.CallOneofCase.Put:
                    _items[request.Put.Key.ToStringUtf8()] = (request.Put.Value.ToByteArray(), ++_version);
                    return new PipelineResponse { Write = new WriteResponse { Version = _version, Durability = Durability.Local, Session = Token() } };
                case PipelineRequest.CallOneofCase.Get:
                    return new PipelineResponse { Get = Get(request.Get.Key.ToStringUtf8()) };
                case PipelineRequest.CallOneofCase.MultiGet:
                    MultiGetResponse values = new();
                    values.Values.AddRange(request.MultiGet.Keys.Select(key => Get(key.ToStringUtf8())));
                    return new PipelineResponse { MultiGet = values };
                default:
                    throw new AiDbException(AiDbErrorKind.Unimplemented, "Not in this gateway.");
            }
        }
    }

    private string Token() => SessionTokenFormat.Encode(
        [new SessionPosition(1, 1, _version)]);

    private GetResponse Get(string key) => _items.TryGetValue(key, out var item)
        ? new GetResponse { Found = true, Value = Google.Protobuf.ByteString.CopyFrom(item.Value), Version = item.Version }
        : new GetResponse();
}
