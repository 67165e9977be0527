using AiDb.Engine.Catalogues;
using AiDb.Engine.CompactionFilters;
using AiDb.Engine.Encoding;
using AiDb.Engine.Iteration;
using AiDb.Engine.Manifest;
using AiDb.Engine.RangeDeletes;

namespace AiDb.Engine.Compaction;

/// <summary>Merges tables into new ones of the output level.</summary>
internal static class CompactionJob
{
    private const int ReadaheadBytes = 256 << 10;
    private const int EntriesBetweenChecks = 1024;

    /// <summary>Runs a plan that is no trivial move.</summary>
    /// <returns>What the compaction filter decided; to be written once the outputs are in the tree.</returns>
    /// <exception cref="OperationCanceledException">The database is being closed.</exception>
    public static List<FilterDecision> Run(
        EngineContext context, CompactionPlan plan, ulong[] snapshots, Catalogue catalogue, ulong flushedTimestamp,
        OutputTables output)
    {
        using FilterPass? pass = context.CompactionFilter is { } custom ? new FilterPass(custom, plan.Tree.ValueFiles) : null;
        bool operandsAbove = MayHaveOperandsAbove(plan);
        var filter = new EntryFilter(
            snapshots, catalogue.Dropped, flushedTimestamp, operandsAbove ? catalogue.MergeOperators : null);
        CompactionRangeDeletes? rangeDeletes = CompactionRangeDeletes.Of(plan, snapshots);
        if (rangeDeletes is not null)
            output.SetRangeDeletes(rangeDeletes.ForCompaction(plan, catalogue.Dropped, flushedTimestamp));
        if (rangeDeletes is null && !plan.Inputs.Any(static input => input.Table.Reader.Properties.MergeOperands > 0))
        {
            using MergingIterator entries = Merge(plan);
            int untilCheck = EntriesBetweenChecks;
            for (entries.SeekToFirst(); entries.Valid; entries.Next())
            {
                CheckClosing(context, ref untilCheck);
                Add(context, plan, filter, pass, output, entries.Key, entries.Value);
            }
        }
        else
        {
            using var entries = new CompactionStream(
                Merge(rangeDeletes?.WithoutHidden(plan) ?? plan),
                new CompactionStreamOptions(
                    rangeDeletes, catalogue.MergeOperators, snapshots, flushedTimestamp,
                    prefix => plan.NothingBelow(prefix), operandsAbove, plan.Tree.ValueFiles));
            int untilCheck = EntriesBetweenChecks;
            for (entries.SeekToFirst(); entries.Valid; entries.Next())
            {
                CheckClosing(context, ref untilCheck);
                Add(context, plan, filter, pass, output, entries.Key, entries.Value);
            }
        }

        output.Finish();
        return pass?.Decisions ?? [];
    }

    private static void CheckClosing(EngineContext context, ref int untilCheck)
    {
        if (--untilCheck != 0)
            return;
        untilCheck = EntriesBetweenChecks;
        if (context.IsClosing)
            throw new OperationCanceledException();
    }

    /// <summary>Decides an entry and writes what it becomes.</summary>
    private static void Add(
        EngineContext context, CompactionPlan plan, EntryFilter filter, FilterPass? pass, OutputTables output,
        ReadOnlySpan<byte> key, ReadOnlySpan<byte> value)
    {
        EntryFate fate = filter.Decide(key, value, out bool canVanish);

        // All versions of a key stay in one table, so that a point read looks into one table per level.
        if (filter.IsNewKey && output.CurrentBytes >= context.Options.TableBytes)
            output.FinishTable();
        if (fate == EntryFate.Keep)
        {
            if (filter.IsNewKey)
                pass?.Look(key, value);
            output.Add(key, value);
        }
        else if (fate == EntryFate.KeepAsDeletion && !(canVanish && plan.NothingBelow(InternalKey.Prefix(key))))
        {
            output.Add(key, [(byte)EntryKind.Delete]);
        }
    }

    /// <summary>Whether tables that are no inputs may hold operands newer than the inputs' entries.</summary>
    private static bool MayHaveOperandsAbove(CompactionPlan plan)
    {
        for (int level = 0; level < plan.OutputLevel; level++)
        {
            foreach (LiveTable table in plan.Tree.Level(level))
            {
                if (table.Reader.Properties.MergeOperands > 0 && !plan.Inputs.Any(input => input.Table == table))
                    return true;
            }
        }

        return false;
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
