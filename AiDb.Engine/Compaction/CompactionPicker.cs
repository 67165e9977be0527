using AiDb.Engine.Manifest;

namespace AiDb.Engine.Compaction;

/// <summary>
/// Chooses the next compaction. Level 0 counts tables, deeper levels bytes; the level furthest beyond its
/// target goes first. From a deeper level the table goes that overlaps least with the level below, relative
/// to its size. Where no level is beyond its target, tables that are mostly deletions go down. What would meet
/// a compaction that runs is passed over.
/// </summary>
/// <remarks>Thread safety: all members may be called concurrently.</remarks>
internal sealed class CompactionPicker
{
    private readonly DatabaseOptions _options;

    public CompactionPicker(DatabaseOptions options) => _options = options;

    /// <summary>Bytes by which the levels are beyond their targets: all of level 0 once it has too many
    /// tables.</summary>
    public long PendingBytes(TreeVersion tree)
    {
        var targets = new LevelTargets(tree, _options);
        long pending = tree.Level(0).Length >= Level0Trigger(tree) ? tree.LevelBytes(0) : 0;
        for (int level = 1; level < VersionEdit.Levels - 1; level++)
            pending += Math.Max(0, tree.LevelBytes(level) - targets.Of(level));
        return pending;
    }

    /// <summary>The next compaction; null when none is due that may run beside those that do.</summary>
    public CompactionPlan? Pick(TreeVersion tree, IReadOnlyList<CompactionPlan> running)
    {
        Span<double> scores = stackalloc double[VersionEdit.Levels - 1];
        Score(tree, running, scores);
        while (true)
        {
            int best = 0;
            for (int level = 1; level < scores.Length; level++)
            {
                if (scores[level] > scores[best])
                    best = level;
            }

            if (scores[best] < 1)
                return PickDeletions(tree, running);
            CompactionPlan? plan = best == 0 ? PickLevel0(tree, running) : PickLeastOverlap(tree, best, running);
            if (plan is not null)
                return plan;
            scores[best] = 0;
        }
    }

    /// <summary>Everything into one run, at the first level that is big enough for it; null when there is
    /// nothing.</summary>
    public CompactionPlan? PickAll(TreeVersion tree)
    {
        if (tree.DeepestLevel < 0)
            return null;
        int output = Math.Max(1, tree.DeepestLevel);
        while (output < VersionEdit.Levels - 1 && tree.TotalBytes > FixedTarget(output))
            output++;
        List<(int, LiveTable)> inputs = [];
        for (int level = 0; level < VersionEdit.Levels; level++)
        {
            foreach (LiveTable table in tree.Level(level))
                inputs.Add((level, table));
        }

        return new CompactionPlan(tree, inputs, output, CompactionKind.Merge, "asked for");
    }

    /// <summary>The tables that hold nothing but what was dropped; null when there are none.</summary>
    /// <param name="tree">The tree.</param>
    /// <param name="isDropped">Whether a table id is dropped, and its drop flushed.</param>
    /// <param name="running">What runs: its inputs are left alone.</param>
    public static CompactionPlan? PickDropped(
        TreeVersion tree, Predicate<uint> isDropped, IReadOnlyList<CompactionPlan> running)
    {
        List<(int, LiveTable)> inputs = [];
        for (int level = 0; level < VersionEdit.Levels; level++)
        {
            foreach (LiveTable table in tree.Level(level))
            {
                if (Array.TrueForAll(table.Reader.Properties.TableIds, isDropped) && !IsInput(table, running))
                    inputs.Add((level, table));
            }
        }

        return inputs.Count == 0
            ? null
            : new CompactionPlan(tree, inputs, VersionEdit.Levels - 1, CompactionKind.Remove, "dropped tables");
    }

    /// <summary>All of level 0 and what it meets in level 1, to be written anew.</summary>
    public static CompactionPlan AllOfLevel0(TreeVersion tree, string reason)
    {
        List<(int, LiveTable)> inputs = [];
        foreach (LiveTable table in tree.Level(0))
            inputs.Add((0, table));
        CompactionPlan above = new(tree, inputs, 1, CompactionKind.Merge, reason);
        foreach (LiveTable table in tree.Overlapping(1, above.SmallestPrefix, above.LargestPrefix))
            inputs.Add((1, table));
        return new CompactionPlan(tree, inputs, 1, CompactionKind.Merge, reason);
    }

    /// <summary>Whether a plan may run beside others.</summary>
    public static bool MayRun(CompactionPlan plan, IReadOnlyList<CompactionPlan> running)
    {
        foreach (CompactionPlan other in running)
        {
            if (plan.Conflicts(other))
                return false;
        }

        return true;
    }

    private static bool IsInput(LiveTable table, IReadOnlyList<CompactionPlan> running)
    {
        foreach (CompactionPlan plan in running)
        {
            foreach ((_, LiveTable input) in plan.Inputs)
            {
                if (input == table)
                    return true;
            }
        }

        return false;
    }

    private static bool IsMostlyDeletions(LiveTable table) => table.Metadata.Deletions * 2 > table.Metadata.Entries;

    /// <summary>The oldest table of level 0 and all that its keys meet, there and in level 1. What stays behind
    /// in level 0 has no key in common with them.</summary>
    private static CompactionPlan? PickLevel0(TreeVersion tree, IReadOnlyList<CompactionPlan> running)
    {
        List<LiveTable> rest = [.. tree.Level(0)];
        List<(int, LiveTable)> inputs = [];
        byte[] smallest = rest[^1].SmallestPrefix.ToArray();
        byte[] largest = rest[^1].LargestPrefix.ToArray();
        while (rest.FindLastIndex(table => table.Overlaps(smallest, largest)) is var index && index >= 0)
        {
            LiveTable table = rest[index];
            rest.RemoveAt(index);
            inputs.Add((0, table));
            if (table.SmallestPrefix.SequenceCompareTo(smallest) < 0)
                smallest = table.SmallestPrefix.ToArray();
            if (table.LargestPrefix.SequenceCompareTo(largest) > 0)
                largest = table.LargestPrefix.ToArray();
        }

        foreach (LiveTable table in tree.Overlapping(1, smallest, largest))
            inputs.Add((1, table));
        CompactionPlan plan = Plan(tree, inputs, 1, "level 0 has many tables");
        return MayRun(plan, running) ? plan : null;
    }

    private static CompactionPlan PickTable(TreeVersion tree, int level, LiveTable table, string reason)
    {
        List<(int, LiveTable)> inputs = [(level, table)];
        foreach (LiveTable below in tree.Overlapping(level + 1, table.SmallestPrefix, table.LargestPrefix))
            inputs.Add((level + 1, below));
        return Plan(tree, inputs, level + 1, reason);
    }

    /// <summary>A plan that moves a table which meets no other, unless it is better rewritten without its
    /// deletions. One with range deletions may lose them on the way.</summary>
    private static CompactionPlan Plan(TreeVersion tree, List<(int, LiveTable Table)> inputs, int output, string reason)
    {
        bool moves = inputs.Count == 1 && !inputs[0].Table.HasRangeDeletes
            && !(IsMostlyDeletions(inputs[0].Table) && output >= tree.DeepestLevel);
        return new CompactionPlan(tree, inputs, output, moves ? CompactionKind.Move : CompactionKind.Merge, reason);
    }

    private static CompactionPlan? PickLeastOverlap(TreeVersion tree, int level, IReadOnlyList<CompactionPlan> running)
    {
        CompactionPlan? best = null;
        double bestShare = double.MaxValue;
        foreach (LiveTable table in tree.Level(level))
        {
            long overlap = tree.OverlappingBytes(level + 1, table.SmallestPrefix, table.LargestPrefix);
            double share = (double)overlap / Math.Max(1, table.Metadata.SizeBytes);
            if (share >= bestShare)
                continue;
            CompactionPlan plan = PickTable(tree, level, table, "level beyond its target");
            if (!MayRun(plan, running))
                continue;
            best = plan;
            bestShare = share;
        }

        return best;
    }

    private static CompactionPlan? PickDeletions(TreeVersion tree, IReadOnlyList<CompactionPlan> running)
    {
        for (int level = 1; level < tree.DeepestLevel; level++)
        {
            foreach (LiveTable table in tree.Level(level))
            {
                if (!IsMostlyDeletions(table) && !table.HasRangeDeletes)
                    continue;
                CompactionPlan plan = PickTable(tree, level, table, "mostly deletions");
                if (MayRun(plan, running))
                    return plan;
            }
        }

        return null;
    }

    /// <summary>How far each level is beyond its target, without what already leaves it.</summary>
    private void Score(TreeVersion tree, IReadOnlyList<CompactionPlan> running, Span<double> scores)
    {
        var targets = new LevelTargets(tree, _options);
        scores[0] = tree.Level(0).IsEmpty ? 0 : (double)tree.Level(0).Length / Level0Trigger(tree);
        for (int level = 1; level < scores.Length; level++)
        {
            long bytes = tree.LevelBytes(level);
            foreach (CompactionPlan plan in running)
            {
                if (plan.OutputLevel == level)
                    continue;
                foreach ((int from, LiveTable table) in plan.Inputs)
                    bytes -= from == level ? table.Metadata.SizeBytes : 0;
            }

            scores[level] = (double)bytes / targets.Of(level);
        }
    }

    /// <summary>Tables in level 0 that make it due: the option, or up to twice as many while level 0 is smaller than half
    /// as much again as level 1, which it would rewrite as a whole for little gain, or while level 1 is empty: what is
    /// written there first is rewritten by all that follows.</summary>
    private int Level0Trigger(TreeVersion tree)
    {
        int trigger = _options.Level0CompactionTrigger;
        int latest = Math.Max(trigger, Math.Min(2 * trigger, _options.Level0SlowdownTrigger - 1));
        return !tree.Level(1).IsEmpty && tree.LevelBytes(0) >= 1.5 * tree.LevelBytes(1) ? trigger : latest;
    }

    private double FixedTarget(int level) => _options.Level1Bytes * Math.Pow(LevelTargets.GreatestFactor, level - 1);
}
