namespace AiDb.Primary.Shards;

/// <summary>Bounds of a <see cref="ShardHost"/>.</summary>
public sealed record ShardHostOptions
{
    /// <summary>Snapshots that scans hold between their pages; with one more, the one that was idle longest
    /// goes. Default: 1,024.</summary>
    public int MaxPinnedSnapshots { get; init; } = 1024;

    /// <summary>How long a scan's snapshot is held after its last page. Default: 60 s.</summary>
    public TimeSpan SnapshotIdleTimeout { get; init; } = TimeSpan.FromSeconds(60);

    /// <summary>Items of a page that does not say. Default: 1,000.</summary>
    public int DefaultScanItems { get; init; } = 1000;

    /// <summary>Items that a page has at most. Default: 10,000.</summary>
    public int MaxScanItems { get; init; } = 10_000;

    /// <summary>Bytes of keys and values from which on a page is full. Default: 1 MiB.</summary>
    public int DefaultScanBytes { get; init; } = 1 << 20;

    /// <summary>The most that a request may ask for instead; an item that is larger travels alone. Default: 4
    /// MiB.</summary>
    public int MaxScanBytes { get; init; } = 4 << 20;

    /// <summary>Reports every invalid setting at once.</summary>
    /// <exception cref="AiDbException"><see cref="AiDbErrorKind.InvalidArgument"/>, naming each setting and
    /// its range.</exception>
    public void Validate()
    {
        List<string> errors = [];
        void Check(bool ok, string name, string rule)
        {
            if (!ok)
                errors.Add($"{name} must be {rule}");
        }

        Check(MaxPinnedSnapshots >= 1, nameof(MaxPinnedSnapshots), "1 or more");
        Check(SnapshotIdleTimeout > TimeSpan.Zero, nameof(SnapshotIdleTimeout), "more than zero");
        Check(DefaultScanItems >= 1, nameof(DefaultScanItems), "1 or more");
        Check(MaxScanItems >= DefaultScanItems, nameof(MaxScanItems), $"at least {nameof(DefaultScanItems)}");
        Check(DefaultScanBytes >= 1, nameof(DefaultScanBytes), "1 or more");
        Check(MaxScanBytes >= DefaultScanBytes, nameof(MaxScanBytes), $"at least {nameof(DefaultScanBytes)}");
        if (errors.Count > 0)
        {
            throw new AiDbException(
                AiDbErrorKind.InvalidArgument, "Invalid ShardHostOptions: " + string.Join("; ", errors) + ".");
        }
    }
}
