using AiDb.Cluster.Migration;
using AiDb.Cluster.Model;
using AiDb.Engine;
using AiDb.Primary.Shards;

namespace AiDb.Primary.Migration;

/// <summary>Deletes the keys of slots that are not a shard's: what it gave away, or what an aborted migration left.</summary>
/// <remarks>A range may have been split since the keys came here, so that they are of another slot than the marker names now.
/// Hence whatever is not the shard's goes, but for what another marker speaks of.</remarks>
internal static class SlotSweep
{
    private const int BatchKeys = 512;

    /// <summary>Between batches: the shard serves meanwhile.</summary>
    private static readonly TimeSpan Pause = TimeSpan.FromMilliseconds(2);

    /// <summary>Deletes them.</summary>
    /// <param name="host">The shard.</param>
    /// <param name="map">The cluster: its tables, and whose the other slots are.</param>
    /// <param name="marker">The migration that left them.</param>
    /// <param name="slots">Who owns which slot: those of the shard itself stay, whatever the marker says.</param>
    /// <param name="time">The clock of its pauses.</param>
    /// <param name="cancellationToken">Stops it between two keys.</param>
    /// <returns>How many there were.</returns>
    public static async ValueTask<long> RunAsync(
        ShardHost host, ClusterMap map, MoveMarker marker, SlotMap slots, TimeProvider time,
        CancellationToken cancellationToken)
    {
        SlotSet foreign = SlotSet.Of(marker.Slots.All().Where(slot => slots[slot] != host.Shard));
        MoveMarker[] others = [.. host.Moves.Markers.All().Where(other => other.Migration != marker.Migration)];
        bool IsForeign(int slot) => marker.Slots.Contains(slot)
            ? foreign.Contains(slot)
            : map.Slots[slot] != host.Shard && !Array.Exists(others, other => other.Slots.Contains(slot));
        long deleted = 0;
        foreach (TableDescriptor table in map.Tables)
        {
            Table keys = host.Database.GetTableById(table.Id);
            var batch = new WriteBatch();
            using ScanCursor cursor = keys.Scan();
            int looked = 0;
            while (cursor.MoveNext())
            {
                if ((++looked & 0xFFF) == 0)
                    cancellationToken.ThrowIfCancellationRequested();
                if (!IsForeign(host.Moves.KeySlots.SlotOf(table, cursor.Key, null, out _)))
                    continue;
                batch.Delete(keys, cursor.Key);
                host.Moves.Partitions.Delete(batch, table.Id, cursor.Key);
                deleted++;
                if (batch.Count < BatchKeys)
                    continue;
                await host.Database.TryWriteAsync(batch, WriteDurability.Memory, cancellationToken).ConfigureAwait(false);
                batch = new WriteBatch();
                await Task.Delay(Pause, time, cancellationToken).ConfigureAwait(false);
            }

            if (batch.Count > 0)
                await host.Database.TryWriteAsync(batch, WriteDurability.Memory, cancellationToken).ConfigureAwait(false);
        }

        return deleted;
    }
}
