using AiDb.Backup.Format;

namespace AiDb.Backup.Archiving;

/// <summary>What must stay so that every second of the window can be restored.</summary>
internal static class Retention
{
    /// <summary>All manifests of the window, and the newest one before it: the times at its beginning are restored from
    /// that one.</summary>
    public static KeptManifest[] Choose(IEnumerable<KeptManifest> kept, DateTimeOffset now, TimeSpan window)
    {
        ulong since = (ulong)Math.Max(0, (now - window).ToUnixTimeMilliseconds()) << 16;
        KeptManifest[] ordered = [.. kept.Distinct().OrderBy(static item => item.Id)];
        int oldest = 0;
        for (int index = 0; index < ordered.Length; index++)
        {
            // Everything before the last one below the window is needed for no time in it.
            if (ordered[index].Flushed.Timestamp <= since)
                oldest = index;
        }

        return ordered[oldest..];
    }

    /// <summary>The epochs that the log of what is kept lies in, or that a kept manifest is of.</summary>
    public static EpochCut[] Choose(IEnumerable<EpochCut> history, KeptManifest[] kept, ulong flushedLsn)
    {
        ulong least = kept.Select(static item => item.Flushed.Lsn).Append(flushedLsn).Min();
        return [.. history.Where(cut =>
            cut.ThroughLsn >= least || Array.Exists(kept, item => item.Id.Epoch == cut.Epoch))];
    }

    /// <summary>The first entry of the log that a restore from anything that is kept may need.</summary>
    public static ulong FirstLsn(ArchiveManifest manifest) =>
        manifest.Kept.Select(static item => item.Flushed.Lsn).Append(manifest.Flushed.Lsn).Min() + 1;
}
