using AiDb.Cli;
using AiDb.Tests.EndToEnd;

namespace AiDb.Tests.Backup.EndToEnd;

/// <summary>A cluster's primary is killed with SIGKILL and its folder deleted: one command brings its shard back under a new
/// disk.</summary>
public sealed class ReplacedDiskTests : IDisposable
{
    private readonly string _archive = Directory.CreateTempSubdirectory("aidb-replaced-").FullName;

    private static CancellationToken Token => TestContext.Current.CancellationToken;

    [Theory]
    [InlineData(false)]
    [InlineData(true)]
    public async Task One_command_brings_the_shard_back_and_declares_the_old_disk_dead(bool lazy)
    {
        await using ClusterProcesses cluster = new();
        ClusterNode gateway = cluster.StartGateway("gateway", null);
        string[] backup = [$"--AiDb:Backup:Location={_archive}", "--AiDb:Backup:LogInterval=00:00:01"];
        ClusterNode primary = cluster.StartPrimary("p1", gateway.GrpcAddress, backup);
        await gateway.ReadyAsync();
        await primary.ReadyAsync();
        for (int key = 0; key < 50; key++)
            await PutArchivedAsync(gateway, key);
        string data = cluster.FolderOf("p1") + "/data";
        string[] command =
        [
            "shard", "replace-disk", "--shard", "1", "--from", _archive, "--to", data, "--store", gateway.GrpcAddress,
            "--cluster-secret", ClusterProcesses.Secret,
            .. lazy ? ["--lazy"] : (string[])[],
        ];

        (int code, string output) = await CliRun.RunAsync([.. command, "--yes"]);
        Assert.True(code == ExitCodes.Of(AiDbErrorKind.PreconditionFailed), output);
        Assert.Contains("is alive", output, StringComparison.Ordinal);

        await primary.Process.KillAsync();
        Directory.Delete(data, recursive: true);
        await UntilDeadAsync(command);
        (code, output) = await CliRun.RunAsync(command);
        Assert.Equal(ExitCodes.Usage, code);
        Assert.Contains("is lost", output, StringComparison.Ordinal);
        Assert.False(Directory.Exists(data));

        (code, output) = await CliRun.RunAsync([.. command, "--yes"]);
        Assert.True(code == ExitCodes.Success, output);
        Assert.False(Directory.Exists(data + "/metadata"), "a primary of a cluster keeps no metadata");
        ClusterNode again = cluster.StartPrimary("p1", gateway.GrpcAddress, backup);
        await again.ReadyAsync();
        for (int key = 0; key < 50; key++)
            Assert.Equal($"value {key}", await gateway.GetAsync("t", $"key{key}"));

        // It serves and goes on in the same archive.
        await PutArchivedAsync(gateway, 50);
        Assert.Equal("value 50", await gateway.GetAsync("t", "key50"));
    }

    public void Dispose() => Directory.Delete(_archive, recursive: true);

    private static async Task PutArchivedAsync(ClusterNode gateway, int key)
    {
        using StringContent content = new($"value {key}");
        using HttpResponseMessage response =
            await gateway.Http.PutAsync($"/v1/kv/t/key{key}?durability=archived", content, Token);
        Assert.True(response.IsSuccessStatusCode, await response.Content.ReadAsStringAsync(Token));
    }

    /// <summary>Until its lease has ended.</summary>
    private static async Task UntilDeadAsync(string[] command)
    {
        while (true)
        {
            (int code, string output) = await CliRun.RunAsync(command);
            if (code != ExitCodes.Of(AiDbErrorKind.PreconditionFailed))
                return;
            Assert.Contains("is alive", output, StringComparison.Ordinal);
            await Task.Delay(200, Token);
        }
    }
}
