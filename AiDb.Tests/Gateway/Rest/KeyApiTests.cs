using System.Net;
using System.Text.Json;
using AiDb.Tests.Gateway.Support;

namespace AiDb.Tests.Gateway.Rest;

[Collection(GatewayCollection.Name)]
public sealed class KeyApiTests(GatewayFixture gateway)
{
    [Fact]
    public async Task A_value_comes_back_byte_for_byte_with_its_version_as_the_entity_tag()
    {
        byte[] value = [0, 255, 1, 254];
        string etag = await PutAsync("keys", "roundtrip", value);
        using HttpResponseMessage get = await gateway.Http.GetAsync("/v1/kv/keys/roundtrip");
        Assert.Equal(HttpStatusCode.OK, get.StatusCode);
        Assert.Equal(value, await get.Content.ReadAsByteArrayAsync());
        Assert.Equal(etag, get.Headers.ETag!.ToString());
        Assert.Equal("primary", Assert.Single(get.Headers.GetValues("AiDb-Source")));
        Assert.Equal("0", Assert.Single(get.Headers.GetValues("AiDb-Age-Ms")));
        Assert.NotEmpty(Assert.Single(get.Headers.GetValues("AiDb-Session")));
    }

    [Fact]
    public async Task Head_tells_the_length_without_the_value()
    {
        await PutAsync("keys", "head", new byte[1234]);
        using HttpResponseMessage head = await gateway.Http.SendAsync(new HttpRequestMessage(HttpMethod.Head, "/v1/kv/keys/head"));
        Assert.Equal(HttpStatusCode.OK, head.StatusCode);
        Assert.Equal(1234, head.Content.Headers.ContentLength);
    }

    [Fact]
    public async Task A_missing_key_and_an_unknown_table_are_problems_of_kind_NotFound()
    {
        await PutAsync("keys", "present", [1]);
        foreach (string target in new[] { "/v1/kv/keys/absent", "/v1/kv/never-written/k", "/v1/kv/never-written" })
        {
            using HttpResponseMessage get = await gateway.Http.GetAsync(target);
            JsonElement problem = await ReadProblemAsync(get, HttpStatusCode.NotFound);
            Assert.Equal("urn:aidb:error:not-found", problem.GetProperty("type").GetString());
            Assert.Equal("NotFound", problem.GetProperty("kind").GetString());
            Assert.False(problem.GetProperty("retryable").GetBoolean());
            Assert.NotEmpty(problem.GetProperty("traceId").GetString()!);
        }
    }

    [Fact]
    public async Task Conditions_hold_or_nothing_is_written()
    {
        string first = await PutAsync("keys", "conditional", [1]);
        Assert.Equal(HttpStatusCode.PreconditionFailed, await TryPutAsync("conditional", [2], ("If-None-Match", "*")));
        Assert.Equal(HttpStatusCode.PreconditionFailed, await TryPutAsync("conditional", [2], ("If-Match", "\"1\"")));
        Assert.Equal(HttpStatusCode.NoContent, await TryPutAsync("conditional", [3], ("If-Match", first)));
        Assert.Equal(HttpStatusCode.PreconditionFailed, await TryPutAsync("conditional", [4], ("If-Match", first)));
        Assert.Equal(HttpStatusCode.NoContent, await TryPutAsync("conditional", [5], ("If-Match", "*")));
        Assert.Equal(HttpStatusCode.PreconditionFailed, await TryPutAsync("not-there", [5], ("If-Match", "*")));
        Assert.Equal([5], await gateway.Http.GetByteArrayAsync("/v1/kv/keys/conditional"));
    }

    [Fact]
    public async Task A_failed_condition_names_the_version_that_the_key_has()
    {
        string etag = await PutAsync("keys", "current", [1]);
        using HttpRequestMessage request = new(HttpMethod.Put, "/v1/kv/keys/current") { Content = new ByteArrayContent([2]) };
        request.Headers.TryAddWithoutValidation("If-None-Match", "*");
        using HttpResponseMessage put = await gateway.Http.SendAsync(request);
        JsonElement problem = await ReadProblemAsync(put, HttpStatusCode.PreconditionFailed);
        Assert.Equal(etag.Trim('"'), problem.GetProperty("currentVersion").GetString());
    }

    [Fact]
    public async Task A_read_of_the_version_at_hand_is_not_modified()
    {
        string etag = await PutAsync("keys", "cached", [1]);
        using HttpRequestMessage request = new(HttpMethod.Get, "/v1/kv/keys/cached");
        request.Headers.TryAddWithoutValidation("If-None-Match", etag);
        using HttpResponseMessage get = await gateway.Http.SendAsync(request);
        Assert.Equal(HttpStatusCode.NotModified, get.StatusCode);
    }

    [Fact]
    public async Task Of_concurrent_writes_that_expect_absence_one_wins()
    {
        HttpStatusCode[] outcomes = await Task.WhenAll(Enumerable.Range(0, 32)
            .Select(i => TryPutAsync("race", [(byte)i], ("If-None-Match", "*"))));
        Assert.Single(outcomes, HttpStatusCode.NoContent);
        Assert.Equal(31, outcomes.Count(status => status == HttpStatusCode.PreconditionFailed));
    }

    [Theory]
    [InlineData("If-Match", "123", "quotes")]
    [InlineData("If-Match", "\"abc\"", "not a version")]
    [InlineData("If-None-Match", "\"1\", \"2\"", "version")]
    public async Task A_malformed_condition_is_named(string header, string value, string expected)
    {
        using HttpRequestMessage request = new(HttpMethod.Put, "/v1/kv/keys/bad") { Content = new ByteArrayContent([1]) };
        request.Headers.TryAddWithoutValidation(header, value);
        using HttpResponseMessage put = await gateway.Http.SendAsync(request);
        JsonElement problem = await ReadProblemAsync(put, HttpStatusCode.BadRequest);
        Assert.Contains(expected, problem.GetProperty("detail").GetString(), StringComparison.Ordinal);
    }

    [Fact]
    public async Task Conditions_that_exclude_each_other_are_refused()
    {
        HttpStatusCode status = await TryPutAsync("both", [1], ("If-Match", "*"), ("If-None-Match", "*"));
        Assert.Equal(HttpStatusCode.BadRequest, status);
    }

    [Fact]
    public async Task A_key_with_a_time_to_live_tells_when_it_expires()
    {
        using HttpResponseMessage put = await gateway.Http.PutAsync("/v1/kv/keys/ttl?ttl=3600.5", new ByteArrayContent([1]));
        Assert.Equal(HttpStatusCode.NoContent, put.StatusCode);
        using HttpResponseMessage get = await gateway.Http.GetAsync("/v1/kv/keys/ttl");
        ulong version = ulong.Parse(get.Headers.ETag!.Tag.Trim('"'));
        ulong expires = ulong.Parse(Assert.Single(get.Headers.GetValues("AiDb-Expires-At-Ms")));
        Assert.Equal((version >> 16) + 3_600_500, expires);
    }

    [Theory]
    [InlineData("?ttl=-1")]
    [InlineData("?ttl=0")]
    [InlineData("?ttl=soon")]
    [InlineData("?tll=5")]
    [InlineData("?durability=certain")]
    [InlineData("?keyEncoding=hex")]
    [InlineData("?timeout=0")]
    [InlineData("?ttl=1&ttl=2")]
    public async Task A_bad_parameter_is_named_and_nothing_is_written(string query)
    {
        using HttpResponseMessage put = await gateway.Http.PutAsync("/v1/kv/keys/untouched" + query, new ByteArrayContent([1]));
        JsonElement problem = await ReadProblemAsync(put, HttpStatusCode.BadRequest);
        Assert.Contains(
            query[1..].Split('=')[0], problem.GetProperty("detail").GetString(), StringComparison.Ordinal);
        using HttpResponseMessage get = await gateway.Http.GetAsync("/v1/kv/keys/untouched");
        Assert.Equal(HttpStatusCode.NotFound, get.StatusCode);
    }

    [Fact]
    public async Task Deleting_removes_the_key_and_deleting_again_is_no_error()
    {
        await PutAsync("keys", "gone", [1]);
        for (int i = 0; i < 2; i++)
        {
            using HttpResponseMessage delete = await gateway.Http.DeleteAsync("/v1/kv/keys/gone");
            Assert.Equal(HttpStatusCode.NoContent, delete.StatusCode);
            using HttpResponseMessage get = await gateway.Http.GetAsync("/v1/kv/keys/gone");
            Assert.Equal(HttpStatusCode.NotFound, get.StatusCode);
        }
    }

    [Fact]
    public async Task A_value_of_64_MiB_is_written_and_one_byte_more_is_refused()
    {
        byte[] value = new byte[64 << 20];
        new Random(7).NextBytes(value.AsSpan(0, 1024));
        value[^1] = 9;
        await PutAsync("large", "edge", value);
        Assert.Equal(value, await gateway.Http.GetByteArrayAsync("/v1/kv/large/edge"));

        using HttpRequestMessage request = new(HttpMethod.Put, "/v1/kv/large/beyond")
        {
            Content = new ByteArrayContent(new byte[(64 << 20) + 1]),
        };
        request.Headers.ExpectContinue = true;
        using HttpResponseMessage put = await gateway.Http.SendAsync(request);
        JsonElement problem = await ReadProblemAsync(put, HttpStatusCode.RequestEntityTooLarge);
        Assert.Equal("urn:aidb:error:payload-too-large", problem.GetProperty("type").GetString());
    }

    [Theory]
    [InlineData("session", "garbage", null)]
    [InlineData("consistency", null, "?consistency=strongish")]
    public async Task A_bad_session_or_consistency_is_named(string field, string? session, string? query)
    {
        await PutAsync("keys", "here", [1]);
        using HttpRequestMessage request = new(HttpMethod.Get, "/v1/kv/keys/here" + query);
        if (session is not null)
            request.Headers.Add("AiDb-Session", session);
        using HttpResponseMessage get = await gateway.Http.SendAsync(request);
        JsonElement problem = await ReadProblemAsync(get, HttpStatusCode.BadRequest);
        Assert.StartsWith(field, problem.GetProperty("detail").GetString(), StringComparison.Ordinal);
    }

    [Theory]
    [InlineData("GET", "/nowhere", 404, "route-not-found")]
    [InlineData("PATCH", "/v1/kv/keys/k", 405, "method-not-allowed")]
    [InlineData("POST", "/v1/kv/keys/k", 405, "method-not-allowed")]
    [InlineData("DELETE", "/v1/tables", 405, "method-not-allowed")]
    [InlineData("GET", "/v1/kv/.hidden/k", 400, "invalid-argument")]
    [InlineData("GET", "/v1/kv/a%20b/k", 400, "invalid-argument")]
    public async Task What_no_endpoint_takes_is_a_problem_too(string method, string target, int status, string type)
    {
        using HttpResponseMessage response = await gateway.Http.SendAsync(new HttpRequestMessage(new HttpMethod(method), target));
        JsonElement problem = await ReadProblemAsync(response, (HttpStatusCode)status);
        Assert.Equal("urn:aidb:error:" + type, problem.GetProperty("type").GetString());
    }

    internal static async Task<JsonElement> ReadProblemAsync(HttpResponseMessage response, HttpStatusCode status)
    {
        string text = await response.Content.ReadAsStringAsync();
        Assert.True(status == response.StatusCode, $"{(int)response.StatusCode}: {text}");
        Assert.Equal("application/problem+json", response.Content.Headers.ContentType?.MediaType);
        JsonElement problem = JsonDocument.Parse(text).RootElement;
        Assert.Equal((int)status, problem.GetProperty("status").GetInt32());
        return problem;
    }

    private async Task<string> PutAsync(string table, string key, byte[] value)
    {
        using ByteArrayContent content = new(value);
        using HttpResponseMessage put = await gateway.Http.PutAsync($"/v1/kv/{table}/{key}", content);
        Assert.True(put.StatusCode == HttpStatusCode.NoContent, await put.Content.ReadAsStringAsync());
        return put.Headers.ETag!.ToString();
    }

    private async Task<HttpStatusCode> TryPutAsync(string key, byte[] value, params (string Name, string Value)[] headers)
    {
        using HttpRequestMessage request = new(HttpMethod.Put, "/v1/kv/keys/" + key) { Content = new ByteArrayContent(value) };
        foreach ((string name, string text) in headers)
            request.Headers.TryAddWithoutValidation(name, text);
        using HttpResponseMessage put = await gateway.Http.SendAsync(request);
        return put.StatusCode;
    }
}
