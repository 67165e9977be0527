namespace AiDb.Cluster.Replication;

/// <summary>Names an entry of a shard's log. Of two logs the one whose last entry is greater - by epoch, then by
/// LSN - holds everything that may be committed; never simply the longer one.</summary>
/// <param name="Epoch">The epoch whose primary made it.</param>
/// <param name="Lsn">Its number, from 1 without gaps; 0: before the first.</param>
public readonly record struct EntryId(ulong Epoch, ulong Lsn) : IComparable<EntryId>
{
    /// <inheritdoc/>
    public int CompareTo(EntryId other) =>
        Epoch != other.Epoch ? Epoch.CompareTo(other.Epoch) : Lsn.CompareTo(other.Lsn);

    /// <inheritdoc/>
    public override string ToString() => $"{Epoch}/{Lsn}";
}

/// <summary>Where an epoch begins in a log.</summary>
/// <param name="Epoch">The epoch.</param>
/// <param name="StartLsn">Its first entry.</param>
public readonly record struct EpochMark(ulong Epoch, ulong StartLsn);

/// <summary>What an entry is.</summary>
public enum ReplicaEntryKind : byte
{
    /// <summary>A batch of writes.</summary>
    Batch = 1,

    /// <summary>The first entry of an epoch, or one that a reconfiguration commits: changes no key.</summary>
    EpochStart = 2,
}

/// <summary>An entry as it goes from voter to voter.</summary>
/// <param name="Id">Its name.</param>
/// <param name="Timestamp">Hybrid-logical, greater than the entry's before.</param>
/// <param name="Kind">What it is.</param>
/// <param name="Payload">The batch; never changed once it was handed over.</param>
public sealed record ReplicaEntry(EntryId Id, ulong Timestamp, ReplicaEntryKind Kind, ReadOnlyMemory<byte> Payload);
