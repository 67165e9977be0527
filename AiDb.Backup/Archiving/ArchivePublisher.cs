using AiDb.Backup.Blobs;
using AiDb.Backup.Format;

namespace AiDb.Backup.Archiving;

/// <summary>Writes what exactly one may write: claims, manifests, log objects; and finds out who else is there.</summary>
internal sealed class ArchivePublisher(IBlobStore store, uint shard, ulong epoch)
{
    public ArchiveReader Reader { get; } = new(store, shard);

    /// <summary>Creates an object that only this primary may create.</summary>
    /// <exception cref="AiDbException"><see cref="AiDbErrorKind.Aborted"/>: another one did.</exception>
    public async Task CreateAsync(string name, byte[] content, CancellationToken cancellationToken)
    {
        if (await store.TryCreateAsync(name, content, cancellationToken).ConfigureAwait(false))
            return;

        // The answer to an earlier try may have been lost: then the object is ours, byte for byte.
        byte[] found = await store.ReadAllAsync(name, Math.Max(content.Length, 1 << 20), cancellationToken)
            .ConfigureAwait(false);
        if (!found.AsSpan().SequenceEqual(content))
            throw Superseded($"another process has written '{name}'");
    }

    /// <summary>Makes sure that no later primary has claimed the archive.</summary>
    /// <exception cref="AiDbException"><see cref="AiDbErrorKind.Aborted"/>: one has.</exception>
    public async Task CheckEpochAsync(CancellationToken cancellationToken)
    {
        // Names in a store that lists in order; only what is beyond this epoch is asked for.
        string own = ArchiveNames.Manifests(shard, epoch) + "z";
        await foreach (BlobInfo blob in store.ListAsync(ArchiveNames.Manifests(shard), own, cancellationToken)
            .ConfigureAwait(false))
        {
            if (ArchiveNames.TryParseManifest(blob.Name, shard, out ManifestId id) && id.Epoch > epoch)
                throw Superseded($"a primary has claimed epoch {id.Epoch}");
        }
    }

    /// <summary>Reads a manifest that this primary's own ones keep.</summary>
    /// <exception cref="AiDbException"><see cref="AiDbErrorKind.Aborted"/>: it is gone, since a later primary has the archive
    /// and keeps other ones; <see cref="AiDbErrorKind.DataLoss"/>: it is gone though nobody else has it.</exception>
    public async Task<ArchiveManifest> ReadKeptAsync(ManifestId id, CancellationToken cancellationToken)
    {
        try
        {
            return await Reader.ReadManifestAsync(id, cancellationToken).ConfigureAwait(false);
        }
        catch (AiDbException error) when (error.Kind == AiDbErrorKind.NotFound)
        {
            await CheckEpochAsync(cancellationToken).ConfigureAwait(false);
            throw ArchiveFormat.Damaged(
                ArchiveNames.Manifest(shard, id), "it is missing, though a later manifest keeps it; nothing was deleted");
        }
    }

    /// <summary>Says that others own the archive now.</summary>
    public AiDbException Superseded(string what) => ArchiveLost.Create(
        AiDbErrorKind.Aborted,
        $"The archive of shard {shard} in {store.Location} is not this primary's (epoch {epoch}) any more: {what}. "
        + "This primary archives nothing from here on.");
}
