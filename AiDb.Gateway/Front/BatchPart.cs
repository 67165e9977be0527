using AiDb.Cluster.Model;
using AiDb.Contracts;
using AiDb.Contracts.Internal.V1;
using AiDb.Contracts.V1;
using Action = AiDb.Contracts.V1.BatchOperation.ActionOneofCase;
using Kind = AiDb.Contracts.Internal.V1.WriteOperation.Types.Kind;

namespace AiDb.Gateway.Front;

/// <summary>The operations of a batch that share a partition - in a table of ranges: a range, as it is now - and so are applied
/// together.</summary>
internal sealed class BatchPart : ISlotFinder
{
    private readonly List<WriteOperation> _operations = [];
    private readonly TableDescriptor? _ranged;
    private readonly int _slot;

    private BatchPart(TableDescriptor? ranged, int slot)
    {
        _ranged = ranged;
        _slot = slot;
    }

    /// <summary>The partition's slot.</summary>
    public SlotSource Source => _ranged is null ? SlotSource.Of(_slot) : SlotSource.By(this);

    /// <summary>Which operations of the batch these are.</summary>
    public List<int> Indexes { get; } = [];

    /// <summary>The write of this part.</summary>
    public Write ToWrite(Durability durability)
    {
        Write write = new() { Durability = durability };
        write.Operations.AddRange(_operations);
        return write;
    }

    /// <inheritdoc/>
    /// <exception cref="AiDbException"><see cref="AiDbErrorKind.Aborted"/>: a split has divided the operations;
    /// <see cref="AiDbErrorKind.NotFound"/>: the table was dropped.</exception>
    public int SlotIn(ClusterMap map)
    {
        TableRanges ranges = SlotSource.TableIn(map, _ranged!).Ranges!;
        int first = ranges.IndexOf(_operations[0].Key.Span);
        return IsDividedBy(map)
            ? throw new AiDbException(AiDbErrorKind.Aborted, "A range was split between the keys of the batch.")
            : ranges.SlotAt(first);
    }

    /// <summary>Whether the operations are of several ranges by a map.</summary>
    public bool IsDividedBy(ClusterMap map)
    {
        if (_ranged is null || map.FindTable(_ranged.Id)?.Ranges is not { } ranges)
            return false;
        int first = ranges.IndexOf(_operations[0].Key.Span);
        return _operations.Exists(operation => ranges.IndexOf(operation.Key.Span) != first);
    }

    /// <summary>The same operations by the ranges of a map.</summary>
    public IEnumerable<BatchPart> Divide(ClusterMap map)
    {
        TableDescriptor table = SlotSource.TableIn(map, _ranged!);
        SortedDictionary<int, BatchPart> parts = [];
        for (int i = 0; i < _operations.Count; i++)
        {
            int range = table.Ranges!.IndexOf(_operations[i].Key.Span);
            if (!parts.TryGetValue(range, out BatchPart? part))
                parts.Add(range, part = new BatchPart(table, slot: 0));
            part.Indexes.Add(Indexes[i]);
            part._operations.Add(_operations[i]);
        }

        return parts.Values;
    }

    /// <summary>What a caller is told whose operations a split has divided.</summary>
    public AiDbException Across()
    {
        WriteOperation last = _operations[^1];
        return RequestLimits.Invalid(
            $"operations: a batch is atomic within one range of the table '{_ranged!.Name}', and a split divides its keys, from "
            + $"'{RequestLimits.Shown(_operations[0].Key.Span)}' to '{RequestLimits.Shown(last.Key.Span)}'. Set `atomic` to false.");
    }

    /// <summary>Splits a batch by partition.</summary>
    /// <exception cref="AiDbException"><see cref="AiDbErrorKind.InvalidArgument"/>: it is atomic and has more
    /// than one partition; the message names two keys.</exception>
    /// <param name="tables">Of each operation.</param>
    /// <param name="call">The batch.</param>
    /// <param name="atomic">Whether it must be one part.</param>
    /// <param name="map">By whose ranges it is split.</param>
    public static List<BatchPart> Split(TableDescriptor[] tables, BatchRequest call, bool atomic, ClusterMap map)
    {
        Dictionary<PartitionKey, BatchPart> parts = [];
        for (int i = 0; i < call.Operations.Count; i++)
        {
            BatchOperation operation = call.Operations[i];
            TableDescriptor? ranged = tables[i].Ranges is null ? null : SlotSource.TableIn(map, tables[i]);
            ReadOnlySpan<byte> partition = ranged is null
                ? tables[i].Settings.Partitioning.PartitionOf(operation.Key.Span, call.Partition.Span)
                : default;
            PartitionKey key = ranged is null
                ? new PartitionKey(0, partition.ToArray())
                : new PartitionKey(ranged.Id, BitConverter.GetBytes(ranged.Ranges!.IndexOf(operation.Key.Span)));
            if (!parts.TryGetValue(key, out BatchPart? part))
            {
                if (atomic && i > 0)
                    throw Across(call.Operations[0], operation);
                parts.Add(key, part = new BatchPart(ranged, ranged is null ? SlotHash.Of(partition) : 0));
            }

            part.Indexes.Add(i);
            part._operations.Add(ToWire(tables[i], operation, namesPartition: !call.Partition.IsEmpty));
        }

        return [.. parts.Values];
    }

    private static AiDbException Across(BatchOperation first, BatchOperation other) => RequestLimits.Invalid(
        $"operations: a batch is atomic within one partition, and the keys '{RequestLimits.Shown(first.Key.Span)}' "
        + $"({first.Table}) and '{RequestLimits.Shown(other.Key.Span)}' ({other.Table}) are in two. Give them a common "
        + "{tag}, name one `partition` for all, choose the table's partitioning, or set `atomic` to false. In a table of ranges "
        + "each range is one.");

    private static WriteOperation ToWire(TableDescriptor table, BatchOperation operation, bool namesPartition)
    {
        WriteOperation wire = new()
        {
            TableId = table.Id,
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

    /// <summary>A partition by its bytes, or - of a table of ranges - by the table and the number of the range.</summary>
    private readonly struct PartitionKey(uint rangeTable, byte[] bytes) : IEquatable<PartitionKey>
    {
        private readonly uint _rangeTable = rangeTable;
        private readonly byte[] _bytes = bytes;

        public bool Equals(PartitionKey other) => _rangeTable == other._rangeTable && _bytes.AsSpan().SequenceEqual(other._bytes);

        public override bool Equals(object? obj) => obj is PartitionKey other && Equals(other);

        public override int GetHashCode()
        {
            HashCode hash = default;
            hash.Add(_rangeTable);
            hash.AddBytes(_bytes);
            return hash.ToHashCode();
        }
    }
}
