using AiDb.Contracts;
using AiDb.Contracts.Multiplexing;
using AiDb.Contracts.V1;
using Grpc.Core;
using Grpc.Net.Client;
using Pipeline = AiDb.Contracts.Multiplexing.StreamMultiplexer<
    AiDb.Contracts.V1.PipelineRequest, AiDb.Contracts.V1.PipelineResponse,
    AiDb.Contracts.V1.PipelineRequests, AiDb.Contracts.V1.PipelineResponses>;

namespace AiDb.Client.Transport;

/// <summary>The way to one gateway: one HTTP/2 connection (or a few), on each a stream that small calls
/// share.</summary>
/// <remarks>Thread safety: all members may be called concurrently, <see cref="DisposeAsync"/> last.</remarks>
internal sealed class GatewayConnection : IAsyncDisposable
{
    private readonly Lane[] _lanes;
    private readonly Metadata _headers = [];
    private readonly int _pipelineMaxBytes;
    private readonly TimeProvider _time;
    private uint _next;
    private int _failed;

    public GatewayConnection(string address, AiDbClientSettings settings, TimeProvider time)
    {
        Address = address;
        _time = time;
        _pipelineMaxBytes = settings.PipelineMaxBytes;
        if (settings.ApiKey is { } apiKey)
            _headers.Add("api-key", apiKey);
        MultiplexerOptions options = new()
        {
            DefaultTimeout = settings.Timeout,
            ConnectTimeout = settings.ConnectTimeout,
            TimeProvider = time,
        };
        _lanes = new Lane[settings.ConnectionsPerEndpoint];
        for (int index = 0; index < _lanes.Length; index++)
        {
            GrpcChannel channel = OpenChannel(address, settings);
            KeyValue.KeyValueClient keyValue = new(channel);
            _lanes[index] = new Lane(
                channel,
                keyValue,
                new Pipeline(
                    PipelineProtocol.Instance,
                    token => keyValue.Pipeline(_headers, cancellationToken: token),
                    options));
        }
    }

    public string Address { get; }

    /// <summary>Whether a stream stands, or nothing has failed yet.</summary>
    public bool IsUsable
    {
        get
        {
            foreach (Lane lane in _lanes)
            {
                if (lane.Pipeline.IsConnected)
                    return true;
            }

            return Volatile.Read(ref _failed) == 0;
        }
    }

    public KeyValue.KeyValueClient KeyValue => _lanes[0].KeyValue;

    public CallInvoker Invoker => _lanes[0].Channel.CreateCallInvoker();

    public Admin.AdminClient Admin => new(_lanes[0].Channel);

    /// <summary>Remembers that it could not be reached, until a stream stands again.</summary>
    public void MarkFailed() => Volatile.Write(ref _failed, 1);

    /// <summary>Headers and limits of a call with a stream of its own.</summary>
    public CallOptions Options(long deadline, CancellationToken cancellationToken)
    {
        TimeSpan left = _time.GetElapsedTime(_time.GetTimestamp(), deadline);
        return new CallOptions(
            _headers, deadline == long.MaxValue ? null : _time.GetUtcNow().UtcDateTime + left, cancellationToken);
    }

    /// <summary>Sends one attempt of a call; throws what went wrong on the way there.</summary>
    public ValueTask<PipelineResponse> SendAsync(Call call, CancellationToken cancellationToken)
    {
        Lane lane = _lanes.Length == 1 ? _lanes[0] : _lanes[Interlocked.Increment(ref _next) % (uint)_lanes.Length];
        if (call.Message.CalculateSize() > _pipelineMaxBytes)
            return SendAloneAsync(lane, call, cancellationToken);

        TimeSpan left = _time.GetElapsedTime(_time.GetTimestamp(), call.Deadline);
        PipelineRequest request = new()
        {
            TimeoutMs = (uint)Math.Clamp(left.TotalMilliseconds, 1, uint.MaxValue),
            Traceparent = call.TraceParent,
        };
        switch (call.Message)
        {
            case GetRequest get: request.Get = get; break;
            case MultiGetRequest multiGet: request.MultiGet = multiGet; break;
            case PutRequest put: request.Put = put; break;
            case DeleteRequest delete: request.Delete = delete; break;
            case BatchRequest batch: request.Batch = batch; break;
            default: throw new ArgumentOutOfRangeException(nameof(call), call.Message, "not a call of the pipeline");
        }

        return lane.Pipeline.SendAsync(request, cancellationToken);
    }

    public async ValueTask DisposeAsync()
    {
        foreach (Lane lane in _lanes)
        {
            await lane.Pipeline.DisposeAsync().ConfigureAwait(false);
            lane.Channel.Dispose();
        }
    }

    private async ValueTask<PipelineResponse> SendAloneAsync(Lane lane, Call call, CancellationToken cancellationToken)
    {
        CallOptions options = Options(call.Deadline, cancellationToken);
        KeyValue.KeyValueClient client = lane.KeyValue;
        try
        {
            return call.Message switch
            {
                GetRequest get => new PipelineResponse { Get = await client.GetAsync(get, options) },
                MultiGetRequest many => new PipelineResponse { MultiGet = await client.MultiGetAsync(many, options) },
                PutRequest put => new PipelineResponse { Write = await client.PutAsync(put, options) },
                DeleteRequest delete => new PipelineResponse { Write = await client.DeleteAsync(delete, options) },
                BatchRequest batch => new PipelineResponse { Batch = await client.BatchAsync(batch, options) },
                _ => throw new ArgumentOutOfRangeException(nameof(call), call.Message, "not a call of the pipeline"),
            };
        }
        catch (RpcException exception)
        {
            throw ErrorTranslation.ToException(exception, changesState: !call.Kind.IsRead);
        }
    }

    private static GrpcChannel OpenChannel(string address, AiDbClientSettings settings) => GrpcChannel.ForAddress(
        address,
        new GrpcChannelOptions
        {
            MaxReceiveMessageSize = WireLimits.MaxMessageBytes,
            MaxSendMessageSize = WireLimits.MaxMessageBytes,
            DisposeHttpClient = true,
            // Attempts are counted in one place: the retry policy.
            MaxRetryAttempts = 1,
            HttpHandler = new SocketsHttpHandler
            {
                ConnectTimeout = settings.ConnectTimeout,
                EnableMultipleHttp2Connections = true,
                InitialHttp2StreamWindowSize = 4 << 20,
                KeepAlivePingDelay = TimeSpan.FromSeconds(10),
                KeepAlivePingTimeout = TimeSpan.FromSeconds(5),
                PooledConnectionIdleTimeout = Timeout.InfiniteTimeSpan,
                UseProxy = false,
            },
        });

    private sealed record Lane(GrpcChannel Channel, KeyValue.KeyValueClient KeyValue, Pipeline Pipeline);
}
