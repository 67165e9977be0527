using AiDb.Engine.Manifest;

namespace AiDb.Engine.Compaction;

/// <summary>Which tables to merge and where the result goes.</summary>
/// <param name="Tree">The version that it was made for; the one who runs it holds a reference.</param>
/// <param name="Inputs">The tables and their levels.</param>
/// <param name="OutputLevel">Where the result goes.</param>
/// <param name="IsTrivialMove">The one input only changes its level.</param>
/// <param name="Reason">Why, for logs.</param>
internal sealed record CompactionPlan(
    TreeVersion Tree, IReadOnlyList<(int Level, LiveTable Table)> Inputs, int OutputLevel, bool IsTrivialMove, string Reason)
{
    /// <summary>Bytes of the inputs.</summary>
    public long InputBytes => Inputs.Sum(static input => input.Table.Metadata.SizeBytes);

    /// <summary>Whether no table below the output level may hold the key.</summary>
    public bool NothingBelow(ReadOnlySpan<byte> prefix)
    {
        for (int level = OutputLevel + 1; level < VersionEdit.Levels; level++)
        {
            ReadOnlySpan<LiveTable> tables = Tree.Level(level);
            int index = TreeVersion.FindTable(tables, prefix);
            if (index < tables.Length && tables[index].SmallestPrefix.SequenceCompareTo(prefix) <= 0)
                return false;
        }

        return true;
    }
}
