using System.Globalization;
using AiDb.Cluster.Placement;
using AiDb.Cluster.Replication;

namespace AiDb.Primary.Voters;

/// <summary>The section <c>AiDb:Replication</c>: how a primary keeps shards of several voters.</summary>
public sealed record VoterOptions
{
    /// <summary>The section's name.</summary>
    public const string Section = "AiDb:Replication";

    private static readonly string[] Names = ["SuspectAfterMs", "CopyBytesPerSecond", "MaxCopies", "LogRetentionBytes"];

    /// <summary>The pace of the protocol.</summary>
    public ReplicationOptions Protocol { get; init; } = new();

    /// <summary>When followers give up on a primary.</summary>
    public SuspicionOptions Suspicion { get; init; } = new();

    /// <summary>Bytes in a second that this node sends of one copy of a shard. Bigger: a copy is there sooner; smaller: it is in
    /// nobody's way. Default: 128 MiB.</summary>
    public long CopyBytesPerSecond { get; init; } = 128L << 20;

    /// <summary>Copies of shards that this node sends at once; others wait. Default: 2.</summary>
    public int MaxCopies { get; init; } = 2;

    /// <summary>Log that is kept for followers that were away, in the place of <c>AiDb:Engine:LogRetentionBytes</c>. Bigger: they may
    /// be away for longer without copying the shard; smaller: less disk. Default: 256 MiB.</summary>
    public long LogRetentionBytes { get; init; } = 256L << 20;

    /// <summary>Reads the section; adds what is wrong to <paramref name="errors"/>.</summary>
    public static VoterOptions Read(IConfiguration configuration, List<string> errors)
    {
        var defaults = new VoterOptions();
        IConfigurationSection section = configuration.GetSection(Section);
        foreach (IConfigurationSection setting in section.GetChildren())
        {
            if (!Names.Contains(setting.Key, StringComparer.OrdinalIgnoreCase))
                errors.Add($"{setting.Path} is no setting; there are {string.Join(", ", Names)}");
        }

        long Number(string name, long fallback, long min, long max)
        {
            if (section[name] is not { Length: > 0 } text)
                return fallback;
            if (long.TryParse(text, NumberStyles.None, CultureInfo.InvariantCulture, out long value) && value >= min && value <= max)
                return value;
            errors.Add($"{Section}:{name} is '{text}'; it is a whole number from {min} to {max}");
            return fallback;
        }

        TimeSpan suspectAfter = TimeSpan.FromMilliseconds(
            Number("SuspectAfterMs", (long)defaults.Suspicion.SuspectAfter.TotalMilliseconds, 500, 600_000));
        return defaults with
        {
            Suspicion = defaults.Suspicion with { SuspectAfter = suspectAfter, MinElectionInterval = 2 * suspectAfter },
            CopyBytesPerSecond = Number("CopyBytesPerSecond", defaults.CopyBytesPerSecond, 1 << 20, 1L << 40),
            LogRetentionBytes = Number("LogRetentionBytes", defaults.LogRetentionBytes, 0, 1L << 44),
            MaxCopies = (int)Number("MaxCopies", defaults.MaxCopies, 1, 64),
        };
    }

    /// <summary>Reports every invalid setting at once.</summary>
    /// <exception cref="AiDbException"><see cref="AiDbErrorKind.InvalidArgument"/>.</exception>
    public void Validate()
    {
        Protocol.Validate();
        Suspicion.Validate();
        List<string> errors = [];
        if (CopyBytesPerSecond < 1 << 20)
            errors.Add($"{nameof(CopyBytesPerSecond)} must be 1 MiB or more");
        if (LogRetentionBytes < 0)
            errors.Add($"{nameof(LogRetentionBytes)} must not be negative");
        if (MaxCopies < 1)
            errors.Add($"{nameof(MaxCopies)} must be 1 or more");
        if (errors.Count > 0)
            throw new AiDbException(AiDbErrorKind.InvalidArgument, "Invalid VoterOptions: " + string.Join("; ", errors) + ".");
    }
}
