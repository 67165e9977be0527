using AiDb.Engine.Caching;
using AiDb.Engine.Vectors.Files;
using AiDb.Engine.Vectors.Rows;

namespace AiDb.Engine.Vectors.Hnsw;

/// <summary>The links of the nodes: at level 0 in a row of their own, above in rows that only higher nodes
/// have.</summary>
/// <remarks>
/// A list is as many row numbers as fit, ended by <see cref="RowHead.None"/> when it is shorter. Thread safety: a node's
/// lists change under its lock; readers take no lock. Invariant: each word of a list is at any time None or a row that
/// the graph holds or held, so that a reader beside a change finds links of before or after it.
/// </remarks>
internal sealed unsafe class LinkStore : IDisposable
{
    private const int MaxLevel = 15;

    private readonly NativeRows _bottom;
    private readonly NativeRows _upper;
    private readonly RowStore _rows;
    private readonly Lock _growth = new();
    private readonly double _levelFactor;
    private uint _upperCount;

    public LinkStore(NativeMemoryAccount account, RowStore rows, int m)
    {
        _rows = rows;
        M = m;
        _levelFactor = 1 / Math.Log(m);
        _bottom = new NativeRows(account, 2 * m * sizeof(uint));
        _upper = new NativeRows(account, m * sizeof(uint));
    }

    /// <summary>The most links above level 0.</summary>
    public int M { get; }

    /// <summary>Rows of links above level 0.</summary>
    public uint UpperCount => Volatile.Read(ref _upperCount);

    /// <summary>Finds the lists of level 0.</summary>
    public RowAddresses Bottom => _bottom.Addresses;

    /// <summary>The rows of level 0.</summary>
    public NativeRows BottomRows => _bottom;

    /// <summary>The rows above level 0.</summary>
    public NativeRows UpperRows => _upper;

    /// <summary>Bytes of the links of so many rows.</summary>
    public long BytesOf(long rows) => _bottom.BytesOf(rows) + _upper.BytesOf(UpperCount);

    /// <summary>The most links at a level.</summary>
    public int Capacity(int level) => level == 0 ? 2 * M : M;

    /// <summary>The level of a row: geometrically distributed, and the same whenever the row is used, so that it keeps
    /// its lists.</summary>
    public int LevelOf(uint row)
    {
        // SplitMix64 of the row's number.
        ulong hash = (row + 1UL) * 0x9E3779B97F4A7C15;
        hash = (hash ^ (hash >> 30)) * 0xBF58476D1CE4E5B9;
        hash = (hash ^ (hash >> 27)) * 0x94D049BB133111EB;
        hash ^= hash >> 31;
        double uniform = ((hash >> 11) + 1) * (1.0 / (1UL << 53));
        return Math.Min(MaxLevel, (int)(-Math.Log(uniform) * _levelFactor));
    }

    /// <summary>Makes room for a row and empties its lists.</summary>
    public void Prepare(uint row)
    {
        int level = LevelOf(row);
        RowHead* head = _rows.Head(row);
        lock (_growth)
        {
            _bottom.Ensure(row);
            if (level > 0 && head->Upper == RowHead.None)
            {
                _upper.Ensure(_upperCount + (uint)level - 1);
                head->Upper = _upperCount;
                Volatile.Write(ref _upperCount, _upperCount + (uint)level);
            }
        }

        // Above the level first: a reader that sees the level sees its lists.
        for (int i = 0; i <= level; i++)
            new Span<uint>(Of(row, i), Capacity(i)).Fill(RowHead.None);
        Interlocked.Or(ref head->State, level);
    }

    /// <summary>The list of a row at a level that it has.</summary>
    public uint* Of(uint row, int level) => level == 0
        ? (uint*)_bottom[row]
        : (uint*)_upper[_rows.Head(row)->Upper + (uint)level - 1];

    /// <summary>Whether a row has lists at a level.</summary>
    public bool Has(uint row, int level) => (_rows.Head(row)->State & RowHead.LevelMask) >= level;

    /// <summary>Takes a node's lock.</summary>
    public void Lock(uint row)
    {
        ref int state = ref _rows.Head(row)->State;
        SpinWait spin = default;
        while ((Interlocked.Or(ref state, RowHead.Locked) & RowHead.Locked) != 0)
            spin.SpinOnce(sleep1Threshold: -1);
    }

    /// <summary>Gives a node's lock back.</summary>
    public void Unlock(uint row) => Interlocked.And(ref _rows.Head(row)->State, ~RowHead.Locked);

    /// <summary>The length of a list.</summary>
    public static int Count(uint* list, int capacity)
    {
        int count = new ReadOnlySpan<uint>(list, capacity).IndexOf(RowHead.None);
        return count < 0 ? capacity : count;
    }

    /// <summary>Replaces a list; under the node's lock.</summary>
    public static void Write(uint* list, int capacity, ReadOnlySpan<uint> links)
    {
        for (int i = 0; i < links.Length; i++)
            Volatile.Write(ref list[i], links[i]);
        for (int i = links.Length; i < capacity; i++)
            Volatile.Write(ref list[i], RowHead.None);
    }

    /// <summary>Makes room for the rows that are not linked yet, and empties their lists, so that a file of all rows
    /// holds nothing by chance.</summary>
    public void Complete(uint row)
    {
        _bottom.Ensure(row);
        new Span<uint>(_bottom[row], 2 * M).Fill(RowHead.None);
    }

    /// <summary>Writes all to a file, while nothing changes.</summary>
    public void Save(VectorIndexWriter writer, uint rows, CancellationToken cancellationToken)
    {
        writer.Add(VectorSectionKind.BottomLinks, _bottom, rows, cancellationToken);
        writer.Add(VectorSectionKind.UpperLinks, _upper, _upperCount, cancellationToken);
    }

    /// <summary>Reads all from a file, and checks that every link leads to a node that has its level.</summary>
    public void Load(VectorIndexReader reader)
    {
        uint count = reader.Header.Rows;
        reader.Read(VectorSectionKind.BottomLinks, _bottom, count);
        reader.Read(VectorSectionKind.UpperLinks, _upper, reader.Header.UpperRows);
        _upperCount = reader.Header.UpperRows;
        for (uint row = 0; row < count; row++)
        {
            RowHead* head = _rows.Head(row);
            int level = head->State & RowHead.LevelMask;
            if (level > MaxLevel || (head->Upper != RowHead.None && head->Upper + (ulong)LevelOf(row) > _upperCount)
                || (level > 0 && (head->Upper == RowHead.None || level != LevelOf(row))))
            {
                throw reader.Wrong(VectorSectionKind.Heads, $"row {row} has levels without links");
            }

            if ((head->State & RowHead.Linked) == 0)
                continue;
            for (int i = 0; i <= level; i++)
                CheckList(reader, row, i, count);
        }
    }

    private void CheckList(VectorIndexReader reader, uint row, int level, uint count)
    {
        uint* list = Of(row, level);
        for (int i = 0; i < Capacity(level) && list[i] != RowHead.None; i++)
        {
            if (list[i] >= count || (_rows.Head(list[i])->State & RowHead.Linked) == 0 || !Has(list[i], level))
            {
                throw reader.Wrong(
                    level == 0 ? VectorSectionKind.BottomLinks : VectorSectionKind.UpperLinks,
                    $"a link of row {row} leads to no node of level {level}");
            }
        }
    }

    /// <inheritdoc/>
    public void Dispose()
    {
        _bottom.Dispose();
        _upper.Dispose();
    }
}
