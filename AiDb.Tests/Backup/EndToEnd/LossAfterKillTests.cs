using System.Collections.Concurrent;
using System.Diagnostics;
using System.Globalization;
using AiDb.Cli;
using AiDb.Tests.EndToEnd;

namespace AiDb.Tests.Backup.EndToEnd;

/// <summary>What is lost when a gateway is killed with SIGKILL under full load and its disk is gone: seconds of <c>local</c>
/// writes, nothing that was called archived. With <c>AIDB_LOSS_SECONDS=30</c> the figures of docs/performance.md.</summary>
public sealed class LossAfterKillTests(ITestOutputHelper output) : IDisposable
{
    private const int Writers = 16;
    private static readonly TimeSpan Bar = TimeSpan.FromSeconds(15);

    private static readonly int Seconds =
        int.TryParse(
            Environment.GetEnvironmentVariable("AIDB_LOSS_SECONDS"), NumberStyles.None, CultureInfo.InvariantCulture, out int seconds)
            ? seconds
            : 3;

    private readonly string _directory = GatewayProcess.NewDataDirectory();
    private readonly ConcurrentDictionary<string, List<long>> _acknowledged = new(StringComparer.Ordinal);

    private static CancellationToken Token => TestContext.Current.CancellationToken;

    [Theory]
    [InlineData(0)]
    [InlineData(4)]
    public async Task No_archived_write_is_lost_and_of_the_others_at_most_seconds(int archivedWriters)
    {
        string archive = Directory.CreateDirectory(Path.Combine(_directory, "archive")).FullName;
        await using GatewayProcess gateway = await GatewayProcess.StartAsync(
            _directory, Token, $"--AiDb:Backup:Location={archive}");
        using (var ending = CancellationTokenSource.CreateLinkedTokenSource(Token))
        {
            Task[] writing =
            [
                .. Enumerable.Range(0, Writers).Select(writer => WriteAsync(gateway, $"local{writer}", "local", ending.Token)),
                .. Enumerable.Range(0, archivedWriters)
                    .Select(writer => WriteAsync(gateway, $"archived{writer}", "archived", ending.Token)),
            ];
            await Task.Delay(TimeSpan.FromSeconds(Seconds), Token);
            await gateway.Process.KillAsync();
            await ending.CancelAsync();
            await Task.WhenAll(writing);
        }

        long killed = Stopwatch.GetTimestamp();
        string data = Path.Combine(_directory, "data");
        Directory.Delete(data, recursive: true);
        (int code, string restored) = await CliRun.RunAsync("backup", "restore", "--from", archive, "--to", data, "--take-over");
        Assert.True(code == ExitCodes.Success, restored);
        await gateway.StartAgainAsync(Token);
        int total = 0;
        int lost = 0;
        TimeSpan longest = default;
        foreach ((string writer, List<long> times) in _acknowledged)
        {
            int last = await LastAsync(gateway, writer);
            total += times.Count;
            if (writer.StartsWith("archived", StringComparison.Ordinal))
            {
                Assert.True(last >= times.Count, $"{writer}: {last} of {times.Count} archived writes are there");
                continue;
            }

            if (last >= times.Count)
                continue;
            lost += times.Count - last;
            TimeSpan loss = Stopwatch.GetElapsedTime(times[last], killed);
            longest = loss > longest ? loss : longest;
        }

        output.WriteLine(FormattableString.Invariant(
            $"{total} writes in {Seconds} s, {total / Seconds} writes/s; lost {lost} local ones, {longest.TotalSeconds:F2} s, and no archived one of {_acknowledged.Where(static writer => writer.Key[0] == 'a').Sum(static writer => writer.Value.Count)}"));
        Assert.InRange(longest, TimeSpan.Zero, Bar);
        Assert.All(_acknowledged, static writer => Assert.NotEmpty(writer.Value));
    }

    public void Dispose() => Directory.Delete(_directory, recursive: true);

    private static async Task<int> LastAsync(GatewayProcess gateway, string writer)
    {
        using HttpResponseMessage answer = await gateway.Http.GetAsync($"/v1/kv/loss/{writer}", Token);
        return answer.IsSuccessStatusCode
            ? int.Parse(await answer.Content.ReadAsStringAsync(Token), CultureInfo.InvariantCulture)
            : 0;
    }

    /// <summary>Counts up in one key; notes when each number was acknowledged.</summary>
    private async Task WriteAsync(GatewayProcess gateway, string writer, string durability, CancellationToken cancellationToken)
    {
        List<long> times = _acknowledged[writer] = [];
        try
        {
            while (true)
            {
                using var body = new StringContent($"{times.Count + 1}");
                using HttpResponseMessage put = await gateway.Http.PutAsync(
                    $"/v1/kv/loss/{writer}?durability={durability}", body, cancellationToken);
                if (!put.IsSuccessStatusCode)
                    return;
                times.Add(Stopwatch.GetTimestamp());
            }
        }
        catch (Exception error) when (error is HttpRequestException or IOException or OperationCanceledException)
        {
            // The gateway is gone.
        }
    }
}
