namespace AiDb.Engine.RangeDeletes;

/// <summary>Range tombstones cut into fragments that do not overlap, so that a key lies in one of them at
/// most.</summary>
/// <remarks>Immutable. Invariants: fragments are ordered and disjoint; the versions of a fragment fall strictly, and
/// there is at least one.</remarks>
internal sealed class RangeTombstones
{
    private readonly byte[][] _starts;
    private readonly byte[][] _ends;
    private readonly int[] _firstVersions;
    private readonly ulong[] _versions;

    /// <summary>Takes over fragments that keep the invariants.</summary>
    /// <param name="starts">First prefixes.</param>
    /// <param name="ends">First prefixes that are not covered.</param>
    /// <param name="firstVersions">Where each fragment's versions begin, and, last, the number of all.</param>
    /// <param name="versions">The versions.</param>
    public RangeTombstones(byte[][] starts, byte[][] ends, int[] firstVersions, ulong[] versions)
    {
        _starts = starts;
        _ends = ends;
        _firstVersions = firstVersions;
        _versions = versions;
    }

    /// <summary>None.</summary>
    public static RangeTombstones Empty { get; } = new([], [], [0], []);

    /// <summary>How many fragments there are.</summary>
    public int Count => _starts.Length;

    /// <summary>Versions of all fragments.</summary>
    public int VersionCount => _versions.Length;

    /// <summary>The first prefix of a fragment.</summary>
    public byte[] Start(int fragment) => _starts[fragment];

    /// <summary>The first prefix after a fragment.</summary>
    public byte[] End(int fragment) => _ends[fragment];

    /// <summary>The versions of a fragment, newest first.</summary>
    public ReadOnlySpan<ulong> Versions(int fragment) =>
        _versions.AsSpan(_firstVersions[fragment].._firstVersions[fragment + 1]);

    /// <summary>The newest version, not above <paramref name="maxVersion"/>, of the tombstones that cover a prefix;
    /// 0 when none does.</summary>
    public ulong Covering(ReadOnlySpan<byte> prefix, ulong maxVersion)
    {
        int fragment = FirstEndingAfter(prefix);
        return fragment < _starts.Length && _starts[fragment].AsSpan().SequenceCompareTo(prefix) <= 0
            ? Newest(Versions(fragment), maxVersion)
            : 0;
    }

    /// <summary>Whether every prefix from <paramref name="first"/> to <paramref name="last"/>, that included, is
    /// covered by a version above <paramref name="above"/> and not above <paramref name="maxVersion"/>.</summary>
    public bool CoversAll(ReadOnlySpan<byte> first, ReadOnlySpan<byte> last, ulong above, ulong maxVersion)
    {
        int fragment = FirstEndingAfter(first);
        if (fragment == _starts.Length || _starts[fragment].AsSpan().SequenceCompareTo(first) > 0)
            return false;
        while (Newest(Versions(fragment), maxVersion) > above)
        {
            if (_ends[fragment].AsSpan().SequenceCompareTo(last) > 0)
                return true;
            if (fragment + 1 == _starts.Length || !_starts[fragment + 1].AsSpan().SequenceEqual(_ends[fragment]))
                return false;
            fragment++;
        }

        return false;
    }

    /// <summary>The part between two prefixes; null bounds are open.</summary>
    public RangeTombstones Slice(byte[]? from, byte[]? to)
    {
        List<byte[]> starts = [];
        List<byte[]> ends = [];
        List<int> firstVersions = [];
        List<ulong> versions = [];
        for (int fragment = from is null ? 0 : FirstEndingAfter(from); fragment < _starts.Length; fragment++)
        {
            byte[] start = _starts[fragment];
            byte[] end = _ends[fragment];
            if (to is not null && start.AsSpan().SequenceCompareTo(to) >= 0)
                break;
            starts.Add(from is not null && start.AsSpan().SequenceCompareTo(from) < 0 ? from : start);
            ends.Add(to is not null && end.AsSpan().SequenceCompareTo(to) > 0 ? to : end);
            firstVersions.Add(versions.Count);
            versions.AddRange(Versions(fragment));
        }

        firstVersions.Add(versions.Count);
        return new RangeTombstones([.. starts], [.. ends], [.. firstVersions], [.. versions]);
    }

    /// <summary>The fragments as tombstones, one for each version.</summary>
    public void CopyTo(List<RangeTombstone> target)
    {
        for (int fragment = 0; fragment < Count; fragment++)
        {
            foreach (ulong version in Versions(fragment))
                target.Add(new RangeTombstone(_starts[fragment], _ends[fragment], version));
        }
    }

    private static ulong Newest(ReadOnlySpan<ulong> versions, ulong maxVersion)
    {
        if (versions[0] <= maxVersion)
            return versions[0];
        int low = 1;
        int high = versions.Length;
        while (low < high)
        {
            int middle = (low + high) >>> 1;
            if (versions[middle] > maxVersion)
                low = middle + 1;
            else
                high = middle;
        }

        return low < versions.Length ? versions[low] : 0;
    }

    private int FirstEndingAfter(ReadOnlySpan<byte> prefix)
    {
        int low = 0;
        int high = _ends.Length;
        while (low < high)
        {
            int middle = (low + high) >>> 1;
            if (_ends[middle].AsSpan().SequenceCompareTo(prefix) <= 0)
                low = middle + 1;
            else
                high = middle;
        }

        return low;
    }
}
