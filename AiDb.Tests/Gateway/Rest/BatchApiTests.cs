using System.Net;
using System.Net.Http.Headers;
using System.Text;
using System.Text.Json;
using AiDb.Tests.Gateway.Support;

namespace AiDb.Tests.Gateway.Rest;

[Collection(GatewayCollection.Name)]
public sealed class BatchApiTests(GatewayFixture gateway)
{
    [Fact]
    public async Task An_atomic_batch_of_one_partition_is_applied_as_one_version()
    {
        JsonElement answer = await PostAsync("/v1/kv/batches/batch", """
            {"operations":[{"op":"put","key":"{a}1","value":"x"},{"op":"put","key":"{a}2","value":"eA","valueEncoding":"base64url"},
            {"op":"delete","key":"{a}3"}]}
            """, HttpStatusCode.OK);
        string version = answer.GetProperty("version").GetString()!;
        foreach (string key in new[] { "%7Ba%7D1", "%7Ba%7D2" })
        {
            using HttpResponseMessage get = await gateway.Http.GetAsync("/v1/kv/batches/" + key);
            Assert.Equal($"\"{version}\"", get.Headers.ETag!.ToString());
            Assert.Equal("x", await get.Content.ReadAsStringAsync());
        }
    }

    [Fact]
    public async Task A_batch_across_partitions_names_two_keys_and_applies_nothing()
    {
        JsonElement problem = await PostAsync("/v1/kv/batches/batch", """
            {"operations":[{"op":"put","key":"left","value":"x"},{"op":"put","key":"right","value":"y"}]}
            """, HttpStatusCode.BadRequest);
        string detail = problem.GetProperty("detail").GetString()!;
        Assert.Contains("'left'", detail, StringComparison.Ordinal);
        Assert.Contains("'right'", detail, StringComparison.Ordinal);
        using HttpResponseMessage get = await gateway.Http.GetAsync("/v1/kv/batches/left");
        Assert.Equal(HttpStatusCode.NotFound, get.StatusCode);
    }

    [Fact]
    public async Task A_named_partition_makes_keys_and_tables_atomic_together()
    {
        await PostAsync("/v1/batch", """
            {"partition":"p","operations":[{"op":"put","table":"one","key":"k1","value":"x"},{"op":"put","table":"two","key":"k2","value":"y"}]}
            """, HttpStatusCode.OK);
        Assert.Equal("x", await gateway.Http.GetStringAsync("/v1/kv/one/k1?partition=p"));
        Assert.Equal("y", await gateway.Http.GetStringAsync("/v1/kv/two/k2?partition=p"));
    }

    [Fact]
    public async Task Without_atomicity_each_operation_tells_how_it_went()
    {
        await PostAsync("/v1/kv/parts/batch", """{"operations":[{"op":"put","key":"held","value":"1"}]}""", HttpStatusCode.OK);
        JsonElement answer = await PostAsync("/v1/kv/parts/batch", """
            {"atomic":false,"operations":[{"op":"put","key":"held","value":"2","ifNoneMatch":"*"},{"op":"put","key":"free","value":"3"}]}
            """, HttpStatusCode.OK);
        JsonElement results = answer.GetProperty("results");
        Assert.Equal("PreconditionFailed", results[0].GetProperty("error").GetProperty("kind").GetString());
        Assert.NotEmpty(results[1].GetProperty("version").GetString()!);
        Assert.Equal("1", await gateway.Http.GetStringAsync("/v1/kv/parts/held"));
        Assert.Equal("3", await gateway.Http.GetStringAsync("/v1/kv/parts/free"));
    }

    [Theory]
    [InlineData("""{"operations":[]}""", "operations")]
    [InlineData("""{"operations":[{"op":"put","key":"","value":"x"}]}""", "key")]
    [InlineData("""{"operations":[{"op":"put","key":"k"}]}""", "value")]
    [InlineData("""{"operations":[{"op":"increment","key":"k"}]}""", "increment")]
    [InlineData("""{"operations":[{"op":"require","key":"k"}]}""", "condition")]
    [InlineData("""{"operations":[{"op":"put","key":"k","value":"!","valueEncoding":"base64url"}]}""", "base64url")]
    [InlineData("""{"operations":[{"op":"put","key":"k","value":"x","colour":"red"}]}""", "colour")]
    [InlineData("""{"operations":[{"op":"put","key":"k","val""", "JSON")]
    [InlineData("null", "null")]
    [InlineData("""{"operations":[null]}""", "operations[0]")]
    [InlineData("""{"operations":[{"op":"delete","key":"k","table":"elsewhere"}]}""", "elsewhere")]
    public async Task A_bad_body_is_named_and_nothing_is_done(string body, string expected)
    {
        JsonElement problem = await PostAsync("/v1/kv/bad-bodies/batch", body, HttpStatusCode.BadRequest);
        Assert.Contains(expected, problem.GetProperty("detail").GetString(), StringComparison.Ordinal);
    }

    [Theory]
    [InlineData("text/plain")]
    [InlineData("application/x-protobuf")]
    [InlineData(null)]
    public async Task A_body_of_another_type_is_refused(string? contentType)
    {
        using StringContent content = new("{}", Encoding.UTF8);
        content.Headers.ContentType = contentType is null ? null : new MediaTypeHeaderValue(contentType);
        using HttpResponseMessage post = await gateway.Http.PostAsync("/v1/kv/batches/batch", content);
        JsonElement problem = await KeyApiTests.ReadProblemAsync(post, HttpStatusCode.UnsupportedMediaType);
        Assert.Equal("urn:aidb:error:unsupported-media-type", problem.GetProperty("type").GetString());
    }

    [Fact]
    public async Task A_multi_get_answers_in_the_order_of_its_keys_and_tells_which_exist()
    {
        await PostAsync("/v1/kv/many/batch",
            """{"atomic":false,"operations":[{"op":"put","key":"a","value":"1"},{"op":"put","key":"b","value":"_w","valueEncoding":"base64url"}]}""",
            HttpStatusCode.OK);
        JsonElement answer = await PostAsync("/v1/kv/many/multiget", """{"keys":["b","missing","a"]}""", HttpStatusCode.OK);
        JsonElement values = answer.GetProperty("values");
        Assert.Equal("_w", values[0].GetProperty("value").GetString());
        Assert.Equal("base64url", values[0].GetProperty("valueEncoding").GetString());
        Assert.False(values[1].GetProperty("found").GetBoolean());
        Assert.Equal("1", values[2].GetProperty("value").GetString());
    }

    [Fact]
    public async Task A_key_of_64_KiB_travels_in_bodies_and_one_byte_more_is_refused()
    {
        string longest = new('k', 64 << 10);
        await PostAsync("/v1/kv/long-keys/batch",
            $$"""{"operations":[{"op":"put","key":"{{longest}}","value":"v"}]}""", HttpStatusCode.OK);
        JsonElement answer = await PostAsync("/v1/kv/long-keys/multiget", $$"""{"keys":["{{longest}}"]}""", HttpStatusCode.OK);
        Assert.Equal("v", answer.GetProperty("values")[0].GetProperty("value").GetString());
        JsonElement problem = await PostAsync("/v1/kv/long-keys/multiget", $$"""{"keys":["{{longest}}k"]}""", HttpStatusCode.BadRequest);
        Assert.Contains("65536", problem.GetProperty("detail").GetString(), StringComparison.Ordinal);
    }

    private async Task<JsonElement> PostAsync(string target, string json, HttpStatusCode expected)
    {
        using StringContent content = new(json, Encoding.UTF8, "application/json");
        using HttpResponseMessage post = await gateway.Http.PostAsync(target, content);
        string text = await post.Content.ReadAsStringAsync();
        Assert.True(expected == post.StatusCode, $"{(int)post.StatusCode}: {text}");
        return JsonDocument.Parse(text).RootElement;
    }
}
