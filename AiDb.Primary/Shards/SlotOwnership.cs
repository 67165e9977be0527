using AiDb.Contracts;

namespace AiDb.Primary.Shards;

/// <summary>Which slots a shard owns, by one version of the slot map. Immutable.</summary>
public sealed class SlotOwnership
{
    private readonly ulong[] _bits;

    private SlotOwnership(ulong mapVersion, ulong[] bits)
    {
        MapVersion = mapVersion;
        _bits = bits;
    }

    /// <summary>The version of the map; 0 where there is none (stand-alone).</summary>
    public ulong MapVersion { get; }

    /// <summary>Every slot, as in a stand-alone process.</summary>
    public static SlotOwnership All { get; } = Of(0, static _ => true);

    /// <summary>No slot, as before the first map.</summary>
    public static SlotOwnership None { get; } = Of(0, static _ => false);

    /// <summary>The slots for which <paramref name="owns"/> is true.</summary>
    public static SlotOwnership Of(ulong mapVersion, Func<int, bool> owns)
    {
        ulong[] bits = new ulong[SlotHash.SlotCount / 64];
        for (int slot = 0; slot < SlotHash.SlotCount; slot++)
        {
            if (owns(slot))
                bits[slot / 64] |= 1UL << (slot % 64);
        }

        return new SlotOwnership(mapVersion, bits);
    }

    /// <summary>Whether the shard owns a slot; false for what is no slot.</summary>
    public bool Owns(uint slot) => slot < SlotHash.SlotCount && (_bits[slot / 64] & (1UL << (int)(slot % 64))) != 0;
}
