using System.Text;
using AiDb.Cluster.Metadata;
using AiDb.Cluster.Model;
using Microsoft.Extensions.Logging;

namespace AiDb.Cluster.Placement;

/// <summary>
/// Makes the shards. It waits for as many primaries as the settings say, gives each a shard, and deals out
/// all slots in one transaction, as the hash ring proposes. A primary that comes later gets a shard without
/// slots, until a <see cref="Migration.Rebalancer"/> moves some to it, or, where shards have several voters, is a
/// spare for those. Two coordinators at once do no harm: each step is a compare-and-swap.
/// </summary>
public sealed partial class Coordinator(
    IMetadataStore store,
    ClusterMapWatcher map,
    CoordinatorOptions options,
    Func<Guid> newId,
    TimeProvider timeProvider,
    ILogger<Coordinator> logger)
{
    private static readonly TimeSpan RetryDelay = TimeSpan.FromMilliseconds(500);

    private readonly HashSet<string> _refused = new(StringComparer.Ordinal);

    /// <summary>Works until it is cancelled.</summary>
    public async Task RunAsync(CancellationToken cancellationToken)
    {
        options.Validate();
        ClusterMap current = await ReadAsync(cancellationToken);
        while (true)
        {
            try
            {
                LogRefused(current);
                if (Plan(current, options, newId) is { } step)
                {
                    MetadataTransactionResult result = await store.CommitAsync(step, cancellationToken);
                    if (result.Succeeded)
                        LogPlaced(step.Then.Count, result.Revision);
                    current = await map.WaitForNewerAsync(Math.Max(current.Version, result.Revision - 1), cancellationToken);
                    continue;
                }

                current = await map.WaitForNewerAsync(current.Version, cancellationToken);
            }
            catch (AiDbException error)
            {
                LogFailed(error.Kind, error.Message);
                await Task.Delay(RetryDelay, timeProvider, cancellationToken);
                current = map.Current;
            }
        }
    }

    /// <summary>The next step for a map; null: nothing is to be done.</summary>
    internal static MetadataTransaction? Plan(ClusterMap map, CoordinatorOptions options, Func<Guid> newId)
    {
        // Slots that an import is about to bring must not be dealt out anew.
        if (map.IsImporting)
            return null;
        if (map.ClusterId.Length == 0)
        {
            return new MetadataTransaction
            {
                Compares = [MetadataCompare.IsAbsent(MetadataKeys.ClusterId)],
                Then = [MetadataOperation.Put(MetadataKeys.ClusterId, Encoding.UTF8.GetBytes(newId().ToString("D")))],
            };
        }

        NodeDescriptor[] without =
        [
            .. map.Nodes.Where(node => node is { Role: NodeRole.Primary, Alive: true, DiskId.Length: > 0 }
                && ShardElection.FindShard(map, node.Id, node.DiskId) == default
                && map.Shards.All(shard => shard.Holders.All(holder => holder.NodeId != node.Id)))
                // What does not fit into one transaction comes with the next.
                .Take(MetadataLimits.MaxTransactionSteps - 1),
        ];
        bool isFirstDeal = !map.Slots.IsComplete;
        if (isFirstDeal && map.Shards.Count + without.Length < Math.Max(options.Shards, options.VotersPerShard))
            return null;
        if (!isFirstDeal && (without.Length == 0 || options.VotersPerShard > 1))
            return null;
        return isFirstDeal ? DealOut(map, without, options) : AddShards(map, without, options);
    }

    private static MetadataTransaction DealOut(ClusterMap map, NodeDescriptor[] primaries, CoordinatorOptions options)
    {
        MetadataTransaction shards = AddShards(map, primaries, options);
        HashRing ring = new(map.Shards.Select(shard => shard.Id).Concat(NewIds(map, primaries.Length)));
        SlotMap slots = SlotMap.Create(slot => map.Slots[slot] is var owner and not 0 ? owner : ring.OwnerOf(slot));
        return shards with
        {
            Compares = [.. shards.Compares, MetadataCompare.IsAbsent(MetadataKeys.Slots)],
            Then = [.. shards.Then, MetadataOperation.Put(MetadataKeys.Slots, Encoding.ASCII.GetBytes(slots.Format()))],
        };
    }

    private static MetadataTransaction AddShards(ClusterMap map, NodeDescriptor[] primaries, CoordinatorOptions options)
    {
        List<MetadataCompare> compares = [];
        List<MetadataOperation> operations = [];
        IReadOnlyList<IReadOnlyList<ShardVoter>> dealt = VoterPlacement.DealOut(primaries, options.VotersPerShard);
        foreach ((IReadOnlyList<ShardVoter> voters, uint id) in dealt.Zip(NewIds(map, primaries.Length)))
        {
            ShardDescriptor shard = new()
            {
                Id = id,
                Generation = 1,
                Epoch = 0,
                State = ShardState.New,
                PrimaryNodeId = voters[0].NodeId,
                Voters = voters,
                WriteQuorum = options.WriteQuorumOf(voters.Count),
            };
            string key = MetadataKeys.Shard(id);
            compares.Add(MetadataCompare.IsAbsent(key));
            operations.Add(MetadataOperation.Put(key, MetadataJson.Write(ShardRecord.From(shard))));
        }

        return new MetadataTransaction { Compares = compares, Then = operations };
    }

    private static IEnumerable<uint> NewIds(ClusterMap map, int count) =>
        Enumerable.Range(1, count).Select(i => map.Shards.Select(shard => shard.Id).DefaultIfEmpty().Max() + (uint)i);

    private async ValueTask<ClusterMap> ReadAsync(CancellationToken cancellationToken)
    {
        while (true)
        {
            try
            {
                // The watcher's map may not have been read yet, which looks like a cluster without anything.
                MetadataRange range = await store.RangeAsync("", prefix: true, cancellationToken);
                return ClusterMapBuilder.Build(range);
            }
            catch (AiDbException error)
            {
                LogFailed(error.Kind, error.Message);
                await Task.Delay(RetryDelay, timeProvider, cancellationToken);
            }
        }
    }

    private void LogRefused(ClusterMap current)
    {
        foreach (NodeDescriptor node in current.Nodes)
        {
            if (node is { Role: NodeRole.Primary, Alive: true }
                && ShardElection.FindShard(current, node.Id, node.DiskId).Refusal is { } refusal
                && _refused.Add(node.Id + "/" + node.DiskId))
            {
                LogRefusedNode(refusal);
            }
        }
    }

    [LoggerMessage(Level = LogLevel.Information, Message = "Placement changed: {Changes} records at revision {Revision}")]
    private partial void LogPlaced(int changes, long revision);

    [LoggerMessage(Level = LogLevel.Warning, Message = "The coordinator cannot use the metadata store ({Kind}): {Reason}")]
    private partial void LogFailed(AiDbErrorKind kind, string reason);

    [LoggerMessage(Level = LogLevel.Error, Message = "A primary is refused: {Reason}")]
    private partial void LogRefusedNode(string reason);
}
