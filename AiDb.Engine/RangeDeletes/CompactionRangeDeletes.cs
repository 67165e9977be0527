using AiDb.Engine.Compaction;
using AiDb.Engine.Encoding;
using AiDb.Engine.Manifest;
using AiDb.Engine.MemTables;

namespace AiDb.Engine.RangeDeletes;

/// <summary>The range tombstones of the inputs of a flush or a compaction: which entries they hide from everyone, and
/// which of them the outputs need.</summary>
/// <remarks>Versions between two snapshots look alike to all readers, so a tombstone hides what lies between the same
/// two below it. Immutable.</remarks>
internal sealed class CompactionRangeDeletes
{
    private readonly RangeTombstones _tombstones;
    private readonly ulong[] _snapshots;

    private CompactionRangeDeletes(List<RangeTombstone> tombstones, ulong[] snapshots)
    {
        _tombstones = RangeTombstoneFragmenter.Fragment(tombstones, snapshots);
        _snapshots = snapshots;
    }

    /// <summary>Those of a memtable; null when it has none.</summary>
    public static CompactionRangeDeletes? Of(MemTable memtable, ulong[] snapshots)
    {
        if (memtable.RangeDeletes is not { } deletes)
            return null;
        List<RangeTombstone> tombstones = [];
        deletes.CopyTo(tombstones);
        return new CompactionRangeDeletes(tombstones, snapshots);
    }

    /// <summary>Those of a compaction's inputs; null when they have none.</summary>
    public static CompactionRangeDeletes? Of(CompactionPlan plan, ulong[] snapshots)
    {
        List<RangeTombstone>? tombstones = null;
        foreach ((_, LiveTable table) in plan.Inputs)
            table.Reader.RangeDeletes?.CopyTo(tombstones ??= []);
        return tombstones is null ? null : new CompactionRangeDeletes(tombstones, snapshots);
    }

    /// <summary>Whether no reader can see an entry any more.</summary>
    public bool Hides(ReadOnlySpan<byte> internalKey)
    {
        ulong version = InternalKey.Version(internalKey);
        return DeletedAt(InternalKey.Prefix(internalKey), version) > version;
    }

    /// <summary>Below which version a key is deleted for those who see a version of it; 0: nothing is.</summary>
    public ulong DeletedAt(ReadOnlySpan<byte> prefix, ulong version) =>
        _tombstones.Covering(prefix, NewestOfStripe(version));

    /// <summary>The plan's inputs without those of which no reader can see any entry; their tombstones are in
    /// here.</summary>
    public IReadOnlyList<(int Level, LiveTable Table)> WithoutHidden(CompactionPlan plan)
    {
        List<(int Level, LiveTable Table)> needed = [];
        foreach ((int Level, LiveTable Table) input in plan.Inputs)
        {
            LiveTable table = input.Table;
            if (!_tombstones.CoversAll(
                table.SmallestPrefix, table.LargestPrefix, table.MaxVersion, NewestOfStripe(table.MinVersion)))
            {
                needed.Add(input);
            }
        }

        return needed;
    }

    /// <summary>What a flush writes: everything but what belongs to dropped tables.</summary>
    public RangeTombstones ForFlush(IReadOnlyDictionary<uint, ulong> dropped, ulong flushedTimestamp) =>
        Select((_, _) => false, dropped, flushedTimestamp);

    /// <summary>What a compaction writes: what a snapshot cannot see yet, or what deletes something below.</summary>
    public RangeTombstones ForCompaction(
        CompactionPlan plan, IReadOnlyDictionary<uint, ulong> dropped, ulong flushedTimestamp) =>
        Select((start, end) => NothingBelow(plan, start, end), dropped, flushedTimestamp);

    private static bool NothingBelow(CompactionPlan plan, byte[] start, byte[] end)
    {
        for (int level = plan.OutputLevel + 1; level < VersionEdit.Levels; level++)
        {
            ReadOnlySpan<LiveTable> tables = plan.Tree.Level(level);
            int index = TreeVersion.FindTable(tables, start);
            if (index < tables.Length && tables[index].SmallestPrefix.SequenceCompareTo(end) < 0)
                return false;
        }

        return true;
    }

    private RangeTombstones Select(
        Func<byte[], byte[], bool> isBottom, IReadOnlyDictionary<uint, ulong> dropped, ulong flushedTimestamp)
    {
        List<RangeTombstone> kept = [];
        for (int fragment = 0; fragment < _tombstones.Count; fragment++)
        {
            byte[] start = _tombstones.Start(fragment);
            byte[] end = _tombstones.End(fragment);
            if (dropped.Count > 0 && dropped.TryGetValue(InternalKey.TableId(start), out ulong droppedAt)
                && droppedAt <= flushedTimestamp)
            {
                continue;
            }

            bool bottom = isBottom(start, end);
            foreach (ulong version in _tombstones.Versions(fragment))
            {
                // Versions fall, so the one that every snapshot sees is the last.
                if (!bottom || RangeTombstoneFragmenter.Stripe(_snapshots, version) > 0)
                    kept.Add(new RangeTombstone(start, end, version));
            }
        }

        return RangeTombstoneFragmenter.Fragment(kept, _snapshots);
    }

    private ulong NewestOfStripe(ulong version)
    {
        int stripe = RangeTombstoneFragmenter.Stripe(_snapshots, version);
        return stripe < _snapshots.Length ? _snapshots[stripe] : ulong.MaxValue;
    }
}
