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
    /// <returns>How many there were.</returns>
    public static async ValueTask<long> RunAsync(
        ShardHost host, ClusterMapWatcher map, MoveMarker marker, TimeProvider time, CancellationToken cancellationToken)
    {
        long deleted = 0;
        foreach (TableDescriptor table in map.Current.Tables)
        {
            Table keys = host.Database.GetTableById(table.Id);
            var batch = new WriteBatch();
            using ScanCursor cursor = keys.Scan();
            int looked = 0;
            while (cursor.MoveNext())
            {
                if ((++looked & 0xFFF) == 0)
                    cancellationToken.ThrowIfCancellationRequested();
                if (!marker.Slots.Contains(host.Moves.KeySlots.SlotOf(table, cursor.Key, null, out _)))
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
