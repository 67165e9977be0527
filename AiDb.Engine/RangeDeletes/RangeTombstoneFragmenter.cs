namespace AiDb.Engine.RangeDeletes;

/// <summary>Cuts overlapping range tombstones into fragments: a sweep over their bounds.</summary>
internal static class RangeTombstoneFragmenter
{
    /// <summary>Cuts tombstones into fragments with all their versions.</summary>
    /// <param name="tombstones">In any order.</param>
    /// <param name="maxVersions">The most versions of all fragments that the result may have; tombstones that lie
    /// within each other make fragments with many.</param>
    /// <returns>The fragments; null when there would be more versions.</returns>
    public static RangeTombstones? TryFragment(IReadOnlyList<RangeTombstone> tombstones, int maxVersions) =>
        Sweep(tombstones, null, maxVersions);

    /// <summary>Cuts tombstones into fragments, keeping what readers of some versions can tell apart: of the
    /// versions between two snapshots only the newest.</summary>
    /// <param name="tombstones">In any order.</param>
    /// <param name="snapshots">The versions that snapshots stand at, ascending.</param>
    public static RangeTombstones Fragment(IReadOnlyList<RangeTombstone> tombstones, ulong[] snapshots) =>
        Sweep(tombstones, snapshots, int.MaxValue)!;

    private static RangeTombstones? Sweep(
        IReadOnlyList<RangeTombstone> tombstones, ulong[]? snapshots, int maxVersions)
    {
        if (tombstones.Count == 0)
            return RangeTombstones.Empty;
        (byte[] At, ulong Version, bool Begins)[] bounds = Bounds(tombstones);
        var active = new SortedDictionary<ulong, int>(Comparer<ulong>.Create(static (a, b) => b.CompareTo(a)));
        List<byte[]> starts = [];
        List<byte[]> ends = [];
        List<int> firstVersions = [];
        List<ulong> versions = [];
        for (int index = 0; index < bounds.Length;)
        {
            byte[] at = bounds[index].At;
            for (; index < bounds.Length && bounds[index].At.AsSpan().SequenceEqual(at); index++)
                Count(active, bounds[index].Version, bounds[index].Begins ? 1 : -1);
            if (active.Count == 0)
                continue;
            if (snapshots is null && versions.Count + (long)active.Count > maxVersions)
                return null;
            int first = versions.Count;
            AddVersions(active, snapshots, versions);
            byte[] end = bounds[index].At;
            if (starts.Count > 0 && Continues(ends[^1], at, versions, firstVersions[^1], first))
            {
                ends[^1] = end;
                versions.RemoveRange(first, versions.Count - first);
                continue;
            }

            starts.Add(at);
            ends.Add(end);
            firstVersions.Add(first);
        }

        firstVersions.Add(versions.Count);
        return new RangeTombstones([.. starts], [.. ends], [.. firstVersions], [.. versions]);
    }

    /// <summary>Starts and ends of all tombstones, in order.</summary>
    private static (byte[] At, ulong Version, bool Begins)[] Bounds(IReadOnlyList<RangeTombstone> tombstones)
    {
        var bounds = new (byte[] At, ulong Version, bool Begins)[tombstones.Count * 2];
        for (int index = 0; index < tombstones.Count; index++)
        {
            RangeTombstone tombstone = tombstones[index];
            bounds[2 * index] = (tombstone.Start, tombstone.Version, true);
            bounds[(2 * index) + 1] = (tombstone.End, tombstone.Version, false);
        }

        Array.Sort(bounds, static (left, right) => left.At.AsSpan().SequenceCompareTo(right.At));
        return bounds;
    }

    private static void Count(SortedDictionary<ulong, int> active, ulong version, int change)
    {
        active.TryGetValue(version, out int count);
        if (count + change == 0)
            active.Remove(version);
        else
            active[version] = count + change;
    }

    private static void AddVersions(SortedDictionary<ulong, int> active, ulong[]? snapshots, List<ulong> versions)
    {
        int lastStripe = -1;
        foreach (ulong version in active.Keys)
        {
            if (snapshots is not null)
            {
                int stripe = Stripe(snapshots, version);
                if (stripe == lastStripe)
                    continue;
                lastStripe = stripe;
                versions.Add(version);
                if (stripe == 0)
                    return;
                continue;
            }

            versions.Add(version);
        }
    }

    /// <summary>Whether a fragment only goes on with the one before it.</summary>
    private static bool Continues(byte[] lastEnd, byte[] start, List<ulong> versions, int lastFirst, int first)
    {
        if (!lastEnd.AsSpan().SequenceEqual(start) || versions.Count - first != first - lastFirst)
            return false;
        for (int index = first; index < versions.Count; index++)
        {
            if (versions[index] != versions[index - first + lastFirst])
                return false;
        }

        return true;
    }

    /// <summary>How many snapshots do not see a version.</summary>
    public static int Stripe(ulong[] snapshots, ulong version)
    {
        int index = Array.BinarySearch(snapshots, version);
        return index >= 0 ? index : ~index;
    }
}
