using AiDb.Engine.Encoding;
using AiDb.Engine.Log;
using AiDb.Engine.MemTables;

namespace AiDb.Engine.RangeDeletes;

/// <summary>The range deletions of one batch. All of a batch has one version, and a range tombstone deletes what is
/// below its own; so what the batch itself wrote before it must be turned into deletions of single keys.</summary>
internal sealed class BatchRangeDeletes
{
    /// <summary>Fragments whose "versions" are the deletions' places in the batch, counted from 1.</summary>
    private readonly RangeTombstones _places;

    private BatchRangeDeletes(RangeTombstones places) => _places = places;

    /// <summary>Takes in a batch's range deletions when the first is reached, and deletes the keys that were written
    /// before it.</summary>
    /// <param name="payload">The batch.</param>
    /// <param name="first">The place of its first range deletion, from 0.</param>
    /// <param name="memtable">Where the operations before it were applied.</param>
    /// <param name="version">The batch's version.</param>
    public static BatchRangeDeletes Begin(ReadOnlySpan<byte> payload, int first, MemTable memtable, ulong version)
    {
        List<RangeTombstone> tombstones = [];
        var operations = new LogOperationReader(payload);
        for (ulong place = 1; operations.MoveNext(); place++)
        {
            if (operations.Kind == LogOperationKind.DeleteRange)
                tombstones.Add(RangeTombstone.Of(operations.TableId, operations.Key, operations.EndKey, place));
        }

        // Only the last deletion of a range matters: as though a snapshot stood below all.
        var deletes = new BatchRangeDeletes(RangeTombstoneFragmenter.Fragment(tombstones, []));
        operations = new LogOperationReader(payload);
        for (int index = 0; index < first && operations.MoveNext(); index++)
        {
            if (operations.Kind != LogOperationKind.Require
                && deletes.DeletesLater(operations.TableId, operations.Key, index))
            {
                memtable.Add(operations.TableId, operations.Key, version, EntryKind.Delete, 0, default);
            }
        }

        return deletes;
    }

    /// <summary>Whether a range deletion after a place, from 0, of the batch covers a key.</summary>
    public bool DeletesLater(uint tableId, ReadOnlySpan<byte> key, int place)
    {
        byte[] prefix = new byte[InternalKey.PrefixLength(key.Length)];
        InternalKey.WritePrefix(prefix, tableId, key);
        return _places.Covering(prefix, ulong.MaxValue) > (ulong)place + 1;
    }
}
