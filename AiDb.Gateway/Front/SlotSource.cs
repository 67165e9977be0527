using AiDb.Cluster.Model;
using Google.Protobuf;

namespace AiDb.Gateway.Front;

/// <summary>Finds the slot of a request by a map: anew for each attempt, since a range may have been split meanwhile.</summary>
internal interface ISlotFinder
{
    /// <summary>The slot by a map.</summary>
    /// <exception cref="AiDbException">There is none any more.</exception>
    int SlotIn(ClusterMap map);
}

/// <summary>What a request is routed by: a slot that does not depend on the map, as that of a hash, or one that does.</summary>
internal readonly struct SlotSource
{
    private readonly int _slot;
    private readonly ISlotFinder? _finder;

    private SlotSource(int slot, ISlotFinder? finder)
    {
        _slot = slot;
        _finder = finder;
    }

    /// <summary>Always the same slot.</summary>
    public static SlotSource Of(int slot) => new(slot, null);

    /// <summary>As the map says.</summary>
    public static SlotSource By(ISlotFinder finder) => new(0, finder);

    /// <summary>The slot of a key.</summary>
    /// <param name="table">Its table.</param>
    /// <param name="key">The key.</param>
    /// <param name="partition">The partition that the caller names; empty: none.</param>
    public static SlotSource Of(TableDescriptor table, ByteString key, ByteString partition) => table.Ranges is null
        ? Of(table.SlotOf(key.Span, partition.Span))
        : By(new RangeKey(table, key));

    /// <summary>The slot by a map.</summary>
    /// <exception cref="AiDbException"><see cref="AiDbErrorKind.NotFound"/>: the table was dropped.</exception>
    public int In(ClusterMap map) => _finder is null ? _slot : _finder.SlotIn(map);

    /// <summary>A table as a map has it.</summary>
    /// <exception cref="AiDbException"><see cref="AiDbErrorKind.NotFound"/>: it was dropped.</exception>
    public static TableDescriptor TableIn(ClusterMap map, TableDescriptor table) => map.FindTable(table.Id)
        ?? throw new AiDbException(AiDbErrorKind.NotFound, $"The table '{table.Name}' was dropped.");

    private sealed class RangeKey(TableDescriptor table, ByteString key) : ISlotFinder
    {
        public int SlotIn(ClusterMap map) => TableIn(map, table).SlotOf(key.Span);
    }
}

/// <summary>Where an attempt of a request goes.</summary>
/// <param name="Shard">The shard.</param>
/// <param name="Slot">The slot by which the shard was found; -1: it was named.</param>
internal readonly record struct ShardRoute(uint Shard, int Slot);
