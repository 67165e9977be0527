using AiDb.Cluster.Migration;
using AiDb.Cluster.Model;
using AiDb.Engine;
using AiDb.Primary.Shards;

namespace AiDb.Primary.Migration;

/// <summary>Deletes the keys of slots that are not a shard's: what it gave away, or what an aborted migration left.</summary>
/// <remarks>A range may have been split since the keys came here, so that they are of another slot than the marker names now.
/// Hence of tables of ranges whatever is not the shard's goes, but for what another marker speaks of. The slot of a hashed key
/// never changes, but a key may be written again under another name of its partition while the scan goes on: it is deleted
/// only as the scan saw it.</remarks>
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
            List<(byte[] Key, ulong Version)> found = [];
            using ScanCursor cursor = keys.Scan();
            int looked = 0;
            while (cursor.MoveNext())
            {
                if ((++looked & 0xFFF) == 0)
                    cancellationToken.ThrowIfCancellationRequested();
                int slot = host.Moves.KeySlots.SlotOf(table, cursor.Key, null, out _);
                if (!(table.Ranges is null ? foreign.Contains(slot) : IsForeign(slot)))
                    continue;
                found.Add((cursor.Key.ToArray(), cursor.Version));
                if (found.Count < BatchKeys)
                    continue;
                deleted += await DeleteAsync(host, table.Id, keys, found, cancellationToken).ConfigureAwait(false);
                found.Clear();
                await Task.Delay(Pause, time, cancellationToken).ConfigureAwait(false);
            }

            deleted += await DeleteAsync(host, table.Id, keys, found, cancellationToken).ConfigureAwait(false);
        }

        return deleted;
    }

    // All at once, or, where one was written again meanwhile, one by one.
    private static async ValueTask<long> DeleteAsync(
        ShardHost host, uint tableId, Table keys, List<(byte[] Key, ulong Version)> found, CancellationToken cancellationToken)
    {
        if (found.Count == 0)
            return 0;
        if (await TryDeleteAsync(host, tableId, keys, found, cancellationToken).ConfigureAwait(false))
            return found.Count;
        long deleted = 0;
        foreach ((byte[] Key, ulong Version) one in found)
            deleted += await TryDeleteAsync(host, tableId, keys, [one], cancellationToken).ConfigureAwait(false) ? 1 : 0;
        return deleted;
    }

    private static async ValueTask<bool> TryDeleteAsync(
        ShardHost host, uint tableId, Table keys, IReadOnlyList<(byte[] Key, ulong Version)> found, CancellationToken cancellationToken)
    {
        var batch = new WriteBatch();
        foreach ((byte[] key, ulong version) in found)
        {
            batch.Delete(keys, key, WriteCondition.VersionIs(version));
            host.Moves.Partitions.Delete(batch, tableId, key);
        }

        return (await host.Database.TryWriteAsync(batch, WriteDurability.Memory, cancellationToken).ConfigureAwait(false)).Applied;
    }
}
