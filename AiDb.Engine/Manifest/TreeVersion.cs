using AiDb.Engine.Encoding;
using AiDb.Engine.RangeDeletes;
using AiDb.Engine.ValueFiles;

namespace AiDb.Engine.Manifest;

/// <summary>The tables of every level at one moment.</summary>
/// <remarks>
/// Immutable; holds a reference to each of its tables. Invariants: level 0 is ordered by sequence, newest
/// first; in the deeper levels tables are ordered by key and no user key is in two of them, so that a point
/// read looks into one.
/// </remarks>
internal sealed class TreeVersion : RefCounted
{
    private readonly LiveTable[][] _levels;
    private readonly LevelFences[] _fences;

    /// <summary>Makes a version; takes over no reference but adds its own.</summary>
    /// <param name="levels">The tables.</param>
    /// <param name="previous">The version that it was made from.</param>
    public TreeVersion(LiveTable[][] levels, TreeVersion? previous = null)
    {
        _levels = levels;
        // Level 0 is in the order of age: its tables' ends are no fences.
        _fences = [LevelFences.None, .. levels.Skip(1).Select(static tables => new LevelFences(tables))];
        RangeDeletes = TreeRangeDeletes.Of(levels, previous?.RangeDeletes);
        ValueFiles = new ValueFileSet(levels);
        for (int level = 0; level < levels.Length; level++)
        {
            foreach (LiveTable table in levels[level])
            {
                table.AddReference();

                if (level > 0)
                    table.LeaveLevel0();
                TotalBytes += table.Metadata.SizeBytes;
                TotalEntries += table.Metadata.Entries;
            }
        }
    }

    /// <summary>The range tombstones of the tables; null when there are none.</summary>
    public TreeRangeDeletes? RangeDeletes { get; }

    /// <summary>Bytes of all tables.</summary>
    public long TotalBytes { get; }

    /// <summary>The value files that the tables point into.</summary>
    public ValueFileSet ValueFiles { get; }

    /// <summary>Entries of all tables.</summary>
    public long TotalEntries { get; }

    /// <summary>The tables of a level.</summary>
    public ReadOnlySpan<LiveTable> Level(int level) => _levels[level];

    /// <summary>The tables of a level.</summary>
    public LiveTable[] LevelArray(int level) => _levels[level];

    /// <summary>The deepest level with tables; -1 when there are none.</summary>
    public int DeepestLevel
    {
        get
        {
            int level = VersionEdit.Levels - 1;
            while (level >= 0 && _levels[level].Length == 0)
                level--;
            return level;
        }
    }

    /// <summary>Bytes of a level.</summary>
    public long LevelBytes(int level)
    {
        long bytes = 0;
        foreach (LiveTable table in _levels[level])
            bytes += table.Metadata.SizeBytes;
        return bytes;
    }

    /// <summary>The table of a level below 0 that may hold a key; null when there is none.</summary>
    public LiveTable? FindTable(int level, ReadOnlySpan<byte> prefix) => _fences[level].Find(prefix);

    /// <summary>Index of the table of a sorted level that may hold a key, or of the first after it.</summary>
    public static int FindTable(ReadOnlySpan<LiveTable> level, ReadOnlySpan<byte> prefix)
    {
        int low = 0;
        int high = level.Length;
        while (low < high)
        {
            int middle = (low + high) >>> 1;
            if (level[middle].LargestPrefix.SequenceCompareTo(prefix) < 0)
                low = middle + 1;
            else
                high = middle;
        }

        return low;
    }

    /// <summary>The tables of a level whose range meets the given one.</summary>
    public List<LiveTable> Overlapping(int level, ReadOnlySpan<byte> smallestPrefix, ReadOnlySpan<byte> largestPrefix)
    {
        List<LiveTable> overlapping = [];
        foreach (LiveTable table in _levels[level])
        {
            if (table.Overlaps(smallestPrefix, largestPrefix))
                overlapping.Add(table);
        }

        return overlapping;
    }

    /// <summary>Bytes of the tables of a level whose range meets the given one.</summary>
    public long OverlappingBytes(int level, ReadOnlySpan<byte> smallestPrefix, ReadOnlySpan<byte> largestPrefix)
    {
        long bytes = 0;
        foreach (LiveTable table in _levels[level])
        {
            if (table.Overlaps(smallestPrefix, largestPrefix))
                bytes += table.Metadata.SizeBytes;
        }

        return bytes;
    }

    /// <summary>The version after an edit.</summary>
    /// <param name="edit">The edit.</param>
    /// <param name="tables">The opened new tables, and those that change their level.</param>
    public TreeVersion Apply(VersionEdit edit, IReadOnlyDictionary<UInt128, LiveTable> tables)
    {
        var levels = new LiveTable[VersionEdit.Levels][];
        for (int level = 0; level < levels.Length; level++)
        {
            List<LiveTable>? changed = null;
            foreach ((int removedLevel, UInt128 id) in edit.Removed)
            {
                if (removedLevel != level)
                    continue;
                changed ??= [.. _levels[level]];
                if (changed.RemoveAll(table => table.Metadata.Id == id) != 1)
                    throw new AiDbException(AiDbErrorKind.Internal, $"Table {id:x32} is not in level {level}.");
            }

            foreach ((int addedLevel, TableMetadata metadata) in edit.Added)
            {
                if (addedLevel == level)
                    (changed ??= [.. _levels[level]]).Add(tables[metadata.Id]);
            }

            levels[level] = changed is null ? _levels[level] : Order(level, changed);
        }

        return new TreeVersion(levels, this);
    }

    /// <summary>Orders a level's tables and checks that a deeper level's do not overlap.</summary>
    public static LiveTable[] Order(int level, List<LiveTable> tables)
    {
        if (level == 0)
        {
            tables.Sort(static (left, right) => right.Metadata.Sequence.CompareTo(left.Metadata.Sequence));
            return [.. tables];
        }

        tables.Sort(static (left, right) => InternalKey.Compare(left.Metadata.SmallestKey, right.Metadata.SmallestKey));
        for (int index = 1; index < tables.Count; index++)
        {
            if (tables[index - 1].LargestPrefix.SequenceCompareTo(tables[index].SmallestPrefix) >= 0)
            {
                throw new AiDbException(
                    AiDbErrorKind.Internal,
                    $"Tables {tables[index - 1].Metadata.Id:x32} and {tables[index].Metadata.Id:x32} of level {level} overlap.");
            }
        }

        return [.. tables];
    }

    /// <inheritdoc/>
    protected override void OnUnreferenced()
    {
        foreach (LiveTable[] level in _levels)
        {
            foreach (LiveTable table in level)
                table.Release();
        }
    }
}
