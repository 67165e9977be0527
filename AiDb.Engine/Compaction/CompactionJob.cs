using AiDb.Engine.Catalogues;
using AiDb.Engine.Encoding;
using AiDb.Engine.Iteration;
using AiDb.Engine.Manifest;

namespace AiDb.Engine.Compaction;

/// <summary>Merges tables into new ones of the output level.</summary>
internal static class CompactionJob
{
    private const int ReadaheadBytes = 256 << 10;
    private const int EntriesBetweenChecks = 1024;

    /// <summary>Runs a plan that is no trivial move.</summary>
    /// <exception cref="OperationCanceledException">The database is being closed.</exception>
    public static void Run(
        EngineContext context, CompactionPlan plan, ulong[] snapshots, Catalogue catalogue, ulong flushedTimestamp,
        OutputTables output)
    {
        var filter = new EntryFilter(snapshots, catalogue.Dropped, flushedTimestamp);
        ReadOnlySpan<byte> deletion = [(byte)EntryKind.Delete];
        using MergingIterator entries = Merge(plan);
        int untilCheck = EntriesBetweenChecks;
        for (entries.SeekToFirst(); entries.Valid; entries.Next())
        {
            if (--untilCheck == 0)
            {
                untilCheck = EntriesBetweenChecks;
                if (context.IsClosing)
                    throw new OperationCanceledException();
            }

            EntryFate fate = filter.Decide(entries.Key, entries.Value, out bool canVanish);

            // All versions of a key stay in one table, so that a point read looks into one table per level.
            if (filter.IsNewKey && output.CurrentBytes >= context.Options.TableBytes)
                output.FinishTable();
            if (fate == EntryFate.Keep)
                output.Add(entries.Key, entries.Value);
            else if (fate == EntryFate.KeepAsDeletion
                && !(canVanish && plan.NothingBelow(InternalKey.Prefix(entries.Key))))
                output.Add(entries.Key, deletion);
        }

        output.FinishTable();
    }

    private static MergingIterator Merge(CompactionPlan plan)
    {
        List<InternalIterator> children = [];
        foreach (IGrouping<int, (int Level, LiveTable Table)> level in plan.Inputs.GroupBy(static input => input.Level))
        {
            LiveTable[] tables = [.. level.Select(static input => input.Table)];
            if (level.Key == 0)
            {
                foreach (LiveTable table in tables)
                    children.Add(new LevelIterator([table], fillCache: false, ReadaheadBytes));
            }
            else
            {
                children.Add(new LevelIterator(tables, fillCache: false, ReadaheadBytes));
            }
        }

        return new MergingIterator([.. children]);
    }
}
