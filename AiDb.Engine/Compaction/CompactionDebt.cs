using AiDb.Engine.Manifest;

namespace AiDb.Engine.Compaction;

/// <summary>How many bytes the levels hold beyond their targets; reckoned once for each version of the
/// tree.</summary>
/// <remarks>Thread safety: all members may be called concurrently; two callers may reckon the same twice.</remarks>
internal sealed class CompactionDebt
{
    private readonly CompactionPicker _picker;
    private readonly int _level0Trigger;
    private volatile Known? _known;

    public CompactionDebt(DatabaseOptions options)
    {
        _picker = new CompactionPicker(options);
        _level0Trigger = options.Level0CompactionTrigger;
    }

    /// <summary>The bytes beyond the targets, level 0 whole where it has enough tables to be compacted.</summary>
    public long Of(TreeVersion tree)
    {
        // Weakly held: a version that nobody reads any more must give its tables back.
        if (_known is { } known && known.Tree.TryGetTarget(out TreeVersion? seen) && seen == tree)
            return known.Bytes;
        long bytes = tree.Level(0).Length >= _level0Trigger ? tree.LevelBytes(0) : 0;
        for (int level = 1; level < VersionEdit.Levels - 1; level++)
            bytes += Math.Max(0, tree.LevelBytes(level) - _picker.TargetBytes(level));
        _known = new Known(new WeakReference<TreeVersion>(tree), bytes);
        return bytes;
    }

    private sealed record Known(WeakReference<TreeVersion> Tree, long Bytes);
}
