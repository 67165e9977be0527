using System.Buffers.Binary;
using AiDb.Engine.Encoding;

namespace AiDb.Engine.Tables;

/// <summary>What the properties say of a table whose index and filter are cut into partitions; the layout is in
/// docs/formats/table.md.</summary>
/// <param name="FirstBlocks">The number of each partition's first data block, ascending from 0.</param>
/// <param name="Filters">Where each partition's filter is; empty when the table has no filter.</param>
internal sealed record TablePartitions(int[] FirstBlocks, BlockHandle[] Filters)
{
    private const int EntryBytes = 16;

    /// <summary>How many.</summary>
    public int Count => FirstBlocks.Length;

    /// <summary>The partition that leads to a data block.</summary>
    public int Of(int block)
    {
        int found = Array.BinarySearch(FirstBlocks, block);
        return found >= 0 ? found : ~found - 1;
    }

    /// <summary>Writes the item.</summary>
    public void Write(GrowingBuffer target)
    {
        for (int number = 0; number < Count; number++)
        {
            BlockHandle filter = Filters.Length == 0 ? default : Filters[number];
            target.AppendUInt32((uint)FirstBlocks[number]);
            target.AppendUInt64(filter.Offset);
            target.AppendUInt32(filter.Length);
        }
    }

    /// <summary>Bytes of the item.</summary>
    public int ByteCount => Count * EntryBytes;

    /// <summary>Reads the item; false when it is malformed.</summary>
    /// <param name="item">Its bytes.</param>
    /// <param name="dataBlocks">Data blocks of the table.</param>
    /// <param name="partitions">What it says; null when it is empty.</param>
    public static bool TryRead(ReadOnlySpan<byte> item, ulong dataBlocks, out TablePartitions? partitions)
    {
        partitions = null;
        if (item.IsEmpty)
            return true;
        if (item.Length % EntryBytes != 0 || item.Length < 2 * EntryBytes)
            return false;
        int count = item.Length / EntryBytes;
        var firstBlocks = new int[count];
        var filters = new BlockHandle[count];
        int withFilter = 0;
        for (int number = 0; number < count; number++)
        {
            ReadOnlySpan<byte> entry = item[(number * EntryBytes)..];
            firstBlocks[number] = BinaryPrimitives.ReadInt32LittleEndian(entry);
            filters[number] = TableFormat.ReadHandle(entry[4..]);
            withFilter += filters[number].Length > 0 ? 1 : 0;
            if (number == 0 ? firstBlocks[0] != 0 : firstBlocks[number] <= firstBlocks[number - 1])
                return false;
        }

        if ((ulong)firstBlocks[^1] >= dataBlocks || (withFilter != 0 && withFilter != count))
            return false;
        partitions = new TablePartitions(firstBlocks, withFilter == 0 ? [] : filters);
        return true;
    }
}
