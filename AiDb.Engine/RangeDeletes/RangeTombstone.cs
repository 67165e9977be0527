using System.Buffers.Binary;
using AiDb.Engine.Encoding;

namespace AiDb.Engine.RangeDeletes;

/// <summary>The deletion of a range of keys: every version below its own is deleted in it. Bounds are prefixes
/// (table id and user key, see <see cref="InternalKey"/>).</summary>
/// <param name="Start">The first prefix.</param>
/// <param name="End">The first prefix that is not deleted; after <paramref name="Start"/>. A range to the end of a
/// table ends with the next table's id alone, which is no key.</param>
/// <param name="Version">The version of the log entry.</param>
internal sealed record RangeTombstone(byte[] Start, byte[] End, ulong Version)
{
    /// <summary>The smallest key, which stands for an open start: keys are never empty.</summary>
    public static ReadOnlySpan<byte> FirstKey => [0];

    /// <summary>Makes the tombstone of a log operation.</summary>
    public static RangeTombstone Of(uint tableId, ReadOnlySpan<byte> start, ReadOnlySpan<byte> end, ulong version)
    {
        byte[] endPrefix;
        if (end.IsEmpty)
        {
            endPrefix = new byte[InternalKey.TableIdBytes];
            BinaryPrimitives.WriteUInt32BigEndian(endPrefix, tableId + 1);
        }
        else
        {
            endPrefix = Prefix(tableId, end);
        }

        return new RangeTombstone(Prefix(tableId, start), endPrefix, version);
    }

    /// <summary>Refuses bounds between which no key can lie.</summary>
    public static void Check(uint tableId, ReadOnlySpan<byte> start, ReadOnlySpan<byte> end)
    {
        if (start.Length > DatabaseOptions.MaxKeyBytes || end.Length > DatabaseOptions.MaxKeyBytes)
        {
            throw new AiDbException(
                AiDbErrorKind.InvalidArgument,
                $"The bounds of the range have {start.Length} and {end.Length} bytes; keys have at most " +
                $"{DatabaseOptions.MaxKeyBytes}.");
        }

        if (!end.IsEmpty && (start.IsEmpty ? FirstKey : start).SequenceCompareTo(end) >= 0)
        {
            throw new AiDbException(
                AiDbErrorKind.InvalidArgument,
                "The range to delete holds no key: its end must come after its start. Leave the end empty for a range " +
                "to the last key.");
        }

        if (end.IsEmpty && tableId == uint.MaxValue)
        {
            throw new AiDbException(
                AiDbErrorKind.InvalidArgument, $"Table {tableId} needs an end for the range to delete: it is the last id.");
        }
    }

    private static byte[] Prefix(uint tableId, ReadOnlySpan<byte> key)
    {
        byte[] prefix = new byte[InternalKey.PrefixLength(key.Length)];
        InternalKey.WritePrefix(prefix, tableId, key);
        return prefix;
    }
}
