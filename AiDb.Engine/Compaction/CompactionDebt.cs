using AiDb.Engine.Manifest;

namespace AiDb.Engine.Compaction;

/// <summary>How many bytes the levels hold beyond their targets; reckoned once for each version of the
/// tree.</summary>
/// <remarks>Thread safety: all members may be called concurrently; two callers may reckon the same twice.</remarks>
internal sealed class CompactionDebt
{
    private readonly CompactionPicker _picker;
    private volatile Known? _known;

    public CompactionDebt(DatabaseOptions options) => _picker = new CompactionPicker(options);

    /// <summary>The bytes beyond the targets, level 0 whole where it has enough tables to be compacted.</summary>
    public long Of(TreeVersion tree)
    {
        // Weakly held: a version that nobody reads any more must give its tables back.
        if (_known is { } known && known.Tree.TryGetTarget(out TreeVersion? seen) && seen == tree)
            return known.Bytes;
        long bytes = _picker.PendingBytes(tree);
        _known = new Known(new WeakReference<TreeVersion>(tree), bytes);
        return bytes;
    }

    private sealed record Known(WeakReference<TreeVersion> Tree, long Bytes);
}
