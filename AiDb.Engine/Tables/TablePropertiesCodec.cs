using System.Buffers.Binary;
using System.Diagnostics.CodeAnalysis;
using System.Runtime.InteropServices;
using AiDb.Engine.Encoding;
using AiDb.Engine.ValueFiles;

namespace AiDb.Engine.Tables;

/// <summary>Writes and reads the content of the properties block; the layout is in
/// docs/formats/table.md.</summary>
internal static class TablePropertiesCodec
{
    private const ushort SmallestTag = 1;
    private const ushort LargestTag = 2;
    private const ushort NumbersTag = 3;
    private const ushort TableIdsTag = 4;
    private const ushort RangeDeletionsTag = 5;
    private const ushort MergeOperandsTag = 6;
    private const ushort ValueReferencesTag = 10;
    private const ushort FilterPrefixTag = 15;
    private const ushort PartitionsTag = 16;
    private const int NumberCount = 9;
    private const int RangeDeletionsBytes = 16;

    /// <summary>Writes the content.</summary>
    public static void Write(GrowingBuffer target, TableProperties properties)
    {
        AppendItem(target, SmallestTag, properties.SmallestKey);
        AppendItem(target, LargestTag, properties.LargestKey);
        target.AppendUInt16(NumbersTag);
        target.AppendUInt32(NumberCount * 8);
        target.AppendUInt64((ulong)properties.Entries);
        target.AppendUInt64((ulong)properties.Deletions);
        target.AppendUInt64((ulong)properties.ExpirableEntries);
        target.AppendUInt64(properties.MinVersion);
        target.AppendUInt64(properties.MaxVersion);
        target.AppendUInt64(properties.MinExpiryUnixMs);
        target.AppendUInt64((ulong)properties.RawKeyBytes);
        target.AppendUInt64((ulong)properties.RawValueBytes);
        target.AppendUInt64((ulong)properties.DataBlocks);
        target.AppendUInt16(TableIdsTag);
        target.AppendUInt32((uint)properties.TableIds.Length * 4);
        foreach (uint id in properties.TableIds)
            target.AppendUInt32(id);
        if (properties.RangeDeletions > 0)
        {
            target.AppendUInt16(RangeDeletionsTag);
            target.AppendUInt32(RangeDeletionsBytes);
            target.AppendUInt64(properties.RangeDeletionsBlock.Offset);
            target.AppendUInt32(properties.RangeDeletionsBlock.Length);
            target.AppendUInt32((uint)properties.RangeDeletions);
        }

        if (properties.MergeOperands > 0)
        {
            target.AppendUInt16(MergeOperandsTag);
            target.AppendUInt32(sizeof(ulong));
            target.AppendUInt64((ulong)properties.MergeOperands);
        }

        if (properties.ValueReferences.Length > 0)
        {
            target.AppendUInt16(ValueReferencesTag);
            target.AppendUInt32((uint)properties.ValueReferences.Length * ValueReference.Bytes);
            foreach (ValueReference reference in properties.ValueReferences)
                reference.Write(target.Extend(ValueReference.Bytes));
        }

        if (properties.FilterPrefix is { } rule)
        {
            Span<byte> item = [(byte)rule.Kind, rule.Separator, 0, 0];
            BinaryPrimitives.WriteUInt16LittleEndian(item[2..], (ushort)rule.Bytes);
            AppendItem(target, FilterPrefixTag, item);
        }

        if (properties.Partitions is { } partitions)
        {
            target.AppendUInt16(PartitionsTag);
            target.AppendUInt32((uint)partitions.ByteCount);
            partitions.Write(target);
        }
    }

    /// <summary>Reads the content; false when it is not well formed or lacks an item.</summary>
    public static bool TryRead(
        ReadOnlySpan<byte> content,
        UInt128 fileId,
        long fileBytes,
        [NotNullWhen(true)] out TableProperties? properties)
    {
        properties = null;
        ReadOnlySpan<byte> smallest = default, largest = default, numbers = default, ids = default;
        ReadOnlySpan<byte> ranges = default, operands = default, values = default, rule = default, parts = default;
        while (content.Length >= 6)
        {
            ushort tag = BinaryPrimitives.ReadUInt16LittleEndian(content);
            uint length = BinaryPrimitives.ReadUInt32LittleEndian(content[2..]);
            content = content[6..];
            if (length > (uint)content.Length)
                return false;
            ReadOnlySpan<byte> item = content[..(int)length];
            content = content[(int)length..];
            switch (tag)
            {
                case SmallestTag: smallest = item; break;
                case LargestTag: largest = item; break;
                case NumbersTag: numbers = item; break;
                case TableIdsTag: ids = item; break;
                case RangeDeletionsTag: ranges = item; break;
                case MergeOperandsTag: operands = item; break;
                case ValueReferencesTag: values = item; break;
                case FilterPrefixTag: rule = item; break;
                case PartitionsTag: parts = item; break;
            }
        }

        if (!content.IsEmpty || !AreKeys(smallest, largest) || !AreNumbers(numbers)
            || ids.Length == 0 || ids.Length % 4 != 0
            || values.Length % ValueReference.Bytes != 0
            || ranges.Length is not (0 or RangeDeletionsBytes) || operands.Length is not (0 or sizeof(ulong))
            || !TablePartitions.TryRead(parts, Number(numbers, 8), out TablePartitions? partitions))
            return false;
        properties = new TableProperties
        {
            FileId = fileId,
            SmallestKey = smallest.ToArray(),
            LargestKey = largest.ToArray(),
            Entries = (long)Number(numbers, 0),
            Deletions = (long)Number(numbers, 1),
            ExpirableEntries = (long)Number(numbers, 2),
            MinVersion = Number(numbers, 3),
            MaxVersion = Number(numbers, 4),
            MinExpiryUnixMs = Number(numbers, 5),
            RawKeyBytes = (long)Number(numbers, 6),
            RawValueBytes = (long)Number(numbers, 7),
            DataBlocks = (long)Number(numbers, 8),
            RangeDeletionsBlock = ranges.IsEmpty ? default : TableFormat.ReadHandle(ranges),
            RangeDeletions = ranges.IsEmpty ? 0 : BinaryPrimitives.ReadUInt32LittleEndian(ranges[12..]),
            MergeOperands = operands.IsEmpty ? 0 : (long)BinaryPrimitives.ReadUInt64LittleEndian(operands),
            FileBytes = fileBytes,
            FileChecksum = 0,
            TableIds = MemoryMarshal.Cast<byte, uint>(ids).ToArray(),
            ValueReferences = ValueReference.ReadAll(values),
            FilterPrefix = rule.Length < 4
                ? null
                : FilterPrefix.TryMake(rule[0], rule[1], BinaryPrimitives.ReadUInt16LittleEndian(rule[2..])),
            Partitions = partitions,
        };
        return true;
    }

    private static bool AreKeys(ReadOnlySpan<byte> smallest, ReadOnlySpan<byte> largest) =>
        smallest.Length is >= InternalKey.OverheadBytes and <= InternalKey.MaxBytes
        && largest.Length is >= InternalKey.OverheadBytes and <= InternalKey.MaxBytes
        && InternalKey.Compare(smallest, largest) <= 0;

    /// <summary>Whether the counts are counts: at least one entry, none negative, no part larger than the
    /// whole.</summary>
    private static bool AreNumbers(ReadOnlySpan<byte> numbers)
    {
        if (numbers.Length < NumberCount * 8)
            return false;
        ulong entries = Number(numbers, 0);
        return entries is > 0 and <= long.MaxValue
            && Number(numbers, 1) <= entries && Number(numbers, 2) <= entries
            && Number(numbers, 3) <= Number(numbers, 4)
            && Number(numbers, 6) <= long.MaxValue && Number(numbers, 7) <= long.MaxValue
            && Number(numbers, 8) > 0 && Number(numbers, 8) <= entries;
    }

    private static ulong Number(ReadOnlySpan<byte> numbers, int index) =>
        BinaryPrimitives.ReadUInt64LittleEndian(numbers[(index * 8)..]);

    private static void AppendItem(GrowingBuffer target, ushort tag, ReadOnlySpan<byte> bytes)
    {
        target.AppendUInt16(tag);
        target.AppendUInt32((uint)bytes.Length);
        target.Append(bytes);
    }
}
