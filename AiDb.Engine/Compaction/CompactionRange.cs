using AiDb.Engine.Encoding;
using AiDb.Engine.Iteration;
using AiDb.Engine.Manifest;

namespace AiDb.Engine.Compaction;

/// <summary>The keys of one part of a compaction: from a prefix on, up to another, which is not part of it. All
/// versions of a key are in one part.</summary>
/// <param name="Start">The first prefix; empty: from the first.</param>
/// <param name="End">The prefix after the last; empty: to the last.</param>
internal sealed record CompactionRange(byte[] Start, byte[] End)
{
    private const int SamplesPerTable = 8;

    /// <summary>All keys.</summary>
    public static CompactionRange All { get; } = new([], []);

    /// <summary>Splits the keys of a plan into ranges with about as many bytes each.</summary>
    /// <param name="plan">The plan.</param>
    /// <param name="parts">How many, at most.</param>
    public static List<CompactionRange> Split(CompactionPlan plan, int parts)
    {
        if (parts <= 1)
            return [All];
        List<(byte[] Prefix, long Bytes)> samples = [];
        foreach ((_, LiveTable table) in plan.Inputs)
        {
            foreach (byte[] prefix in table.Reader.SamplePrefixes(SamplesPerTable))
                samples.Add((prefix, table.Metadata.SizeBytes));
        }

        samples.Sort(static (left, right) => left.Prefix.AsSpan().SequenceCompareTo(right.Prefix));
        long total = samples.Sum(static sample => sample.Bytes);
        List<CompactionRange> ranges = [];
        byte[] start = [];
        long seen = 0;
        foreach ((byte[] prefix, long bytes) in samples)
        {
            if (ranges.Count + 1 < parts && seen * parts >= total * (ranges.Count + 1L)
                && prefix.AsSpan().SequenceCompareTo(start) > 0)
            {
                ranges.Add(new CompactionRange(start, prefix));
                start = prefix;
            }

            seen += bytes;
        }

        ranges.Add(new CompactionRange(start, []));
        return ranges;
    }

    /// <summary>Whether a key lies after the range.</summary>
    public bool IsBeyond(ReadOnlySpan<byte> internalKey) =>
        End.Length > 0 && InternalKey.Prefix(internalKey).SequenceCompareTo(End) >= 0;

    /// <summary>To the first entry at or after the range's start.</summary>
    public void SeekToStart(InternalIterator entries)
    {
        if (Start.Length == 0)
        {
            entries.SeekToFirst();
            return;
        }

        byte[] key = new byte[Start.Length + InternalKey.VersionBytes];
        Start.CopyTo(key, 0);
        InternalKey.SetVersion(key, ulong.MaxValue);
        entries.Seek(key);
    }
}
