namespace AiDb.Engine.RangeDeletes;

/// <summary>The range tombstones of a memtable.</summary>
/// <remarks>
/// Immutable: the applier makes a new one for each tombstone and publishes it, so that readers need no lock. The
/// newest few are searched one by one; the others lie in fragmented parts, which are put together while that leaves
/// them small: many tombstones within each other (a queue that is trimmed from its start) would otherwise make
/// fragments that list all of them.
/// </remarks>
internal sealed class MemTableRangeDeletes
{
    private const int MaxRecent = 32;
    private const int MaxVersionsPerTombstone = 4;

    private static readonly MemTableRangeDeletes _none = new([], [], 0, 0);

    private readonly (RangeTombstones Fragments, RangeTombstone[] Tombstones)[] _parts;
    private readonly RangeTombstone[] _recent;
    private readonly int _recentCount;

    private MemTableRangeDeletes(
        (RangeTombstones Fragments, RangeTombstone[] Tombstones)[] parts, RangeTombstone[] recent, int recentCount,
        long sizeBytes)
    {
        _parts = parts;
        _recent = recent;
        _recentCount = recentCount;
        SizeBytes = sizeBytes;
    }

    /// <summary>Bytes that they take, about.</summary>
    public long SizeBytes { get; }

    /// <summary>The tombstones and one more, which is not older than any of them.</summary>
    /// <param name="current">Null: there are none yet.</param>
    /// <param name="tombstone">The new one.</param>
    public static MemTableRangeDeletes Add(MemTableRangeDeletes? current, RangeTombstone tombstone)
    {
        current ??= _none;
        long sizeBytes = current.SizeBytes + tombstone.Start.Length + tombstone.End.Length + 128;
        if (current._recentCount == current._recent.Length && current._recentCount == MaxRecent)
            return new MemTableRangeDeletes(current.Seal(), [tombstone], 1, sizeBytes);

        // The array may be shared: a reader looks at no more of it than its own count says.
        RangeTombstone[] recent = current._recent;
        if (current._recentCount == recent.Length)
            Array.Resize(ref recent, Math.Min(MaxRecent, Math.Max(4, recent.Length * 2)));
        recent[current._recentCount] = tombstone;
        return new MemTableRangeDeletes(current._parts, recent, current._recentCount + 1, sizeBytes);
    }

    /// <summary>The newest version, not above <paramref name="maxVersion"/>, of the tombstones that cover a prefix;
    /// 0 when none does.</summary>
    public ulong Covering(ReadOnlySpan<byte> prefix, ulong maxVersion)
    {
        // Newer ones come last and in the later parts: the first that covers decides.
        for (int index = _recentCount - 1; index >= 0; index--)
        {
            RangeTombstone tombstone = _recent[index];
            if (tombstone.Version <= maxVersion
                && tombstone.Start.AsSpan().SequenceCompareTo(prefix) <= 0
                && tombstone.End.AsSpan().SequenceCompareTo(prefix) > 0)
            {
                return tombstone.Version;
            }
        }

        for (int index = _parts.Length - 1; index >= 0; index--)
        {
            ulong version = _parts[index].Fragments.Covering(prefix, maxVersion);
            if (version != 0)
                return version;
        }

        return 0;
    }

    /// <summary>All of them, oldest first.</summary>
    public void CopyTo(List<RangeTombstone> target)
    {
        foreach ((_, RangeTombstone[] tombstones) in _parts)
            target.AddRange(tombstones);
        target.AddRange(_recent.AsSpan(0, _recentCount));
    }

    /// <summary>The parts with what is recent as another, put together with parts of its size while that makes few
    /// versions.</summary>
    private (RangeTombstones Fragments, RangeTombstone[] Tombstones)[] Seal()
    {
        List<(RangeTombstones Fragments, RangeTombstone[] Tombstones)> parts = [.. _parts];
        RangeTombstone[] sealedOnes = _recent;
        RangeTombstones fragments = RangeTombstoneFragmenter.TryFragment(sealedOnes, int.MaxValue)!;
        while (parts.Count > 0 && parts[^1].Tombstones.Length <= sealedOnes.Length)
        {
            RangeTombstone[] both = [.. parts[^1].Tombstones, .. sealedOnes];
            if (RangeTombstoneFragmenter.TryFragment(both, both.Length * MaxVersionsPerTombstone) is not { } joined)
                break;
            parts.RemoveAt(parts.Count - 1);
            sealedOnes = both;
            fragments = joined;
        }

        parts.Add((fragments, sealedOnes));
        return [.. parts];
    }
}
