using AiDb.Engine.Manifest;

namespace AiDb.Engine.Compaction;

/// <summary>What a plan does with its inputs.</summary>
internal enum CompactionKind
{
    /// <summary>They are merged into new tables of the output level.</summary>
    Merge,

    /// <summary>The one input only changes its level.</summary>
    Move,

    /// <summary>They hold nothing but dropped tables' keys and are taken out unread.</summary>
    Remove,
}

/// <summary>Which tables to merge and where the result goes.</summary>
internal sealed class CompactionPlan
{
    /// <summary>Makes a plan.</summary>
    /// <param name="tree">The version that it is made for; the one who runs it holds a reference.</param>
    /// <param name="inputs">The tables and their levels, at least one.</param>
    /// <param name="outputLevel">Where the result goes.</param>
    /// <param name="kind">What it does.</param>
    /// <param name="reason">Why, for logs.</param>
    public CompactionPlan(
        TreeVersion tree, IReadOnlyList<(int Level, LiveTable Table)> inputs, int outputLevel, CompactionKind kind,
        string reason)
    {
        Tree = tree;
        Inputs = inputs;
        OutputLevel = outputLevel;
        Kind = kind;
        Reason = reason;
        FirstLevel = inputs.Min(static input => input.Level);
        InputBytes = inputs.Sum(static input => input.Table.Metadata.SizeBytes);
        SmallestPrefix = inputs[0].Table.SmallestPrefix.ToArray();
        LargestPrefix = inputs[0].Table.LargestPrefix.ToArray();
        foreach ((_, LiveTable table) in inputs)
        {
            if (table.SmallestPrefix.SequenceCompareTo(SmallestPrefix) < 0)
                SmallestPrefix = table.SmallestPrefix.ToArray();
            if (table.LargestPrefix.SequenceCompareTo(LargestPrefix) > 0)
                LargestPrefix = table.LargestPrefix.ToArray();
        }
    }

    /// <summary>The version that it was made for.</summary>
    public TreeVersion Tree { get; }

    /// <summary>The tables and their levels.</summary>
    public IReadOnlyList<(int Level, LiveTable Table)> Inputs { get; }

    /// <summary>The first level that it takes tables from.</summary>
    public int FirstLevel { get; }

    /// <summary>Where the result goes.</summary>
    public int OutputLevel { get; }

    /// <summary>What it does.</summary>
    public CompactionKind Kind { get; }

    /// <summary>Why, for logs.</summary>
    public string Reason { get; }

    /// <summary>Bytes of the inputs.</summary>
    public long InputBytes { get; }

    /// <summary>Whether an input holds range tombstones.</summary>
    public bool HasRangeDeletes => Inputs.Any(static input => input.Table.HasRangeDeletes);

    /// <summary>Whether an input holds operands of merges.</summary>
    public bool HasOperands => Inputs.Any(static input => input.Table.Reader.Properties.MergeOperands > 0);

    /// <summary>Table id and user key of the first entry of the inputs.</summary>
    public byte[] SmallestPrefix { get; }

    /// <summary>Table id and user key of the last entry of the inputs.</summary>
    public byte[] LargestPrefix { get; }

    /// <summary>Whether the two must not run at once: their keys and their levels meet. Then neither takes the
    /// other's inputs, nor puts a table where the other puts one, nor changes what lies below the other's keys
    /// other than by moving it down.</summary>
    public bool Conflicts(CompactionPlan other) =>
        FirstLevel <= other.OutputLevel && other.FirstLevel <= OutputLevel
        && SmallestPrefix.AsSpan().SequenceCompareTo(other.LargestPrefix) <= 0
        && LargestPrefix.AsSpan().SequenceCompareTo(other.SmallestPrefix) >= 0;

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
