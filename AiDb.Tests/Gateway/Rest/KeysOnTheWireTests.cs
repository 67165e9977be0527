using System.Net;
using System.Text;
using AiDb.Tests.Gateway.Support;

namespace AiDb.Tests.Gateway.Rest;

[Collection(GatewayCollection.Name)]
public sealed class KeysOnTheWireTests(GatewayFixture gateway)
{
    private static readonly string[] Targets =
    [
        "a/b", "a%252Fb", ".", "..", "../x", "../../tables", "%252E%252E", "a//b", "/", "a+b", "a%20b", "a%25b",
        "%FF%FE", "%C3%A9", "batch", "multiget", "a?".TrimEnd('?') + "%3Fq", "%23", "a;b=c",
    ];

    [Fact]
    public async Task Every_spelling_of_a_different_key_is_a_different_key()
    {
        foreach (string target in Targets)
        {
            (int status, _, _) = await RawHttp.SendAsync(
                gateway.RestAddress, "PUT", "/v1/kv/wire/" + target, Encoding.UTF8.GetBytes("value of " + target));
            Assert.True(status == 204, $"PUT {target}: {status}");
        }

        foreach (string target in Targets)
        {
            (int status, _, byte[] body) = await RawHttp.SendAsync(gateway.RestAddress, "GET", "/v1/kv/wire/" + target);
            Assert.True(status == 200, $"GET {target}: {status}");
            Assert.Equal("value of " + target, Encoding.UTF8.GetString(body));
        }
    }

    [Theory]
    [InlineData("a/b", "a%2Fb")]
    [InlineData("..", "%2E%2E")]
    [InlineData("k", "%6B")]
    public async Task Two_spellings_of_the_same_bytes_are_one_key(string plain, string escaped)
    {
        string table = "spelling" + plain.Length;
        await RawHttp.SendAsync(gateway.RestAddress, "PUT", $"/v1/kv/{table}/{escaped}", "v"u8.ToArray());
        (int status, _, byte[] body) = await RawHttp.SendAsync(gateway.RestAddress, "GET", $"/v1/kv/{table}/{plain}");
        Assert.Equal(200, status);
        Assert.Equal("v"u8.ToArray(), body);
    }

    [Fact]
    public async Task Dot_segments_after_the_table_never_reach_another_route()
    {
        (int status, _, _) = await RawHttp.SendAsync(
            gateway.RestAddress, "DELETE", "/v1/kv/dots/../../tables/dots", extraHeaders: "");
        Assert.Equal(204, status);
        (int found, _, _) = await RawHttp.SendAsync(gateway.RestAddress, "GET", "/v1/tables/dots");
        Assert.Equal(200, found);
    }

    [Fact]
    public async Task Dot_segments_before_the_table_are_refused()
    {
        (int status, string headers, _) = await RawHttp.SendAsync(gateway.RestAddress, "GET", "/v1/x/../kv/t/k");
        Assert.Equal(404, status);
        Assert.Contains("application/problem+json", headers, StringComparison.Ordinal);
    }

    [Fact]
    public async Task A_target_in_absolute_form_is_taken_apart_alike()
    {
        await RawHttp.SendAsync(gateway.RestAddress, "PUT", $"http://{gateway.RestAddress.Authority}/v1/kv/wire/abs/x", "1"u8.ToArray());
        (int status, _, byte[] body) = await RawHttp.SendAsync(gateway.RestAddress, "GET", "/v1/kv/wire/abs/x");
        Assert.Equal(200, status);
        Assert.Equal("1"u8.ToArray(), body);
    }

    [Theory]
    [InlineData("%")]
    [InlineData("%2")]
    [InlineData("%zz")]
    public async Task A_percent_sign_without_digits_is_named(string target)
    {
        (int status, _, byte[] body) = await RawHttp.SendAsync(gateway.RestAddress, "GET", "/v1/kv/wire/" + target);
        Assert.Equal(400, status);
        Assert.Contains("%25", Encoding.UTF8.GetString(body), StringComparison.Ordinal);
    }

    [Fact]
    public async Task A_zero_byte_travels_as_base64url()
    {
        using ByteArrayContent value = new([1, 2, 3]);
        using HttpResponseMessage put = await gateway.Http.PutAsync("/v1/kv/wire/AAA?keyEncoding=base64url", value);
        Assert.Equal(HttpStatusCode.NoContent, put.StatusCode);
        Assert.Equal([1, 2, 3], await gateway.Http.GetByteArrayAsync("/v1/kv/wire/AAA?keyEncoding=base64url"));
    }

    [Fact]
    public async Task A_key_above_4_KiB_in_an_address_is_answered_with_the_way_out()
    {
        string longest = new('k', 4096);
        using ByteArrayContent value = new([1]);
        using HttpResponseMessage put = await gateway.Http.PutAsync("/v1/kv/wire/" + longest, value);
        Assert.Equal(HttpStatusCode.NoContent, put.StatusCode);
        using HttpResponseMessage get = await gateway.Http.GetAsync("/v1/kv/wire/" + longest + "k");
        Assert.Equal(HttpStatusCode.RequestUriTooLong, get.StatusCode);
        Assert.Contains("multiget", await get.Content.ReadAsStringAsync(), StringComparison.Ordinal);
    }

    [Fact]
    public async Task An_empty_key_is_answered_with_the_address_of_the_list()
    {
        (int status, _, byte[] body) = await RawHttp.SendAsync(gateway.RestAddress, "GET", "/v1/kv/wire/");
        Assert.Equal(400, status);
        Assert.Contains("/v1/kv/wire", Encoding.UTF8.GetString(body), StringComparison.Ordinal);
    }
}
