using AiDb.Engine.Transactions;

namespace AiDb.Engine;

/// <summary>A walk over a range as a <see cref="Transaction"/> sees it: the state that it reads, with its own
/// writes over it. See <see cref="Transaction.Scan"/>.</summary>
/// <remarks>Thread safety: none; one cursor belongs to one caller, who disposes it. It may outlive neither the
/// transaction nor the database.</remarks>
public sealed class TransactionCursor : IDisposable
{
    private readonly ScanCursor _stored;
    private readonly List<TransactionWrite> _own;
    private readonly bool _reverse;
    private readonly Transaction? _tracker;
    private readonly Table _table;
    private int _next;
    private bool _hasStored;
    private bool _started;
    private TransactionWrite? _current;

    internal TransactionCursor(
        ScanCursor stored, List<TransactionWrite> own, bool reverse, Transaction? tracker, Table table)
    {
        _stored = stored;
        _own = own;
        _reverse = reverse;
        _tracker = tracker;
        _table = table;
    }

    /// <summary>The current key; valid until the next <see cref="MoveNext"/>.</summary>
    public ReadOnlySpan<byte> Key => _current is null ? _stored.Key : _current.Key;

    /// <summary>The current value; valid until the next <see cref="MoveNext"/>.</summary>
    public ReadOnlySpan<byte> Value => _current is null ? _stored.Value : _current.Value;

    /// <summary>The version of the current value; 0: the transaction's own.</summary>
    public ulong Version => _current is null ? _stored.Version : 0;

    /// <summary>Goes to the next key; false at the end.</summary>
    /// <exception cref="AiDbException">A table could not be read, or the transaction has ended.</exception>
    public bool MoveNext()
    {
        if (!_started || _current is null)
            MoveStored();
        _started = true;
        while (true)
        {
            _current = null;
            if (_next == _own.Count)
                break;
            int order = _hasStored ? _own[_next].Key.SequenceCompareTo(_stored.Key) : -1;
            if (_hasStored && _reverse)
                order = -order;
            if (order > 0)
                break;

            // Own writes hide what is stored, so nothing was read of it.
            TransactionWrite own = _own[_next++];
            if (order == 0)
                MoveStored();
            if (own.Value is null)
                continue;
            _current = own;
            return true;
        }

        if (_hasStored)
            _tracker?.TrackScanned(_table, _stored.Key, _stored.Version);
        return _hasStored;
    }

    /// <inheritdoc/>
    public void Dispose() => _stored.Dispose();

    private void MoveStored()
    {
        if (!_started || _hasStored)
            _hasStored = _stored.MoveNext();
    }
}
