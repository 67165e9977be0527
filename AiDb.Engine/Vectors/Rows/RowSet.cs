namespace AiDb.Engine.Vectors.Rows;

/// <summary>A set of rows that is searched from its lowest member on.</summary>
/// <remarks>Thread safety: changes under the lock of its owner; readers beside them as in
/// <see cref="OffsetBitmap"/>. Invariant: no member lies below <see cref="Low"/>.</remarks>
internal sealed class RowSet
{
    private readonly OffsetBitmap _rows = new();
    private long _count;
    private uint _low;

    /// <summary>Members.</summary>
    public long Count => Volatile.Read(ref _count);

    /// <summary>No member is lower.</summary>
    public uint Low => Volatile.Read(ref _low);

    /// <summary>The members as bits.</summary>
    public ReadOnlySpan<ulong> Words => _rows.Words;

    /// <summary>Whether it is a member.</summary>
    public bool Contains(uint row) => _rows.Test(row);

    /// <summary>Adds a row that is no member.</summary>
    public void Add(uint row)
    {
        _rows.Set(row);
        if (_count == 0 || row < _low)
            Volatile.Write(ref _low, row);
        Volatile.Write(ref _count, _count + 1);
    }

    /// <summary>Takes a row out; false: it was no member.</summary>
    public bool Remove(uint row)
    {
        if (!_rows.Test(row))
            return false;
        _rows.Clear(row);
        Volatile.Write(ref _count, _count - 1);
        if (row == _low)
            MoveLow(row + 1);
        return true;
    }

    // Stops at the next word: a set that is emptied in order costs a step a row.
    private void MoveLow(uint from)
    {
        ReadOnlySpan<ulong> words = _rows.Words;
        uint word = from / 64;
        while (_count > 0 && word < words.Length && words[(int)word] == 0)
            word++;
        Volatile.Write(ref _low, Math.Max(from, word * 64));
    }
}
