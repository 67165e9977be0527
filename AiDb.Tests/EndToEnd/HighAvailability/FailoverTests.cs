using System.Text.Json;
using AiDb.Cluster.Placement;
using AiDb.Contracts;
using AiDb.Contracts.Internal.V1;
using AiDb.Contracts.Multiplexing;
using AiDb.Contracts.V1;
using AiDb.Engine;
using AiDb.Tests.TestSupport;
using Google.Protobuf;
using Grpc.Net.Client;

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

        // Every voter has led and stepped down before the first kill, and must doubt as before.
        await using var client = new AiDb.Client.AiDbClient($"Endpoint={cluster.GatewayGrpc}");
        await load.UntilBusyAsync(300, cancellationToken);
        for (uint turn = 0; turn < 9; turn++)
        {
            try
            {
                await client.SwitchOverAsync((turn % 3) + 1, cancellationToken: cancellationToken);
            }
            catch (AiDbException exception)
            {
                // On a machine that is busy with other things an election may have been faster.
                output.WriteLine(exception.Message);
            }

            await cluster.WaitUntilServedAsync(cancellationToken);
        }

        for (int round = 0; round < (IsLong ? 30 : 2); round++)
        {
            string victim = nodes[round % nodes.Length];
            await load.UntilBusyAsync(300, cancellationToken);
            TimeSpan killedAt = load.Now;
            await cluster.KillAsync(victim);
            gaps.Add(await load.GapAsync(cluster, killedAt, cancellationToken));
            cluster.StartNode(victim);
            await cluster.WaitUntilAsync(map => ClusterProcesses.IsAlive(map, victim), cancellationToken);
            await cluster.WaitUntilServedAsync(cancellationToken);
        }

        await load.UntilBusyAsync(300, cancellationToken);
        await load.EndAsync(running, stop, output, cancellationToken);
        gaps.Sort();
        output.WriteLine($"from kill -9 to the next acknowledged write of every key: {string.Join(", ", gaps.Select(gap => $"{gap.TotalSeconds:0.00} s"))}");
        Assert.True(gaps[^1] < TimeSpan.FromSeconds(IsLong ? 10 : 30), $"The slowest took {gaps[^1]}.\n{cluster.AllOutput()}");
    }

    [Fact]
    public async Task A_primary_that_stood_still_answers_nothing_stale_and_acknowledges_nothing_that_is_lost()
    {
        CancellationToken cancellationToken = TestContext.Current.CancellationToken;
        await using ClusterProcesses cluster = await ClusterProcesses.StartAsync(3, ThreeVoters, [], cancellationToken);
        RecordedLoad load = NewLoad(cluster);
        using var stop = new CancellationTokenSource();
        Task running = load.RunAsync(stop.Token);
        Random random = new(TestSeed.Base);
        string[] nodes = [.. cluster.Nodes];
        for (int round = 0; round < (IsLong ? 12 : 2); round++)
        {
            string victim = nodes[round % nodes.Length];
            await load.UntilBusyAsync(300, cancellationToken);
            TimeSpan frozenAt = load.Now;
            cluster.Freeze(victim);
            TimeSpan gap = await load.GapAsync(cluster, frozenAt, cancellationToken);
            output.WriteLine($"from SIGSTOP of {victim} to the next acknowledged write of every key: {gap.TotalSeconds:0.00} s");

            // It wakes up while it is still the primary by what it knows, and requests wait for it.
            TimeSpan still = TimeSpan.FromSeconds(IsLong ? 5 + random.Next(15) : 5);
            while (load.Now - frozenAt < still)
                await Task.Delay(20, cancellationToken);
            cluster.Thaw(victim);
            await load.UntilBusyAsync(300, cancellationToken);
            await cluster.WaitUntilAsync(map => ClusterProcesses.IsAlive(map, victim), cancellationToken);
            await cluster.WaitUntilServedAsync(cancellationToken);
            Assert.False(cluster.HasExited(victim), cluster.OutputOf(victim));
        }

        await load.EndAsync(running, stop, output, cancellationToken);
    }

    [Fact]
    public async Task Writes_go_on_without_a_follower_and_come_back_after_all_were_killed_at_once()
    {
        CancellationToken cancellationToken = TestContext.Current.CancellationToken;
        await using ClusterProcesses cluster = await ClusterProcesses.StartAsync(3, ThreeVoters, [], cancellationToken);
        RecordedLoad load = NewLoad(cluster);
        using var stop = new CancellationTokenSource();
        Task running = load.RunAsync(stop.Token);
        await load.UntilBusyAsync(300, cancellationToken);

        // Of two shards it is a follower; those go on at once.
        await cluster.KillAsync("p3");
        await load.UntilBusyAsync(600, cancellationToken);
        await cluster.WaitUntilServedAsync(cancellationToken);

        // One of three is not enough: nothing is acknowledged until another is back.
        await cluster.KillAsync("p2");
        await cluster.KillAsync("p1");
        foreach (string node in cluster.Nodes)
            cluster.StartNode(node);
        TimeSpan restartedAt = load.Now;
        TimeSpan gap = await load.GapAsync(cluster, restartedAt, cancellationToken);
        output.WriteLine($"from the restart of all three to the next acknowledged write of every key: {gap.TotalSeconds:0.00} s");
        await load.UntilBusyAsync(600, cancellationToken);
        await load.EndAsync(running, stop, output, cancellationToken);
    }

    [Fact]
    public async Task Reads_and_writes_go_on_while_the_metadata_store_is_down_and_shards_keep_their_primaries()
    {
        CancellationToken cancellationToken = TestContext.Current.CancellationToken;
        await using ClusterProcesses cluster = await ClusterProcesses.StartAsync(
            3, ThreeVoters, ClusterProcesses.Patient, cancellationToken);
        JsonElement before = await cluster.GetClusterAsync(cancellationToken);
        string primary = ClusterProcesses.ShardOf(before, 1).GetProperty("primary").GetString()!;
        var address = before.GetProperty("nodes").EnumerateArray()
            .Single(node => node.GetProperty("id").GetString() == primary).GetProperty("address").GetString()!;
        await cluster.KillAsync("gateway");

        // The gateway was the way in; what is left is the way that it would go.
        using GrpcChannel channel = GrpcChannel.ForAddress(address);
        await using var node = new NodeConnection(channel.CreateCallInvoker(), ClusterProcesses.Secret);
        for (int second = 0; second < 8; second++)
        {
            Response written = await node.SendAsync(PutRequest(before, second), cancellationToken);
            Assert.Null(written.Error);
            Assert.Equal(Durability.Quorum, written.Write.Durability);
            Response read = await node.SendAsync(
                new Request { Shard = 1, ReadPosition = new ReadPosition() }, cancellationToken);
            Assert.Null(read.Error);
            Assert.True(read.Position.Lsn >= written.Position.Lsn);
            await Task.Delay(TimeSpan.FromSeconds(1), cancellationToken);
        }

        await cluster.StartGatewayAsync(cancellationToken);
        await cluster.WaitUntilServedAsync(cancellationToken);
        JsonElement after = ClusterProcesses.ShardOf(await cluster.GetClusterAsync(cancellationToken), 1);
        Assert.Equal(1, after.GetProperty("epoch").GetInt32());
        Assert.Equal(primary, after.GetProperty("primary").GetString());
    }

    private static Request PutRequest(JsonElement cluster, int number)
    {
        Assert.Equal(3, cluster.GetProperty("shards").GetArrayLength());
        ByteString key = ByteString.CopyFromUtf8($"key {number}");
        var write = new Write();

        // Any slot of shard 1: the slots are dealt out by the ring, which depends on the shards' ids alone.
        var ring = new HashRing([1, 2, 3]);
        uint slot = (uint)Enumerable.Range(0, SlotHash.SlotCount).First(slot => ring.OwnerOf(slot) == 1);
        write.Operations.Add(new WriteOperation
        {
            Kind = WriteOperation.Types.Kind.Put,
            TableId = Table.FirstHostId + 1,
            Slot = slot,
            Key = key,
            Value = ByteString.CopyFromUtf8("value"),
        });
        return new Request { Shard = 1, Write = write };
    }

    private static RecordedLoad NewLoad(ClusterProcesses cluster) => new(cluster.Http, TestSeed.Base, clients: 6, keys: 24);
}
