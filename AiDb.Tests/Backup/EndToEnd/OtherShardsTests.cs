using System.Text;
using System.Text.Json;
using AiDb.Cli;
using AiDb.Tests.EndToEnd;

namespace AiDb.Tests.Backup.EndToEnd;

/// <summary>The backup of a cluster comes back in databases of other numbers of shards.</summary>
public sealed class OtherShardsTests : IDisposable
{
    private const int Keys = 300;

    private readonly string _directory = GatewayProcess.NewDataDirectory();

    private static CancellationToken Token => TestContext.Current.CancellationToken;

    [Fact]
    public async Task Two_shards_become_one_and_one_becomes_two_with_every_key_once()
    {
        string two = Directory.CreateDirectory(Path.Combine(_directory, "two")).FullName;
        string one = Directory.CreateDirectory(Path.Combine(_directory, "one")).FullName;
        await using ClusterProcesses cluster = new();
        ClusterNode gateway = cluster.StartGateway("gateway", null, "--AiDb:Cluster:Shards=2");
        string[] backup = [$"--AiDb:Backup:Location={two}", "--AiDb:Backup:LogInterval=00:00:01"];
        ClusterNode first = cluster.StartPrimary("p1", gateway.GrpcAddress, backup);
        ClusterNode second = cluster.StartPrimary("p2", gateway.GrpcAddress, backup);
        await gateway.ReadyAsync();
        await first.ReadyAsync();
        await second.ReadyAsync();
        await WriteAsync(gateway.Http, "t", 0, Keys);

        await using GatewayProcess alone = await GatewayProcess.StartAsync(
            _directory, Token, $"--AiDb:Backup:Location={one}", "--AiDb:Backup:LogInterval=00:00:01");
        (int code, string output) = await CliRun.RunAsync("backup", "copy", "--from", two, "--endpoint", alone.GrpcAddress);
        Assert.True(code == ExitCodes.Success, output);
        Assert.Contains("shard 2", output, StringComparison.Ordinal);
        Assert.Equal(Expected(0, Keys), await ReadAsync(alone.Http, "t"));

        await WriteAsync(alone.Http, "t", Keys, 20);
        (code, output) = await CliRun.RunAsync(
            "backup", "copy", "--from", one, "--table", "t", "--into", "back", "--endpoint", gateway.GrpcAddress);
        Assert.True(code == ExitCodes.Success, output);
        Assert.Equal(Expected(0, Keys + 20), await ReadAsync(gateway.Http, "back"));
    }

    public void Dispose() => Directory.Delete(_directory, recursive: true);

    private static SortedDictionary<string, string> Expected(int from, int count) => new(
        Enumerable.Range(from, count).ToDictionary(static key => $"key{key:d4}", static key => $"value {key}"),
        StringComparer.Ordinal);

    private static async Task WriteAsync(HttpClient http, string table, int from, int count)
    {
        IEnumerable<string> operations = Enumerable.Range(from, count).Select(static key =>
            $$"""{"op":"put","key":"key{{key:d4}}","value":"value {{key}}"}""");
        using var body = new StringContent(
            $$"""{"atomic":false,"operations":[{{string.Join(',', operations)}}]}""", Encoding.UTF8, "application/json");
        using HttpResponseMessage answer = await http.PostAsync($"/v1/kv/{table}/batch?durability=archived", body, Token);
        Assert.True(answer.IsSuccessStatusCode, await answer.Content.ReadAsStringAsync(Token));
    }

    private static async Task<SortedDictionary<string, string>> ReadAsync(HttpClient http, string table)
    {
        using var request = new HttpRequestMessage(HttpMethod.Get, $"/v1/kv/{table}");
        request.Headers.Add("Accept", "application/x-ndjson");
        using HttpResponseMessage answer = await http.SendAsync(request, Token);
        string text = await answer.Content.ReadAsStringAsync(Token);
        Assert.True(answer.IsSuccessStatusCode, text);
        SortedDictionary<string, string> found = new(StringComparer.Ordinal);
        foreach (string line in text.Split('\n', StringSplitOptions.RemoveEmptyEntries))
        {
            using JsonDocument item = JsonDocument.Parse(line);
            if (item.RootElement.TryGetProperty("key", out JsonElement key))
                found.Add(key.GetString()!, item.RootElement.GetProperty("value").GetString()!);
        }

        return found;
    }
}
