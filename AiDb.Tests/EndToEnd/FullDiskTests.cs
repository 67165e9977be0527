using System.Diagnostics;
using System.Net;

namespace AiDb.Tests.EndToEnd;

/// <summary>A volume that really runs full under the server: a small tmpfs, which needs the right to
/// mount.</summary>
public sealed class FullDiskTests : IDisposable
{
    private const int ValueBytes = 16 << 10;
    private readonly string _mount = Directory.CreateTempSubdirectory("aidb-full-").FullName;
    private readonly bool _mounted;

    public FullDiskTests() => _mounted = OperatingSystem.IsLinux() && Run("mount", "-t", "tmpfs", "-o", "size=48m", "tmpfs", _mount);

    public void Dispose()
    {
        if (_mounted)
            Run("umount", "-l", _mount);
        Directory.Delete(_mount, recursive: true);
    }

    [Fact]
    public async Task A_full_volume_loses_nothing_acknowledged_and_writes_go_on_when_there_is_space_again()
    {
        Assert.SkipUnless(_mounted, "Mounting a tmpfs is not allowed here.");
        CancellationToken cancellationToken = TestContext.Current.CancellationToken;
        string ballast = Path.Combine(_mount, "ballast");
        await File.WriteAllBytesAsync(ballast, new byte[12 << 20], cancellationToken);
        await using GatewayProcess gateway = await GatewayProcess.StartAsync(
            _mount,
            cancellationToken,
            "--AiDb:Engine:MinFreeDiskBytes=0",
            "--AiDb:Engine:LogSegmentBytes=2097152",
            "--AiDb:Engine:LogRetentionBytes=0",
            "--AiDb:Engine:MemtableBytes=4194304",
            "--AiDb:Engine:WriteStallTimeout=00:00:02");

        // Values that do not compress, written until the volume refuses several times in a row.
        List<int> acknowledged = [];
        int refusals = 0;
        for (int index = 0; refusals < 5 && index < 6000; index++)
        {
            using HttpResponseMessage response = await PutAsync(gateway.Http, index, cancellationToken);
            if (response.IsSuccessStatusCode)
                acknowledged.Add(index);
            else
                refusals++;
        }

        Assert.True(refusals > 0, "The volume never ran full.");
        Assert.False(gateway.Process.HasExited, gateway.Process.Output);
        await CheckAsync(gateway.Http, acknowledged, cancellationToken);

        // Kill it on the full volume: it starts there, too, and has everything.
        await gateway.Process.KillAsync();
        File.Delete(ballast);
        await gateway.StartAgainAsync(cancellationToken);
        await CheckAsync(gateway.Http, acknowledged, cancellationToken);
        using HttpResponseMessage again = await PutAsync(gateway.Http, 1_000_000, cancellationToken);
        Assert.True(again.IsSuccessStatusCode, await again.Content.ReadAsStringAsync(cancellationToken));
    }

    private static async Task CheckAsync(HttpClient http, List<int> acknowledged, CancellationToken cancellationToken)
    {
        foreach (int index in acknowledged)
        {
            using HttpResponseMessage response = await http.GetAsync($"/v1/kv/full/{index:D7}", cancellationToken);
            Assert.True(response.StatusCode == HttpStatusCode.OK, $"{index}: {response.StatusCode}");
            Assert.Equal(Value(index), await response.Content.ReadAsByteArrayAsync(cancellationToken));
        }
    }

    private static Task<HttpResponseMessage> PutAsync(HttpClient http, int index, CancellationToken cancellationToken) =>
        http.PutAsync($"/v1/kv/full/{index:D7}", new ByteArrayContent(Value(index)), cancellationToken);

    private static byte[] Value(int index)
    {
        byte[] value = new byte[ValueBytes];
        new Random(index).NextBytes(value);
        return value;
    }

    private static bool Run(string program, params string[] arguments)
    {
        using Process? process = Process.Start(new ProcessStartInfo(program, arguments)
        {
            RedirectStandardError = true,
            UseShellExecute = false,
        });
        process?.WaitForExit();
        return process?.ExitCode == 0;
    }
}
