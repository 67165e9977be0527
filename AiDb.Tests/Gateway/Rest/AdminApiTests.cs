using System.Net;
using System.Text;
using System.Text.Json;
using AiDb.Tests.Gateway.Support;

namespace AiDb.Tests.Gateway.Rest;

[Collection(GatewayCollection.Name)]
public sealed class AdminApiTests(GatewayFixture gateway)
{
    [Fact]
    public async Task A_table_is_created_once_shown_listed_and_dropped()
    {
        const string settings = """{"partitioning":{"kind":"delimiter","delimiter":":"},"defaultTtl":60.5}""";
        Assert.Equal(HttpStatusCode.Created, (await PutAsync("chosen", settings)).Status);
        Assert.Equal(HttpStatusCode.OK, (await PutAsync("chosen", settings)).Status);
        Assert.Equal(HttpStatusCode.Conflict, (await PutAsync("chosen", "{}")).Status);
        JsonElement table = JsonDocument.Parse(await gateway.Http.GetStringAsync("/v1/tables/chosen")).RootElement;
        Assert.Equal(":", table.GetProperty("partitioning").GetProperty("delimiter").GetString());
        Assert.Equal(60.5m, table.GetProperty("defaultTtl").GetDecimal());
        Assert.Contains("\"chosen\"", await gateway.Http.GetStringAsync("/v1/tables"), StringComparison.Ordinal);

        using HttpResponseMessage drop = await gateway.Http.DeleteAsync("/v1/tables/chosen");
        Assert.Equal(HttpStatusCode.NoContent, drop.StatusCode);
        using HttpResponseMessage again = await gateway.Http.DeleteAsync("/v1/tables/chosen");
        Assert.Equal(HttpStatusCode.NotFound, again.StatusCode);
    }

    [Fact]
    public async Task A_table_of_ranges_is_made_as_asked_and_shows_its_ranges()
    {
        const string settings = """{"partitioning":{"kind":"range","splitPoints":["b","ä"]}}""";
        Assert.Equal(HttpStatusCode.Created, (await PutAsync("ranged", settings)).Status);
        Assert.Equal(HttpStatusCode.OK, (await PutAsync("ranged", settings)).Status);
        Assert.Equal(HttpStatusCode.OK, (await PutAsync("ranged", """{"partitioning":{"kind":"range"}}""")).Status);
        Assert.Equal(
            HttpStatusCode.Conflict, (await PutAsync("ranged", """{"partitioning":{"kind":"range","splitPoints":["c"]}}""")).Status);
        Assert.Equal(HttpStatusCode.Conflict, (await PutAsync("ranged", "{}")).Status);
        JsonElement table = JsonDocument.Parse(await gateway.Http.GetStringAsync("/v1/tables/ranged")).RootElement;
        Assert.Equal("range", table.GetProperty("partitioning").GetProperty("kind").GetString());
        Assert.Equal(3, table.GetProperty("ranges").GetArrayLength());
        Assert.False(table.GetProperty("ranges")[0].TryGetProperty("start", out _));
        Assert.Equal("ä", table.GetProperty("ranges")[2].GetProperty("start").GetString());
        Assert.Equal(1, table.GetProperty("ranges")[2].GetProperty("shard").GetInt32());

        using (StringContent at = new("""{"at":"d"}""", Encoding.UTF8, "application/json"))
        using (HttpResponseMessage split = await gateway.Http.PostAsync("/v1/tables/ranged/split", at))
        {
            Assert.Equal(HttpStatusCode.OK, split.StatusCode);
            string text = await split.Content.ReadAsStringAsync();
            Assert.Equal("d", JsonDocument.Parse(text).RootElement.GetProperty("ranges")[2].GetProperty("start").GetString());
        }

        // What is shown can be sent, also where it is no text.
        const string binary = """{"partitioning":{"kind":"range","splitPoints":["AA","_w"],"splitPointEncoding":"base64url"}}""";
        Assert.Equal(HttpStatusCode.Created, (await PutAsync("ranged-bytes", binary)).Status);
        string shown = JsonDocument.Parse(await gateway.Http.GetStringAsync("/v1/tables/ranged-bytes")).RootElement
            .GetProperty("partitioning").GetRawText();
        Assert.Contains("base64url", shown, StringComparison.Ordinal);
        Assert.Equal(HttpStatusCode.OK, (await PutAsync("ranged-bytes", $$"""{"partitioning":{{shown}}}""")).Status);
    }

    [Fact]
    public async Task A_table_that_is_written_after_its_drop_is_empty()
    {
        await gateway.Http.PutAsync("/v1/kv/reborn/old", new StringContent("x"));
        using HttpResponseMessage drop = await gateway.Http.DeleteAsync("/v1/tables/reborn");
        Assert.Equal(HttpStatusCode.NoContent, drop.StatusCode);
        await gateway.Http.PutAsync("/v1/kv/reborn/new", new StringContent("x"));
        using HttpResponseMessage get = await gateway.Http.GetAsync("/v1/kv/reborn/old");
        Assert.Equal(HttpStatusCode.NotFound, get.StatusCode);
    }

    [Theory]
    [InlineData("no-such-table", """{"at":"a"}""", HttpStatusCode.NotFound, "no-such-table")]
    [InlineData("whole", """{"at":"a"}""", HttpStatusCode.BadRequest, "not partitioned by ranges")]
    [InlineData("whole", """{"at":""}""", HttpStatusCode.BadRequest, "at:")]
    [InlineData("whole", """{"at":"!","keyEncoding":"base64url"}""", HttpStatusCode.BadRequest, "at")]
    [InlineData("whole", """{}""", HttpStatusCode.BadRequest, "at")]
    public async Task Bad_splits_are_explained(string table, string body, HttpStatusCode expected, string text)
    {
        await PutAsync("whole", "{}");
        using StringContent content = new(body, Encoding.UTF8, "application/json");
        using HttpResponseMessage split = await gateway.Http.PostAsync($"/v1/tables/{table}/split", content);
        Assert.Equal(expected, split.StatusCode);
        Assert.Contains(text, await split.Content.ReadAsStringAsync(), StringComparison.Ordinal);
    }

    [Theory]
    [InlineData("""{"partitioning":{"kind":"random"}}""", "random")]
    [InlineData("""{"partitioning":{"kind":"prefixLength"}}""", "prefix")]
    [InlineData("""{"partitioning":{"kind":"delimiter","delimiter":""}}""", "delimiter")]
    [InlineData("""{"defaultTtl":-1}""", "defaultTtl")]
    [InlineData("""{"partitioning":{"kind":"range","splitPoints":["b","a"]}}""", "ascend")]
    [InlineData("""{"partitioning":{"kind":"range","splitPoints":["b","b"]}}""", "twice")]
    [InlineData("""{"partitioning":{"kind":"range","splitPoints":["a",""]}}""", "split_points[1]")]
    [InlineData("""{"partitioning":{"kind":"range","splitPoints":["!"],"splitPointEncoding":"base64url"}}""", "splitPoints[0]")]
    [InlineData("""{"partitioning":{"kind":"wholeKey","splitPoints":["a"]}}""", "splitPoints")]
    public async Task Bad_settings_of_a_table_are_named(string body, string expected)
    {
        (HttpStatusCode status, string text) = await PutAsync("bad-table", body);
        Assert.Equal(HttpStatusCode.BadRequest, status);
        Assert.Contains(expected, text, StringComparison.Ordinal);
    }

    [Fact]
    public async Task The_cluster_shows_its_node_and_its_shard_with_all_slots()
    {
        JsonElement cluster = JsonDocument.Parse(await gateway.Http.GetStringAsync("/v1/cluster")).RootElement;
        Assert.Equal("standalone", cluster.GetProperty("mode").GetString());
        Assert.Equal(16384, cluster.GetProperty("shards")[0].GetProperty("slots").GetInt32());
    }

    [Theory]
    [InlineData("/")]
    [InlineData("/healthz")]
    [InlineData("/readyz")]
    [InlineData("/livez")]
    [InlineData("/health")]
    [InlineData("/alive")]
    [InlineData("/metrics")]
    [InlineData("/docs/index.html")]
    [InlineData("/openapi/v1.json")]
    public async Task What_operators_and_people_look_at_is_there(string target)
    {
        using HttpResponseMessage get = await gateway.Http.GetAsync(target);
        Assert.Equal(HttpStatusCode.OK, get.StatusCode);
    }

    private async Task<(HttpStatusCode Status, string Text)> PutAsync(string table, string body)
    {
        using StringContent content = new(body, Encoding.UTF8, "application/json");
        using HttpResponseMessage put = await gateway.Http.PutAsync("/v1/tables/" + table, content);
        return (put.StatusCode, await put.Content.ReadAsStringAsync());
    }
}
