using AiDb.Cluster.Model;
using AiDb.Contracts;
using AiDb.Contracts.Internal.V1;
using AiDb.Contracts.V1;
using Action = AiDb.Contracts.V1.BatchOperation.ActionOneofCase;
using Kind = AiDb.Contracts.Internal.V1.WriteOperation.Types.Kind;

namespace AiDb.Gateway.Front;

/// <summary>The operations of a batch that share a partition, and so are applied together.</summary>
internal sealed class BatchPart
{
    private readonly List<WriteOperation> _operations = [];

    private BatchPart(int slot) => Slot = slot;

    /// <summary>The partition's slot.</summary>
    public int Slot { get; }

    /// <summary>Which operations of the batch these are.</summary>
    public List<int> Indexes { get; } = [];

    /// <summary>The write of this part.</summary>
    public Write ToWrite(Durability durability)
    {
        Write write = new() { Durability = durability };
        write.Operations.AddRange(_operations);
        return write;
    }

    /// <summary>Splits a batch by partition.</summary>
    /// <exception cref="AiDbException"><see cref="AiDbErrorKind.InvalidArgument"/>: it is atomic and has more
    /// than one partition; the message names two keys.</exception>
    public static List<BatchPart> Split(TableDescriptor[] tables, BatchRequest call, bool atomic)
    {
        Dictionary<PartitionKey, BatchPart> parts = [];
        for (int i = 0; i < call.Operations.Count; i++)
        {
            BatchOperation operation = call.Operations[i];
            ReadOnlySpan<byte> partition =
                tables[i].Settings.Partitioning.PartitionOf(operation.Key.Span, call.Partition.Span);
            PartitionKey key = new(partition.ToArray());
            if (!parts.TryGetValue(key, out BatchPart? part))
            {
                if (atomic && i > 0)
                    throw Across(call.Operations[0], operation);
                parts.Add(key, part = new BatchPart(SlotHash.Of(partition)));
            }

            part.Indexes.Add(i);
            part._operations.Add(ToWire(tables[i], part.Slot, operation, namesPartition: !call.Partition.IsEmpty));
        }

        return [.. parts.Values];
    }

    private static AiDbException Across(BatchOperation first, BatchOperation other) => RequestLimits.Invalid(
        $"operations: a batch is atomic within one partition, and the keys '{RequestLimits.Shown(first.Key.Span)}' "
        + $"({first.Table}) and '{RequestLimits.Shown(other.Key.Span)}' ({other.Table}) are in two. Give them a common "
        + "{tag}, name one `partition` for all, choose the table's partitioning, or set `atomic` to false.");

    private static WriteOperation ToWire(
        TableDescriptor table, int slot, BatchOperation operation, bool namesPartition)
    {
        WriteOperation wire = new()
        {
            TableId = table.Id,
            Slot = (uint)slot,
            Key = operation.Key,
            Condition = operation.Condition,
            NamesPartition = namesPartition,
        };
        switch (operation.ActionCase)
        {
            case Action.Put:
                wire.Kind = Kind.Put;
                wire.Value = operation.Put.Value;
                wire.TtlMs = operation.Put.TtlMs == 0 ? table.Settings.DefaultTtlMs : operation.Put.TtlMs;
                break;
            case Action.Delete:
                wire.Kind = Kind.Delete;
                break;
            default:
                wire.Kind = Kind.Require;
                break;
        }

        return wire;
    }

    private readonly struct PartitionKey(byte[] bytes) : IEquatable<PartitionKey>
    {
        private readonly byte[] _bytes = bytes;

        public bool Equals(PartitionKey other) => _bytes.AsSpan().SequenceEqual(other._bytes);

        public override bool Equals(object? obj) => obj is PartitionKey other && Equals(other);

        public override int GetHashCode()
        {
            HashCode hash = default;
            hash.AddBytes(_bytes);
            return hash.ToHashCode();
        }
    }
}
