namespace AiDb.Cluster.Model;

/// <summary>The ranges of a table that is partitioned by them: which keys belong together, and the slot of each. A slot may
/// carry ranges of several tables, and the hashed keys of others beside them. Immutable.</summary>
public sealed class TableRanges : IEquatable<TableRanges>
{
    private readonly byte[][] _starts;
    private readonly ushort[] _slots;

    private TableRanges(byte[][] starts, ushort[] slots)
    {
        _starts = starts;
        _slots = slots;
        SplitPoints = [.. starts.Skip(1).Select(start => (ReadOnlyMemory<byte>)start)];
    }

    /// <summary>Makes ranges.</summary>
    /// <param name="splitPoints">Where they begin, ascending, but for the first one.</param>
    /// <param name="slots">The slot of each: one more than there are split points.</param>
    /// <exception cref="ArgumentException">They are not as many, or do not ascend.</exception>
    public static TableRanges Of(IReadOnlyList<ReadOnlyMemory<byte>> splitPoints, IReadOnlyList<int> slots)
    {
        if (slots.Count != splitPoints.Count + 1)
        {
            throw new ArgumentException(
                $"{splitPoints.Count} split points make {splitPoints.Count + 1} ranges, not {slots.Count}.", nameof(slots));
        }

        byte[][] starts = new byte[slots.Count][];
        starts[0] = [];
        for (int i = 1; i < starts.Length; i++)
        {
            starts[i] = splitPoints[i - 1].ToArray();
            if (starts[i].AsSpan().SequenceCompareTo(starts[i - 1]) <= 0)
            {
                throw new ArgumentException(
                    $"Split point {i - 1} does not sort after the one in front of it.", nameof(splitPoints));
            }
        }

        return new TableRanges(starts, [.. slots.Select(slot => checked((ushort)slot))]);
    }

    /// <summary>How many there are; 1 at least.</summary>
    public int Count => _starts.Length;

    /// <summary>Where they begin, ascending, but for the first one.</summary>
    public IReadOnlyList<ReadOnlyMemory<byte>> SplitPoints { get; }

    /// <summary>The range of a key.</summary>
    public int IndexOf(ReadOnlySpan<byte> key)
    {
        int low = 0;
        int high = _starts.Length - 1;
        while (low < high)
        {
            int middle = (low + high + 1) / 2;
            if (key.SequenceCompareTo(_starts[middle]) < 0)
                high = middle - 1;
            else
                low = middle;
        }

        return low;
    }

    /// <summary>The last range with keys before a bound.</summary>
    /// <param name="end">The bound, exclusive; empty: there is none.</param>
    public int LastBefore(ReadOnlySpan<byte> end)
    {
        if (end.IsEmpty)
            return _starts.Length - 1;
        int index = IndexOf(end);
        return index > 0 && end.SequenceEqual(_starts[index]) ? index - 1 : index;
    }

    /// <summary>The slot of a key.</summary>
    public int SlotOf(ReadOnlySpan<byte> key) => _slots[IndexOf(key)];

    /// <summary>The slot of a range.</summary>
    public int SlotAt(int index) => _slots[index];

    /// <summary>The first key of a range; empty: the first range has none.</summary>
    public ReadOnlyMemory<byte> StartOf(int index) => _starts[index];

    /// <summary>The first key after a range; empty: it is the last one.</summary>
    public ReadOnlyMemory<byte> EndOf(int index) => index + 1 < _starts.Length ? _starts[index + 1] : default;

    /// <summary>These with one of them split.</summary>
    /// <param name="at">The first key of the new range; the range that had it keeps what is before.</param>
    /// <param name="slot">The slot of the new range.</param>
    /// <exception cref="ArgumentException">A range begins there already.</exception>
    public TableRanges Split(ReadOnlySpan<byte> at, int slot)
    {
        int index = IndexOf(at);
        if (at.SequenceEqual(_starts[index]))
            throw new ArgumentException("A range begins there already.", nameof(at));
        byte[] start = at.ToArray();
        return new TableRanges(
            [.. _starts[..(index + 1)], start, .. _starts[(index + 1)..]],
            [.. _slots[..(index + 1)], checked((ushort)slot), .. _slots[(index + 1)..]]);
    }

    /// <inheritdoc/>
    public bool Equals(TableRanges? other) =>
        other is not null && _slots.AsSpan().SequenceEqual(other._slots)
        && _starts.Zip(other._starts).All(pair => pair.First.AsSpan().SequenceEqual(pair.Second));

    /// <inheritdoc/>
    public override bool Equals(object? obj) => Equals(obj as TableRanges);

    /// <inheritdoc/>
    public override int GetHashCode()
    {
        HashCode hash = default;
        foreach (ushort slot in _slots)
            hash.Add(slot);
        return hash.ToHashCode();
    }
}
