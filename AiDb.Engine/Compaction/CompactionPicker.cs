using AiDb.Engine.Manifest;

namespace AiDb.Engine.Compaction;

/// <summary>
/// Chooses the next compaction. Level 0 counts tables, deeper levels bytes; the level furthest beyond its
/// target goes first. From a deeper level the table goes that overlaps least with the level below, relative
/// to its size. Where no level is beyond its target, tables that are mostly deletions go down.
/// </summary>
internal sealed class CompactionPicker
{
    private const int LevelFactor = 10;

    private readonly DatabaseOptions _options;

    public CompactionPicker(DatabaseOptions options) => _options = options;

    /// <summary>Bytes that a level (1 or deeper) should hold at most.</summary>
    public long TargetBytes(int level)
    {
        double target = _options.Level1Bytes * Math.Pow(LevelFactor, level - 1);
        return target > long.MaxValue / 2 ? long.MaxValue / 2 : (long)target;
    }

    /// <summary>Bytes by which the levels are beyond their targets: all of level 0 once it has too many
    /// tables.</summary>
    public long PendingBytes(TreeVersion tree)
    {
        long pending = tree.Level(0).Length >= _options.Level0CompactionTrigger ? tree.LevelBytes(0) : 0;
        for (int level = 1; level < VersionEdit.Levels - 1; level++)
            pending += Math.Max(0, tree.LevelBytes(level) - TargetBytes(level));
        return pending;
    }

    /// <summary>The next compaction; null when none is due.</summary>
    public CompactionPlan? Pick(TreeVersion tree)
    {
        int best = -1;
        double bestScore = 1;
        for (int level = 0; level < VersionEdit.Levels - 1; level++)
        {
            double score = level == 0
                ? (double)tree.Level(0).Length / _options.Level0CompactionTrigger
                : (double)tree.LevelBytes(level) / TargetBytes(level);
            if (score >= bestScore && (best < 0 || score > bestScore) && tree.Level(level).Length > 0)
            {
                best = level;
                bestScore = score;
            }
        }

        return best switch
        {
            0 => PickLevel0(tree),
            > 0 => PickTable(tree, best, LeastOverlap(tree, best), "level beyond its target"),
            _ => PickDeletions(tree),
        };
    }

    /// <summary>Everything into one run, at the first level that is big enough for it.</summary>
    public CompactionPlan? PickAll(TreeVersion tree)
    {
        if (tree.DeepestLevel < 0)
            return null;
        int output = Math.Max(1, tree.DeepestLevel);
        while (output < VersionEdit.Levels - 1 && tree.TotalBytes > TargetBytes(output))
            output++;
        List<(int, LiveTable)> inputs = [];
        for (int level = 0; level < VersionEdit.Levels; level++)
        {
            foreach (LiveTable table in tree.Level(level))
                inputs.Add((level, table));
        }

        return new CompactionPlan(tree, inputs, output, IsTrivialMove: false, "asked for");
    }

    /// <summary>All of level 0 and what it overlaps below.</summary>
    internal static CompactionPlan PickLevel0(TreeVersion tree)
    {
        List<(int, LiveTable)> inputs = [];
        byte[] smallest = [];
        byte[] largest = [];
        foreach (LiveTable table in tree.Level(0))
        {
            if (inputs.Count == 0 || table.SmallestPrefix.SequenceCompareTo(smallest) < 0)
                smallest = table.SmallestPrefix.ToArray();
            if (inputs.Count == 0 || table.LargestPrefix.SequenceCompareTo(largest) > 0)
                largest = table.LargestPrefix.ToArray();
            inputs.Add((0, table));
        }

        foreach (LiveTable table in tree.Overlapping(1, smallest, largest))
            inputs.Add((1, table));
        return new CompactionPlan(tree, inputs, 1, IsTrivialMove(inputs), "level 0 has many tables");
    }

    private static CompactionPlan PickTable(TreeVersion tree, int level, LiveTable table, string reason)
    {
        List<(int, LiveTable)> inputs = [(level, table)];
        foreach (LiveTable below in tree.Overlapping(level + 1, table.SmallestPrefix, table.LargestPrefix))
            inputs.Add((level + 1, below));
        return new CompactionPlan(tree, inputs, level + 1, IsTrivialMove(inputs), reason);
    }

    /// <summary>A table with range deletions is written anew: it may lose them on the way.</summary>
    private static bool IsTrivialMove(List<(int Level, LiveTable Table)> inputs) =>
        inputs.Count == 1 && inputs[0].Table.Reader.Properties.RangeDeletions == 0;

    private static LiveTable LeastOverlap(TreeVersion tree, int level)
    {
        LiveTable? best = null;
        double bestShare = double.MaxValue;
        foreach (LiveTable table in tree.Level(level))
        {
            long overlap = tree.Overlapping(level + 1, table.SmallestPrefix, table.LargestPrefix)
                .Sum(static below => below.Metadata.SizeBytes);
            double share = (double)overlap / Math.Max(1, table.Metadata.SizeBytes);
            if (share < bestShare)
            {
                best = table;
                bestShare = share;
            }
        }

        return best!;
    }

    private static CompactionPlan? PickDeletions(TreeVersion tree)
    {
        for (int level = 1; level < tree.DeepestLevel; level++)
        {
            foreach (LiveTable table in tree.Level(level))
            {
                if (table.Metadata.Deletions * 2 > table.Metadata.Entries
                    || table.Reader.Properties.RangeDeletions > 0)
                    return PickTable(tree, level, table, "mostly deletions");
            }
        }

        return null;
    }
}
