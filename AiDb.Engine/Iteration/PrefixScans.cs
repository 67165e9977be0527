namespace AiDb.Engine.Iteration;

/// <summary>The rule by which scans ask the filters of tables, and how often that helped.</summary>
/// <remarks>Thread safety: all members may be called concurrently.</remarks>
internal sealed class PrefixScans(FilterPrefix? rule)
{
    private long _checked;
    private long _skipped;

    /// <summary>The rule; null when scans do not ask.</summary>
    public FilterPrefix? Rule => rule;

    /// <summary>Tables within reach of a scan whose filter was asked.</summary>
    public long Checked => Interlocked.Read(ref _checked);

    /// <summary>Those of them that were skipped.</summary>
    public long Skipped => Interlocked.Read(ref _skipped);

    /// <summary>Counts what a scan asked.</summary>
    public void Count(int tables, int skipped)
    {
        if (tables > 0)
            Interlocked.Add(ref _checked, tables);
        if (skipped > 0)
            Interlocked.Add(ref _skipped, skipped);
    }

    /// <summary>Whether all keys of a range begin with one prefix of the rule.</summary>
    public bool Applies(in ScanRange range) =>
        rule is not null && rule.LengthIn(range.Start.Span, range.End.Span) > 0;
}
