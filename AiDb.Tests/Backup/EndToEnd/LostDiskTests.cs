using System.Globalization;
using System.Net;
using System.Text;
using System.Text.Json;
using AiDb.Backup.Blobs;
using AiDb.Cli;
using AiDb.Tests.Backup.Support;
using AiDb.Tests.EndToEnd;

namespace AiDb.Tests.Backup.EndToEnd;

/// <summary>kill -9 of a gateway that writes, and its disk deleted: one command and a start bring it back.</summary>
public sealed class LostDiskTests(Radosgw s3, ITestOutputHelper output) : IDisposable
{
    private readonly string _directory = GatewayProcess.NewDataDirectory();

    private static CancellationToken Token => TestContext.Current.CancellationToken;

    [Fact]
    public async Task A_folder_brings_back_every_archived_write_and_the_catalogue() =>
        await RunAsync(new BlobStoreOptions { Location = Path.Combine(_directory, "backup") });

    [Fact]
    public async Task A_bucket_brings_back_every_archived_write_and_the_catalogue() =>
        await RunAsync(await s3.NewBucketAsync());

    public void Dispose() => Directory.Delete(_directory, recursive: true);

    private async Task RunAsync(BlobStoreOptions store)
    {
        string[] settings =
        [
            $"--AiDb:Backup:Location={store.Location}", "--AiDb:Backup:LogInterval=00:00:01",
            .. store.Endpoint is null ? (string[])[] :
            [
                $"--AiDb:Backup:Endpoint={store.Endpoint}", $"--AiDb:Backup:AccessKey={store.AccessKey}",
                $"--AiDb:Backup:SecretKey={store.SecretKey}",
            ],
        ];
        await using GatewayProcess gateway = await GatewayProcess.StartAsync(_directory, Token, settings);
        int archived = await WriteAsync(gateway.Http, 0, 20, "archived");
        using HttpResponseMessage snapshot = await gateway.Http.PostAsync("/v1/backups", null, Token);
        Assert.Equal(HttpStatusCode.Created, snapshot.StatusCode);
        archived = await WriteAsync(gateway.Http, archived, 20, "archived");
        await WritePointsAsync(gateway.Http);
        int written = await WriteAsync(gateway.Http, archived, 500, "local");
        using (HttpResponseMessage drill = await gateway.Http.PostAsync("/v1/backups/drills", null, Token))
        {
            string report = await drill.Content.ReadAsStringAsync(Token);
            output.WriteLine(report);
            Assert.True(JsonDocument.Parse(report).RootElement.GetProperty("succeeded").GetBoolean(), report);
        }

        await gateway.Process.KillAsync();
        Assert.DoesNotContain(store.SecretKey ?? "a secret that is not there", gateway.Process.Output, StringComparison.Ordinal);
        string data = Path.Combine(_directory, "data");
        Directory.Delete(data, recursive: true);
        output.WriteLine(await RestoreAsync(store, data));

        await gateway.StartAgainAsync(Token);
        int last = int.Parse(await gateway.Http.GetStringAsync("/v1/kv/lost/last", Token), CultureInfo.InvariantCulture);
        output.WriteLine($"{archived} archived, {written} written, {last} restored");
        Assert.InRange(last, archived, written);
        foreach (int number in (int[])[1, archived, last])
            Assert.Equal($"{number}", await gateway.Http.GetStringAsync($"/v1/kv/lost/key{number}", Token));

        using (JsonDocument point = JsonDocument.Parse(await gateway.Http.GetStringAsync("/collections/lost/points/7", Token)))
            Assert.Equal("seven", point.RootElement.GetProperty("result").GetProperty("payload").GetProperty("name").GetString());

        await CopyAsync(store, gateway);

        // It goes on in the same archive.
        await WriteAsync(gateway.Http, written, 1, "archived");
    }

    /// <summary>Points that are acknowledged when they are archived, by parameter and by header.</summary>
    private static async Task WritePointsAsync(HttpClient http)
    {
        await SendAsync("/collections/lost", """{"vectors":{"size":2,"distance":"Dot"}}""", HttpStatusCode.OK);
        await SendAsync(
            "/collections/lost/points?wait=true&durability=archived", """{"points":[{"id":7,"vector":[1,2],"payload":{"name":"six"}}]}""",
            HttpStatusCode.OK);
        await SendAsync(
            "/collections/lost/points?wait=true", """{"points":[{"id":7,"vector":[1,2],"payload":{"name":"seven"}}]}""",
            HttpStatusCode.OK, "archived");
        await SendAsync("/collections/lost/points?durability=later", """{"points":[{"id":8,"vector":[1,2]}]}""", HttpStatusCode.BadRequest);

        async Task SendAsync(string path, string json, HttpStatusCode expected, string? durability = null)
        {
            using var request = new HttpRequestMessage(HttpMethod.Put, path)
            {
                Content = new StringContent(json, Encoding.UTF8, "application/json"),
            };
            if (durability is not null)
                request.Headers.Add("AiDb-Durability", durability);
            using HttpResponseMessage answer = await http.SendAsync(request, Token);
            string text = await answer.Content.ReadAsStringAsync(Token);
            Assert.True(answer.StatusCode == expected, text);
        }
    }

    /// <summary>Part of a table out of the backup, beside it in the live database.</summary>
    private async Task CopyAsync(BlobStoreOptions store, GatewayProcess gateway)
    {
        string scratch = Path.Combine(_directory, "scratch");
        List<string> arguments =
        [
            "backup", "copy", "--from", store.Location, "--table", "lost", "--into", "found", "--prefix", "key2",
            "--scratch", scratch,
            "--endpoint", gateway.GrpcAddress, .. store.Endpoint is null ? (string[])[] : ["--store-endpoint", store.Endpoint],
        ];
        (int code, string output) = await CliRun.RunAsync([.. arguments]);
        Assert.True(code == ExitCodes.Success, output);
        Assert.Equal("20", await gateway.Http.GetStringAsync("/v1/kv/found/key20", Token));
        using HttpResponseMessage other = await gateway.Http.GetAsync("/v1/kv/found/key1", Token);
        Assert.Equal(HttpStatusCode.NotFound, other.StatusCode);
        (code, output) = await CliRun.RunAsync([.. arguments]);
        Assert.Equal(ExitCodes.Of(AiDbErrorKind.AlreadyExists), code);
        Assert.Contains("--overwrite", output, StringComparison.Ordinal);
        Assert.False(Directory.Exists(scratch), "the scratch folder is left behind");
    }

    private static async Task<int> WriteAsync(HttpClient http, int from, int count, string durability)
    {
        for (int number = from + 1; number <= from + count; number++)
        {
            using var body = new StringContent(
                $$"""
                {"operations":[{"op":"put","key":"{a}key{{number}}","value":"{{number}}"}]}
                """.Replace("{a}", "", StringComparison.Ordinal), Encoding.UTF8, "application/json");
            using HttpResponseMessage answer = await http.PostAsync(
                $"/v1/kv/lost/batch?durability={durability}", body, Token);
            Assert.True(answer.IsSuccessStatusCode, await answer.Content.ReadAsStringAsync(Token));
            using var last = new StringContent($"{number}");
            using HttpResponseMessage put = await http.PutAsync($"/v1/kv/lost/last?durability={durability}", last, Token);
            Assert.True(put.IsSuccessStatusCode, await put.Content.ReadAsStringAsync(Token));
        }

        return from + count;
    }

    private static async Task<string> RestoreAsync(BlobStoreOptions store, string data)
    {
        Environment.SetEnvironmentVariable("AIDB_BACKUP_ACCESS_KEY", store.AccessKey);
        Environment.SetEnvironmentVariable("AIDB_BACKUP_SECRET_KEY", store.SecretKey);
        List<string> arguments = ["backup", "restore", "--from", store.Location, "--to", data, "--take-over"];
        if (store.Endpoint is not null)
            arguments.AddRange(["--store-endpoint", store.Endpoint]);
        (int code, string output) = await CliRun.RunAsync([.. arguments]);
        Assert.True(code == ExitCodes.Success, output);
        (code, string listed) = await CliRun.RunAsync(
            ["backup", "verify", .. arguments[2..4], .. store.Endpoint is null ? (string[])[] : ["--store-endpoint", store.Endpoint]]);
        Assert.True(code == ExitCodes.Success, listed);
        return output + listed;
    }
}
