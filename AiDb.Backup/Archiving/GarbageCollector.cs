using AiDb.Backup.Blobs;
using AiDb.Backup.Format;

namespace AiDb.Backup.Archiving;

/// <summary>Deletes what the newest manifest does not reach.</summary>
/// <remarks>
/// What makes it safe: (1) the manifest was published by this primary before, so whoever takes the archive over after
/// the look at the epochs builds on it, and reaches nothing that is deleted; (2) the epochs are looked at again before
/// every few deletions; (3) names carry the epoch that wrote them, and those of later epochs are left alone; (4) nothing
/// is deleted that is younger than <see cref="ArchiveOptions.SafeAge"/>, by the store's own clock, counted from the
/// manifest's writing; (5) if any manifest or pin that is kept cannot be read, nothing is deleted; (6) what a lazy restore
/// has pinned is reached, and new pins are looked for again before every few deletions.
/// </remarks>
internal sealed class GarbageCollector(
    IBlobStore store, ArchivePublisher publisher, ArchiveManifest manifest, HashSet<string> sent)
{
    private const int DeletionsPerLook = 20;

    private readonly uint _shard = manifest.Shard;

    /// <summary>Runs once.</summary>
    /// <returns>Objects deleted.</returns>
    public async Task<int> RunAsync(CancellationToken cancellationToken)
    {
        DateTimeOffset now = await WrittenAtAsync(cancellationToken).ConfigureAwait(false);
        HashSet<string> pins = await ListPinsAsync(now, cancellationToken).ConfigureAwait(false);
        HashSet<string> reached = await ReachAsync(cancellationToken).ConfigureAwait(false);
        await ReachPinnedAsync(pins, reached, cancellationToken).ConfigureAwait(false);
        ulong firstLsn = Retention.FirstLsn(manifest);
        List<string> garbage = [];
        foreach (string prefix in (string[])
            [
                ArchiveNames.Manifests(_shard), ArchiveNames.Logs(_shard), ArchiveNames.Files(_shard), ArchiveNames.Pins(_shard),
            ])
        {
            await foreach (BlobInfo blob in store.ListAsync(prefix, null, cancellationToken).ConfigureAwait(false))
            {
                if (now - blob.LastModified > ArchiveOptions.SafeAge && !reached.Contains(blob.Name)
                    && IsGarbage(blob.Name, firstLsn))
                {
                    garbage.Add(blob.Name);
                }
            }
        }

        for (int index = 0; index < garbage.Count; index++)
        {
            if (index % DeletionsPerLook == 0)
            {
                await publisher.CheckEpochAsync(cancellationToken).ConfigureAwait(false);

                // What a restore has pinned meanwhile was not reached when the garbage was chosen.
                if (!(await ListPinsAsync(now, cancellationToken).ConfigureAwait(false)).IsSubsetOf(pins))
                    return index;
            }

            await store.DeleteAsync(garbage[index], cancellationToken).ConfigureAwait(false);
        }

        return garbage.Count;
    }

    private bool IsGarbage(string name, ulong firstLsn)
    {
        if (ArchiveNames.TryParseManifest(name, _shard, out ManifestId id))
            return id < manifest.Id && id != new ManifestId(manifest.Id.Epoch, 0);
        if (ArchiveNames.TryParseLog(name, _shard, out LogObjectId log))
            return log.LastLsn < firstLsn && log.Epoch <= manifest.Id.Epoch;
        if (ArchiveNames.TryParsePin(name, _shard, out _, out _))
            return true;
        return ArchiveNames.TryParseFile(name, _shard, out ulong epoch) && epoch <= manifest.Id.Epoch
            && !sent.Contains(name);
    }

    private async Task<HashSet<string>> ReachAsync(CancellationToken cancellationToken)
    {
        HashSet<string> reached = new(StringComparer.Ordinal);
        Add(reached, manifest);
        foreach (KeptManifest kept in manifest.Kept)
        {
            Add(reached, await publisher.ReadKeptAsync(kept.Id, cancellationToken).ConfigureAwait(false));
        }

        return reached;
    }

    /// <summary>The pins of restores that go on.</summary>
    private async Task<HashSet<string>> ListPinsAsync(DateTimeOffset now, CancellationToken cancellationToken)
    {
        HashSet<string> pins = new(StringComparer.Ordinal);
        await foreach (BlobInfo blob in store.ListAsync(ArchiveNames.Pins(_shard), null, cancellationToken).ConfigureAwait(false))
        {
            if (now - blob.LastModified <= ArchiveOptions.SafeAge)
                pins.Add(blob.Name);
        }

        return pins;
    }

    private async Task ReachPinnedAsync(
        IEnumerable<string> pins, HashSet<string> reached, CancellationToken cancellationToken)
    {
        foreach (string name in pins)
        {
            try
            {
                byte[] bytes = await store.ReadAllAsync(name, PinCodec.Bytes, cancellationToken).ConfigureAwait(false);
                ArchivePin pin = PinCodec.Decode(bytes, name);
                Add(reached, await publisher.Reader.ReadManifestAsync(pin.Manifest, cancellationToken).ConfigureAwait(false));
            }
            catch (AiDbException error) when (error.Kind == AiDbErrorKind.NotFound)
            {
                // The restore has ended meanwhile, or found its manifest gone when it had pinned it.
            }
        }
    }

    private void Add(HashSet<string> reached, ArchiveManifest found)
    {
        reached.Add(ArchiveNames.Manifest(_shard, found.Id));
        foreach (ArchivedFile file in found.Files)
            reached.Add(ArchiveNames.File(_shard, file));
    }

    /// <summary>When the manifest was written, by the store's clock.</summary>
    private async Task<DateTimeOffset> WrittenAtAsync(CancellationToken cancellationToken)
    {
        string name = ArchiveNames.Manifest(_shard, manifest.Id);
        await foreach (BlobInfo blob in store.ListAsync(
            ArchiveNames.Manifests(_shard, manifest.Id.Epoch), null, cancellationToken).ConfigureAwait(false))
        {
            if (string.Equals(blob.Name, name, StringComparison.Ordinal))
                return blob.LastModified;
        }

        await publisher.CheckEpochAsync(cancellationToken).ConfigureAwait(false);
        throw publisher.Superseded($"'{name}', which this primary wrote, is gone");
    }
}
