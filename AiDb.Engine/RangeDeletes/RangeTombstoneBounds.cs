using AiDb.Engine.Encoding;

namespace AiDb.Engine.RangeDeletes;

/// <summary>What range tombstones add to the bounds that a table states, so that whoever looks for tables that may
/// touch a key finds those that delete it.</summary>
internal static class RangeTombstoneBounds
{
    /// <summary>The first key of a table.</summary>
    public static byte[] Smallest(byte[] firstKey, RangeTombstones? tombstones)
    {
        if (tombstones is null || tombstones.Start(0).AsSpan().SequenceCompareTo(InternalKey.Prefix(firstKey)) >= 0)
            return firstKey;
        return Bound(tombstones.Start(0), tombstones.Versions(0)[0]);
    }

    /// <summary>The last key of a table. The end of a range is not deleted, but stands for the last key before it,
    /// which cannot be written down.</summary>
    public static byte[] Largest(ReadOnlySpan<byte> lastKey, RangeTombstones? tombstones)
    {
        if (tombstones is null)
            return lastKey.ToArray();
        int last = tombstones.Count - 1;
        byte[] end = tombstones.End(last);
        ReadOnlySpan<byte> lastPrefix = InternalKey.Prefix(lastKey);

        // An end right behind the last key needs no more: no key lies between the two.
        bool isNext = end.AsSpan().SequenceEqual(After(lastPrefix));
        return isNext || end.AsSpan().SequenceCompareTo(lastPrefix) <= 0
            ? lastKey.ToArray()
            : Bound(end, tombstones.Versions(last)[0]);
    }

    /// <summary>The ids of the tables that a file has to do with, ascending.</summary>
    public static uint[] TableIds(List<uint> ofEntries, RangeTombstones? tombstones)
    {
        if (tombstones is null)
            return [.. ofEntries];
        SortedSet<uint> ids = [.. ofEntries];
        for (int fragment = 0; fragment < tombstones.Count; fragment++)
            ids.Add(InternalKey.TableId(tombstones.Start(fragment)));
        return [.. ids];
    }

    /// <summary>The smallest prefix after one that a key can have.</summary>
    public static byte[] After(ReadOnlySpan<byte> prefix)
    {
        if (prefix.Length == InternalKey.TableIdBytes + DatabaseOptions.MaxKeyBytes)
        {
            // Nothing can be added to the longest key: the next one is shorter.
            int length = prefix.TrimEnd((byte)0xFF).Length;
            if (length > 0)
            {
                byte[] raised = new byte[Math.Max(length, InternalKey.TableIdBytes)];
                prefix[..length].CopyTo(raised);
                raised[length - 1]++;
                return raised;
            }
        }

        byte[] next = new byte[prefix.Length + 1];
        prefix.CopyTo(next);
        return next;
    }

    private static byte[] Bound(byte[] prefix, ulong version)
    {
        byte[] key = new byte[prefix.Length + InternalKey.VersionBytes];
        prefix.CopyTo(key, 0);
        InternalKey.SetVersion(key, version);
        return key;
    }
}
