using AiDb.Engine.Catalogues;
using AiDb.Engine.CompactionFilters;
using AiDb.Engine.Encoding;
using AiDb.Engine.Iteration;
using AiDb.Engine.Manifest;
using AiDb.Engine.RangeDeletes;

namespace AiDb.Engine.Compaction;

/// <summary>Merges the tables of a plan, or their keys within a range, into new ones of the output
/// level.</summary>
internal sealed class CompactionJob
{
    private const int ReadaheadBytes = 256 << 10;
    private const int BytesBetweenChecks = 128 << 10;

    private readonly EngineContext _context;
    private readonly CompactionPlan _plan;
    private readonly ulong[] _snapshots;
    private readonly Catalogue _catalogue;
    private readonly ulong _flushedTimestamp;

    /// <summary>Prepares a plan that merges.</summary>
    /// <param name="context">The database.</param>
    /// <param name="plan">The plan.</param>
    /// <param name="snapshots">Versions of the snapshots, ascending, taken after the plan was made.</param>
    /// <param name="catalogue">Tells which tables are dropped and what merges operands.</param>
    /// <param name="flushedTimestamp">Timestamp of the last entry that replay does not need.</param>
    public CompactionJob(
        EngineContext context, CompactionPlan plan, ulong[] snapshots, Catalogue catalogue, ulong flushedTimestamp)
    {
        _context = context;
        _plan = plan;
        _snapshots = snapshots;
        _catalogue = catalogue;
        _flushedTimestamp = flushedTimestamp;
    }

    /// <summary>Merges the keys of a range.</summary>
    /// <param name="range">The range; all keys where the plan has range deletions or operands.</param>
    /// <param name="output">Where they go.</param>
    /// <returns>What the compaction filter decided; to be written once the outputs are in the tree.</returns>
    /// <exception cref="OperationCanceledException">The database is being closed.</exception>
    public List<FilterDecision> Run(CompactionRange range, OutputTables output)
    {
        using FilterPass? pass = _context.CompactionFilter is { } custom
            ? new FilterPass(custom, _plan.Tree.ValueFiles)
            : null;
        bool operandsAbove = MayHaveOperandsAbove();
        var filter = new EntryFilter(
            _snapshots, _catalogue.Dropped, _flushedTimestamp, operandsAbove ? _catalogue.MergeOperators : null);
        CompactionRangeDeletes? rangeDeletes = CompactionRangeDeletes.Of(_plan, _snapshots);
        if (rangeDeletes is not null)
            output.SetRangeDeletes(rangeDeletes.ForCompaction(_plan, _catalogue.Dropped, _flushedTimestamp));
        if (rangeDeletes is null && !_plan.HasOperands)
        {
            long untilCheck = BytesBetweenChecks;
            using MergingIterator entries = Merge(_plan.Inputs);
            for (range.SeekToStart(entries); entries.Valid && !range.IsBeyond(entries.Key); entries.Next())
            {
                ReadOnlySpan<byte> key = entries.Key;
                ReadOnlySpan<byte> value = entries.Value;
                CheckRate(key.Length + value.Length, ref untilCheck, output);
                Add(filter, pass, output, key, value);
            }
        }
        else
        {
            RunWithOperands(filter, pass, rangeDeletes, operandsAbove, output);
        }

        output.Finish();
        return pass?.Decisions ?? [];
    }

    private void RunWithOperands(
        EntryFilter filter, FilterPass? pass, CompactionRangeDeletes? rangeDeletes, bool operandsAbove,
        OutputTables output)
    {
        long untilCheck = BytesBetweenChecks;
        using var entries = new CompactionStream(
            Merge(rangeDeletes?.WithoutHidden(_plan) ?? _plan.Inputs),
            new CompactionStreamOptions(
                rangeDeletes, _catalogue.MergeOperators, _snapshots, _flushedTimestamp,
                prefix => _plan.NothingBelow(prefix), operandsAbove, _plan.Tree.ValueFiles));
        for (entries.SeekToFirst(); entries.Valid; entries.Next())
        {
            CheckRate(entries.Key.Length + entries.Value.Length, ref untilCheck, output);
            Add(filter, pass, output, entries.Key, entries.Value);
        }
    }

    /// <summary>Decides an entry and writes what it becomes.</summary>
    private void Add(
        EntryFilter filter, FilterPass? pass, OutputTables output, ReadOnlySpan<byte> key, ReadOnlySpan<byte> value)
    {
        EntryFate fate = filter.Decide(key, value, out bool canVanish);

        // All versions of a key stay in one table, so that a point read looks into one table per level.
        if (filter.IsNewKey && output.CurrentBytes >= _context.Options.TableBytes)
            output.FinishTable();
        if (fate == EntryFate.Keep)
        {
            if (filter.IsNewKey)
                pass?.Look(key, value);
            output.Add(key, value);
        }
        else if (fate == EntryFate.KeepAsDeletion && !(canVanish && _plan.NothingBelow(InternalKey.Prefix(key))))
        {
            output.Add(key, [(byte)EntryKind.Delete]);
        }
    }

    private void CheckRate(int bytes, ref long untilCheck, OutputTables output)
    {
        untilCheck -= bytes;
        if (untilCheck >= 0)
            return;
        untilCheck = BytesBetweenChecks;
        _context.BackgroundRate.TakeForCompaction(output.TakeNewBytes(), _context);
        if (_context.IsClosing)
            throw new OperationCanceledException();
    }

    /// <summary>Whether tables that are no inputs may hold operands newer than the inputs' entries.</summary>
    private bool MayHaveOperandsAbove()
    {
        for (int level = 0; level < _plan.OutputLevel; level++)
        {
            foreach (LiveTable table in _plan.Tree.Level(level))
            {
                if (table.Reader.Properties.MergeOperands > 0 && !_plan.Inputs.Any(input => input.Table == table))
                    return true;
            }
        }

        return false;
    }

    private static MergingIterator Merge(IReadOnlyList<(int Level, LiveTable Table)> inputs)
    {
        List<InternalIterator> children = [];
        foreach (IGrouping<int, (int Level, LiveTable Table)> level in inputs.GroupBy(static input => input.Level))
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
