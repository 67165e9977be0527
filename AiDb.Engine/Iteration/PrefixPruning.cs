using System.Buffers.Binary;
using AiDb.Engine.Encoding;
using AiDb.Engine.Manifest;

namespace AiDb.Engine.Iteration;

/// <summary>Leaves out of a scan within one key prefix the tables that cannot have a key of it.</summary>
/// <remarks>A table that is left out has no entry in the range, so that the scan, which never leaves its range,
/// does not miss it: neither entries nor deletions.</remarks>
internal ref struct PrefixPruning
{
    private readonly FilterPrefix? _rule;
    private readonly ReadOnlySpan<byte> _start;
    private readonly ReadOnlySpan<byte> _end;
    private readonly ulong _hash;

    private PrefixPruning(FilterPrefix rule, ReadOnlySpan<byte> start, ReadOnlySpan<byte> end, ulong hash)
    {
        _rule = rule;
        _start = start;
        _end = end;
        _hash = hash;
    }

    /// <summary>Whether it leaves anything out.</summary>
    public readonly bool IsActive => _rule is not null;

    /// <summary>Tables whose filter was asked.</summary>
    public int Checked { get; private set; }

    /// <summary>Those that said no.</summary>
    public int Skipped { get; private set; }

    /// <summary>What leaves nothing out (default), or what can be left out of a scan of a range.</summary>
    /// <param name="scans">The rule.</param>
    /// <param name="tableId">The table that is scanned.</param>
    /// <param name="range">The keys.</param>
    /// <param name="buffer">Memory of <see cref="BufferBytes"/>, which it keeps.</param>
    public static PrefixPruning Make(PrefixScans scans, uint tableId, in ScanRange range, Span<byte> buffer)
    {
        ReadOnlySpan<byte> start = range.Start.Span;
        ReadOnlySpan<byte> end = range.End.Span;
        FilterPrefix rule = scans.Rule!;
        int prefixLength = rule.LengthIn(start, end);
        int startLength = InternalKey.WritePrefix(buffer, tableId, start);
        Span<byte> rest = buffer[startLength..];
        int endLength = 0;
        if (!end.IsEmpty)
        {
            endLength = InternalKey.WritePrefix(rest, tableId, end);
        }
        else if (tableId != uint.MaxValue)
        {
            BinaryPrimitives.WriteUInt32BigEndian(rest, tableId + 1);
            endLength = InternalKey.TableIdBytes;
        }

        return new PrefixPruning(
            rule, buffer[..startLength], rest[..endLength],
            InternalKey.HashPrefix(buffer[..(InternalKey.TableIdBytes + prefixLength)]));
    }

    /// <summary>Bytes of memory for a range.</summary>
    public static int BufferBytes(in ScanRange range) =>
        range.Start.Length + range.End.Length + 2 * InternalKey.TableIdBytes;

    /// <summary>Whether a table may have an entry in the range.</summary>
    public bool MayHold(LiveTable table)
    {
        if (_rule is null)
            return true;
        if (table.LargestPrefix.SequenceCompareTo(_start) < 0 || IsAtOrAfterEnd(table))
            return false;
        if (table.Reader.Properties.FilterPrefix != _rule)
            return true;
        Checked++;
        if (Ask(table))
            return true;
        Skipped++;
        return false;
    }

    /// <summary>The tables of a sorted level that may have an entry in the range: those between the first and the last
    /// that may.</summary>
    public void Narrow(LiveTable[] tables, out int first, out int count)
    {
        first = 0;
        count = tables.Length;
        if (_rule is null)
            return;
        first = TreeVersion.FindTable(tables, _start);
        int end = first;
        while (end < tables.Length && !IsAtOrAfterEnd(tables[end]))
            end++;
        while (first < end && !MayHold(tables[first]))
            first++;
        while (end > first + 1 && !MayHold(tables[end - 1]))
            end--;
        count = end - first;
    }

    private readonly bool IsAtOrAfterEnd(LiveTable table) =>
        !_end.IsEmpty && table.SmallestPrefix.SequenceCompareTo(_end) >= 0;

    private readonly bool Ask(LiveTable table)
    {
        try
        {
            return table.Reader.MayContainPrefix(_rule!, _hash, _start, _end);
        }
        catch (AiDbException)
        {
            // A filter that cannot be read tells nothing: the scan goes on to the data, and reports what it finds
            // there.
            return true;
        }
    }
}
