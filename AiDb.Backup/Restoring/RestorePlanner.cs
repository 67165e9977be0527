using AiDb.Backup.Format;
using AiDb.Engine;

namespace AiDb.Backup.Restoring;

/// <summary>Finds out what an archive can bring back, and how.</summary>
public sealed class RestorePlanner(ArchiveReader reader)
{
    /// <summary>Plans a restore.</summary>
    /// <exception cref="AiDbException"><see cref="AiDbErrorKind.NotFound"/>: there is no archive, or it does not hold the
    /// target; the message says what it holds.</exception>
    public async Task<RestorePlan> PlanAsync(RestoreTarget target, CancellationToken cancellationToken = default)
    {
        ArgumentNullException.ThrowIfNull(target);
        ArchiveManifest newest = await reader.ReadNewestAsync(cancellationToken).ConfigureAwait(false)
            ?? throw new AiDbException(
                AiDbErrorKind.NotFound,
                $"{reader.Store.Location} has no backup of shard {reader.Shard}. Check the location and its prefix; "
                + "'aidb backup list --from LOCATION' shows what there is.");
        ArchiveManifest history = newest;
        ArchiveManifest start;
        if (target.Manifest is { } id)
        {
            start = await reader.ReadManifestAsync(id, cancellationToken).ConfigureAwait(false);
            if (start.IsClaim)
                throw new AiDbException(AiDbErrorKind.NotFound, $"Manifest {id} is a claim and states no tables.");

            // One that was left behind is followed along its own history.
            if (!newest.IsAncestor(new KeptManifest(id, start.Flushed)))
                history = start;
        }
        else
        {
            start = await ChooseAsync(newest, target, cancellationToken).ConfigureAwait(false);
        }

        if (target.IsBeyond(start.Flushed))
            throw await OutsideAsync(newest, target, cancellationToken).ConfigureAwait(false);
        List<(LogObjectId Id, long SizeBytes)> log = await reader.ListChainAsync(
            history, start.Flushed.Lsn + 1, cancellationToken).ConfigureAwait(false);
        log = await CutAsync(log, target, cancellationToken).ConfigureAwait(false);
        await CheckReachedAsync(newest, start, log, target, cancellationToken).ConfigureAwait(false);
        return new RestorePlan { Manifest = start, History = history, Log = log, Target = target };
    }

    /// <summary>The times that can be restored, oldest first; between two of them is a hole.</summary>
    public async Task<IReadOnlyList<RestoreRange>> ListRangesAsync(CancellationToken cancellationToken = default)
    {
        ArchiveManifest? newest = await reader.ReadNewestAsync(cancellationToken).ConfigureAwait(false);
        if (newest is null)
            return [];
        List<RestoreRange> ranges = [];
        foreach (KeptManifest kept in Ancestors(newest))
        {
            if (ranges.Count > 0 && kept.Flushed.Lsn <= ranges[^1].Through.Lsn)
                continue;
            List<(LogObjectId Id, long SizeBytes)> chain = await reader.ListChainAsync(
                newest, kept.Flushed.Lsn + 1, cancellationToken).ConfigureAwait(false);
            LogPosition through = chain.Count == 0
                ? kept.Flushed
                : (await reader.ReadLogAsync(chain[^1].Id, cancellationToken).ConfigureAwait(false)).Last;
            ranges.Add(new RestoreRange(kept.Id, kept.Flushed, through));
        }

        return ranges;
    }

    private static List<KeptManifest> Ancestors(ArchiveManifest newest) =>
    [
        .. newest.Kept.Where(newest.IsAncestor).Append(new KeptManifest(newest.Id, newest.Flushed))
            .OrderBy(static kept => kept.Flushed.Lsn),
    ];

    /// <summary>The newest manifest of this history that is not beyond the target.</summary>
    private async Task<ArchiveManifest> ChooseAsync(
        ArchiveManifest newest, RestoreTarget target, CancellationToken cancellationToken)
    {
        List<KeptManifest> ancestors = Ancestors(newest);
        int chosen = ancestors.FindLastIndex(kept => !target.IsBeyond(kept.Flushed));
        return chosen < 0
            ? throw await OutsideAsync(newest, target, cancellationToken).ConfigureAwait(false)
            : ancestors[chosen].Id == newest.Id
                ? newest
                : await reader.ReadManifestAsync(ancestors[chosen].Id, cancellationToken).ConfigureAwait(false);
    }

    /// <summary>Leaves out the objects that begin beyond the target.</summary>
    private async Task<List<(LogObjectId Id, long SizeBytes)>> CutAsync(
        List<(LogObjectId Id, long SizeBytes)> log, RestoreTarget target, CancellationToken cancellationToken)
    {
        if (target.Lsn is { } lsn)
            return log.FindAll(item => item.Id.FirstLsn <= lsn);
        if (target.Time is null)
            return log;

        // Times are in the objects, not in their names; they rise along the log.
        int low = 0;
        int high = log.Count;
        while (low < high)
        {
            int middle = (low + high) / 2;
            LogObject found = await reader.ReadLogAsync(log[middle].Id, cancellationToken).ConfigureAwait(false);
            if (target.IsBeyond(found.Previous))
                high = middle;
            else
                low = middle + 1;
        }

        return log[..low];
    }

    /// <summary>A target beyond the end of the log, or behind a hole, is not what would be restored.</summary>
    private async Task CheckReachedAsync(
        ArchiveManifest newest, ArchiveManifest start, List<(LogObjectId Id, long SizeBytes)> log, RestoreTarget target,
        CancellationToken cancellationToken)
    {
        if (target.Lsn is { } lsn)
        {
            if (lsn > (log.Count == 0 ? start.Flushed.Lsn : log[^1].Id.LastLsn))
                throw await OutsideAsync(newest, target, cancellationToken).ConfigureAwait(false);
            return;
        }

        if (target.Time is not { } time)
            return;
        LogPosition last = log.Count == 0
            ? start.Flushed
            : (await reader.ReadLogAsync(log[^1].Id, cancellationToken).ConfigureAwait(false)).Last;

        // Behind a hole come entries that would be missing.
        if (newest.Flushed.Lsn > last.Lsn && target.Manifest is null && !target.IsBeyond(last)
            && time.ToUnixTimeMilliseconds() > (long)(last.Timestamp >> 16))
        {
            throw await OutsideAsync(newest, target, cancellationToken).ConfigureAwait(false);
        }

        // Up to the end of the second of the last entry: "now" on a quiet database is its newest state.
        long lastMs = (long)(last.Timestamp >> 16);
        long newestMs = Math.Max(newest.CreatedAtMs, lastMs);
        if (time.ToUnixTimeMilliseconds() > newestMs + 1000)
            throw await OutsideAsync(newest, target, cancellationToken).ConfigureAwait(false);
    }

    private async Task<AiDbException> OutsideAsync(
        ArchiveManifest newest, RestoreTarget target, CancellationToken cancellationToken)
    {
        IReadOnlyList<RestoreRange> ranges = await ListRangesAsync(cancellationToken).ConfigureAwait(false);
        string what = string.Join("; ", ranges.Select(static range =>
            $"{TimeText.Of(range.From)} (entry {range.From.Lsn}) to {TimeText.Of(range.Through)} (entry {range.Through.Lsn})"));
        return new AiDbException(
            AiDbErrorKind.NotFound,
            $"The backup of shard {newest.Shard} in {reader.Store.Location} cannot bring back {target}. It holds: {what}. "
            + "Choose a time or entry within that, or leave it out for the newest state.");
    }
}
