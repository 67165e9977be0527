using System.Net;
using System.Net.Sockets;
using System.Text;

namespace AiDb.Tests.EndToEnd;

/// <summary>What a real process does when its folder, its files or its settings are not in order.</summary>
public sealed class StartupTests : IDisposable
{
    private readonly string _directory = GatewayProcess.NewDataDirectory();

    public void Dispose() => Directory.Delete(_directory, recursive: true);

    [Fact]
    public async Task A_second_process_on_the_same_folder_is_refused_and_the_first_lives()
    {
        CancellationToken cancellationToken = TestContext.Current.CancellationToken;
        await using GatewayProcess first = await GatewayProcess.StartAsync(_directory, cancellationToken);
        await using ServerProcess second = GatewayProcess.Launch(_directory);
        int exitCode = await second.WaitForExitAsync(cancellationToken);

        Assert.NotEqual(0, exitCode);
        Assert.Contains("another process", second.Output, StringComparison.OrdinalIgnoreCase);
        Assert.DoesNotContain("   at AiDb.", second.Output, StringComparison.Ordinal);
        using HttpResponseMessage response = await PutAsync(first.Http, "still", "alive", cancellationToken);
        Assert.True(response.IsSuccessStatusCode);
    }

    [Theory]
    [InlineData("AiDb.Gateway")]
    [InlineData("AiDb.Primary")]
    [InlineData("AiDb.Replica")]
    public async Task A_port_that_is_taken_is_one_clear_line(string service)
    {
        CancellationToken cancellationToken = TestContext.Current.CancellationToken;
        using TcpListener taken = new(IPAddress.Loopback, 0);
        taken.Start();
        int port = ((IPEndPoint)taken.LocalEndpoint).Port;
        await using ServerProcess process = ServerProcess.Start(
            service,
            _directory,
            $"--AiDb:DataDirectory={_directory}/data",
            "--AiDb:Node:Id=node",
            "--AiDb:Mode=cluster",
            "--AiDb:Metadata:Address=http://127.0.0.1:1",
            "--AiDb:Cluster:Secret=secret",
            $"--Kestrel:Endpoints:Grpc:Url=http://127.0.0.1:{port}",
            "--Kestrel:Endpoints:Grpc:Protocols=Http2");

        Assert.Equal(4, await process.WaitForExitAsync(cancellationToken));
        Assert.Contains("address already in use", process.Output, StringComparison.OrdinalIgnoreCase);
        Assert.Contains("aidb ", process.Output, StringComparison.Ordinal);
    }

    [Fact]
    public async Task A_listener_beyond_loopback_without_a_key_is_refused()
    {
        CancellationToken cancellationToken = TestContext.Current.CancellationToken;
        int[] ports = ServerProcess.FreePorts(1);
        await using ServerProcess process = ServerProcess.Start(
            "AiDb.Gateway", _directory, $"--AiDb:DataDirectory={_directory}/data", $"--urls=http://0.0.0.0:{ports[0]}");
        Assert.NotEqual(0, await process.WaitForExitAsync(cancellationToken));
        Assert.Contains("AiDb:ApiKey", process.Output, StringComparison.Ordinal);
    }

    [Fact]
    public async Task A_flipped_byte_in_a_table_file_is_named_and_never_answered_as_data()
    {
        CancellationToken cancellationToken = TestContext.Current.CancellationToken;
        await using GatewayProcess gateway = await GatewayProcess.StartAsync(
            _directory, cancellationToken, "--AiDb:Engine:MemtableBytes=65536");
        string value = new('v', 1000);
        for (int index = 0; index < 300; index++)
        {
            using HttpResponseMessage response = await PutAsync(gateway.Http, $"key{index:D4}", value, cancellationToken);
            Assert.True(response.IsSuccessStatusCode);
        }

        await gateway.Process.KillAsync();
        string table = Directory.EnumerateFiles(_directory, "*.table", SearchOption.AllDirectories).First();
        byte[] bytes = await File.ReadAllBytesAsync(table, cancellationToken);
        bytes[bytes.Length / 3] ^= 0x40;
        await File.WriteAllBytesAsync(table, bytes, cancellationToken);
        await gateway.StartAgainAsync(cancellationToken);

        int damaged = 0;
        for (int index = 0; index < 300; index++)
        {
            using HttpResponseMessage response = await gateway.Http.GetAsync($"/v1/kv/start/key{index:D4}", cancellationToken);
            string body = await response.Content.ReadAsStringAsync(cancellationToken);
            if (response.StatusCode == HttpStatusCode.OK)
            {
                Assert.Equal(value, body);
                continue;
            }

            damaged++;
            Assert.Equal(HttpStatusCode.InternalServerError, response.StatusCode);
            Assert.Contains(Path.GetFileName(table), body, StringComparison.Ordinal);
        }

        Assert.True(damaged > 0, "The damage was not noticed by any read.");
    }

    [Fact]
    public async Task A_disk_that_is_nearly_full_refuses_writes_and_serves_reads()
    {
        CancellationToken cancellationToken = TestContext.Current.CancellationToken;
        await using GatewayProcess gateway = await GatewayProcess.StartAsync(_directory, cancellationToken);
        using (HttpResponseMessage written = await PutAsync(gateway.Http, "kept", "value", cancellationToken))
            Assert.True(written.IsSuccessStatusCode);
        await gateway.Process.KillAsync();

        // The guard's threshold is above what any disk has free: to the database, the disk is nearly full.
        await using GatewayProcess full = await GatewayProcess.StartAsync(
            _directory, cancellationToken, $"--AiDb:Engine:MinFreeDiskBytes={long.MaxValue}");
        using HttpResponseMessage refused = await PutAsync(full.Http, "more", "value", cancellationToken);
        Assert.Equal(HttpStatusCode.TooManyRequests, refused.StatusCode);
        Assert.Contains("disk", await refused.Content.ReadAsStringAsync(cancellationToken), StringComparison.OrdinalIgnoreCase);
        Assert.Equal("value", await full.Http.GetStringAsync("/v1/kv/start/kept", cancellationToken));
    }

    private static async Task<HttpResponseMessage> PutAsync(
        HttpClient http, string key, string value, CancellationToken cancellationToken)
    {
        using StringContent content = new(value, Encoding.UTF8);
        return await http.PutAsync($"/v1/kv/start/{key}", content, cancellationToken);
    }
}
