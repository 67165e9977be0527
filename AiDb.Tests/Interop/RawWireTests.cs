using System.Buffers.Binary;
using System.Net;
using System.Net.Http.Headers;
using AiDb.Tests.Interop.Wire;
using Google.Protobuf;

namespace AiDb.Tests.Interop;

/// <summary>What no client library would send, against our server.</summary>
public sealed class RawWireTests : IAsyncLifetime
{
    private const string UnaryCall = "/grpc.testing.TestService/UnaryCall";

    private readonly HttpClient _http = new();

    private InteropServer? _server;

    public async ValueTask InitializeAsync() => _server = await InteropServer.StartAsync();

    public async ValueTask DisposeAsync()
    {
        _http.Dispose();
        await _server!.DisposeAsync();
    }

    [Fact]
    public async Task A_message_above_the_limit_is_resource_exhausted()
    {
        var (response, status) = await SendAsync(new byte[InteropServer.MaxMessageBytes + 1]);
        Assert.Equal(HttpStatusCode.OK, response.StatusCode);
        Assert.Equal("8", status);
    }

    [Fact]
    public async Task Another_content_type_is_refused_by_http()
    {
        var (response, _) = await SendAsync([], contentType: "application/json");
        Assert.Equal(HttpStatusCode.UnsupportedMediaType, response.StatusCode);
    }

    [Fact]
    public async Task An_unknown_compression_is_unimplemented_and_the_known_ones_are_named()
    {
        var (response, status) = await SendAsync([], encoding: "lzma", compressed: true);
        Assert.Equal("12", status);
        Assert.Contains("gzip", string.Join(',', response.Headers.GetValues("grpc-accept-encoding")), StringComparison.Ordinal);
    }

    [Fact]
    public async Task A_compressed_message_without_a_named_compression_is_internal()
    {
        var (_, status) = await SendAsync([], compressed: true);
        Assert.Equal("13", status);
    }

    [Fact]
    public async Task A_message_that_ends_too_early_is_internal()
    {
        var (_, status) = await SendAsync([1, 2, 3], announcedBytes: 10);
        Assert.Equal("13", status);
    }

    [Fact]
    public async Task Malformed_protobuf_fails_the_call_and_nothing_else()
    {
        // Field 3, a message of 127 bytes, of which none follow.
        var (_, status) = await SendAsync([0x1a, 0x7f]);
        Assert.Contains(status, (string[])["2", "13"]);

        var (_, next) = await SendAsync(new SimpleRequest { ResponseSize = 1 }.ToByteArray());
        Assert.Equal("0", next);
    }

    [Fact]
    public async Task A_deadline_without_a_unit_does_not_stop_the_call()
    {
        var (_, status) = await SendAsync(new SimpleRequest().ToByteArray(), timeout: "1000");
        Assert.Equal("0", status);
    }

    private async Task<(HttpResponseMessage Response, string? Status)> SendAsync(
        byte[] message,
        string contentType = "application/grpc",
        string? encoding = null,
        bool compressed = false,
        int? announcedBytes = null,
        string? timeout = null)
    {
        var frame = new byte[5 + message.Length];
        frame[0] = compressed ? (byte)1 : (byte)0;
        BinaryPrimitives.WriteInt32BigEndian(frame.AsSpan(1), announcedBytes ?? message.Length);
        message.CopyTo(frame, 5);

        using var request = new HttpRequestMessage(HttpMethod.Post, new Uri(_server!.Address, UnaryCall));
        request.Version = HttpVersion.Version20;
        request.VersionPolicy = HttpVersionPolicy.RequestVersionExact;
        request.Content = new ByteArrayContent(frame);
        request.Content.Headers.ContentType = new MediaTypeHeaderValue(contentType);
        request.Headers.TE.Add(new TransferCodingWithQualityHeaderValue("trailers"));
        Add(request, "grpc-encoding", encoding);
        Add(request, "grpc-timeout", timeout);

        var response = await _http.SendAsync(request, TestContext.Current.CancellationToken);
        await response.Content.LoadIntoBufferAsync(TestContext.Current.CancellationToken);
        var values = response.TrailingHeaders.TryGetValues("grpc-status", out var trailing)
            || response.Headers.TryGetValues("grpc-status", out trailing) ? trailing : [];
        return (response, values.FirstOrDefault());
    }

    private static void Add(HttpRequestMessage request, string name, string? value)
    {
        if (value is not null)
        {
            request.Headers.Add(name, value);
        }
    }
}
