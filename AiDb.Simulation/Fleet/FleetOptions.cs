namespace AiDb.Simulation.Fleet;

/// <summary>A cluster of many shards, a part of whose nodes fails at once.</summary>
internal sealed record FleetOptions
{
    /// <summary>The seed.</summary>
    public int Seed { get; init; } = 1;

    /// <summary>Nodes. Default: 100.</summary>
    public int Nodes { get; init; } = 100;

    /// <summary>Zones, among which the nodes are dealt out. Default: 10.</summary>
    public int Zones { get; init; } = 10;

    /// <summary>Shards. Default: 1,000.</summary>
    public int Shards { get; init; } = 1000;

    /// <summary>Voters of each shard. Default: 3.</summary>
    public int Voters { get; init; } = 3;

    /// <summary>How many nodes fail at once; those of one zone first. Default: 10.</summary>
    public int Failing { get; init; } = 10;

    /// <summary>How long a node may be gone before its voters are replaced. Default: 20 s.</summary>
    public TimeSpan ReplaceAfter { get; init; } = TimeSpan.FromSeconds(20);

    /// <summary>The longest a client of a shard, of which each has one, waits between two operations. Default: 1 s.</summary>
    public TimeSpan ThinkTime { get; init; } = TimeSpan.FromSeconds(1);

    /// <summary>Reports every invalid setting at once.</summary>
    /// <exception cref="AiDbException"><see cref="AiDbErrorKind.InvalidArgument"/>.</exception>
    public void Validate()
    {
        List<string> errors = [];
        if (Nodes is < 1 or > 10_000 || Shards is < 1 or > 100_000)
            errors.Add($"{nameof(Nodes)} must be 1 to 10000, {nameof(Shards)} 1 to 100000");
        if (Zones < 1 || Zones > Nodes)
            errors.Add($"{nameof(Zones)} must be 1 to {nameof(Nodes)}");
        if (Voters < 1 || Voters > Nodes)
            errors.Add($"{nameof(Voters)} must be 1 to {nameof(Nodes)}");
        if (Failing < 0 || Failing > Nodes - Voters)
            errors.Add($"{nameof(Failing)} must be 0 to {nameof(Nodes)} - {nameof(Voters)}");
        if (errors.Count > 0)
            throw new AiDbException(AiDbErrorKind.InvalidArgument, "Invalid FleetOptions: " + string.Join("; ", errors) + ".");
    }
}
