using AiDb.Cluster.Model;
using AiDb.Cluster.Nodes;
using AiDb.Engine.Storage;
using AiDb.Tests.TestSupport;

namespace AiDb.Tests.Cluster.Nodes;

public class NodeRegistrationTests
{
    private static readonly NodeDescriptor Replica = new()
    {
        Id = "r1",
        Role = NodeRole.Replica,
        Address = "http://r1:1",
        Incarnation = "run-1",
        BuildVersion = "0.1.0",
        Wire = new VersionRange(1, 2),
    };

    [Fact]
    public async Task A_registered_node_is_in_the_map_and_stays_there()
    {
        await using ClusterFixture cluster = new();
        cluster.RunNode(Replica, out NodeRegistration registration);
        ClusterMap map = await cluster.WaitForMapAsync(map => map.Nodes.Count == 1);
        await registration.Registered;
        Assert.Equal(Replica with { Alive = true }, map.FindNode("r1"));
        long version = cluster.Map.Current.Version;
        for (int i = 0; i < 60; i++)
        {
            cluster.Time.Advance(TimeSpan.FromMilliseconds(500));
            await Task.Yield();
        }

        Assert.True(cluster.Map.Current.FindNode("r1")!.Alive);
        Assert.Equal(version, cluster.Map.Current.Version);
    }

    [Fact]
    public async Task A_replica_that_signs_off_is_gone_and_a_primary_is_known_but_dead()
    {
        await using ClusterFixture cluster = new();
        Func<Task> stopReplica = cluster.RunNode(Replica, out _);
        Func<Task> stopPrimary = cluster.RunNode(TestSupport.Primary("p1"), out _);
        await cluster.WaitForMapAsync(map => map.Nodes.Count(node => node.Alive) == 2);
        await stopReplica();
        await stopPrimary();
        ClusterMap map = await cluster.WaitForMapAsync(map => map.Nodes.All(node => !node.Alive));
        Assert.Equal(["p1"], map.Nodes.Select(node => node.Id));
    }

    [Fact]
    public async Task A_store_that_is_not_up_yet_is_one_line_and_not_one_per_attempt()
    {
        await using ClusterFixture cluster = new();
        cluster.Store.IsDown = true;
        LogLines<NodeRegistration> lines = new();
        NodeRegistration registration = new(cluster.Store, Replica, TimeSpan.FromSeconds(5), cluster.Time, lines);
        using CancellationTokenSource end = new();
        Task running = registration.RunAsync(end.Token);
        for (int i = 0; i < 100; i++)
        {
            cluster.Time.Advance(TimeSpan.FromSeconds(1));
            await Task.Yield();
        }

        Assert.Equal(1, lines.Count);
        await end.CancelAsync();
        await running.ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing | ConfigureAwaitOptions.ContinueOnCapturedContext);
    }

    [Fact]
    public async Task A_lost_lease_is_taken_anew()
    {
        await using ClusterFixture cluster = new();
        cluster.RunNode(Replica, out _);
        await cluster.WaitForMapAsync(map => map.Nodes.Count == 1);
        cluster.Store.IsDown = true;
        cluster.Time.Advance(TimeSpan.FromSeconds(30));
        Assert.NotNull(cluster.Map.Current.FindNode("r1"));
        Assert.Null((await cluster.Store.Inner.RangeAsync("alive/r1")).Single);

        cluster.Store.IsDown = false;
        ClusterMap map = await cluster.WaitForMapAsync(map => map.FindNode("r1") is { Alive: true } && map.Version > 1);
        Assert.Equal("run-1", map.FindNode("r1")!.Incarnation);
        Assert.NotNull((await cluster.Store.RangeAsync("alive/r1")).Single);
    }

    [Fact]
    public async Task A_second_process_of_the_same_name_waits_until_the_first_is_gone()
    {
        await using ClusterFixture cluster = new();
        Func<Task> stop = cluster.RunNode(Replica, out _);
        await cluster.WaitForMapAsync(map => map.Nodes.Count == 1);
        cluster.RunNode(Replica with { Address = "http://r1:2", Incarnation = "run-2" }, out NodeRegistration second);
        for (int i = 0; i < 20; i++)
        {
            cluster.Time.Advance(TimeSpan.FromMilliseconds(500));
            await Task.Yield();
        }

        Assert.False(second.Registered.IsCompleted);
        await stop();
        await cluster.WaitForMapAsync(map => map.FindNode("r1") is { Alive: true, Incarnation: "run-2" });
    }

    [Fact]
    public async Task A_restart_at_the_same_address_does_not_wait_for_the_old_lease()
    {
        await using ClusterFixture cluster = new();
        cluster.RunNode(Replica, out _);
        await cluster.WaitForMapAsync(map => map.Nodes.Count == 1);
        cluster.RunNode(Replica with { Incarnation = "run-2" }, out NodeRegistration second);
        await second.Registered.WaitAsync(TestSupport.Patience);
        await cluster.WaitForMapAsync(map => map.FindNode("r1")!.Incarnation == "run-2");
    }

    [Fact]
    public void A_folder_keeps_its_disk_identity_and_a_damaged_one_is_named()
    {
        string folder = Directory.CreateTempSubdirectory("aidb-disk").FullName;
        try
        {
            string id = DiskIdentity.LoadOrCreate(PhysicalFileSystem.Instance, folder, Guid.NewGuid);
            Assert.Equal(id, DiskIdentity.LoadOrCreate(PhysicalFileSystem.Instance, folder, Guid.NewGuid));
            Assert.Equal(32, id.Length);
            File.WriteAllText(Path.Combine(folder, "disk-id"), "x");
            AiDbException error = Assert.Throws<AiDbException>(
                () => DiskIdentity.LoadOrCreate(PhysicalFileSystem.Instance, folder, Guid.NewGuid));
            Assert.Equal(AiDbErrorKind.DataLoss, error.Kind);
        }
        finally
        {
            Directory.Delete(folder, recursive: true);
        }
    }
}
