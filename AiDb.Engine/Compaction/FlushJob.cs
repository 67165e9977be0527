using AiDb.Engine.Catalogues;
using AiDb.Engine.Encoding;
using AiDb.Engine.Iteration;
using AiDb.Engine.MemTables;
using AiDb.Engine.RangeDeletes;

namespace AiDb.Engine.Compaction;

/// <summary>Writes an immutable memtable to a table of level 0.</summary>
internal static class FlushJob
{
    /// <summary>Writes what of the memtable can still be seen; no table when that is nothing.</summary>
    public static void Run(MemTable memtable, ulong[] snapshots, Catalogue catalogue, OutputTables output)
    {
        // Replay begins after this memtable, so its last entry counts as flushed.
        var filter = new EntryFilter(snapshots, catalogue.Dropped, memtable.LastPosition.Timestamp);
        ReadOnlySpan<byte> deletion = [(byte)EntryKind.Delete];
        ulong flushedTimestamp = memtable.LastPosition.Timestamp;
        CompactionRangeDeletes? rangeDeletes = CompactionRangeDeletes.Of(memtable, snapshots);
        if (rangeDeletes is not null)
            output.SetRangeDeletes(rangeDeletes.ForFlush(catalogue.Dropped, flushedTimestamp));
        using IInternalIterator entries = rangeDeletes is null && !memtable.HasMerges
            ? memtable.CreateIterator()
            : new CompactionStream(memtable.CreateIterator(), new CompactionStreamOptions(
                rangeDeletes, catalogue.MergeOperators, snapshots, flushedTimestamp, NothingBelow: static _ => false,

                // What is newer is written after everything in here expired.
                MayHaveOperandsAbove: false));
        for (entries.SeekToFirst(); entries.Valid; entries.Next())
        {
            switch (filter.Decide(entries.Key, entries.Value, out _))
            {
                case EntryFate.Keep:
                    output.Add(entries.Key, entries.Value);
                    break;
                case EntryFate.KeepAsDeletion:
                    output.Add(entries.Key, deletion);
                    break;
            }
        }

        output.Finish();
    }
}
