namespace AiDb.Cluster.Replication;

/// <summary>The pace of replication.</summary>
public sealed record ReplicationOptions
{
    /// <summary>How often a primary without writes speaks to its followers. Shorter: commits are known and losses mended
    /// sooner; longer: less idle traffic. Default: 200 ms.</summary>
    public TimeSpan HeartbeatInterval { get; init; } = TimeSpan.FromMilliseconds(200);

    /// <summary>How long a primary waits for an answer before it sends again. Default: 1 s.</summary>
    public TimeSpan ResendAfter { get; init; } = TimeSpan.FromSeconds(1);

    /// <summary>How long a primary without an answering quorum goes on before it steps down; its waiting writes end as
    /// of unknown outcome. Default: 10 s.</summary>
    public TimeSpan QuorumTimeout { get; init; } = TimeSpan.FromSeconds(10);

    /// <summary>Bytes of entries in one append. Default: 1 MiB.</summary>
    public int MaxAppendBytes { get; init; } = 1 << 20;

    /// <summary>Appends under way to one follower. More: better use of slow links. Default: 8.</summary>
    public int MaxAppendsInFlight { get; init; } = 8;

    /// <summary>Reports every invalid setting at once.</summary>
    /// <exception cref="AiDbException"><see cref="AiDbErrorKind.InvalidArgument"/>.</exception>
    public void Validate()
    {
        List<string> errors = [];
        if (HeartbeatInterval <= TimeSpan.Zero || HeartbeatInterval > TimeSpan.FromMinutes(1))
            errors.Add($"{nameof(HeartbeatInterval)} must be more than zero, at most a minute");
        if (ResendAfter < HeartbeatInterval)
            errors.Add($"{nameof(ResendAfter)} must be at least {nameof(HeartbeatInterval)}");
        if (QuorumTimeout <= ResendAfter)
            errors.Add($"{nameof(QuorumTimeout)} must be more than {nameof(ResendAfter)}");
        if (MaxAppendBytes < 1 || MaxAppendsInFlight < 1)
            errors.Add($"{nameof(MaxAppendBytes)} and {nameof(MaxAppendsInFlight)} must be 1 or more");
        if (errors.Count > 0)
            throw new AiDbException(AiDbErrorKind.InvalidArgument, "Invalid ReplicationOptions: " + string.Join("; ", errors) + ".");
    }
}
