using System.Diagnostics;
using AiDb.Tests.TestSupport;

namespace AiDb.Tests.EndToEnd;

/// <summary>Several gateways on one etcd, as real processes: what goes on when a gateway or etcd dies.</summary>
public sealed class SharedStoreTests(ITestOutputHelper output)
{
    [Fact]
    public async Task Requests_go_on_and_coordination_is_taken_over_when_gateways_and_etcd_die()
    {
        await using EtcdCluster etcd = await EtcdCluster.StartAsync();
        await using ClusterProcesses cluster = new();
        ClusterNode first = cluster.StartGateway("g1", etcd.Address);
        await first.SaysAsync("Gateway g1 coordinates the cluster");
        ClusterNode second = cluster.StartGateway("g2", etcd.Address);
        await second.SaysAsync("Gateway g2 stands by; g1 coordinates the cluster");
        await cluster.StartPrimary("p1", etcd.Address).ReadyAsync();
        await first.ReadyAsync();
        await second.ReadyAsync();
        await first.PutAsync("people", "ada", "Lovelace");
        Assert.Equal("Lovelace", await second.GetAsync("people", "ada"));

        // The gateway that coordinates dies: requests through the other one do not notice, and it takes over.
        await first.Process.KillAsync();
        long killed = Stopwatch.GetTimestamp();
        for (int i = 0; i < 50; i++)
        {
            await second.PutAsync("people", $"k{i}", $"{i}");
            Assert.Equal($"{i}", await second.GetAsync("people", $"k{i}"));
        }

        await second.SaysAsync("Gateway g2 coordinates the cluster");
        output.WriteLine($"coordination taken over after {Stopwatch.GetElapsedTime(killed).TotalSeconds:F1} s");
        await cluster.StartPrimary("p2", etcd.Address).ReadyAsync();
        first = await cluster.StartGateway("g1", etcd.Address).ReadyAsync();
        await first.SaysAsync("Gateway g1 stands by; g2 coordinates the cluster");
        await second.HealthIsAsync("Healthy");
        await WaitForLastMapAsync(cluster.FolderOf("g1"), "members/p2");

        // etcd dies: reads and writes go on.
        await etcd.KillAsync(0);
        await second.HealthIsAsync("Degraded");
        await second.PutAsync("people", "grace", "Hopper");
        Assert.Equal("Hopper", await first.GetAsync("people", "grace"));

        // A gateway that starts now serves with what it saw last.
        await first.Process.KillAsync();
        first = cluster.StartGateway("g1", etcd.Address);
        await first.SaysAsync("requests are served with the last map");
        await first.ReadyAsync();
        await first.HealthIsAsync("Degraded");
        Assert.Equal("Hopper", await first.GetAsync("people", "grace"));
        await first.PutAsync("people", "barbara", "Liskov");
        Assert.Equal("Liskov", await second.GetAsync("people", "barbara"));

        // etcd is back: so is what needs it.
        await etcd.StartAgainAsync(0);
        await first.HealthIsAsync("Healthy");
        await first.PutAsync("places", "london", "1");
        Assert.Equal("1", await second.GetAsync("places", "london"));
    }

    [Fact]
    public async Task A_second_gateway_may_use_the_store_of_the_first()
    {
        await using ClusterProcesses cluster = new();
        ClusterNode first = cluster.StartGateway("g1", null);
        await cluster.StartPrimary("p1", first.GrpcAddress).ReadyAsync();
        ClusterNode second = await cluster.StartGateway("g2", first.GrpcAddress).ReadyAsync();
        await second.PutAsync("people", "ada", "Lovelace");
        await WaitForLastMapAsync(cluster.FolderOf("g2"), "tables/people");
        await first.Process.KillAsync();
        await second.Process.KillAsync();
        second = await cluster.StartGateway("g2", first.GrpcAddress).ReadyAsync();
        Assert.Equal("Lovelace", await second.GetAsync("people", "ada"));
    }

    private static async Task WaitForLastMapAsync(string folder, string text)
    {
        string path = Path.Combine(folder, "data", "last-map");
        while (!File.Exists(path) || !(await File.ReadAllTextAsync(path)).Contains(text, StringComparison.Ordinal))
            await Task.Delay(50, TestContext.Current.CancellationToken);
    }
}
