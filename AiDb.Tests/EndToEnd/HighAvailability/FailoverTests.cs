using AiDb.Tests.TestSupport;

namespace AiDb.Tests.EndToEnd.HighAvailability;

/// <summary>Three primaries, three voters for each shard, and what may happen to them, with the histories of clients
/// checked.</summary>
[Collection(AloneCollection.Name)]
public sealed class FailoverTests(ITestOutputHelper output)
{
    private static readonly string[] ThreeVoters = ["--AiDb:Cluster:Shards=1", "--AiDb:Cluster:VotersPerShard=3"];

    private static bool IsLong => Environment.GetEnvironmentVariable("AIDB_EVIDENCE") == "long";

    [Fact]
    public async Task Killed_primaries_lose_nothing_acknowledged_and_others_take_over_in_seconds()
    {
        CancellationToken cancellationToken = TestContext.Current.CancellationToken;
        await using ClusterProcesses cluster = await ClusterProcesses.StartAsync(3, ThreeVoters, [], cancellationToken);
        RecordedLoad load = NewLoad(cluster);
        using var stop = new CancellationTokenSource();
        Task running = load.RunAsync(stop.Token);
        List<TimeSpan> gaps = [];
        string[] nodes = [.. cluster.Nodes];
        for (int round = 0; round < (IsLong ? 30 : 2); round++)
        {
            string victim = nodes[round % nodes.Length];
            await UntilBusyAsync(load, 300, cancellationToken);
            TimeSpan killedAt = load.Now;
            await cluster.KillAsync(victim);
            gaps.Add(await GapAsync(cluster, load, killedAt, cancellationToken));
            cluster.StartNode(victim);
            await cluster.WaitUntilAsync(map => ClusterProcesses.IsAlive(map, victim), cancellationToken);
            await cluster.WaitUntilServedAsync(cancellationToken);
        }

        await UntilBusyAsync(load, 300, cancellationToken);
        await EndAsync(load, running, stop, cancellationToken);
        gaps.Sort();
        output.WriteLine($"from kill -9 to the next acknowledged write of every key: {string.Join(", ", gaps.Select(gap => $"{gap.TotalSeconds:0.00} s"))}");
        Assert.True(gaps[^1] < TimeSpan.FromSeconds(10), $"The slowest took {gaps[^1]}.\n{cluster.AllOutput()}");
    }

    private static RecordedLoad NewLoad(ClusterProcesses cluster) => new(cluster.Http, TestSeed.Base, clients: 6, keys: 24);

    private static async Task UntilBusyAsync(RecordedLoad load, int operations, CancellationToken cancellationToken)
    {
        int before = load.Answered;
        while (load.Answered < before + operations)
            await Task.Delay(10, cancellationToken);
    }

    private static async Task<TimeSpan> GapAsync(
        ClusterProcesses cluster, RecordedLoad load, TimeSpan moment, CancellationToken cancellationToken)
    {
        while (load.Now - moment < TimeSpan.FromSeconds(45))
        {
            if (load.LongestGapAfter(moment) is { } gap)
                return gap;
            await Task.Delay(20, cancellationToken);
        }

        Assert.Fail($"Some key could not be written for 45 s.\n{Problems(load)}\n{cluster.AllOutput()}");
        return default;
    }

    private async Task EndAsync(RecordedLoad load, Task running, CancellationTokenSource stop, CancellationToken cancellationToken)
    {
        await stop.CancelAsync();
        await running.WaitAsync(TimeSpan.FromSeconds(90), cancellationToken);
        await load.ReadAllAsync(cancellationToken);
        output.WriteLine($"seed {TestSeed.Base}: {load.Answered} operations answered, {load.Unknown} of unknown outcome in {load.Now}");
        output.WriteLine(Problems(load));
        load.Check();
    }

    private static string Problems(RecordedLoad load) =>
        string.Join('\n', load.Problems.OrderByDescending(item => item.Value).Take(20).Select(item => $"{item.Value} x {item.Key}"));
}
