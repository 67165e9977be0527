using System.Collections.Frozen;
using AiDb.Cluster.Migration;
using AiDb.Cluster.Model;
using AiDb.Contracts;

namespace AiDb.Primary.Shards;

/// <summary>Which slots a shard owns by one version of the map, and which keys of range tables are in them. Immutable, but for
/// the count of writes.</summary>
/// <remarks>The slots and the ranges belong together: a range table's keys change their slots when a range is split. Both
/// slots of a split are one shard's, so that all versions of the ranges agree about whose a key is as long as the slots stay
/// where they are - but a sender's ranges may be older than a move of the slots.</remarks>
public sealed class SlotOwnership
{
    private readonly ulong[] _bits;

    /// <summary>Writes under way that were checked by it.</summary>
    internal int Writers;

    private SlotOwnership(ulong mapVersion, ulong slotsVersion, ulong[] bits)
    {
        MapVersion = mapVersion;
        SlotsVersion = slotsVersion;
        _bits = bits;
    }

    /// <summary>The version of the map; 0 where there is none (stand-alone).</summary>
    public ulong MapVersion { get; }

    /// <summary>The version of the map at which slots last changed their shard; 0: not known.</summary>
    public ulong SlotsVersion { get; }

    /// <summary>The ranges of the tables that are partitioned by them.</summary>
    public FrozenDictionary<uint, TableRanges> Ranges { get; private init; } = FrozenDictionary<uint, TableRanges>.Empty;

    /// <summary>The epoch of the shard by the map; a map that is older than the election of the primary that goes by it shows
    /// an earlier one.</summary>
    public ulong ShardEpoch { get; private init; } = ulong.MaxValue;

    /// <summary>The number of the last migration that the map knows; what a later one froze it cannot tell.</summary>
    public ulong LastMigration { get; private init; } = ulong.MaxValue;

    /// <summary>Whether some slots are the shard's, but frozen: it answers for them to nobody.</summary>
    public bool HasFrozen { get; private init; }

    /// <summary>Every slot, as in a stand-alone process.</summary>
    public static SlotOwnership All { get; } = Of(0, static _ => true);

    /// <summary>No slot, as before the first map.</summary>
    public static SlotOwnership None { get; } = Of(0, static _ => false);

    /// <summary>The slots for which <paramref name="owns"/> is true.</summary>
    public static SlotOwnership Of(
        ulong mapVersion, Func<int, bool> owns, ulong slotsVersion = 0, FrozenDictionary<uint, TableRanges>? ranges = null,
        ulong shardEpoch = ulong.MaxValue, ulong lastMigration = ulong.MaxValue)
    {
        ulong[] bits = new ulong[SlotHash.SlotCount / 64];
        for (int slot = 0; slot < SlotHash.SlotCount; slot++)
        {
            if (owns(slot))
                bits[slot / 64] |= 1UL << (slot % 64);
        }

        return new SlotOwnership(mapVersion, slotsVersion, bits)
        {
            Ranges = ranges ?? FrozenDictionary<uint, TableRanges>.Empty,
            ShardEpoch = shardEpoch,
            LastMigration = lastMigration,
        };
    }

    /// <summary>This without frozen slots.</summary>
    internal SlotOwnership Without(IEnumerable<SlotSet> frozen)
    {
        ulong[] bits = [.. _bits];
        bool hasFrozen = false;
        foreach (SlotSet slots in frozen)
        {
            foreach (int slot in slots.All())
            {
                hasFrozen |= Owns((uint)slot);
                bits[slot / 64] &= ~(1UL << (slot % 64));
            }
        }

        return new SlotOwnership(MapVersion, SlotsVersion, bits) { Ranges = Ranges, HasFrozen = hasFrozen };
    }

    /// <summary>The slot that decides whose a key is: of a range table by this map, whatever the sender made of it.</summary>
    /// <param name="tableId">The key's table.</param>
    /// <param name="key">The key.</param>
    /// <param name="named">The slot that the sender found.</param>
    public uint SlotOf(uint tableId, ReadOnlySpan<byte> key, uint named) =>
        Ranges.Count > 0 && Ranges.TryGetValue(tableId, out TableRanges? ranges) ? (uint)ranges.SlotOf(key) : named;

    /// <summary>This with no slot that it answers for.</summary>
    internal SlotOwnership WithNone() => new(MapVersion, SlotsVersion, new ulong[_bits.Length]) { Ranges = Ranges, HasFrozen = true };

    /// <summary>Whether the shard owns a slot; false for what is no slot.</summary>
    public bool Owns(uint slot) => slot < SlotHash.SlotCount && (_bits[slot / 64] & (1UL << (int)(slot % 64))) != 0;
}
