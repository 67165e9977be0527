using AiDb.Cluster.Metadata;

namespace AiDb.Cluster.Placement;

/// <summary>Settings of a <see cref="Coordinator"/> and of a <see cref="ShardSupervisor"/>.</summary>
public sealed record CoordinatorOptions
{
    /// <summary>The most voters that a shard may have: more copies cost more than they keep.</summary>
    public const int MaxVoters = 9;

    /// <summary>Primaries to wait for before the slots are dealt out for the first time. Default:
    /// 1.</summary>
    public int Shards { get; init; } = 1;

    /// <summary>Copies of each shard that vote. 1: a write is safe on one disk. 3: any one node may be lost without a loss of
    /// data, and another takes over in seconds; every write waits for a second node. Shards that have fewer get more when
    /// there are nodes for them; none is taken away. Default: 1.</summary>
    public int VotersPerShard { get; init; } = 1;

    /// <summary>Voters that must hold a write before it is acknowledged; 0: the majority. More: more disks may be lost at once;
    /// fewer: more nodes may be away while writes go on. Default: 0.</summary>
    public int WriteQuorum { get; init; }

    /// <summary>How long a voter's node may be gone before a spare node takes its place; zero: for ever. Shorter: copies are
    /// whole again sooner; longer: a restart or a move does not copy the shard. Default: 10 min.</summary>
    public TimeSpan ReplaceAfter { get; init; } = TimeSpan.FromMinutes(10);

    /// <summary>The write quorum of a number of voters: as set where that many are set, else the majority.</summary>
    public int WriteQuorumOf(int voters) =>
        WriteQuorum > 0 && voters == VotersPerShard ? WriteQuorum : (voters / 2) + 1;

    /// <summary>Reports every invalid setting at once.</summary>
    /// <exception cref="AiDbException"><see cref="AiDbErrorKind.InvalidArgument"/>, naming each and its
    /// range.</exception>
    public void Validate()
    {
        List<string> errors = [];
        if (Shards is < 1 or >= MetadataLimits.MaxTransactionSteps)
            errors.Add($"{nameof(Shards)} must be 1 to {MetadataLimits.MaxTransactionSteps - 1}");
        if (VotersPerShard is < 1 or > MaxVoters)
            errors.Add($"{nameof(VotersPerShard)} must be 1 to {MaxVoters}");
        if (WriteQuorum < 0 || WriteQuorum > VotersPerShard)
            errors.Add($"{nameof(WriteQuorum)} must be 1 to {nameof(VotersPerShard)}, or 0 for the majority");
        if (ReplaceAfter < TimeSpan.Zero)
            errors.Add($"{nameof(ReplaceAfter)} must not be negative");
        if (errors.Count > 0)
            throw new AiDbException(AiDbErrorKind.InvalidArgument, "Invalid CoordinatorOptions: " + string.Join("; ", errors) + ".");
    }
}
