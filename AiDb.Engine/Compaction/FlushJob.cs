using AiDb.Engine.Catalogues;
using AiDb.Engine.Encoding;
using AiDb.Engine.Manifest;
using AiDb.Engine.MemTables;

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
        OrderedWalk entries = memtable.Walk();
        while (entries.MoveNext())
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

        output.FinishTable();
        foreach (LiveTable table in output.Finished)
            table.Reader.PinPartitions();
    }
}
