using AiDb.Engine.Encoding;

namespace AiDb.Engine.Transactions;

/// <summary>What a transaction will do to a key.</summary>
/// <param name="Prefix">Table id and user key, as <see cref="InternalKey.WritePrefix"/> writes them.</param>
/// <param name="Value">Its new value; null: it is deleted.</param>
/// <param name="TimeToLive">How long the value lives from the commit on; null: for ever.</param>
internal sealed record TransactionWrite(byte[] Prefix, byte[]? Value, TimeSpan? TimeToLive)
{
    /// <summary>The user key.</summary>
    public ReadOnlySpan<byte> Key => Prefix.AsSpan(InternalKey.TableIdBytes);
}

/// <summary>A transaction's own writes: the last one of each key.</summary>
/// <remarks>Thread safety: none.</remarks>
internal sealed class TransactionWrites
{
    private readonly Dictionary<byte[], TransactionWrite> _writes = new(BytesComparer.Instance);
    private readonly SortedSet<byte[]> _order = new(BytesComparer.Instance);

    /// <summary>Keys that are written.</summary>
    public int Count => _writes.Count;

    /// <summary>The writes, in the order of their keys.</summary>
    public IEnumerable<TransactionWrite> All => _order.Select(prefix => _writes[prefix]);

    /// <summary>Finds the write of a key.</summary>
    public bool TryGet(ReadOnlySpan<byte> prefix, out TransactionWrite? write) =>
        _writes.GetAlternateLookup<ReadOnlySpan<byte>>().TryGetValue(prefix, out write);

    /// <summary>Adds a write, or replaces the one of its key.</summary>
    public void Set(TransactionWrite write)
    {
        if (_writes.TryAdd(write.Prefix, write))
            _order.Add(write.Prefix);
        else
            _writes[write.Prefix] = write;
    }

    /// <summary>The writes of a range, in the order of a walk over it.</summary>
    public List<TransactionWrite> InRange(uint tableId, ScanRange range)
    {
        List<TransactionWrite> found = [];
        if (Count == 0)
            return found;
        byte[] first = Prefix(tableId, range.Start.Span);
        byte[] end = range.End.IsEmpty ? Prefix(tableId + 1, default) : Prefix(tableId, range.End.Span);
        if (range.End.IsEmpty && tableId == uint.MaxValue)
            end = [.. _order.Max!, 0];
        if (first.AsSpan().SequenceCompareTo(end) >= 0)
            return found;
        foreach (byte[] prefix in _order.GetViewBetween(first, end))
        {
            if (!prefix.AsSpan().SequenceEqual(end))
                found.Add(_writes[prefix]);
        }

        if (range.Reverse)
            found.Reverse();
        return found;
    }

    private static byte[] Prefix(uint tableId, ReadOnlySpan<byte> key)
    {
        byte[] prefix = new byte[InternalKey.PrefixLength(key.Length)];
        InternalKey.WritePrefix(prefix, tableId, key);
        return prefix;
    }
}
