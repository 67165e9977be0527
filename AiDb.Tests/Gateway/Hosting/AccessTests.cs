using System.Net;
using System.Net.Http.Headers;
using AiDb.Contracts.V1;
using AiDb.Gateway.Hosting;
using AiDb.Tests.Gateway.Rest;
using AiDb.Tests.Gateway.Support;
using Grpc.Core;

namespace AiDb.Tests.Gateway.Hosting;

public sealed class AccessTests
{
    private const string Key = "a-key-for-tests";

    [Fact]
    public async Task Who_shows_the_key_is_let_in_and_nobody_else()
    {
        await using GatewayFixture gateway = await GatewayFixture.StartAsync("--AiDb:ApiKey=" + Key);
        foreach (AuthenticationHeaderValue? header in new[] { null, new AuthenticationHeaderValue("Bearer", "wrong") })
        {
            using HttpRequestMessage request = new(HttpMethod.Get, "/v1/tables");
            request.Headers.Authorization = header;
            using HttpResponseMessage refused = await gateway.Http.SendAsync(request);
            await KeyApiTests.ReadProblemAsync(refused, HttpStatusCode.Unauthorized);
            Assert.Equal("Bearer", refused.Headers.WwwAuthenticate.ToString());
        }

        foreach ((string name, string value) in new[] { ("api-key", Key), ("Authorization", "Bearer " + Key) })
        {
            using HttpRequestMessage request = new(HttpMethod.Get, "/v1/tables");
            request.Headers.TryAddWithoutValidation(name, value);
            using HttpResponseMessage answer = await gateway.Http.SendAsync(request);
            Assert.Equal(HttpStatusCode.OK, answer.StatusCode);
        }

        foreach (string open in new[] { "/", "/healthz", "/readyz", "/livez", "/health", "/alive", "/openapi/v1.json", "/docs/index.html" })
        {
            using HttpResponseMessage answer = await gateway.Http.GetAsync(open);
            Assert.True(answer.StatusCode == HttpStatusCode.OK, open);
        }

        Admin.AdminClient admin = new(gateway.Channel);
        RpcException error = await Assert.ThrowsAsync<RpcException>(async () => await admin.ListTablesAsync(new ListTablesRequest()));
        Assert.Equal(StatusCode.Unauthenticated, error.StatusCode);
        await admin.ListTablesAsync(new ListTablesRequest(), new Metadata { { "api-key", Key } });
    }

    [Theory]
    [InlineData("/aidb.internal.v1.Metadata/Range")]
    [InlineData("/AIDB.Internal.v1.Metadata/Range")]
    [InlineData("/aidb%2Einternal.v1.Metadata/Range")]
    public async Task Inner_services_ask_for_the_secret_however_their_path_is_written(string path)
    {
        await using GatewayFixture gateway = await GatewayFixture.StartAsync();
        using HttpClient http = new();
        using HttpRequestMessage request = new(HttpMethod.Post, $"http://{gateway.Channel.Target}{path}")
        {
            Version = HttpVersion.Version20,
            VersionPolicy = HttpVersionPolicy.RequestVersionExact,
            Content = new ByteArrayContent(new byte[5]),
        };
        request.Content.Headers.ContentType = new MediaTypeHeaderValue("application/grpc");

        using HttpResponseMessage answer = await http.SendAsync(request);

        Assert.Equal("16", answer.Headers.TryGetValues("grpc-status", out IEnumerable<string>? status)
            ? status.Single()
            : answer.TrailingHeaders.GetValues("grpc-status").Single());
    }

    [Theory]
    [InlineData("--urls=http://0.0.0.0:0")]
    [InlineData("--urls=http://*:0")]
    [InlineData("--HTTP_PORTS=0")]
    [InlineData("--Kestrel:Endpoints:Rest:Url=http://10.1.2.3:0")]
    public void A_listener_beyond_loopback_needs_a_key(string setting)
    {
        InvalidOperationException error =
            Assert.Throws<InvalidOperationException>(() => GatewayServer.Build([setting]));
        Assert.Contains("AiDb:ApiKey", error.Message, StringComparison.Ordinal);
    }

    [Fact]
    public void Every_bad_setting_is_named_at_once()
    {
        InvalidOperationException error = Assert.Throws<InvalidOperationException>(() => GatewayServer.Build(
            ["--AiDb:Mode=both", "--AiDb:Cluster:Shards=none", "--AiDb:Limits:RequestTimeoutSeconds=0"]));
        Assert.Contains("AiDb:Mode", error.Message, StringComparison.Ordinal);
        Assert.Contains("AiDb:Cluster:Shards", error.Message, StringComparison.Ordinal);
        Assert.Contains("AiDb:Limits:RequestTimeoutSeconds", error.Message, StringComparison.Ordinal);
    }

    [Theory]
    [InlineData("http://127.0.0.1:1", true)]
    [InlineData("http://localhost:1", true)]
    [InlineData("http://[::1]:1", true)]
    [InlineData("http://[::]:1", false)]
    [InlineData("http://0.0.0.0:1", false)]
    [InlineData("http://+:1", false)]
    [InlineData("http://example.org:1", false)]
    [InlineData("", false)]
    public void Loopback_is_told_from_everything_else(string url, bool expected) =>
        Assert.Equal(expected, GatewayListeners.IsLoopback(url));

    [Fact]
    public async Task A_data_folder_in_use_is_one_clear_error_and_the_first_gateway_lives_on()
    {
        await using GatewayFixture gateway = await GatewayFixture.StartAsync();
        await using var second = GatewayServer.Build(GatewayFixture.Arguments(gateway.DataDirectory));
        AiDbException error = await Assert.ThrowsAsync<AiDbException>(() => second.StartAsync());
        Assert.Contains(gateway.DataDirectory, error.Message, StringComparison.Ordinal);
        Assert.Equal("{\"title\":\"AiDb\"", (await gateway.Http.GetStringAsync("/"))[..15]);
    }

    [Fact]
    public async Task What_was_acknowledged_is_there_after_a_restart()
    {
        await using GatewayFixture gateway = await GatewayFixture.StartAsync();
        using HttpResponseMessage put = await gateway.Http.PutAsync("/v1/kv/t/k", new StringContent("kept"));
        string etag = put.Headers.ETag!.ToString();
        await gateway.RestartAsync();
        using HttpResponseMessage get = await gateway.Http.GetAsync("/v1/kv/t/k");
        Assert.Equal("kept", await get.Content.ReadAsStringAsync());
        Assert.Equal(etag, get.Headers.ETag!.ToString());
    }
}
