using AiDb.Engine.Catalogues;
using AiDb.Engine.Encoding;
using AiDb.Engine.Iteration;
using AiDb.Engine.Manifest;

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
    private readonly IReadOnlyDictionary<uint, ulong> _dropped;
    private readonly ulong _flushedTimestamp;

    /// <summary>Prepares a plan that merges.</summary>
    /// <param name="context">The database.</param>
    /// <param name="plan">The plan.</param>
    /// <param name="snapshots">Versions of the snapshots, ascending, taken after the plan was made.</param>
    /// <param name="catalogue">Tells which tables are dropped.</param>
    /// <param name="flushedTimestamp">Timestamp of the last entry that replay does not need.</param>
    public CompactionJob(
        EngineContext context, CompactionPlan plan, ulong[] snapshots, Catalogue catalogue, ulong flushedTimestamp)
    {
        _context = context;
        _plan = plan;
        _snapshots = snapshots;
        _dropped = catalogue.Dropped;
        _flushedTimestamp = flushedTimestamp;
    }

    /// <summary>Merges the keys of a range.</summary>
    /// <param name="range">The range.</param>
    /// <param name="output">Where they go.</param>
    /// <exception cref="OperationCanceledException">The database is being closed.</exception>
    public void Run(CompactionRange range, OutputTables output)
    {
        var filter = new EntryFilter(_snapshots, _dropped, _flushedTimestamp);
        ReadOnlySpan<byte> deletion = [(byte)EntryKind.Delete];
        using MergingIterator entries = Merge();
        long untilCheck = BytesBetweenChecks;
        for (range.SeekToStart(entries); entries.Valid && !range.IsBeyond(entries.Key); entries.Next())
        {
            untilCheck -= entries.Key.Length + entries.Value.Length;
            if (untilCheck < 0)
            {
                untilCheck = BytesBetweenChecks;
                CheckRate(output);
            }

            EntryFate fate = filter.Decide(entries.Key, entries.Value, out bool canVanish);

            // All versions of a key stay in one table, so that a point read looks into one table per level.
            if (filter.IsNewKey && output.CurrentBytes >= _context.Options.TableBytes)
                output.FinishTable();
            if (fate == EntryFate.Keep)
                output.Add(entries.Key, entries.Value);
            else if (fate == EntryFate.KeepAsDeletion
                && !(canVanish && _plan.NothingBelow(InternalKey.Prefix(entries.Key))))
                output.Add(entries.Key, deletion);
        }

        output.FinishTable();
    }

    private void CheckRate(OutputTables output)
    {
        _context.BackgroundRate.TakeForCompaction(output.TakeNewBytes(), _context);
        if (_context.IsClosing)
            throw new OperationCanceledException();
    }

    private MergingIterator Merge()
    {
        List<InternalIterator> children = [];
        foreach (IGrouping<int, (int Level, LiveTable Table)> level in _plan.Inputs.GroupBy(static input => input.Level))
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
