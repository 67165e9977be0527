using AiDb.Cluster.Model;
using AiDb.Engine;

namespace AiDb.Primary.Migration;

/// <summary>The slot of a key that is in a shard's database: the one that its writer named, or what the table's rule
/// says.</summary>
internal sealed class KeySlots(NamedPartitions named)
{
    /// <summary>The slot of a key.</summary>
    /// <param name="table">Its table.</param>
    /// <param name="key">The key.</param>
    /// <param name="snapshot">As of when; null: now.</param>
    /// <param name="isNamed">Whether the writer named it.</param>
    public int SlotOf(TableDescriptor table, ReadOnlySpan<byte> key, Snapshot? snapshot, out bool isNamed)
    {
        // Ranges know no named partitions.
        int? slot = named.HasAny && table.Ranges is null ? named.Find(table.Id, key, snapshot) : null;
        isNamed = slot is not null;
        return slot ?? table.SlotOf(key);
    }
}

/// <summary>Which keys of a table a scan shows: those of the slots that the shard owned when it began. Only needed while
/// the database may hold others.</summary>
internal sealed class SlotFilter(KeySlots slots, TableDescriptor table, Shards.SlotOwnership owned)
{
    private readonly Shards.SlotOwnership _owned = owned;

    /// <summary>Whether two filters show the same keys of one snapshot. Where none was needed the snapshot holds no keys
    /// but those that the other shows.</summary>
    public static bool Equal(SlotFilter? one, SlotFilter? other) =>
        one is null || other is null || one._owned.SlotsVersion == other._owned.SlotsVersion;

    /// <summary>Whether a key is shown.</summary>
    public bool Shows(ReadOnlySpan<byte> key, Snapshot snapshot) => _owned.Owns(
        table.Ranges is null ? (uint)slots.SlotOf(table, key, snapshot, out _) : _owned.SlotOf(table.Id, key, 0));
}
