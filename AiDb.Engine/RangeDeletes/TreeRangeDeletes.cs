using AiDb.Engine.Manifest;

namespace AiDb.Engine.RangeDeletes;

/// <summary>The range tombstones of a tree's tables.</summary>
/// <remarks>Immutable. Those of a table lie within its key range, so the ones of a level from 1 on make one ordered
/// list.</remarks>
internal sealed class TreeRangeDeletes
{
    private readonly LiveTable[][] _levels;
    private readonly RangeTombstones?[] _deeper;
    private readonly RangeTombstones[] _newestFirst;

    private TreeRangeDeletes(LiveTable[][] levels, RangeTombstones?[] deeper, RangeTombstones[] newestFirst)
    {
        _levels = levels;
        _deeper = deeper;
        _newestFirst = newestFirst;
    }

    /// <summary>Those of the tables of all levels; null when there are none.</summary>
    /// <param name="levels">The tables.</param>
    /// <param name="previous">Those of another tree, whose unchanged levels need not be looked through
    /// again.</param>
    public static TreeRangeDeletes? Of(LiveTable[][] levels, TreeRangeDeletes? previous)
    {
        List<RangeTombstones>? newestFirst = null;
        foreach (LiveTable table in levels[0])
        {
            if (table.Reader.RangeDeletes is { } tombstones)
                (newestFirst ??= []).Add(tombstones);
        }

        RangeTombstones?[]? deeper = null;
        for (int level = 1; level < levels.Length; level++)
        {
            RangeTombstones? tombstones = previous is not null && previous._levels[level] == levels[level]
                ? previous._deeper[level]
                : OfLevel(levels[level]);
            if (tombstones is null)
                continue;
            (deeper ??= new RangeTombstones?[levels.Length])[level] = tombstones;
            (newestFirst ??= []).Add(tombstones);
        }

        return newestFirst is null
            ? null
            : new TreeRangeDeletes(levels, deeper ?? new RangeTombstones?[levels.Length], [.. newestFirst]);
    }

    /// <summary>The newest version, not above <paramref name="maxVersion"/>, of the tombstones that cover a prefix;
    /// 0 when none does.</summary>
    public ulong Covering(ReadOnlySpan<byte> prefix, ulong maxVersion)
    {
        // What lies above is newer for every key.
        foreach (RangeTombstones tombstones in _newestFirst)
        {
            ulong version = tombstones.Covering(prefix, maxVersion);
            if (version != 0)
                return version;
        }

        return 0;
    }

    private static RangeTombstones? OfLevel(LiveTable[] tables)
    {
        List<RangeTombstone>? tombstones = null;
        foreach (LiveTable table in tables)
            table.Reader.RangeDeletes?.CopyTo(tombstones ??= []);
        return tombstones is null ? null : RangeTombstoneFragmenter.TryFragment(tombstones, int.MaxValue);
    }
}
