using AiDb.Cli;
using AiDb.Cluster.Metadata.Etcd;
using AiDb.Cluster.Model;
using AiDb.Tests.Cluster;
using AiDb.Tests.TestSupport;

namespace AiDb.Tests.EndToEnd;

/// <summary>A running cluster moves its metadata from a gateway's embedded store to etcd.</summary>
public sealed class MetadataMoveTests
{
    private const int Keys = 200;

    [Fact]
    public async Task A_running_cluster_moves_to_etcd_and_goes_on_with_its_data()
    {
        await using EtcdCluster etcd = await EtcdCluster.StartAsync();
        await using ClusterProcesses cluster = new();
        ClusterNode gateway = cluster.StartGateway("g1", null);
        ClusterNode primary = await cluster.StartPrimary("p1", gateway.GrpcAddress).ReadyAsync();
        ClusterNode replica = await cluster.StartReplica("r1", gateway.GrpcAddress).ReadyAsync();
        await gateway.ReadyAsync();
        for (int i = 0; i < Keys; i++)
            await gateway.PutAsync("people", $"k{i}", $"v{i}");

        // A running gateway's store can be exported by address, with the secret and not without.
        string running = Path.Combine(cluster.FolderOf("g1"), "running.json");
        Assert.Equal(7, (await RunAsync("meta", "export", running, "--store", gateway.GrpcAddress)).Code);
        Assert.Equal(0, (await RunAsync(
            "meta", "export", running, "--store", gateway.GrpcAddress, "--cluster-secret", ClusterProcesses.Secret)).Code);
        string folder = Path.Combine(cluster.FolderOf("g1"), "data");
        Assert.NotEqual(0, (await RunAsync("meta", "export", "-", "--store", folder)).Code);

        // The move, as docs/operating/metadata.md tells it.
        await gateway.Process.KillAsync();
        string file = Path.Combine(cluster.FolderOf("g1"), "meta.json");
        (int code, string output) = await RunAsync("meta", "export", file, "--store", folder);
        Assert.True(code == 0, output);
        (code, output) = await RunAsync("meta", "import", file, "--store", etcd.Address, "--dry-run");
        Assert.True(code == 0, output);
        Assert.Contains("would be written", output, StringComparison.Ordinal);
        await using EtcdMetadataStore store = new(EtcdOptions.Parse(etcd.Address), TimeProvider.System);
        Assert.Empty((await store.RangeAsync("", prefix: true)).Items);
        (code, output) = await RunAsync("meta", "import", file, "--store", etcd.Address);
        Assert.True(code == 0, output);
        ClusterMap imported = await store.ReadMapAsync();

        // The gateways first. The primary still follows nobody, and serves.
        gateway = cluster.StartGateway("g1", etcd.Address);
        ClusterNode second = cluster.StartGateway("g2", etcd.Address);
        await gateway.SaysAsync("is listening");
        await second.SaysAsync("is listening");
        await gateway.ReadyAsync();
        Assert.Equal("v7", await gateway.GetAsync("people", "k7"));
        await gateway.PutAsync("people", "between", "old primary");
        await primary.SaysAsync("No metadata store is held at this address");

        // Then the others.
        await primary.Process.KillAsync();
        await replica.Process.KillAsync();
        await cluster.StartPrimary("p1", etcd.Address).ReadyAsync();
        replica = await cluster.StartReplica("r1", etcd.Address).ReadyAsync();
        await gateway.HealthIsAsync("Healthy");
        await second.HealthIsAsync("Healthy");
        for (int i = 0; i < Keys; i++)
            Assert.Equal($"v{i}", await (i % 2 == 0 ? gateway : second).GetAsync("people", $"k{i}"));
        Assert.Equal("old primary", await second.GetAsync("people", "between"));
        await second.PutAsync("people", "after", "new");
        Assert.Equal("new", await gateway.GetAsync("people", "after"));

        ClusterMap moved = await store.ReadMapAsync();
        Assert.Equal(imported.ClusterId, moved.ClusterId);
        Assert.Equal(imported.Slots.Format(), moved.Slots.Format());
        Assert.True(moved.FindShard(1)!.Epoch > imported.FindShard(1)!.Epoch);
        await second.PutAsync("places", "london", "1");
        moved = await store.ReadMapAsync();
        Assert.True(moved.FindTable("places")!.Id > moved.FindTable("people")!.Id);

        // Back again is refused: the target is not empty, and by force it is only its own cluster.
        Assert.Equal(5, (await RunAsync("meta", "import", file, "--store", etcd.Address)).Code);
        Assert.Equal(5, (await RunAsync("meta", "import", file, "--store", folder)).Code);
    }

    private static async Task<(int Code, string Output)> RunAsync(params string[] arguments)
    {
        using StringWriter output = new();
        using StringWriter error = new();
        CliConsole console = new(output, error, static () => Stream.Null, static () => Stream.Null);
        int code = await AidbCommand.RunAsync(arguments, console, TestContext.Current.CancellationToken);
        return (code, $"{output}\n{error}");
    }
}
