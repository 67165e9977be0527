namespace AiDb.Cluster.Placement;

/// <summary>When followers give up on a primary that they do not hear.</summary>
public sealed record SuspicionOptions
{
    /// <summary>Silence after which a follower asks the others, up to half as much again by chance. Shorter: another primary
    /// sooner; longer: a pause of a busy machine is not taken for a failure. Default: 1.5 s.</summary>
    public TimeSpan SuspectAfter { get; init; } = TimeSpan.FromSeconds(1.5);

    /// <summary>How long an elected primary is left in peace before it may be suspected; twice as long after each election that
    /// did not lead to one that is heard, up to eight times. Default: 3 s.</summary>
    public TimeSpan MinElectionInterval { get; init; } = TimeSpan.FromSeconds(3);

    /// <summary>How often a follower that suspects repeats its question. Default: 300 ms.</summary>
    public TimeSpan AskInterval { get; init; } = TimeSpan.FromMilliseconds(300);

    /// <summary>Reports every invalid setting at once.</summary>
    /// <exception cref="AiDbException"><see cref="AiDbErrorKind.InvalidArgument"/>.</exception>
    public void Validate()
    {
        List<string> errors = [];
        if (SuspectAfter < TimeSpan.FromMilliseconds(500) || SuspectAfter > TimeSpan.FromMinutes(10))
            errors.Add($"{nameof(SuspectAfter)} must be 500 ms to 10 min: heartbeats come every 200 ms");
        if (MinElectionInterval < SuspectAfter)
            errors.Add($"{nameof(MinElectionInterval)} must be at least {nameof(SuspectAfter)}");
        if (AskInterval <= TimeSpan.Zero)
            errors.Add($"{nameof(AskInterval)} must be more than zero");
        if (errors.Count > 0)
            throw new AiDbException(AiDbErrorKind.InvalidArgument, "Invalid SuspicionOptions: " + string.Join("; ", errors) + ".");
    }
}
