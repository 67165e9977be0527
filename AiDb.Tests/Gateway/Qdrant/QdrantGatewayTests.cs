using System.Net;
using System.Text;
using System.Text.Json;
using AiDb.Tests.Gateway.Support;

namespace AiDb.Tests.Gateway.Qdrant;

/// <summary>Qdrant's routes of a whole gateway, with real points behind them.</summary>
[Collection(GatewayCollection.Name)]
public sealed class QdrantGatewayTests(GatewayFixture gateway)
{
    private const string Settings =
        """{"vectors":{"image":{"size":2,"distance":"Cosine"},"tokens":{"size":2,"distance":"Dot","multivector_config":{"comparator":"max_sim"}}},"sparse_vectors":{"words":{}}}""";

    [Theory]
    [InlineData("""{"id":2,"vector":{"image":[1,2,3]}}""", "image")]
    [InlineData("""{"id":2,"vector":{"image":[1,1e39]}}""", "points[1].vector.image[1]")]
    [InlineData("""{"id":2,"vector":{"image":[]}}""", "image")]
    [InlineData("""{"id":2,"vector":{"other":[1,2]}}""", "other")]
    [InlineData("""{"id":2,"vector":[1,2]}""", "")]
    [InlineData("""{"id":2,"vector":{"image":{"indices":[1],"values":[1]}}}""", "image")]
    [InlineData("""{"id":2,"vector":{"words":[1,2]}}""", "words")]
    [InlineData("""{"id":2,"vector":{"tokens":[[1,2],[3]]}}""", "points[1].vector.tokens[1]")]
    [InlineData("""{"id":2,"vector":{"words":{"indices":[1,1],"values":[1,2]}}}""", "points[1].vector.words.indices")]
    [InlineData("""{"id":-2,"vector":{"image":[1,2]}}""", "points[1].id")]
    [InlineData("""{"id":"two","vector":{"image":[1,2]}}""", "points[1].id")]
    [InlineData("""{"id":2,"vector":{"image":[1,2]},"payload":"text"}""", "points[1].payload")]
    [InlineData("""{"id":2,"vector":{"image":[1,2]},"ttl":-1}""", "points[1].ttl")]
    public async Task One_bad_point_keeps_all_of_its_request_out(string bad, string named)
    {
        string path = await CreateAsync();
        string good = """{"id":1,"vector":{"image":[1,2]}}""";
        (HttpStatusCode status, JsonElement answer) =
            await SendAsync("PUT", path + "/points?wait=true", $$"""{"points":[{{good}},{{bad}}]}""");
        Assert.Equal(HttpStatusCode.BadRequest, status);
        Assert.Contains(named, answer.GetProperty("status").GetProperty("error").GetString()!, StringComparison.Ordinal);
        Assert.Equal(0, await CountAsync(path));
        (status, answer) = await SendAsync("PUT", path + "/points?wait=true", $$"""{"points":[{{good}}]}""");
        Assert.True(status == HttpStatusCode.OK, answer.GetRawText());
        Assert.Equal(1, await CountAsync(path));
    }

    [Theory]
    [InlineData("POST", "/points/query", """{"query":[1,2,3],"using":"image"}""", 400)]
    [InlineData("POST", "/points/query", """{"query":[1,2],"using":"other"}""", 400)]
    [InlineData("POST", "/points/query", """{"query":[1,2]}""", 400)]
    [InlineData("POST", "/points/query", """{"query":7,"using":"image"}""", 404)]
    [InlineData("POST", "/points/query", """{"query":[1,2],"using":"image","limit":2000000000}""", 400)]
    [InlineData("POST", "/points/query", """{"query":[1,2],"using":"image","limit":1000000}""", 200)]
    [InlineData("POST", "/points/query", """{"query":{"fusion":"rrf"}}""", 400)]
    [InlineData("POST", "/points/query", """{"query":{"order_by":"n"}}""", 400)]
    [InlineData("POST", "/points/search", """{"vector":{"name":"image","vector":[1]},"limit":1}""", 400)]
    [InlineData("POST", "/points/vectors/delete", """{"points":[1],"vector":["other"]}""", 400)]
    [InlineData("POST", "/points/scroll", """{"offset":1,"order_by":"n"}""", 400)]
    [InlineData("POST", "/facet", """{"key":"absent"}""", 400)]
    [InlineData("PUT", "", """{"vectors":{"size":1,"distance":"Dot"}}""", 409)]
    [InlineData("PUT", "/points?durability=archived", """{"points":[{"id":9,"vector":{"image":[1,2]}}]}""", 501)]
    [InlineData("PUT", "/points?durability=soon", """{"points":[{"id":9,"vector":{"image":[1,2]}}]}""", 400)]
    [InlineData("PUT", "/points?durability=memory", """{"points":[{"id":9,"vector":{"image":[1,2]}}]}""", 200)]
    [InlineData("PATCH", "", """{"hnsw_config":{"m":-1}}""", 400)]
    [InlineData("PUT", "/index", """{"field_name":"a","field_schema":"decimal"}""", 400)]
    public async Task A_request_that_cannot_succeed_has_its_status(string method, string route, string body, int expected)
    {
        string path = await CreateAsync();
        (HttpStatusCode status, JsonElement answer) = await SendAsync(method, path + route, body);
        Assert.True((int)status == expected, answer.GetRawText());
    }

    [Theory]
    [InlineData("GET", "", null)]
    [InlineData("PATCH", "", "{}")]
    [InlineData("PUT", "/points", """{"points":[{"id":1,"vector":[1]}]}""")]
    [InlineData("POST", "/points", """{"ids":[1]}""")]
    [InlineData("POST", "/points/query", """{"query":[1]}""")]
    [InlineData("POST", "/points/scroll", "{}")]
    [InlineData("POST", "/points/count", "{}")]
    [InlineData("POST", "/points/delete", """{"points":[1]}""")]
    [InlineData("PUT", "/index", """{"field_name":"a","field_schema":"keyword"}""")]
    [InlineData("POST", "/snapshots", null)]
    [InlineData("GET", "/cluster", null)]
    public async Task A_collection_that_does_not_exist_is_not_found(string method, string route, string? body)
    {
        (HttpStatusCode status, JsonElement answer) = await SendAsync(method, "/collections/absent" + route, body);
        Assert.Equal(HttpStatusCode.NotFound, status);
        Assert.StartsWith("Not found: ", answer.GetProperty("status").GetProperty("error").GetString()!, StringComparison.Ordinal);
    }

    [Theory]
    [InlineData("a%2Fb")]
    [InlineData("%2E%2E%2Fup")]
    public async Task A_name_that_is_none_is_refused(string name)
    {
        (HttpStatusCode status, _) = await SendAsync("PUT", "/collections/" + name, Settings);
        Assert.Equal(HttpStatusCode.BadRequest, status);
    }

    [Fact]
    public async Task Who_shows_no_key_is_refused_in_the_envelope()
    {
        await using GatewayFixture guarded = await GatewayFixture.StartAsync("--AiDb:ApiKey=secret");
        using HttpResponseMessage refused = await guarded.Http.GetAsync("/collections");
        Assert.Equal(HttpStatusCode.Unauthorized, refused.StatusCode);
        Assert.StartsWith("{\"status\":{\"error\":\"", await refused.Content.ReadAsStringAsync(), StringComparison.Ordinal);
        guarded.Http.DefaultRequestHeaders.Add("api-key", "secret");
        using HttpResponseMessage answer = await guarded.Http.GetAsync("/collections");
        Assert.Equal(HttpStatusCode.OK, answer.StatusCode);
    }

    private async Task<string> CreateAsync()
    {
        string path = "/collections/c" + Guid.NewGuid().ToString("N");
        (HttpStatusCode status, JsonElement answer) = await SendAsync("PUT", path, Settings);
        Assert.True(status == HttpStatusCode.OK, answer.GetRawText());
        return path;
    }

    private async Task<long> CountAsync(string path)
    {
        (_, JsonElement answer) = await SendAsync("POST", path + "/points/count", "{}");
        return answer.GetProperty("result").GetProperty("count").GetInt64();
    }

    private async Task<(HttpStatusCode Status, JsonElement Body)> SendAsync(string method, string target, string? body)
    {
        using HttpRequestMessage request = new(new HttpMethod(method), target);
        if (body is not null)
            request.Content = new StringContent(body, Encoding.UTF8, "application/json");
        using HttpResponseMessage response = await gateway.Http.SendAsync(request);
        using JsonDocument document = JsonDocument.Parse(await response.Content.ReadAsStringAsync());
        return (response.StatusCode, document.RootElement.Clone());
    }
}
