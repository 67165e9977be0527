using System.Diagnostics;
using System.Globalization;
using System.Net;
using System.Text;
using System.Text.Json;
using AiDb.Backup.Blobs;
using AiDb.Cli;
using AiDb.Tests.Backup.Support;
using AiDb.Tests.EndToEnd;

namespace AiDb.Tests.Backup.EndToEnd;

/// <summary>A disk is gone: the gateway serves again before its tables are here, is killed with SIGKILL in the middle, and
/// becomes whole.</summary>
public sealed class LazyLostDiskTests(Radosgw s3, Azurite azure, ITestOutputHelper output) : IDisposable
{
    private const int Batches = 24;
    private const int BatchKeys = 400;

    /// <summary>Few compactions, which would fetch everything, and several tables.</summary>
    private static readonly string[] Engine =
        ["--AiDb:Engine:MemtableBytes=4194304", "--AiDb:Engine:TableBytes=4194304", "--AiDb:Engine:Level0CompactionTrigger=12"];

    private readonly string _directory = GatewayProcess.NewDataDirectory();

    private static CancellationToken Token => TestContext.Current.CancellationToken;

    private string Data => Path.Combine(_directory, "data");

    [Fact]
    public async Task A_gateway_that_finds_no_data_restores_itself_from_a_folder() =>
        await RunAsync(new BlobStoreOptions { Location = Path.Combine(_directory, "backup") }, byItself: true);

    [Fact]
    public async Task A_folder_that_was_restored_lazily_is_completed_from_a_bucket() =>
        await RunAsync(await s3.NewBucketAsync(), byItself: false);

    [Fact]
    public async Task A_folder_that_was_restored_lazily_is_completed_from_a_container() =>
        await RunAsync(await azure.NewContainerAsync(), byItself: false);

    public void Dispose() => Directory.Delete(_directory, recursive: true);

    private async Task RunAsync(BlobStoreOptions store, bool byItself)
    {
        string[] archive =
        [
            $"--AiDb:Backup:Location={store.Location}", .. Engine,
            .. store.Endpoint is null ? (string[])[] :
            [
                $"--AiDb:Backup:Endpoint={store.Endpoint}", $"--AiDb:Backup:AccessKey={store.AccessKey}",
                $"--AiDb:Backup:SecretKey={store.SecretKey}",
            ],
        ];
        await using (GatewayProcess first = await GatewayProcess.StartAsync(_directory, Token, archive))
        {
            for (int batch = 0; batch < Batches; batch++)
                await WriteAsync(first.Http, batch);
            using HttpResponseMessage snapshot = await first.Http.PostAsync("/v1/backups", null, Token);
            Assert.Equal(HttpStatusCode.Created, snapshot.StatusCode);
            await PutAsync(first.Http, "last", "archived");
            await first.Process.KillAsync();
        }

        Directory.Delete(Data, recursive: true);
        string[] slowly = [.. archive, "--AiDb:Backup:RestoreBytesPerSecond=65536", .. byItself ? ["--AiDb:Backup:RestoreOnStart=true"] : (string[])[]];
        if (!byItself)
            await RestoreAsync(store);
        long started = Stopwatch.GetTimestamp();
        await using (GatewayProcess middle = await GatewayProcess.StartAsync(_directory, Token, slowly))
        {
            Assert.Equal("archived", await middle.Http.GetStringAsync("/v1/kv/lost/last", Token));
            output.WriteLine($"first read after {Stopwatch.GetElapsedTime(started).TotalSeconds:F1} s, start of the process included");
            long missing = await MissingAsync(middle.Http);
            Assert.True(missing > 1 << 20, $"{missing} bytes are missing");
            await CheckAsync(middle.Http, 7);
            await PutAsync(middle.Http, "since", "written");
            Assert.Contains("RESTORING", Directory.EnumerateFiles(Path.Combine(Data, "shard-00001")).Select(Path.GetFileName));
            await middle.Process.KillAsync();
        }

        await using GatewayProcess last = await GatewayProcess.StartAsync(_directory, Token, archive);
        await CheckAsync(last.Http, 11);
        while (await MissingAsync(last.Http) > 0
            || File.Exists(Path.Combine(Data, "shard-00001", "RESTORING")))
        {
            await Task.Delay(50, Token);
        }

        Assert.Equal("written", await last.Http.GetStringAsync("/v1/kv/lost/since", Token));
        await CheckAsync(last.Http, 0);
        await last.Process.KillAsync();
        (int code, string scrubbed) = await CliRun.RunAsync("scrub", Path.Combine(Data, "shard-00001"));
        Assert.True(code == ExitCodes.Success, scrubbed);
    }

    private async Task RestoreAsync(BlobStoreOptions store)
    {
        Environment.SetEnvironmentVariable("AIDB_BACKUP_ACCESS_KEY", store.AccessKey);
        Environment.SetEnvironmentVariable("AIDB_BACKUP_SECRET_KEY", store.SecretKey);
        (int code, string restored) = await CliRun.RunAsync(
            "backup", "restore", "--from", store.Location, "--store-endpoint", store.Endpoint!, "--to", Data, "--take-over", "--lazy");
        output.WriteLine(restored);
        Assert.True(code == ExitCodes.Success, restored);
        Assert.Contains("still in the backup", restored, StringComparison.Ordinal);
    }

    private static async Task<long> MissingAsync(HttpClient http)
    {
        using JsonDocument backups = JsonDocument.Parse(await http.GetStringAsync("/v1/backups", Token));
        JsonElement shard = backups.RootElement.GetProperty("shards")[0];
        return shard.TryGetProperty("restoring", out JsonElement restoring)
            ? restoring.GetProperty("missingBytes").GetInt64()
            : 0;
    }

    /// <summary>Digits at random, which do not compress.</summary>
    private static string Value(int batch, int key)
    {
        byte[] bytes = new byte[500];
        new Random((batch * BatchKeys) + key).NextBytes(bytes);
        return Convert.ToHexString(bytes);
    }

    private static async Task WriteAsync(HttpClient http, int batch)
    {
        IEnumerable<string> operations = Enumerable.Range(0, BatchKeys).Select(key =>
            $$"""{"op":"put","key":"{{Key(batch, key)}}","value":"{{Value(batch, key)}}"}""");
        using var body = new StringContent(
            $$"""{"atomic":false,"operations":[{{string.Join(',', operations)}}]}""", Encoding.UTF8, "application/json");
        using HttpResponseMessage answer = await http.PostAsync("/v1/kv/lost/batch", body, Token);
        Assert.True(answer.IsSuccessStatusCode, await answer.Content.ReadAsStringAsync(Token));
    }

    private static async Task PutAsync(HttpClient http, string key, string value)
    {
        using var body = new StringContent(value);
        using HttpResponseMessage put = await http.PutAsync($"/v1/kv/lost/{key}?durability=archived", body, Token);
        Assert.True(put.IsSuccessStatusCode, await put.Content.ReadAsStringAsync(Token));
    }

    /// <summary>A key of each batch.</summary>
    private static async Task CheckAsync(HttpClient http, int key)
    {
        for (int batch = 0; batch < Batches; batch++)
            Assert.Equal(Value(batch, key), await http.GetStringAsync($"/v1/kv/lost/{Key(batch, key)}", Token));
    }

    private static string Key(int batch, int key) =>
        string.Create(CultureInfo.InvariantCulture, $"key{key:d4}-{batch:d4}");
}
