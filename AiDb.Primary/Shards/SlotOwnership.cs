using AiDb.Cluster.Migration;
using AiDb.Contracts;

namespace AiDb.Primary.Shards;

/// <summary>Which slots a shard owns, by one version of the slot map. Immutable, but for the count of writes.</summary>
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

    /// <summary>Whether some slots are the shard's, but frozen: it answers for them to nobody.</summary>
    public bool HasFrozen { get; private init; }

    /// <summary>Every slot, as in a stand-alone process.</summary>
    public static SlotOwnership All { get; } = Of(0, static _ => true);

    /// <summary>No slot, as before the first map.</summary>
    public static SlotOwnership None { get; } = Of(0, static _ => false);

    /// <summary>The slots for which <paramref name="owns"/> is true.</summary>
    public static SlotOwnership Of(ulong mapVersion, Func<int, bool> owns, ulong slotsVersion = 0)
    {
        ulong[] bits = new ulong[SlotHash.SlotCount / 64];
        for (int slot = 0; slot < SlotHash.SlotCount; slot++)
        {
            if (owns(slot))
                bits[slot / 64] |= 1UL << (slot % 64);
        }

        return new SlotOwnership(mapVersion, slotsVersion, bits);
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

        return new SlotOwnership(MapVersion, SlotsVersion, bits) { HasFrozen = hasFrozen };
    }

    /// <summary>Whether the shard owns a slot; false for what is no slot.</summary>
    public bool Owns(uint slot) => slot < SlotHash.SlotCount && (_bits[slot / 64] & (1UL << (int)(slot % 64))) != 0;
}
