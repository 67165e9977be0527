using AiDb.Engine.Compaction;
using AiDb.Engine.Manifest;

namespace AiDb.Engine.ValueFiles;

/// <summary>Chooses what to write anew so that a value file that is mostly garbage comes free, when nothing else
/// is due.</summary>
internal static class ValueGarbagePicker
{
    /// <summary>The next table that points into such a file, in its place; or level 0 as a whole, whose tables
    /// cannot change their order. Null: nothing to do.</summary>
    /// <param name="tree">The tree.</param>
    /// <param name="running">What runs; what meets it is passed over.</param>
    public static CompactionPlan? Pick(TreeVersion tree, IReadOnlyList<CompactionPlan> running)
    {
        IReadOnlyDictionary<UInt128, LiveValueFile> garbage = tree.ValueFiles.MostlyGarbage();
        if (garbage.Count == 0)
            return null;
        for (int level = VersionEdit.Levels - 1; level >= 0; level--)
        {
            foreach (LiveTable table in tree.Level(level))
            {
                if (!Array.Exists(table.ValueFiles, file => garbage.ContainsKey(file.Metadata.Id)))
                    continue;
                const string Reason = "value file with much garbage";
                CompactionPlan plan = level == 0
                    ? CompactionPicker.AllOfLevel0(tree, Reason)
                    : new CompactionPlan(tree, [(level, table)], level, CompactionKind.Merge, Reason);
                if (CompactionPicker.MayRun(plan, running))
                    return plan;
            }
        }

        return null;
    }
}
