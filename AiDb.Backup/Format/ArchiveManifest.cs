using AiDb.Engine;

namespace AiDb.Backup.Format;

/// <summary>Up to which entry an epoch's log objects are part of history.</summary>
/// <param name="Epoch">The epoch.</param>
/// <param name="ThroughLsn">The last entry; what the epoch's primary wrote beyond it, nobody followed.</param>
public readonly record struct EpochCut(ulong Epoch, ulong ThroughLsn);

/// <summary>An earlier manifest that is kept so that points in time after it can be restored.</summary>
/// <param name="Id">Its number.</param>
/// <param name="Flushed">The last entry that its files hold.</param>
public readonly record struct KeptManifest(ManifestId Id, LogPosition Flushed);

/// <summary>States a database as of one entry of its log: files, and where the log goes on. Format:
/// docs/formats/archive.md.</summary>
public sealed record ArchiveManifest
{
    /// <summary>The shard.</summary>
    public required uint Shard { get; init; }

    /// <summary>Its number.</summary>
    public required ManifestId Id { get; init; }

    /// <summary>The identity of the database.</summary>
    public required UInt128 DatabaseId { get; init; }

    /// <summary>When it was written, Unix milliseconds, by the primary's clock.</summary>
    public long CreatedAtMs { get; init; }

    /// <summary>Random, so that two that compete for one number never write the same bytes.</summary>
    public ulong Nonce { get; init; }

    /// <summary>The last entry that the files hold; of a claim: nothing.</summary>
    public LogPosition Flushed { get; init; }

    /// <summary>The last entry that the log objects held when it was written.</summary>
    public LogPosition Archived { get; init; }

    /// <summary>The first entry from which on the log objects have no hole; 0: nothing is known yet.</summary>
    public ulong LogFloor { get; init; }

    /// <summary>The epochs before this one, oldest first, and how far each counts.</summary>
    public IReadOnlyList<EpochCut> History { get; init; } = [];

    /// <summary>Earlier manifests that are kept, oldest first.</summary>
    public IReadOnlyList<KeptManifest> Kept { get; init; } = [];

    /// <summary>The files.</summary>
    public IReadOnlyList<ArchivedFile> Files { get; init; } = [];

    /// <summary>What the database's own manifest says of them.</summary>
    public ReadOnlyMemory<byte> Statement { get; init; }

    /// <summary>What the host needs besides: the catalogue of tables.</summary>
    public ReadOnlyMemory<byte> HostState { get; init; }

    /// <summary>Whether it only claims its epoch and states no tree.</summary>
    public bool IsClaim => Id.Number == 0;

    /// <summary>Bytes of all files.</summary>
    public long FileBytes => Files.Sum(static file => file.File.SizeBytes);

    /// <summary>Whose log object holds an entry.</summary>
    public ulong EpochOf(ulong lsn)
    {
        foreach (EpochCut cut in History)
        {
            if (lsn <= cut.ThroughLsn)
                return cut.Epoch;
        }

        return Id.Epoch;
    }

    /// <summary>The last entry of an epoch that counts; <see cref="ulong.MaxValue"/> for its own.</summary>
    public ulong ThroughOf(ulong epoch)
    {
        foreach (EpochCut cut in History)
        {
            if (cut.Epoch == epoch)
                return cut.ThroughLsn;
        }

        return epoch == Id.Epoch ? ulong.MaxValue : 0;
    }

    /// <summary>Whether an earlier manifest's state is one that this one's history went through.</summary>
    public bool IsAncestor(KeptManifest kept) => kept.Flushed.Lsn <= ThroughOf(kept.Id.Epoch);
}
