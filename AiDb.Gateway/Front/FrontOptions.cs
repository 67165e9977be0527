namespace AiDb.Gateway.Front;

/// <summary>Times of <see cref="KeyValueFront"/>.</summary>
internal sealed record FrontOptions
{
    /// <summary>How long a request may take that does not say. Default: 30 s.</summary>
    public TimeSpan RequestTimeout { get; init; } = TimeSpan.FromSeconds(30);

    /// <summary>How long a request may take that reads a whole collection, as making an index does. Default: 1
    /// h.</summary>
    public TimeSpan LongRequestTimeout { get; init; } = TimeSpan.FromHours(1);

    /// <summary>How long a request that a node refused without doing anything (no primary, a moved slot) is
    /// tried again. Bigger: short elections go unnoticed; smaller: callers learn sooner. Default: 3
    /// s.</summary>
    public TimeSpan RetryTime { get; init; } = TimeSpan.FromSeconds(3);

    /// <summary>How long a cache replica has for its answer before the primary is asked. Default: 500
    /// ms.</summary>
    public TimeSpan ReplicaPatience { get; init; } = TimeSpan.FromMilliseconds(500);
}
