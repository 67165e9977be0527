using System.Buffers.Binary;
using System.Diagnostics.CodeAnalysis;
using AiDb.Engine.Encoding;

namespace AiDb.Engine.RangeDeletes;

/// <summary>Writes and reads the content of a table's block of range deletions; the layout is in
/// docs/formats/table.md.</summary>
internal static class RangeTombstonesCodec
{
    private const int FragmentHeaderBytes = 12;
    private const int PrefixMaxBytes = InternalKey.TableIdBytes + DatabaseOptions.MaxKeyBytes + 1;

    /// <summary>Writes the content.</summary>
    public static void Write(GrowingBuffer target, RangeTombstones tombstones)
    {
        target.AppendUInt32((uint)tombstones.Count);
        for (int fragment = 0; fragment < tombstones.Count; fragment++)
        {
            ReadOnlySpan<ulong> versions = tombstones.Versions(fragment);
            target.AppendUInt32((uint)tombstones.Start(fragment).Length);
            target.AppendUInt32((uint)tombstones.End(fragment).Length);
            target.AppendUInt32((uint)versions.Length);
            foreach (ulong version in versions)
                target.AppendUInt64(version);
            target.Append(tombstones.Start(fragment));
            target.Append(tombstones.End(fragment));
        }
    }

    /// <summary>Reads the content; false when it is not well formed.</summary>
    public static bool TryRead(ReadOnlySpan<byte> content, [NotNullWhen(true)] out RangeTombstones? tombstones)
    {
        tombstones = null;
        if (content.Length < 4)
            return false;
        uint count = BinaryPrimitives.ReadUInt32LittleEndian(content);
        content = content[4..];
        if (count == 0 || count > content.Length / FragmentHeaderBytes)
            return false;
        byte[][] starts = new byte[count][];
        byte[][] ends = new byte[count][];
        int[] firstVersions = new int[count + 1];
        List<ulong> versions = [];
        for (int fragment = 0; fragment < count; fragment++)
        {
            if (!TryReadFragment(ref content, versions, out starts[fragment], out ends[fragment])
                || (fragment > 0 && ends[fragment - 1].AsSpan().SequenceCompareTo(starts[fragment]) > 0))
            {
                return false;
            }

            firstVersions[fragment + 1] = versions.Count;
        }

        if (!content.IsEmpty)
            return false;
        tombstones = new RangeTombstones(starts, ends, firstVersions, [.. versions]);
        return true;
    }

    private static bool TryReadFragment(
        ref ReadOnlySpan<byte> content, List<ulong> versions, out byte[] start, out byte[] end)
    {
        start = end = [];
        if (content.Length < FragmentHeaderBytes)
            return false;
        uint startLength = BinaryPrimitives.ReadUInt32LittleEndian(content);
        uint endLength = BinaryPrimitives.ReadUInt32LittleEndian(content[4..]);
        uint versionCount = BinaryPrimitives.ReadUInt32LittleEndian(content[8..]);
        content = content[FragmentHeaderBytes..];
        if (startLength is < InternalKey.TableIdBytes or > PrefixMaxBytes
            || endLength is < InternalKey.TableIdBytes or > PrefixMaxBytes
            || versionCount == 0
            || (versionCount * 8L) + startLength + endLength > content.Length)
        {
            return false;
        }

        ulong last = 0;
        for (int index = 0; index < versionCount; index++)
        {
            ulong version = BinaryPrimitives.ReadUInt64LittleEndian(content[(8 * index)..]);
            if (version == 0 || (index > 0 && version >= last))
                return false;
            versions.Add(last = version);
        }

        content = content[(8 * (int)versionCount)..];
        start = content[..(int)startLength].ToArray();
        end = content.Slice((int)startLength, (int)endLength).ToArray();
        content = content[(int)(startLength + endLength)..];
        return start.AsSpan().SequenceCompareTo(end) < 0;
    }
}
