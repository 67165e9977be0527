using AiDb.Engine.Manifest;

namespace AiDb.Engine.Compaction;

/// <summary>The compaction that runs, for those who add tables beside it: its output may fill gaps between its
/// inputs.</summary>
/// <remarks>Thread safety: <see cref="Plan"/> is set and looked at under <see cref="Gate"/>. Whoever picks a
/// compaction holds it from taking the tree to setting the plan; whoever adds tables from taking the tree to
/// changing it.</remarks>
internal sealed class RunningCompaction
{
    /// <summary>The lock.</summary>
    public Lock Gate { get; } = new();

    /// <summary>The plan; null: none runs.</summary>
    public CompactionPlan? Plan { get; set; }

    /// <summary>Whether the running compaction may write keys within a table's range.</summary>
    public bool Meets(LiveTable table)
    {
        if (Plan is not { } plan)
            return false;
        byte[] smallest = [];
        byte[] largest = [];
        foreach ((_, LiveTable input) in plan.Inputs)
        {
            if (smallest.Length == 0 || input.SmallestPrefix.SequenceCompareTo(smallest) < 0)
                smallest = input.SmallestPrefix.ToArray();
            if (input.LargestPrefix.SequenceCompareTo(largest) > 0)
                largest = input.LargestPrefix.ToArray();
        }

        return table.Overlaps(smallest, largest);
    }
}
