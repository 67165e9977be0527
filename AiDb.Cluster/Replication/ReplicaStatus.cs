using AiDb.Cluster.Model;

namespace AiDb.Cluster.Replication;

/// <summary>How a voter stands.</summary>
/// <param name="Phase">What it does as the elected; null: it follows.</param>
/// <param name="IsActive">Whether it is the primary and serves.</param>
/// <param name="Promised">The epoch that it promised.</param>
/// <param name="CommitLsn">The last entry that it knows to be committed.</param>
/// <param name="LastLsn">The last entry of its log.</param>
/// <param name="AppliedLsn">The last entry whose effects are seen.</param>
/// <param name="Followers">On a primary: the others, with the entries that each lacks; null: not known yet.</param>
public sealed record ReplicaStatus(
    LeaderPhase? Phase, bool IsActive, ulong Promised, ulong CommitLsn, ulong LastLsn, ulong AppliedLsn,
    IReadOnlyList<(ShardVoter Voter, ulong? Lag)> Followers);
