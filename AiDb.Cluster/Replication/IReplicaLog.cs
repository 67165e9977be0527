namespace AiDb.Cluster.Replication;

/// <summary>A voter's durable state: its promise, and the log. What is written here is durable once the host has synced it;
/// after a loss of power what was not synced may be gone, and then is gone from an entry on to the end.</summary>
/// <remarks>Thread safety: none; it belongs to the host of one voter.</remarks>
public interface IReplicaLog
{
    /// <summary>The epoch below which nothing is followed any more.</summary>
    ulong Promised { get; }

    /// <summary>The highest generation of <c>conf</c> that was seen.</summary>
    ulong Generation { get; }

    /// <summary>The first entry that can be read; <see cref="LastLsn"/> + 1 when there is none. What was before is in
    /// tables.</summary>
    ulong FirstLsn { get; }

    /// <summary>The last entry that was known to be committed when the log was opened, or is since.</summary>
    ulong CommittedLsn { get; }

    /// <summary>The last entry; 0: none.</summary>
    ulong LastLsn { get; }

    /// <summary>The last entry that a loss of power would not take; a cut lowers it.</summary>
    ulong DurableLsn { get; }

    /// <summary>Which epoch each entry is of.</summary>
    EpochHistory History { get; }

    /// <summary>The timestamp of the last entry; 0: none.</summary>
    ulong LastTimestamp { get; }

    /// <summary>The epoch of an entry; 0 for LSN 0; null: the log does not hold it.</summary>
    ulong? EpochAt(ulong lsn);

    /// <summary>Writes a promise.</summary>
    void Promise(ulong epoch, ulong generation);

    /// <summary>Appends the entry after the last.</summary>
    void Append(ReplicaEntry entry);

    /// <summary>Cuts off what follows an entry.</summary>
    void TruncateAfter(ulong lsn);

    /// <summary>Reads entries in order, from one on, as many as fit into a number of bytes, at least one where there
    /// is one; none where the first is not in the log any more.</summary>
    IReadOnlyList<ReplicaEntry> Read(ulong fromLsn, int maxBytes);
}
