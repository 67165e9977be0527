using AiDb.Backup.Format;
using AiDb.Engine;

namespace AiDb.Backup.Archiving;

/// <summary>Where a primary goes on in an archive.</summary>
/// <param name="Base">The manifest whose files it builds on, part of its own history; null: none.</param>
/// <param name="Files">Files that the newest manifest reaches.</param>
/// <param name="History">The epochs before its own.</param>
/// <param name="Kept">Earlier manifests that are kept.</param>
/// <param name="Next">The entry before the first one that it sends.</param>
/// <param name="LogFloor">From here on the log has no hole; 0: not known before the first snapshot.</param>
internal sealed record ArchiveStart(
    ArchiveManifest? Base, IReadOnlyList<ArchivedFile> Files, IReadOnlyList<EpochCut> History, IReadOnlyList<KeptManifest> Kept, LogPosition Next,
    ulong LogFloor);

/// <summary>Claims an epoch of an archive and finds out where its history and this database's part: the archive goes on
/// only where it is known to be this database's.</summary>
internal sealed class ArchiveTakeover(
    Database database, ArchivePublisher publisher, uint shard, ulong epoch, ArchiveMarker marker)
{
    private readonly ArchiveReader _reader = publisher.Reader;

    /// <summary>Claims the epoch. What earlier primaries wrote before this is seen by <see cref="FindStartAsync"/>; what
    /// they write after it, they know not to count on.</summary>
    public async Task ClaimAsync(ulong nonce, CancellationToken cancellationToken)
    {
        await publisher.CheckEpochAsync(cancellationToken).ConfigureAwait(false);
        var claim = new ArchiveManifest
        {
            Shard = shard,
            Id = new ManifestId(epoch, 0),
            DatabaseId = DatabaseId(),
            Nonce = nonce,
        };
        await publisher.CreateAsync(
            ArchiveNames.Manifest(shard, claim.Id), ManifestCodec.Encode(claim), cancellationToken).ConfigureAwait(false);
        await publisher.CheckEpochAsync(cancellationToken).ConfigureAwait(false);
    }

    /// <summary>Finds where to go on.</summary>
    /// <exception cref="AiDbException"><see cref="AiDbErrorKind.PreconditionFailed"/>: the archive is of another database,
    /// or has entries that this one lacks.</exception>
    public async Task<ArchiveStart> FindStartAsync(CancellationToken cancellationToken)
    {
        ArchiveManifest? newest = await _reader.ReadNewestAsync(cancellationToken).ConfigureAwait(false);
        if (newest is null)
        {
            using Engine.Images.TreeImage image = database.CaptureTree();
            return new ArchiveStart(null, [], [], [], image.Flushed, image.Flushed.Lsn + 1);
        }

        if (newest.DatabaseId != DatabaseId())
        {
            throw Refuse("it holds another database. Set another location or prefix for this one");
        }

        LogPosition end = await FindEndAsync(newest, cancellationToken).ConfigureAwait(false);
        LogPosition own = database.AppliedPosition;
        ulong cut = end.Lsn;
        if (marker.RestoredThrough is { } restored && restored < end.Lsn)
            cut = restored;
        else if (end.Lsn > own.Lsn)
            throw Refuse($"it ends with entry {end.Lsn}, this database with {own.Lsn}: this is an older copy");
        LogPosition? at = FindOwn(cut);
        if (at is { } found && cut == end.Lsn && found != end)
            throw Refuse($"its entry {end.Lsn} is another one than this database's: they parted before it");
        if (at is null && !marker.Claimed.Contains(newest.Id.Epoch))
            throw Refuse($"this database's log no longer reaches back to its last entry {end.Lsn}, so it cannot be compared");
        return Start(newest, cut, at);
    }

    private ArchiveStart Start(ArchiveManifest newest, ulong cut, LogPosition? at)
    {
        List<EpochCut> history = [.. newest.History.Where(earlier => earlier.ThroughLsn <= cut)];

        // The answer to a first try of this start may have been lost; then the newest manifest is this primary's own.
        if (newest.Id.Epoch != epoch)
            history.Add(new EpochCut(history.Count == newest.History.Count ? newest.Id.Epoch : newest.EpochOf(cut), cut));
        List<KeptManifest> kept = [.. newest.Kept];
        ArchiveManifest? tree = newest.Flushed.Lsn <= cut ? newest : null;

        // A tree that a restore to an earlier point left behind stays restorable by its number for a while.
        if (tree is null)
            kept.Add(new KeptManifest(newest.Id, newest.Flushed));
        return at is { } next
            ? new ArchiveStart(tree, newest.Files, history, kept, next, newest.LogFloor)
            : new ArchiveStart(null, newest.Files, history, [.. kept, .. Of(tree)], default, 0);
    }

    private static IEnumerable<KeptManifest> Of(ArchiveManifest? tree) =>
        tree is null ? [] : [new KeptManifest(tree.Id, tree.Flushed)];

    /// <summary>The last entry of the archive's log that joins what comes before it.</summary>
    private async Task<LogPosition> FindEndAsync(ArchiveManifest newest, CancellationToken cancellationToken)
    {
        List<(LogObjectId Id, long SizeBytes)> chain = await _reader.ListChainAsync(
            newest, newest.Archived.Lsn + 1, cancellationToken).ConfigureAwait(false);
        if (chain.Count == 0)
            return newest.Archived;
        LogObject last = await _reader.ReadLogAsync(chain[^1].Id, cancellationToken).ConfigureAwait(false);
        return last.DatabaseId == newest.DatabaseId
            ? last.Last
            : throw Refuse("its log and its manifests are of different databases");
    }

    /// <summary>This database's entry of a number; null where its log has given it up.</summary>
    private LogPosition? FindOwn(ulong lsn)
    {
        if (lsn == 0)
            return default(LogPosition);
        using (Engine.Images.TreeImage image = database.CaptureTree())
        {
            if (image.Flushed.Lsn == lsn)
                return image.Flushed;
        }

        return database.FindLogPosition(lsn);
    }

    private UInt128 DatabaseId()
    {
        using Engine.Images.TreeImage image = database.CaptureTree();
        return image.DatabaseId;
    }

    private AiDbException Refuse(string why) => ArchiveLost.Create(
        AiDbErrorKind.PreconditionFailed,
        $"The archive of shard {shard} in {_reader.Store.Location} cannot go on from this database: {why}. Nothing in it was "
        + "changed. Restore the archive over this copy ('aidb backup restore --take-over'), or archive to another place.");
}
