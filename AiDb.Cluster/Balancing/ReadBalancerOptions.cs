namespace AiDb.Cluster.Balancing;

/// <summary>When a <see cref="ReadBalancer"/> gives up on a replica and when it tries it again.</summary>
public sealed record ReadBalancerOptions
{
    /// <summary>Failures in a row after which a replica is not chosen any more. Default: 2.</summary>
    public int FailuresToMarkDown { get; init; } = 2;

    /// <summary>How long a replica may owe answers without giving any before it is not chosen any more.
    /// Default: 1 s.</summary>
    public TimeSpan SilenceTimeout { get; init; } = TimeSpan.FromSeconds(1);

    /// <summary>When a replica that is down gets a first read to try; doubled with every one that fails.
    /// Default: 500 ms.</summary>
    public TimeSpan ProbeInterval { get; init; } = TimeSpan.FromMilliseconds(500);

    /// <summary>The longest time between two tries. Default: 5 s.</summary>
    public TimeSpan MaxProbeInterval { get; init; } = TimeSpan.FromSeconds(5);

    /// <summary>How much busier than the second choice the replica of a key may be before the second is
    /// taken. Bigger: each key stays in fewer caches; smaller: the load is more even. Default: 2.</summary>
    public double AffinityFactor { get; init; } = 2;

    /// <summary>Reads under way at a replica beyond which the primary helps out. Default: 4,096.</summary>
    public int MaxInFlightPerReplica { get; init; } = 4096;

    /// <summary>Reports every invalid setting at once.</summary>
    /// <exception cref="AiDbException"><see cref="AiDbErrorKind.InvalidArgument"/>, naming each setting and
    /// its range.</exception>
    public void Validate()
    {
        List<string> errors = [];
        if (FailuresToMarkDown < 1)
            errors.Add($"{nameof(FailuresToMarkDown)} must be 1 or more");
        if (SilenceTimeout <= TimeSpan.Zero)
            errors.Add($"{nameof(SilenceTimeout)} must be more than zero");
        if (ProbeInterval <= TimeSpan.Zero)
            errors.Add($"{nameof(ProbeInterval)} must be more than zero");
        if (MaxProbeInterval < ProbeInterval)
            errors.Add($"{nameof(MaxProbeInterval)} must be at least {nameof(ProbeInterval)}");
        if (!(AffinityFactor >= 1))
            errors.Add($"{nameof(AffinityFactor)} must be 1 or more");
        if (MaxInFlightPerReplica < 1)
            errors.Add($"{nameof(MaxInFlightPerReplica)} must be 1 or more");
        if (errors.Count > 0)
        {
            throw new AiDbException(
                AiDbErrorKind.InvalidArgument, "Invalid ReadBalancerOptions: " + string.Join("; ", errors) + ".");
        }
    }
}
