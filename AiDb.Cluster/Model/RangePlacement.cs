using System.Buffers.Binary;
using AiDb.Contracts;

namespace AiDb.Cluster.Model;

/// <summary>Chooses the slots of ranges: on a given shard one that carries as few ranges as any other there, so that ranges can
/// move each by itself. The same map and table always give the same slots.</summary>
internal sealed class RangePlacement
{
    private readonly ClusterMap _map;
    private readonly int[] _ranges = new int[SlotHash.SlotCount];

    /// <summary>Counts the ranges of all tables.</summary>
    public RangePlacement(ClusterMap map)
    {
        _map = map;
        foreach (TableRanges ranges in map.RangeTables.Values)
        {
            for (int i = 0; i < ranges.Count; i++)
                _ranges[ranges.SlotAt(i)]++;
        }
    }

    /// <summary>Slots for the ranges of a new table, in turn on every shard that takes slots.</summary>
    /// <exception cref="AiDbException"><see cref="AiDbErrorKind.Unavailable"/>: the slots are not dealt out yet.</exception>
    public int[] Deal(uint tableId, int count)
    {
        if (!_map.Slots.IsComplete)
        {
            throw new AiDbException(
                AiDbErrorKind.Unavailable,
                "The slots are not dealt out yet, and ranges are laid on them: the cluster waits for its primaries.");
        }

        uint[] shards = [.. _map.Shards.Select(shard => shard.Id).Where(id => _map.Slots.Count(id) > 0)];
        uint[] staying = [.. shards.Where(id => !_map.Draining.Contains(id))];
        if (staying.Length > 0)
            shards = staying;
        int[] slots = new int[count];
        for (int i = 0; i < count; i++)
        {
            // Tables of one range begin on different shards.
            slots[i] = ChooseOn(shards[(tableId + (uint)i) % (uint)shards.Length], tableId, i, static _ => true)!.Value;
            _ranges[slots[i]]++;
        }

        return slots;
    }

    /// <summary>A slot of a shard for one more range; null: there is none that may be used.</summary>
    /// <param name="shard">The shard.</param>
    /// <param name="tableId">The table.</param>
    /// <param name="ordinal">Tells ranges of the table apart.</param>
    /// <param name="mayUse">Whether a slot may be used.</param>
    public int? ChooseOn(uint shard, uint tableId, int ordinal, Func<int, bool> mayUse)
    {
        Span<byte> seed = stackalloc byte[8];
        BinaryPrimitives.WriteUInt32LittleEndian(seed, tableId);
        BinaryPrimitives.WriteInt32LittleEndian(seed[4..], ordinal);
        int first = SlotHash.Of(seed);
        int? best = null;
        for (int i = 0; i < SlotHash.SlotCount; i++)
        {
            int slot = (first + i) % SlotHash.SlotCount;
            if (_map.Slots[slot] != shard || (best is { } known && _ranges[slot] >= _ranges[known]) || !mayUse(slot))
                continue;
            best = slot;
            if (_ranges[slot] == 0)
                break;
        }

        return best;
    }
}
