using AiDb.Engine.Catalogues;
using AiDb.Engine.Encoding;
using AiDb.Engine.Manifest;
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
        ulong flushedTimestamp = memtable.LastPosition.Timestamp;
        var filter = new EntryFilter(snapshots, catalogue.Dropped, flushedTimestamp);
        CompactionRangeDeletes? rangeDeletes = CompactionRangeDeletes.Of(memtable, snapshots);
        if (rangeDeletes is not null)
            output.SetRangeDeletes(rangeDeletes.ForFlush(catalogue.Dropped, flushedTimestamp));
        if (rangeDeletes is null && !memtable.HasMerges)
        {
            OrderedWalk entries = memtable.Walk();
            while (entries.MoveNext())
                Add(filter, output, entries.Key, entries.Value);
        }
        else
        {
            // What is newer than the memtable is written after everything in it that has expired by then.
            using var entries = new CompactionStream(memtable.CreateIterator(), new CompactionStreamOptions(
                rangeDeletes, catalogue.MergeOperators, snapshots, flushedTimestamp, NothingBelow: static _ => false,
                MayHaveOperandsAbove: false, ValueFiles: null));
            for (entries.SeekToFirst(); entries.Valid; entries.Next())
                Add(filter, output, entries.Key, entries.Value);
        }

        output.Finish();
        foreach (LiveTable table in output.Finished)
            table.Reader.PinPartitions();
    }

    private static void Add(EntryFilter filter, OutputTables output, ReadOnlySpan<byte> key, ReadOnlySpan<byte> value)
    {
        switch (filter.Decide(key, value, out _))
        {
            case EntryFate.Keep:
                output.Add(key, value);
                break;
            case EntryFate.KeepAsDeletion:
                output.Add(key, [(byte)EntryKind.Delete]);
                break;
        }
    }
}
