using AiDb.Engine.Encoding;
using AiDb.Engine.Manifest;
using AiDb.Engine.Tables;

namespace AiDb.Engine.State;

/// <summary>Tells by the indexes of table files how much of a range lies in them, and where about its middle is. What is in
/// memory does not count, and what was replaced or deleted counts until a compaction has dropped it.</summary>
internal static class RangeMeasure
{
    /// <summary>Blocks of a table that are looked at for the middle.</summary>
    private const int SamplesPerTable = 32;

    /// <summary>About how many bytes the entries of a range take, values in files of their own included.</summary>
    public static long Bytes(TreeVersion tree, uint tableId, ReadOnlySpan<byte> start, ReadOnlySpan<byte> end)
    {
        (byte[] first, byte[] last) = Prefixes(tableId, start, end);
        double bytes = 0;
        for (int level = 0; level <= tree.DeepestLevel; level++)
        {
            foreach (LiveTable table in tree.Level(level))
            {
                if (table.Overlaps(first, last))
                    bytes += BytesOf(table) * Find(table.Reader, first, last).Count / table.Reader.BlockCount;
            }
        }

        return (long)bytes;
    }

    /// <summary>A key with about half of a range's bytes before it; null: the files know none between its ends.</summary>
    public static byte[]? FindMiddle(TreeVersion tree, uint tableId, ReadOnlySpan<byte> start, ReadOnlySpan<byte> end)
    {
        (byte[] first, byte[] last) = Prefixes(tableId, start, end);
        List<(byte[] Prefix, double Bytes)> samples = [];
        for (int level = 0; level <= tree.DeepestLevel; level++)
        {
            foreach (LiveTable table in tree.Level(level))
            {
                if (table.Overlaps(first, last))
                    Sample(table, first, last, samples);
            }
        }

        samples.Sort(static (left, right) => left.Prefix.AsSpan().SequenceCompareTo(right.Prefix));
        double half = samples.Sum(static sample => sample.Bytes) / 2;
        foreach ((byte[] prefix, double bytes) in samples)
        {
            half -= bytes;
            if (half <= 0)
                return prefix[InternalKey.TableIdBytes..];
        }

        return null;
    }

    private static void Sample(LiveTable table, byte[] first, byte[] last, List<(byte[] Prefix, double Bytes)> samples)
    {
        (int block, int count) = Find(table.Reader, first, last);
        int wanted = Math.Min(count, SamplesPerTable);
        double each = BytesOf(table) * count / table.Reader.BlockCount / Math.Max(1, wanted);
        foreach (byte[] prefix in table.Reader.SamplePrefixes(block, count, wanted))
        {
            // The first block may begin before the range.
            if (prefix.AsSpan().SequenceCompareTo(first) > 0 && prefix.AsSpan().SequenceCompareTo(last) < 0)
                samples.Add((prefix, each));
        }
    }

    private static double BytesOf(LiveTable table) =>
        table.Metadata.SizeBytes + table.Reader.Properties.ValueReferences.Sum(static reference => reference.ValueBytes);

    /// <summary>The blocks of a table with entries of a range; one too many at most.</summary>
    private static (int First, int Count) Find(TableReader reader, byte[] first, byte[] last)
    {
        PartitionHold hold = default;
        try
        {
            int begin = reader.FindBlock(first, 0, ref hold);
            int end = Math.Min(reader.BlockCount - 1, reader.FindBlock(last, 0, ref hold));
            return (begin, Math.Max(0, end - begin + 1));
        }
        finally
        {
            hold.Release();
        }
    }

    private static (byte[] First, byte[] Last) Prefixes(uint tableId, ReadOnlySpan<byte> start, ReadOnlySpan<byte> end)
    {
        byte[] first = new byte[InternalKey.PrefixLength(start.Length)];
        byte[] last = new byte[InternalKey.PrefixLength(end.Length)];
        InternalKey.WritePrefix(first, tableId, start);
        InternalKey.WritePrefix(last, end.IsEmpty ? tableId + 1 : tableId, end);
        return (first, last);
    }
}
