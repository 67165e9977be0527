using AiDb.Engine.Tables;

namespace AiDb.Engine.Manifest;

/// <summary>Where the tables of a sorted level end, as an array of numbers: a search runs over a few cache lines
/// instead of following a table, its metadata and its key at every step.</summary>
/// <remarks>The numbers are the 8 bytes of the tables' largest prefixes behind what is common to all of them;
/// only where they are equal the keys themselves are compared.</remarks>
internal sealed class LevelFences
{
    private readonly LiveTable[] _tables;
    private readonly byte[] _common;
    private readonly ulong[] _heads;

    /// <summary>Those of a level without tables.</summary>
    public static LevelFences None { get; } = new([]);

    /// <summary>Those of a sorted level's tables.</summary>
    public LevelFences(LiveTable[] tables)
    {
        _tables = tables;
        _common = tables.Length == 0
            ? []
            : tables[0].LargestPrefix[..tables[0].LargestPrefix.CommonPrefixLength(tables[^1].LargestPrefix)].ToArray();
        _heads = new ulong[tables.Length];
        for (int index = 0; index < tables.Length; index++)
            _heads[index] = IndexBlock.Head(tables[index].LargestPrefix[_common.Length..]);
    }

    /// <summary>The table that may hold a key; null when there is none.</summary>
    public LiveTable? Find(ReadOnlySpan<byte> prefix)
    {
        int index = LowerBound(prefix);
        return index < _tables.Length && _tables[index].SmallestPrefix.SequenceCompareTo(prefix) <= 0
            ? _tables[index]
            : null;
    }

    /// <summary>Index of the first table whose largest key is not before the key.</summary>
    public int LowerBound(ReadOnlySpan<byte> prefix)
    {
        if (!prefix.StartsWith(_common))
            return prefix.SequenceCompareTo(_common) < 0 ? 0 : _tables.Length;
        ulong head = IndexBlock.Head(prefix[_common.Length..]);
        int low = 0;
        for (int length = _heads.Length; length > 0;)
        {
            int half = length >>> 1;
            bool before = _heads[low + half] < head;
            low = before ? low + half + 1 : low;
            length = before ? length - half - 1 : half;
        }

        if (low == _heads.Length || _heads[low] != head)
            return low;
        int high = _heads.Length;
        while (low < high)
        {
            int middle = (low + high) >>> 1;
            bool before = _heads[middle] == head
                ? _tables[middle].LargestPrefix.SequenceCompareTo(prefix) < 0
                : _heads[middle] < head;
            low = before ? middle + 1 : low;
            high = before ? high : middle;
        }

        return low;
    }
}
