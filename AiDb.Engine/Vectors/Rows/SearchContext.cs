using System.Runtime.InteropServices;
using AiDb.Engine.Caching;

namespace AiDb.Engine.Vectors.Rows;

/// <summary>The memory of one search at a time, kept for the next one.</summary>
/// <remarks>Thread safety: one user at a time.</remarks>
internal sealed unsafe class SearchContext(NativeMemoryAccount account) : IDisposable
{
    /// <summary>The epoch of the search that uses it; 0: none.</summary>
    public long ActiveEpoch;

    private readonly NativeBuffer _stamps = new(account);
    private byte _stamp;

    /// <summary>The query as the exact distance takes it.</summary>
    public NativeBuffer Query { get; } = new(account);

    /// <summary>The query as codes are compared with it.</summary>
    public NativeBuffer CodedQuery { get; } = new(account);

    /// <summary>The query as bits are compared with it.</summary>
    public NativeBuffer BitQuery { get; } = new(account);

    /// <summary>A vector as it is stored.</summary>
    public NativeBuffer Original { get; } = new(account);

    /// <summary>The best so far.</summary>
    public NativeBuffer Best { get; } = new(account);

    /// <summary>Candidates of the graph.</summary>
    public NativeBuffer Candidates { get; } = new(account);

    /// <summary>More candidates.</summary>
    public NativeBuffer Others { get; } = new(account);

    /// <summary>Neighbours whose distance is wanted.</summary>
    public NativeBuffer Neighbours { get; } = new(account);

    /// <summary>A vector.</summary>
    public NativeBuffer Vector { get; } = new(account);

    /// <summary>Forgets which rows were visited, and makes room for <paramref name="rows"/> of them.</summary>
    public VisitedRows BeginVisits(uint rows)
    {
        if (_stamps.Ensure(rows) || ++_stamp == 0)
        {
            NativeMemory.Clear(_stamps.Memory, (nuint)_stamps.Bytes);
            _stamp = 1;
        }

        return new VisitedRows(_stamps.Memory, rows, _stamp);
    }

    /// <inheritdoc/>
    public void Dispose()
    {
        foreach (NativeBuffer buffer in (ReadOnlySpan<NativeBuffer>)[
            _stamps, Query, CodedQuery, BitQuery, Original, Best, Candidates, Others, Neighbours, Vector])
        {
            buffer.Dispose();
        }
    }
}

/// <summary>Memory that grows; what it held is then lost.</summary>
/// <remarks>Thread safety: none.</remarks>
internal sealed unsafe class NativeBuffer(NativeMemoryAccount account) : IDisposable
{
    private const long LeastBytes = 1024;

    /// <summary>The memory, aligned to a cache line.</summary>
    public byte* Memory { get; private set; }

    /// <summary>How much there is.</summary>
    public long Bytes { get; private set; }

    /// <summary>Makes room; true: it is fresh memory.</summary>
    public bool Ensure(long bytes)
    {
        if (bytes <= Bytes)
            return false;
        Dispose();
        long wanted = Math.Max(LeastBytes, bytes + (bytes / 4) + 63) & ~63L;
        Memory = account.Allocate(wanted);
        Bytes = wanted;
        return true;
    }

    /// <inheritdoc/>
    public void Dispose()
    {
        if (Memory is not null)
            account.Free(Memory, Bytes);
        Memory = null;
        Bytes = 0;
    }
}

/// <summary>Which rows a search has seen: a byte for each row holds the stamp of the last search that
/// saw it.</summary>
internal readonly unsafe struct VisitedRows(byte* stamps, uint count, byte stamp)
{
    private readonly byte* _stamps = stamps;
    private readonly byte _stamp = stamp;

    /// <summary>Rows from here on did not exist when the search began, and count as seen.</summary>
    public uint Count { get; } = count;

    /// <summary>Marks a row; false: it was marked.</summary>
    public bool Visit(uint row)
    {
        if (row >= Count || _stamps[row] == _stamp)
            return false;
        _stamps[row] = _stamp;
        return true;
    }

    /// <summary>Whether it was marked.</summary>
    public bool Contains(uint row) => row >= Count || _stamps[row] == _stamp;
}
