namespace AiDb.Cluster.Replication;

/// <summary>The rules that make replication safe, each of which the simulator can turn off to show that it would notice.
/// Nothing else ever does.</summary>
internal sealed record ProtocolRules
{
    /// <summary>All of them.</summary>
    public static ProtocolRules Safe { get; } = new();

    /// <summary>An entry counts as committed only through an entry of the current epoch.</summary>
    public bool CommitsOwnEpochOnly { get; init; } = true;

    /// <summary>A promise is durable before it is answered.</summary>
    public bool PersistsSeal { get; init; } = true;

    /// <summary>An append of a later epoch raises the promise.</summary>
    public bool AppendRaisesPromise { get; init; } = true;

    /// <summary>A follower cuts its log only where epochs diverge, and never at its own commit position.</summary>
    public bool TruncatesAtDivergenceOnly { get; init; } = true;

    /// <summary>A seal asks n - Qw + 1 voters, not one fewer.</summary>
    public bool SealsFullQuorum { get; init; } = true;

    /// <summary>Only the disk that <c>conf</c> names has the vote of its node.</summary>
    public bool ChecksDisk { get; init; } = true;

    /// <summary>A reconfiguration ends only after an entry was committed under both groups.</summary>
    public bool CommitsUnderBoth { get; init; } = true;

    /// <summary>A linearizable read asks a quorum whether the epoch still stands.</summary>
    public bool ConfirmsReads { get; init; } = true;

    /// <summary>The log with the greatest last entry by (epoch, LSN) is adopted, not the longest.</summary>
    public bool AdoptsByEpoch { get; init; } = true;

    /// <summary>A follower acknowledges an append after it is durable.</summary>
    public bool AcknowledgesDurable { get; init; } = true;
}
