using AiDb.Cluster.Model;

namespace AiDb.Cluster.Replication;

/// <summary>What voters of one shard tell each other.</summary>
/// <param name="Epoch">The epoch in whose name it is sent or answered.</param>
public abstract record ReplicationMessage(ulong Epoch);

/// <summary>From the elected: follow no older epoch any more, and say what you hold.</summary>
/// <param name="Epoch">The new epoch.</param>
/// <param name="Generation">Of <c>conf</c>.</param>
public sealed record SealRequest(ulong Epoch, ulong Generation) : ReplicationMessage(Epoch);

/// <summary>Sent after <paramref name="Promised"/> is durable.</summary>
/// <param name="Epoch">Of the request.</param>
/// <param name="Voter">Who answers; the vote is the disk's.</param>
/// <param name="Promised">The epoch promised; greater than <paramref name="Epoch"/>: refused.</param>
/// <param name="History">What its log holds, durably.</param>
public sealed record SealReply(ulong Epoch, ShardVoter Voter, ulong Promised, EpochHistory History)
    : ReplicationMessage(Epoch);

/// <summary>From the elected to the voter whose log it adopts: give me your entries.</summary>
/// <param name="Epoch">The new epoch.</param>
/// <param name="FromLsn">The first one wanted.</param>
public sealed record FetchRequest(ulong Epoch, ulong FromLsn) : ReplicationMessage(Epoch);

/// <summary>Entries in order, from the one wanted.</summary>
/// <param name="Epoch">Of the request.</param>
/// <param name="Voter">Who answers.</param>
/// <param name="FromLsn">Of the request.</param>
/// <param name="Entries">As many as fit; none: it has none.</param>
public sealed record FetchReply(ulong Epoch, ShardVoter Voter, ulong FromLsn, IReadOnlyList<ReplicaEntry> Entries)
    : ReplicationMessage(Epoch);

/// <summary>From the primary: these entries follow that one. Without entries it is a heartbeat.</summary>
/// <param name="Epoch">The primary's.</param>
/// <param name="Generation">Of <c>conf</c>.</param>
/// <param name="Previous">The entry before the first.</param>
/// <param name="Entries">The entries, in order.</param>
/// <param name="CommitLsn">What is committed.</param>
public sealed record AppendRequest(
    ulong Epoch, ulong Generation, EntryId Previous, IReadOnlyList<ReplicaEntry> Entries, ulong CommitLsn)
    : ReplicationMessage(Epoch);

/// <summary>What came of an append.</summary>
public enum AppendOutcome
{
    /// <summary>The log is the primary's up to <see cref="AppendReply.MatchLsn"/>, durably.</summary>
    Matched,

    /// <summary>The predecessor is not there; <see cref="AppendReply.History"/> tells what is.</summary>
    Diverged,

    /// <summary>A later epoch was promised.</summary>
    Refused,
}

/// <summary>The answer to an append, sent when what it says is durable.</summary>
/// <param name="Epoch">Of the request.</param>
/// <param name="Voter">Who answers.</param>
/// <param name="Outcome">What came of it.</param>
/// <param name="Promised">The epoch promised.</param>
/// <param name="MatchLsn">The last entry that is surely the primary's; where it diverged, the predecessor that is not
/// there.</param>
/// <param name="History">Where it diverged: what the log holds.</param>
public sealed record AppendReply(
    ulong Epoch, ShardVoter Voter, AppendOutcome Outcome, ulong Promised, ulong MatchLsn, EpochHistory? History = null)
    : ReplicationMessage(Epoch);

/// <summary>From the primary before linearizable reads: have you promised a later epoch?</summary>
/// <param name="Epoch">The primary's.</param>
/// <param name="Round">Counts the primary's rounds.</param>
public sealed record ConfirmRequest(ulong Epoch, ulong Round) : ReplicationMessage(Epoch);

/// <summary>The answer to a confirmation.</summary>
/// <param name="Epoch">Of the request.</param>
/// <param name="Voter">Who answers.</param>
/// <param name="Round">Of the request.</param>
/// <param name="Promised">The epoch promised, durably.</param>
public sealed record ConfirmReply(ulong Epoch, ShardVoter Voter, ulong Round, ulong Promised) : ReplicationMessage(Epoch);
