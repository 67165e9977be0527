using AiDb.Cluster.Collections;
using AiDb.Contracts.Internal.V1;
using AiDb.Engine.Collections;

namespace AiDb.Gateway.Collections;

/// <summary>Deals the operations of a write out to the shards: points and ids by their slot, operations by filter to all.
/// Each shard gets its part of every operation in the order of the operations.</summary>
internal sealed class WriteSplit
{
    private readonly Dictionary<uint, WritePoints> _parts = [];
    private readonly IReadOnlyList<uint> _shards;
    private readonly Func<int, uint> _shardOf;

    private WriteSplit(IReadOnlyList<uint> shards, Func<int, uint> shardOf)
    {
        _shards = shards;
        _shardOf = shardOf;
    }

    /// <summary>The parts, by shard.</summary>
    public static Dictionary<uint, WritePoints> Of(
        IReadOnlyList<PointOperation> operations, IReadOnlyList<uint> shards, Func<int, uint> shardOf)
    {
        WriteSplit split = new(shards, shardOf);
        foreach (PointOperation operation in operations)
            split.Add(operation);
        return split._parts;
    }

    private void Add(PointOperation operation)
    {
        if (_shards.Count == 1)
        {
            Add(_shards[0], operation);
            return;
        }

        switch (operation)
        {
            case UpsertOperation upsert:
                foreach (IGrouping<uint, Point> group in upsert.Points.GroupBy(point => ShardOf(point.Id)))
                    Add(group.Key, upsert with { Points = [.. group] });
                break;
            case UpdateVectorsOperation update:
                foreach (IGrouping<uint, PointVectors> group in update.Points.GroupBy(point => ShardOf(point.Id)))
                    Add(group.Key, update with { Points = [.. group] });
                break;
            case DeleteOperation { Selector: var selector }:
                AddSelected(selector, part => new DeleteOperation(part));
                break;
            case DeleteVectorsOperation delete:
                AddSelected(delete.Selector, part => delete with { Selector = part });
                break;
            case SetPayloadOperation set:
                AddSelected(set.Selector, part => set with { Selector = part });
                break;
            case OverwritePayloadOperation overwrite:
                AddSelected(overwrite.Selector, part => overwrite with { Selector = part });
                break;
            case DeletePayloadOperation delete:
                AddSelected(delete.Selector, part => delete with { Selector = part });
                break;
            case ClearPayloadOperation clear:
                AddSelected(clear.Selector, part => clear with { Selector = part });
                break;
            default:
                throw new AiDbException(AiDbErrorKind.Internal, $"{operation.GetType().Name} has no way to the shards.");
        }
    }

    private void AddSelected(PointSelector selector, Func<PointSelector, PointOperation> make)
    {
        if (selector.Ids is not { } ids)
        {
            foreach (uint shard in _shards)
                Add(shard, make(selector));
            return;
        }

        foreach (IGrouping<uint, PointId> group in ids.GroupBy(ShardOf))
            Add(group.Key, make(selector with { Ids = [.. group] }));
    }

    private void Add(uint shard, PointOperation operation)
    {
        if (!_parts.TryGetValue(shard, out WritePoints? part))
            _parts.Add(shard, part = new WritePoints());
        part.Operations.Add(WireOperations.ToWire(operation));
    }

    private uint ShardOf(PointId id) => _shardOf(WireIds.SlotOf(id));
}
