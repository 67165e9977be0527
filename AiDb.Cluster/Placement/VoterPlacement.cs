using AiDb.Cluster.Model;

namespace AiDb.Cluster.Placement;

/// <summary>Chooses the nodes that keep a shard: in different zones as far as there are, and about as many shards on each
/// node.</summary>
public static class VoterPlacement
{
    /// <summary>Nodes in an order in which neighbours are of different zones as far as possible.</summary>
    public static IReadOnlyList<NodeDescriptor> InTurns(IEnumerable<NodeDescriptor> nodes) =>
    [
        .. nodes.OrderBy(node => node.Id, StringComparer.Ordinal)
            .GroupBy(node => node.Zone, StringComparer.Ordinal)
            .SelectMany(zone => zone.Select((node, turn) => (node, turn, zone.Key)))
            .OrderBy(item => item.turn).ThenBy(item => item.Key, StringComparer.Ordinal)
            .Select(item => item.node),
    ];

    /// <summary>Voters for new shards, one shard for each node, which is its first voter.</summary>
    /// <param name="nodes">The nodes.</param>
    /// <param name="voters">Voters of each shard, as far as there are nodes.</param>
    public static IReadOnlyList<IReadOnlyList<ShardVoter>> DealOut(IReadOnlyList<NodeDescriptor> nodes, int voters)
    {
        IReadOnlyList<NodeDescriptor> ring = InTurns(nodes);
        Dictionary<string, int> load = ring.ToDictionary(node => node.Id, _ => 0, StringComparer.Ordinal);
        List<IReadOnlyList<ShardVoter>> shards = [];
        for (int first = 0; first < ring.Count; first++)
        {
            // The ring from the first voter on: without a reason against it, the next ones are the standbys.
            NodeDescriptor[] turned = [.. ring.Skip(first), .. ring.Take(first)];
            List<NodeDescriptor> chosen = [turned[0]];
            while (chosen.Count < Math.Min(voters, ring.Count))
            {
                NodeDescriptor next = Best(turned, chosen, node => load[node.Id] >= voters - 1 ? 1 : 0)!;
                load[next.Id]++;
                chosen.Add(next);
            }

            shards.Add([.. chosen.Select(VoterOf)]);
        }

        return shards;
    }

    /// <summary>A node that can take a voter's place beside others.</summary>
    /// <param name="map">The cluster.</param>
    /// <param name="shard">The shard; nodes that hold it are not chosen.</param>
    /// <param name="staying">The nodes of the voters that stay.</param>
    /// <param name="leaving">The voter whose place is taken; its node may take it with another disk.</param>
    /// <param name="load">How many shards each node keeps, or is about to; null: as <see cref="LoadOf"/> says.</param>
    /// <returns>Null: there is none.</returns>
    public static NodeDescriptor? FindSpare(
        ClusterMap map, ShardDescriptor shard, IReadOnlyList<NodeDescriptor> staying, ShardVoter? leaving = null,
        IReadOnlyDictionary<string, int>? load = null)
    {
        HashSet<string> holders =
        [
            .. shard.Holders.Where(voter => voter != leaving).Select(voter => voter.NodeId),
            .. staying.Select(node => node.Id),
        ];
        load ??= LoadOf(map);
        NodeDescriptor[] spares =
        [
            .. InTurns(map.Nodes.Where(node => node is { Role: NodeRole.Primary, Alive: true, DiskId.Length: > 0 }
                && !holders.Contains(node.Id) && VoterOf(node) != leaving)),
        ];
        return Best(spares, staying, node => load.GetValueOrDefault(node.Id));
    }

    /// <summary>The vote of a node's disk.</summary>
    public static ShardVoter VoterOf(NodeDescriptor node) => new(node.Id, node.DiskId);

    /// <summary>How many shards each node keeps, or is about to.</summary>
    public static Dictionary<string, int> LoadOf(ClusterMap map)
    {
        Dictionary<string, int> load = new(StringComparer.Ordinal);
        foreach (ShardVoter voter in map.Shards.SelectMany(shard => shard.Holders))
            load[voter.NodeId] = load.GetValueOrDefault(voter.NodeId) + 1;
        return load;
    }

    private static NodeDescriptor? Best(
        IEnumerable<NodeDescriptor> candidates, IReadOnlyList<NodeDescriptor> chosen, Func<NodeDescriptor, int> load) =>
        candidates.Where(node => chosen.All(other => other.Id != node.Id))
            // A stable order: of equals the one that comes first stays first.
            .OrderBy(node => chosen.Count(other => node.Zone.Length > 0 && other.Zone == node.Zone))
            .ThenBy(load)
            .FirstOrDefault();
}
