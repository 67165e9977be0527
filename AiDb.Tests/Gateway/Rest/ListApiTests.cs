using System.Net;
using System.Text;
using System.Text.Json;
using AiDb.Tests.Gateway.Support;

namespace AiDb.Tests.Gateway.Rest;

[Collection(GatewayCollection.Name)]
public sealed class ListApiTests(GatewayFixture gateway)
{
    [Theory]
    [InlineData("", new[] { "a", "b1", "b2", "b3", "c" })]
    [InlineData("prefix=b", new[] { "b1", "b2", "b3" })]
    [InlineData("prefix=b&reverse=true", new[] { "b3", "b2", "b1" })]
    [InlineData("start=b2", new[] { "b2", "b3", "c" })]
    [InlineData("start=b2&end=c", new[] { "b2", "b3" })]
    [InlineData("prefix=b&start=a&end=b3", new[] { "b1", "b2" })]
    [InlineData("start=x&end=b", new string[0])]
    public async Task A_range_comes_in_order_whatever_the_size_of_its_pages(string range, string[] expected)
    {
        string table = "range" + Math.Abs(range.GetHashCode(StringComparison.Ordinal));
        foreach (string key in new[] { "c", "b2", "a", "b3", "b1" })
            await PutAsync(table, key, "v" + key);
        for (int limit = 1; limit <= 6; limit++)
        {
            List<string> keys = [];
            string? cursor = null;
            do
            {
                JsonElement page = await GetAsync(
                    $"/v1/kv/{table}?limit={limit}&{range}" + (cursor is null ? "" : "&cursor=" + cursor), HttpStatusCode.OK);
                JsonElement items = page.GetProperty("items");
                Assert.True(items.GetArrayLength() <= limit);
                keys.AddRange(items.EnumerateArray().Select(item => item.GetProperty("key").GetString()!));
                cursor = page.TryGetProperty("cursor", out JsonElement next) ? next.GetString() : null;
            }
            while (cursor is not null);
            Assert.Equal(expected, keys);
        }
    }

    [Fact]
    public async Task A_scan_sees_the_snapshot_of_its_first_page()
    {
        foreach (string key in new[] { "a", "b", "c" })
            await PutAsync("snapshots", key, "old");
        JsonElement first = await GetAsync("/v1/kv/snapshots?limit=1", HttpStatusCode.OK);
        await PutAsync("snapshots", "b", "new");
        await PutAsync("snapshots", "bb", "new");
        JsonElement rest = await GetAsync(
            "/v1/kv/snapshots?cursor=" + first.GetProperty("cursor").GetString(), HttpStatusCode.OK);
        Assert.Equal(
            ["b=old", "c=old"],
            rest.GetProperty("items").EnumerateArray()
                .Select(item => item.GetProperty("key").GetString() + "=" + item.GetProperty("value").GetString()));
    }

    [Fact]
    public async Task Keys_that_are_no_text_are_written_as_base64url_and_say_so()
    {
        await PutAsync("binary", "%FF%00".Replace("%00", "%01", StringComparison.Ordinal), "v");
        JsonElement page = await GetAsync("/v1/kv/binary?keysOnly=true", HttpStatusCode.OK);
        JsonElement item = page.GetProperty("items")[0];
        Assert.Equal("_wE", item.GetProperty("key").GetString());
        Assert.Equal("base64url", item.GetProperty("keyEncoding").GetString());
        Assert.False(item.TryGetProperty("value", out _));
    }

    [Fact]
    public async Task A_cursor_of_another_scan_or_a_damaged_one_is_refused()
    {
        foreach (string key in new[] { "a", "b", "c" })
            await PutAsync("cursors", key, "v");
        JsonElement first = await GetAsync("/v1/kv/cursors?limit=1", HttpStatusCode.OK);
        string cursor = first.GetProperty("cursor").GetString()!;
        char changed = cursor[20] == 'A' ? 'B' : 'A';
        foreach (string query in new[]
        {
            "cursor=" + cursor + "&prefix=a", "cursor=" + cursor + "&reverse=true", "cursor=nonsense",
            "cursor=" + cursor[..20] + changed + cursor[21..], "cursor=" + cursor[..^4],
        })
        {
            JsonElement problem = await GetAsync("/v1/kv/cursors?" + query, HttpStatusCode.BadRequest);
            Assert.StartsWith("cursor", problem.GetProperty("detail").GetString(), StringComparison.Ordinal);
        }
    }

    [Theory]
    [InlineData("limit=0")]
    [InlineData("limit=10001")]
    [InlineData("limit=ten")]
    [InlineData("reverse=maybe")]
    [InlineData("order=desc")]
    public async Task A_bad_parameter_of_a_list_is_named(string query)
    {
        await PutAsync("cursors", "a", "v");
        JsonElement problem = await GetAsync("/v1/kv/cursors?" + query, HttpStatusCode.BadRequest);
        Assert.Contains(query.Split('=')[0], problem.GetProperty("detail").GetString(), StringComparison.Ordinal);
    }

    [Fact]
    public async Task A_stream_of_lines_holds_the_whole_range()
    {
        const int count = 5000;
        for (int start = 0; start < count; start += 1000)
        {
            string operations = string.Join(',', Enumerable.Range(start, 1000)
                .Select(i => $$"""{"op":"put","key":"{{i:D6}}","value":"value of {{i}}"}"""));
            using StringContent body = new(
                $$"""{"partition":"all","operations":[{{operations}}]}""", Encoding.UTF8, "application/json");
            using HttpResponseMessage post = await gateway.Http.PostAsync("/v1/kv/stream/batch", body);
            Assert.Equal(HttpStatusCode.OK, post.StatusCode);
        }

        using HttpRequestMessage request = new(HttpMethod.Get, "/v1/kv/stream");
        request.Headers.TryAddWithoutValidation("Accept", "application/x-ndjson");
        using HttpResponseMessage response = await gateway.Http.SendAsync(request, HttpCompletionOption.ResponseHeadersRead);
        Assert.Equal("application/x-ndjson", response.Content.Headers.ContentType?.MediaType);
        using StreamReader reader = new(await response.Content.ReadAsStreamAsync());
        int next = 0;
        while (await reader.ReadLineAsync() is { } line)
        {
            JsonElement entry = JsonDocument.Parse(line).RootElement;
            Assert.Equal(next.ToString("D6"), entry.GetProperty("key").GetString());
            Assert.Equal("value of " + next, entry.GetProperty("value").GetString());
            next++;
        }

        Assert.Equal(count, next);
    }

    private async Task PutAsync(string table, string key, string value)
    {
        using StringContent content = new(value);
        using HttpResponseMessage put = await gateway.Http.PutAsync($"/v1/kv/{table}/{key}", content);
        Assert.Equal(HttpStatusCode.NoContent, put.StatusCode);
    }

    private async Task<JsonElement> GetAsync(string target, HttpStatusCode expected)
    {
        using HttpResponseMessage get = await gateway.Http.GetAsync(target);
        string text = await get.Content.ReadAsStringAsync();
        Assert.True(expected == get.StatusCode, $"{(int)get.StatusCode}: {text}");
        return JsonDocument.Parse(text).RootElement;
    }
}
