using System.Security.Cryptography;
using AiDb.Backup.Archiving;
using AiDb.Backup.Format;
using AiDb.Engine.Storage;

namespace AiDb.Backup.Restoring;

/// <summary>Who may write to an archive, as seen from outside of a running primary.</summary>
public static class ArchiveOwnership
{
    /// <summary>How far beyond the archive's last epoch a claim from outside goes. A primary whose archive was away takes an
    /// epoch with every start and has claimed none of them here; the claim must exceed those too, or it would go on.</summary>
    private const ulong Leap = 1000;

    /// <summary>Takes an archive from whichever primary has it: what that one writes from here on does not count, and it
    /// finds out before it tells anybody that a write is archived. For the restore of a primary that is gone.</summary>
    /// <returns>The epoch that was claimed.</returns>
    public static async Task<ulong> TakeAsync(ArchiveReader reader, CancellationToken cancellationToken = default)
    {
        ArgumentNullException.ThrowIfNull(reader);
        ArchiveManifest newest = await reader.ReadNewestAsync(cancellationToken).ConfigureAwait(false)
            ?? throw new AiDbException(
                AiDbErrorKind.NotFound, $"{reader.Store.Location} has no backup of shard {reader.Shard} to take over.");
        while (true)
        {
            List<ManifestId> ids = await reader.ListManifestsAsync(cancellationToken).ConfigureAwait(false);
            var claim = new ArchiveManifest
            {
                Shard = reader.Shard,
                Id = new ManifestId(ids[^1].Epoch + Leap, 0),
                DatabaseId = newest.DatabaseId,
                Nonce = BitConverter.ToUInt64(RandomNumberGenerator.GetBytes(sizeof(ulong))),
            };
            if (await reader.Store.TryCreateAsync(
                ArchiveNames.Manifest(reader.Shard, claim.Id), ManifestCodec.Encode(claim), cancellationToken)
                .ConfigureAwait(false))
            {
                return claim.Id.Epoch;
            }
        }
    }

    /// <summary>The epoch that a primary's next one must exceed, by the archive and by what its folder
    /// remembers.</summary>
    /// <param name="reader">The archive.</param>
    /// <param name="files">The disk.</param>
    /// <param name="folder">The database's folder.</param>
    /// <param name="cancellationToken">Gives up.</param>
    public static async Task<ulong> GreatestEpochAsync(
        ArchiveReader reader, IFileSystem files, string folder, CancellationToken cancellationToken = default)
    {
        ArgumentNullException.ThrowIfNull(reader);
        ulong remembered = RememberedEpoch(files, folder);
        List<ManifestId> ids = await reader.ListManifestsAsync(cancellationToken).ConfigureAwait(false);
        return ids.Count == 0 ? remembered : Math.Max(remembered, ids[^1].Epoch);
    }

    /// <summary>The last epoch that a database's folder claimed in its archive; 0: none.</summary>
    public static ulong RememberedEpoch(IFileSystem files, string folder) => ArchiveMarker.Read(files, folder).LastEpoch;

    /// <summary>Notes in a restored folder that it goes on with the archive, from where it was restored to.</summary>
    public static void NoteRestored(IFileSystem files, string folder, ulong claimedEpoch, ulong lsn) =>
        new ArchiveMarker([claimedEpoch], lsn).Write(files, folder);
}
