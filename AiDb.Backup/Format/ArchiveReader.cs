using AiDb.Backup.Blobs;

namespace AiDb.Backup.Format;

/// <summary>Reads a shard's manifests and log out of a store.</summary>
public sealed class ArchiveReader(IBlobStore store, uint shard)
{
    /// <summary>The store.</summary>
    public IBlobStore Store => store;

    /// <summary>The shard.</summary>
    public uint Shard => shard;

    /// <summary>The shards that a store has archives of.</summary>
    public static async Task<IReadOnlyList<uint>> ListShardsAsync(
        IBlobStore store, CancellationToken cancellationToken = default)
    {
        ArgumentNullException.ThrowIfNull(store);
        SortedSet<uint> shards = [];
        foreach (string name in await store.ListNamesAsync("manifest/", cancellationToken).ConfigureAwait(false))
        {
            if (ArchiveNames.TryParseShard(name, out uint found))
                shards.Add(found);
        }

        return [.. shards];
    }

    /// <summary>All manifests, claims too, in their order.</summary>
    public async Task<List<ManifestId>> ListManifestsAsync(CancellationToken cancellationToken = default)
    {
        List<ManifestId> ids = [];
        string prefix = ArchiveNames.Manifests(shard);
        foreach (string name in await store.ListNamesAsync(prefix, cancellationToken).ConfigureAwait(false))
        {
            if (ArchiveNames.TryParseManifest(name, shard, out ManifestId id))
                ids.Add(id);
        }

        return ids;
    }

    /// <summary>Reads a manifest.</summary>
    public async Task<ArchiveManifest> ReadManifestAsync(ManifestId id, CancellationToken cancellationToken = default)
    {
        string name = ArchiveNames.Manifest(shard, id);
        byte[] bytes = await store.ReadAllAsync(name, ManifestCodec.MaxBytes, cancellationToken).ConfigureAwait(false);
        ArchiveManifest manifest = ManifestCodec.Decode(bytes, name);
        return manifest.Shard == shard && manifest.Id == id
            ? manifest
            : throw ArchiveFormat.Damaged(name, $"it says that it is manifest {manifest.Id} of shard {manifest.Shard}");
    }

    /// <summary>The newest manifest that states a tree; null when there is none.</summary>
    public async Task<ArchiveManifest?> ReadNewestAsync(CancellationToken cancellationToken = default)
    {
        List<ManifestId> ids = await ListManifestsAsync(cancellationToken).ConfigureAwait(false);
        int newest = ids.FindLastIndex(static id => id.Number > 0);
        return newest < 0 ? null : await ReadManifestAsync(ids[newest], cancellationToken).ConfigureAwait(false);
    }

    /// <summary>The log objects of an epoch, in the order of their entries.</summary>
    /// <param name="epoch">The epoch.</param>
    /// <param name="fromLsn">Objects that end before this entry are left out.</param>
    /// <param name="cancellationToken">Gives up.</param>
    public async Task<List<(LogObjectId Id, long SizeBytes)>> ListLogAsync(
        ulong epoch, ulong fromLsn, CancellationToken cancellationToken = default)
    {
        List<(LogObjectId, long)> found = [];
        string prefix = ArchiveNames.Logs(shard, epoch);
        await foreach (BlobInfo blob in store.ListAsync(prefix, null, cancellationToken).ConfigureAwait(false))
        {
            if (ArchiveNames.TryParseLog(blob.Name, shard, out LogObjectId id) && id.LastLsn >= fromLsn)
                found.Add((id, blob.SizeBytes));
        }

        return found;
    }

    /// <summary>The log objects from an entry on that belong to a manifest's history, without a hole.</summary>
    public async Task<List<(LogObjectId Id, long SizeBytes)>> ListChainAsync(
        ArchiveManifest manifest, ulong fromLsn, CancellationToken cancellationToken = default)
    {
        ArgumentNullException.ThrowIfNull(manifest);
        List<(LogObjectId, long)> chain = [];
        ulong next = fromLsn;
        List<EpochCut> cuts = [.. manifest.History, new EpochCut(manifest.Id.Epoch, ulong.MaxValue)];
        foreach (EpochCut cut in cuts)
        {
            if (cut.ThroughLsn < next)
                continue;
            foreach ((LogObjectId id, long bytes) in
                await ListLogAsync(cut.Epoch, next, cancellationToken).ConfigureAwait(false))
            {
                // An object may begin before what is wanted, and reach beyond what counts of its epoch.
                if (id.FirstLsn > next || next > cut.ThroughLsn)
                    break;
                if (id.LastLsn < next)
                    continue;
                chain.Add((id, bytes));
                next = Math.Min(id.LastLsn, cut.ThroughLsn) + 1;
            }

            if (cut.ThroughLsn != ulong.MaxValue && next <= cut.ThroughLsn)
                break;
        }

        return chain;
    }

    /// <summary>Reads a log object.</summary>
    internal async Task<LogObject> ReadLogAsync(LogObjectId id, CancellationToken cancellationToken = default)
    {
        string name = ArchiveNames.Log(shard, id);
        byte[] bytes = await store.ReadAllAsync(name, LogObjectCodec.MaxBytes, cancellationToken).ConfigureAwait(false);
        LogObject found = LogObjectCodec.Decode(bytes, name);
        return found.Shard == shard && found.Epoch == id.Epoch && found.FirstLsn == id.FirstLsn && found.Last.Lsn == id.LastLsn
            ? found
            : throw ArchiveFormat.Damaged(name, "it holds other entries than its name says");
    }
}
