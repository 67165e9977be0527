using AiDb.Engine.Compaction;
using AiDb.Engine.Manifest;

namespace AiDb.Engine.ValueFiles;

/// <summary>Chooses what to write anew so that a value file that is mostly garbage comes free, when nothing else
/// is due.</summary>
internal static class ValueGarbagePicker
{
    /// <summary>The next table that points into such a file, in its place; or level 0 as a whole, whose tables
    /// cannot change their order. Null: nothing to do.</summary>
    public static CompactionPlan? Pick(TreeVersion tree)
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
                return level == 0
                    ? CompactionPicker.PickLevel0(tree) with { IsTrivialMove = false, Reason = Reason }
                    : new CompactionPlan(tree, [(level, table)], level, IsTrivialMove: false, Reason);
            }
        }

        return null;
    }
}
