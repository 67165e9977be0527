using System.Collections.Concurrent;
using AiDb.Tests.Interop.Wire;
using AiDb.Tests.TestSupport;
using Google.Protobuf;
using Grpc.Core;
using Grpc.Net.Client;

namespace AiDb.Tests.Interop;

/// <summary>Our client against servers in other languages.</summary>
public sealed class InteropServerTests(InteropServerTests.Servers servers)
    : IClassFixture<InteropServerTests.Servers>, IDisposable
{
    private const int LargeRequestBytes = 271828;
    private const int LargeResponseBytes = 314159;

    private readonly CancellationTokenSource _patience = new(TimeSpan.FromMinutes(1));

    public static TheoryData<string> AllPeers => [PeerPrograms.Node, PeerPrograms.Python];

    private CancellationToken Cancellation => _patience.Token;

    public void Dispose() => _patience.Dispose();

    [Theory, MemberData(nameof(AllPeers))]
    public async Task Empty_unary_is_answered(string peer)
    {
        var server = await servers.OfAsync(peer);
        Assert.Equal(new Empty(), await server.Client.EmptyCallAsync(new Empty(), cancellationToken: Cancellation));
    }

    [Theory, MemberData(nameof(AllPeers))]
    public async Task Large_unary_is_answered_in_full(string peer)
    {
        var server = await servers.OfAsync(peer);
        var response = await server.Client.UnaryCallAsync(Large(), cancellationToken: Cancellation);
        Assert.Equal(LargeResponseBytes, response.Payload.Body.Length);
    }

    [Theory, MemberData(nameof(AllPeers))]
    public async Task Client_streaming_is_summed_up(string peer)
    {
        var server = await servers.OfAsync(peer);
        Assert.Equal(74922, await StreamAsync(server.Client, null, 27182, 8, 1828, 45904));
    }

    [Theory, MemberData(nameof(AllPeers))]
    public async Task Server_streaming_comes_in_order(string peer)
    {
        var server = await servers.OfAsync(peer);
        using var call = server.Client.StreamingOutputCall(Asking(31415, 9, 2653, 58979), cancellationToken: Cancellation);
        int[] expected = [31415, 9, 2653, 58979];
        Assert.Equal(expected, await SizesAsync(call.ResponseStream));
    }

    [Theory, MemberData(nameof(AllPeers))]
    public async Task Ping_pong_answers_each_message_before_the_next(string peer)
    {
        var server = await servers.OfAsync(peer);
        using var call = server.Client.FullDuplexCall(cancellationToken: Cancellation);
        foreach (var (sent, wanted) in ((int, int)[])[(27182, 31415), (8, 9), (1828, 2653), (45904, 58979)])
        {
            var request = Asking(wanted);
            request.Payload = Zeros(sent);
            await call.RequestStream.WriteAsync(request, Cancellation);
            Assert.True(await call.ResponseStream.MoveNext(Cancellation));
            Assert.Equal(wanted, call.ResponseStream.Current.Payload.Body.Length);
        }

        await call.RequestStream.CompleteAsync();
        Assert.False(await call.ResponseStream.MoveNext(Cancellation));
    }

    [Theory, MemberData(nameof(AllPeers))]
    public async Task Empty_stream_ends_without_a_message(string peer)
    {
        var server = await servers.OfAsync(peer);
        using var call = server.Client.FullDuplexCall(cancellationToken: Cancellation);
        await call.RequestStream.CompleteAsync();
        Assert.False(await call.ResponseStream.MoveNext(Cancellation));
        Assert.Equal(StatusCode.OK, call.GetStatus().StatusCode);
    }

    [Theory, MemberData(nameof(AllPeers))]
    public async Task Custom_metadata_comes_back_in_headers_and_trailers(string peer)
    {
        var server = await servers.OfAsync(peer);
        var metadata = new Metadata
        {
            { "x-grpc-test-echo-initial", "test_initial_metadata_value" },
            { "x-grpc-test-echo-trailing-bin", [0xab, 0xab, 0xab] },
        };
        using var call = server.Client.UnaryCallAsync(Large(), metadata, cancellationToken: Cancellation);
        var headers = await call.ResponseHeadersAsync;
        await call;

        Assert.Equal("test_initial_metadata_value", headers.GetValue("x-grpc-test-echo-initial"));
        Assert.Equal([0xab, 0xab, 0xab], call.GetTrailers().GetValueBytes("x-grpc-test-echo-trailing-bin"));
    }

    [Theory, MemberData(nameof(AllPeers))]
    public async Task Status_code_and_message_arrive_from_unary_and_duplex(string peer)
    {
        var server = await servers.OfAsync(peer);
        var status = new EchoStatus { Code = 2, Message = "test status message" };
        var unary = await Assert.ThrowsAsync<RpcException>(async () => await server.Client.UnaryCallAsync(
            new SimpleRequest { ResponseStatus = status }, cancellationToken: Cancellation));
        Assert.Equal(new Status(StatusCode.Unknown, status.Message), Plain(unary.Status));

        using var call = server.Client.FullDuplexCall(cancellationToken: Cancellation);
        await call.RequestStream.WriteAsync(new StreamingOutputCallRequest { ResponseStatus = status }, Cancellation);
        await call.RequestStream.CompleteAsync();
        var duplex = await Assert.ThrowsAsync<RpcException>(() => call.ResponseStream.MoveNext(Cancellation));
        Assert.Equal(new Status(StatusCode.Unknown, status.Message), Plain(duplex.Status));
    }

    [Theory, MemberData(nameof(AllPeers))]
    public async Task Special_status_message_keeps_whitespace_and_emoji(string peer)
    {
        var server = await servers.OfAsync(peer);
        const string Message = "\t\ntest with whitespace\r\nand Unicode BMP \u263a and non-BMP \U0001f608\t\n";
        var error = await Assert.ThrowsAsync<RpcException>(async () => await server.Client.UnaryCallAsync(
            new SimpleRequest { ResponseStatus = new EchoStatus { Code = 2, Message = Message } },
            cancellationToken: Cancellation));
        Assert.Equal(Message, error.Status.Detail);
    }

    [Theory, MemberData(nameof(AllPeers))]
    public async Task Unimplemented_method_and_service_are_told_apart_from_failures(string peer)
    {
        var server = await servers.OfAsync(peer);
        var method = await Assert.ThrowsAsync<RpcException>(async () =>
            await server.Client.UnimplementedCallAsync(new Empty(), cancellationToken: Cancellation));
        var service = await Assert.ThrowsAsync<RpcException>(async () =>
            await new UnimplementedService.UnimplementedServiceClient(server.Channel)
                .UnimplementedCallAsync(new Empty(), cancellationToken: Cancellation));
        Assert.Equal(StatusCode.Unimplemented, method.StatusCode);
        Assert.Equal(StatusCode.Unimplemented, service.StatusCode);
    }

    [Theory, MemberData(nameof(AllPeers))]
    public async Task Cancel_after_begin_ends_the_call(string peer)
    {
        var server = await servers.OfAsync(peer);
        using var cancel = new CancellationTokenSource();
        using var call = server.Client.StreamingInputCall(cancellationToken: cancel.Token);
        await call.RequestStream.WriteAsync(new StreamingInputCallRequest { Payload = Zeros(1) }, Cancellation);
        await cancel.CancelAsync();
        var error = await Assert.ThrowsAsync<RpcException>(async () => await call);
        Assert.Equal(StatusCode.Cancelled, error.StatusCode);
    }

    [Theory, MemberData(nameof(AllPeers))]
    public async Task Cancel_after_first_response_ends_the_stream(string peer)
    {
        var server = await servers.OfAsync(peer);
        using var cancel = new CancellationTokenSource();
        using var call = server.Client.FullDuplexCall(cancellationToken: cancel.Token);
        await call.RequestStream.WriteAsync(Asking(31415), Cancellation);
        Assert.True(await call.ResponseStream.MoveNext(Cancellation));
        await cancel.CancelAsync();
        var error = await Assert.ThrowsAsync<RpcException>(() => call.ResponseStream.MoveNext(Cancellation));
        Assert.Equal(StatusCode.Cancelled, error.StatusCode);
    }

    [Theory, MemberData(nameof(AllPeers))]
    public async Task Timeout_on_a_sleeping_server_is_deadline_exceeded(string peer)
    {
        var server = await servers.OfAsync(peer);
        var request = new StreamingOutputCallRequest
        {
            ResponseParameters = { new ResponseParameters { Size = 1, IntervalUs = 60_000_000 } },
        };
        using var call = server.Client.StreamingOutputCall(
            request, deadline: DateTime.UtcNow.AddMilliseconds(100), cancellationToken: Cancellation);
        var error = await Assert.ThrowsAsync<RpcException>(() => call.ResponseStream.MoveNext(Cancellation));
        Assert.Equal(StatusCode.DeadlineExceeded, error.StatusCode);
    }

    [Theory, MemberData(nameof(AllPeers))]
    public async Task Compressed_requests_are_understood(string peer)
    {
        var server = await servers.OfAsync(peer);
        server.Gzip.TakeCompressed();
        var gzip = new Metadata { { "grpc-internal-encoding-request", "gzip" } };

        var response = await server.Client.UnaryCallAsync(Large(), gzip, cancellationToken: Cancellation);
        Assert.Equal(LargeResponseBytes, response.Payload.Body.Length);
        Assert.Equal(1, server.Gzip.TakeCompressed());

        Assert.Equal(73086, await StreamAsync(server.Client, gzip, 27182, 45904));
        Assert.Equal(2, server.Gzip.TakeCompressed());
    }

    [Fact]
    public async Task Compressed_responses_are_understood_message_by_message()
    {
        // grpc-js compresses no responses, so this one is Python's.
        var server = await servers.OfAsync(PeerPrograms.Python);
        server.Gzip.TakeDecompressed();

        var large = Large();
        large.ResponseCompressed = new BoolValue { Value = true };
        var response = await server.Client.UnaryCallAsync(large, cancellationToken: Cancellation);
        Assert.Equal(LargeResponseBytes, response.Payload.Body.Length);
        Assert.Equal(1, server.Gzip.TakeDecompressed());

        var request = Asking(31415, 92653);
        request.ResponseParameters[0].Compressed = new BoolValue { Value = true };
        using var call = server.Client.StreamingOutputCall(request, cancellationToken: Cancellation);
        int[] expected = [31415, 92653];
        Assert.Equal(expected, await SizesAsync(call.ResponseStream));
        Assert.Equal(1, server.Gzip.TakeDecompressed());
    }

    [Theory, MemberData(nameof(AllPeers))]
    public async Task A_thousand_concurrent_large_calls_are_all_answered(string peer)
    {
        var server = await servers.OfAsync(peer);
        var calls = Enumerable.Range(0, 1000)
            .Select(_ => server.Client.UnaryCallAsync(Large(), cancellationToken: Cancellation).ResponseAsync);
        var responses = await Task.WhenAll(calls);
        Assert.All(responses, response => Assert.Equal(LargeResponseBytes, response.Payload.Body.Length));
    }

    private static SimpleRequest Large() =>
        new() { ResponseSize = LargeResponseBytes, Payload = Zeros(LargeRequestBytes) };

    private static Payload Zeros(int size) => new() { Body = UnsafeByteOperations.UnsafeWrap(new byte[size]) };

    private static StreamingOutputCallRequest Asking(params int[] sizes) =>
        new() { ResponseParameters = { sizes.Select(size => new ResponseParameters { Size = size }) } };

    private static Status Plain(Status status) => new(status.StatusCode, status.Detail);

    private async Task<int> StreamAsync(
        TestService.TestServiceClient client, Metadata? headers, params int[] sizes)
    {
        using var call = client.StreamingInputCall(headers, cancellationToken: Cancellation);
        foreach (var size in sizes)
        {
            await call.RequestStream.WriteAsync(new StreamingInputCallRequest { Payload = Zeros(size) }, Cancellation);
        }

        await call.RequestStream.CompleteAsync();
        return (await call).AggregatedPayloadSize;
    }

    private async Task<int[]> SizesAsync(IAsyncStreamReader<StreamingOutputCallResponse> stream)
    {
        var sizes = new List<int>();
        await foreach (var message in stream.ReadAllAsync(Cancellation))
        {
            sizes.Add(message.Payload.Body.Length);
        }

        return [.. sizes];
    }

    /// <summary>Each peer's server, started once.</summary>
    public sealed class Servers : IAsyncDisposable
    {
        private static readonly TimeSpan Patience = TimeSpan.FromMinutes(1);

        private readonly ConcurrentDictionary<string, Lazy<Task<PeerServer>>> _servers = new(StringComparer.Ordinal);

        public async ValueTask DisposeAsync()
        {
            foreach (var server in _servers.Values.Where(server => server.Value.IsCompletedSuccessfully))
            {
                await (await server.Value).DisposeAsync();
            }
        }

        internal Task<PeerServer> OfAsync(string peer) =>
            _servers.GetOrAdd(peer, name => new Lazy<Task<PeerServer>>(() => StartAsync(name))).Value;

        private static async Task<PeerServer> StartAsync(string peer)
        {
            using var patience = new CancellationTokenSource(Patience);
            var process = await PeerPrograms.StartAsync(peer, "server", PeerWire.Interop);
            try
            {
                var port = await process.ReadUntilAsync("LISTENING ", patience.Token);
                process.IgnoreOutput();
                return new PeerServer(process, port);
            }
            catch
            {
                await process.DisposeAsync();
                throw;
            }
        }
    }

    internal sealed class PeerServer : IAsyncDisposable
    {
        private readonly PeerProcess _process;

        public PeerServer(PeerProcess process, string port)
        {
            _process = process;
            Channel = GrpcChannel.ForAddress(
                $"http://127.0.0.1:{port}", new GrpcChannelOptions { CompressionProviders = [Gzip] });
            Client = new TestService.TestServiceClient(Channel);
        }

        public NotingGzip Gzip { get; } = new();

        public GrpcChannel Channel { get; }

        public TestService.TestServiceClient Client { get; }

        public async ValueTask DisposeAsync()
        {
            Channel.Dispose();
            await _process.DisposeAsync();
        }
    }
}
