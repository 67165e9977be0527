using AiDb.Cluster.Migration;
using AiDb.Cluster.Model;
using AiDb.Engine;
using AiDb.Primary.Shards;

namespace AiDb.Primary.Migration;

/// <summary>Deletes the keys of slots that are not a shard's: what it gave away, or what an aborted migration left.</summary>
internal static class SlotSweep
{
    private const int BatchKeys = 512;

    /// <summary>Between batches: the shard serves meanwhile.</summary>
    private static readonly TimeSpan Pause = TimeSpan.FromMilliseconds(2);

    /// <summary>Deletes them.</summary>
    /// <param name="host">The shard.</param>
    /// <param name="tables">The tables of the cluster.</param>
    /// <param name="marker">The migration that left them.</param>
    /// <param name="slots">Who owns which slot: those of the shard itself stay, whatever the marker says.</param>
    /// <param name="time">The clock of its pauses.</param>
    /// <param name="cancellationToken">Stops it between two keys.</param>
    /// <returns>How many there were.</returns>
    public static async ValueTask<long> RunAsync(
        ShardHost host, IEnumerable<TableDescriptor> tables, MoveMarker marker, SlotMap slots, TimeProvider time,
        CancellationToken cancellationToken)
    {
        SlotSet foreign = SlotSet.Of(marker.Slots.All().Where(slot => slots[slot] != host.Shard));
        long deleted = 0;
        foreach (TableDescriptor table in tables)
        {
            Table keys = host.Database.GetTableById(table.Id);
            var batch = new WriteBatch();
            using ScanCursor cursor = keys.Scan();
            int looked = 0;
            while (cursor.MoveNext())
            {
                if ((++looked & 0xFFF) == 0)
                    cancellationToken.ThrowIfCancellationRequested();
                if (!foreign.Contains(host.Moves.KeySlots.SlotOf(table, cursor.Key, null, out _)))
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
