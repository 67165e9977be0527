using System.Text.Json;
using AiDb.Client;
using AiDb.Tests.TestSupport;

namespace AiDb.Tests.EndToEnd.HighAvailability;

/// <summary>Planned and unplanned changes of the voters of shards, under load, in processes.</summary>
[Collection(AloneCollection.Name)]
public sealed class RepairTests(ITestOutputHelper output)
{
    /// <summary>Small files and next to no log for those who were away, so that a copy is needed soon.</summary>
    private static readonly string[] ShortLog =
    [
        "--AiDb:Replication:LogRetentionBytes=0", "--AiDb:Engine:LogSegmentBytes=1048576", "--AiDb:Engine:MemtableBytes=1048576",
    ];

    private static string[] Gateway(int voters, int replaceAfterSeconds = 600) =>
    [
        "--AiDb:Cluster:Shards=1", $"--AiDb:Cluster:VotersPerShard={voters}",
        $"--AiDb:Cluster:ReplaceAfterSeconds={replaceAfterSeconds}",
    ];

    [Fact]
    public async Task A_switch_over_is_short_and_leaves_no_write_in_doubt()
    {
        CancellationToken cancellationToken = TestContext.Current.CancellationToken;
        await using ClusterProcesses cluster = await ClusterProcesses.StartAsync(
            3, Gateway(3), ClusterProcesses.Patient, cancellationToken);
        await using var client = new AiDbClient($"Endpoint={cluster.GatewayGrpc}");
        RecordedLoad load = NewLoad(cluster);
        using var stop = new CancellationTokenSource();
        Task running = load.RunAsync(stop.Token);
        List<TimeSpan> gaps = [];
        for (int round = 0; round < 6; round++)
        {
            await load.UntilBusyAsync(200, cancellationToken);
            uint shard = (uint)(round % 3) + 1;
            string before = await cluster.PrimaryOfAsync((int)shard, cancellationToken);
            string? to = round % 2 == 0 ? cluster.Nodes.First(node => node != before) : null;
            TimeSpan asked = load.Now;
            (string primary, ulong epoch) = await client.SwitchOverAsync(shard, to, cancellationToken);
            Assert.NotEqual(before, primary);
            Assert.True(to is null || primary == to);
            Assert.True(epoch > 1);
            gaps.Add(await load.GapAsync(cluster, asked, cancellationToken));
            await cluster.WaitUntilServedAsync(cancellationToken);
        }

        AiDbException refused = await Assert.ThrowsAsync<AiDbException>(
            () => client.SwitchOverAsync(1, "nobody", cancellationToken).AsTask());
        Assert.Equal(AiDbErrorKind.PreconditionFailed, refused.Kind);

        // An orderly stop hands over, too.
        string first = await cluster.PrimaryOfAsync(1, cancellationToken);
        Assert.Equal(0, await cluster.TerminateAsync(first, cancellationToken));
        Assert.Contains("is handed over to", cluster.OutputOf(first), StringComparison.Ordinal);
        await load.UntilBusyAsync(200, cancellationToken);
        await load.EndAsync(running, stop, output, cancellationToken);
        gaps.Sort();
        output.WriteLine($"from the command to the next acknowledged write of every key: {string.Join(", ", gaps.Select(gap => $"{gap.TotalSeconds:0.00} s"))}");
        Assert.Equal(0, load.Unknown);
        bool isLong = Environment.GetEnvironmentVariable("AIDB_EVIDENCE") == "long";
        Assert.True(gaps[gaps.Count / 2] < TimeSpan.FromSeconds(isLong ? 1 : 10), $"The median was {gaps[gaps.Count / 2]}.");
    }

    [Fact]
    public async Task A_lost_disk_is_replaced_by_a_copy_and_a_spare_takes_the_place_of_a_node_that_is_gone()
    {
        CancellationToken cancellationToken = TestContext.Current.CancellationToken;
        await using ClusterProcesses cluster = await ClusterProcesses.StartAsync(
            3, Gateway(3, replaceAfterSeconds: 3), ShortLog, cancellationToken);
        RecordedLoad load = NewLoad(cluster);
        using var stop = new CancellationTokenSource();
        Task running = load.RunAsync(stop.Token);
        await FillAsync(cluster, megabytes: 12, cancellationToken);

        // An emptied folder is another disk: the node takes its own place with it.
        string lost = DisksOf(await cluster.GetClusterAsync(cancellationToken), "p3").Distinct().Single();
        await cluster.KillAsync("p3");
        Directory.Delete(cluster.DataOf("p3"), recursive: true);
        cluster.StartNode("p3");
        await cluster.WaitUntilAsync(
            map => IsWhole(map, "p1", "p2", "p3") && !DisksOf(map, "p3").Contains(lost), cancellationToken);
        Assert.Contains("is copied from", cluster.OutputOf("p3"), StringComparison.Ordinal);

        cluster.StartNode("p4");
        await cluster.WaitUntilAsync(map => ClusterProcesses.IsAlive(map, "p4"), cancellationToken);
        await cluster.KillAsync("p2");
        await cluster.WaitUntilAsync(map => IsWhole(map, "p1", "p3", "p4"), cancellationToken);
        await load.UntilBusyAsync(200, cancellationToken);

        // The copies are worth something: without the only disk that was there from the beginning, all is there.
        await cluster.KillAsync("p1");
        await load.UntilBusyAsync(300, cancellationToken);
        await load.EndAsync(running, stop, output, cancellationToken);
        Assert.Equal(
            12 * 16, (await cluster.Http.GetStringAsync(new Uri("/v1/kv/filler?prefix=f&keysOnly=true&limit=10000", UriKind.Relative), cancellationToken))
                .Split("\"key\":").Length - 1);
    }

    [Fact]
    public async Task A_shard_of_one_voter_gets_three_and_an_operator_replaces_one_of_them()
    {
        CancellationToken cancellationToken = TestContext.Current.CancellationToken;
        await using ClusterProcesses cluster = await ClusterProcesses.StartAsync(1, Gateway(1), ShortLog, cancellationToken);
        await FillAsync(cluster, megabytes: 6, cancellationToken);
        await cluster.KillAsync("gateway");
        await cluster.StartGatewayAsync(cancellationToken, "--AiDb:Cluster:VotersPerShard=3");
        cluster.StartNode("p2");
        cluster.StartNode("p3");
        await cluster.WaitUntilAsync(map => IsWhole(map, "p1", "p2", "p3"), cancellationToken);
        RecordedLoad load = NewLoad(cluster);
        using var stop = new CancellationTokenSource();
        Task running = load.RunAsync(stop.Token);
        await load.UntilBusyAsync(200, cancellationToken);

        cluster.StartNode("p4");
        await cluster.WaitUntilAsync(map => ClusterProcesses.IsAlive(map, "p4"), cancellationToken);
        await using var client = new AiDbClient($"Endpoint={cluster.GatewayGrpc}");
        AiDbException refused = await Assert.ThrowsAsync<AiDbException>(
            () => client.ReplaceVoterAsync(1, "p1", "p2", cancellationToken).AsTask());
        Assert.Equal(AiDbErrorKind.PreconditionFailed, refused.Kind);
        IReadOnlyList<string> wanted = await client.ReplaceVoterAsync(1, "p1", "p4", cancellationToken);
        Assert.Equal(["p2", "p3", "p4"], wanted.Order(StringComparer.Ordinal));
        await cluster.WaitUntilAsync(map => IsWhole(map, "p2", "p3", "p4"), cancellationToken);

        await cluster.KillAsync("p1");
        await load.UntilBusyAsync(300, cancellationToken);
        await load.EndAsync(running, stop, output, cancellationToken);
        Assert.Equal(
            6 * 16, (await cluster.Http.GetStringAsync(new Uri("/v1/kv/filler?prefix=f&keysOnly=true&limit=10000", UriKind.Relative), cancellationToken))
                .Split("\"key\":").Length - 1);
    }

    /// <summary>Whether every shard has these voters and no change under way, and lacks nothing.</summary>
    private static bool IsWhole(JsonElement map, params string[] nodes) =>
        map.GetProperty("shards").EnumerateArray().All(shard =>
            shard.GetProperty("health").GetString() == "ok"
            && shard.GetProperty("voters").EnumerateArray().Select(voter => voter.GetProperty("node").GetString())
                .Order(StringComparer.Ordinal).SequenceEqual(nodes));

    private static IEnumerable<string> DisksOf(JsonElement map, string node) =>
        map.GetProperty("shards").EnumerateArray().SelectMany(shard => shard.GetProperty("voters").EnumerateArray())
            .Where(voter => voter.GetProperty("node").GetString() == node)
            .Select(voter => voter.GetProperty("diskId").GetString()!);

    private static RecordedLoad NewLoad(ClusterProcesses cluster) => new(cluster.Http, TestSeed.Base, clients: 4, keys: 16);

    private static async Task FillAsync(ClusterProcesses cluster, int megabytes, CancellationToken cancellationToken)
    {
        byte[] value = new byte[64 << 10];
        for (int i = 0; i < megabytes * 16; i++)
        {
            new Random(i).NextBytes(value);
            using HttpResponseMessage response = await cluster.Http.PutAsync(
                new Uri($"/v1/kv/filler/f{i}", UriKind.Relative), new ByteArrayContent(value), cancellationToken);
            Assert.True(response.IsSuccessStatusCode, $"{response.StatusCode}\n{cluster.AllOutput()}");
        }
    }
}
