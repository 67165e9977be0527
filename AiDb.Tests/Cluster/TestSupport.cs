using AiDb.Cluster.Metadata;
using AiDb.Cluster.Model;
using AiDb.Tests.TestSupport;

namespace AiDb.Tests.Cluster;

internal static class TestSupport
{
    /// <summary>Longer than any test may take; reached only where something hangs.</summary>
    public static readonly TimeSpan Patience = TimeSpan.FromSeconds(20);

    public static int Seed => TestSeed.Base;

    public static NodeDescriptor Primary(string id, string disk = "", string incarnation = "run-1") => new()
    {
        Id = id,
        Role = NodeRole.Primary,
        Address = $"http://{id}:6334",
        DiskId = disk.Length == 0 ? "disk-" + id : disk,
        Incarnation = incarnation,
        Alive = true,
    };

    /// <summary>A shard whose first voter serves.</summary>
    public static ShardDescriptor Shard(uint id, string[] nodes) => new()
    {
        Id = id,
        Generation = 1,
        Epoch = 1,
        State = ShardState.Active,
        PrimaryNodeId = nodes[0],
        PrimaryIncarnation = "run-1",
        Voters = [.. nodes.Select(node => new ShardVoter(node, "disk-" + node))],
        WriteQuorum = (nodes.Length / 2) + 1,
    };

    /// <summary>A map of shards and nodes, without slots.</summary>
    public static ClusterMap Map(ShardDescriptor[] shards, NodeDescriptor[] nodes) =>
        new(1, "cluster", SlotMap.Empty, nodes, shards, [], []);

    /// <summary>The map of a store as it is now.</summary>
    public static async Task<ClusterMap> ReadMapAsync(this IMetadataStore store) =>
        ClusterMapBuilder.Build(await store.RangeAsync("", prefix: true));

    /// <summary>Puts keys without a condition; the revision that it made.</summary>
    public static async Task<long> PutAsync(this IMetadataStore store, string key, string value, long lease = 0)
    {
        MetadataTransactionResult result = await store.CommitAsync(new MetadataTransaction
        {
            Then = [MetadataOperation.Put(key, System.Text.Encoding.UTF8.GetBytes(value), lease)],
        });
        return result.Revision;
    }
}
