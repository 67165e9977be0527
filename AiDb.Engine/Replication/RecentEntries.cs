using AiDb.Engine.Log;

namespace AiDb.Engine.Replication;

/// <summary>The newest entries of the log in memory: what followers are sent and what is applied, as a rule, without reading
/// the disk.</summary>
/// <remarks>Thread safety: all members may be called concurrently. Invariant: the entries are consecutive.</remarks>
internal sealed class RecentEntries
{
    /// <summary>Payload bytes kept. Bigger: followers may lag further before the disk is read for them.</summary>
    private const long MaxBytes = 16 << 20;

    private readonly Lock _gate = new();
    private LogEntry[] _ring = new LogEntry[1024];
    private ulong _firstLsn = 1;
    private int _count;
    private long _bytes;

    /// <summary>Adds the entry after the last; one that does not continue it begins anew.</summary>
    public void Add(in LogEntry entry)
    {
        lock (_gate)
        {
            if (_count == 0 || entry.Position.Lsn != _firstLsn + (ulong)_count)
                Clear(entry.Position.Lsn);
            while (_count > 0 && _bytes + entry.Payload.Length > MaxBytes)
                DropFirst();
            if (_count == 0)
                _firstLsn = entry.Position.Lsn;
            if (_count == _ring.Length)
                Grow();
            SlotOf(entry.Position.Lsn) = entry;
            _count++;
            _bytes += entry.Payload.Length;
        }
    }

    /// <summary>Forgets what follows an entry.</summary>
    public void TruncateAfter(ulong lsn)
    {
        lock (_gate)
        {
            while (_count > 0 && _firstLsn + (ulong)_count - 1 > lsn)
            {
                ref LogEntry last = ref SlotOf(_firstLsn + (ulong)_count - 1);
                _bytes -= last.Payload.Length;
                last = default;
                _count--;
            }
        }
    }

    /// <summary>Finds an entry.</summary>
    public bool TryGet(ulong lsn, out LogEntry entry)
    {
        lock (_gate)
        {
            if (lsn < _firstLsn || lsn >= _firstLsn + (ulong)_count)
            {
                entry = default;
                return false;
            }

            entry = SlotOf(lsn);
            return true;
        }
    }

    private ref LogEntry SlotOf(ulong lsn) => ref _ring[(int)(lsn % (ulong)_ring.Length)];

    private void Clear(ulong firstLsn)
    {
        Array.Clear(_ring);
        _firstLsn = firstLsn;
        _count = 0;
        _bytes = 0;
    }

    private void DropFirst()
    {
        ref LogEntry first = ref SlotOf(_firstLsn);
        _bytes -= first.Payload.Length;
        first = default;
        _firstLsn++;
        _count--;
    }

    private void Grow()
    {
        var bigger = new LogEntry[_ring.Length * 2];
        for (ulong lsn = _firstLsn; lsn < _firstLsn + (ulong)_count; lsn++)
            bigger[(int)(lsn % (ulong)bigger.Length)] = SlotOf(lsn);
        _ring = bigger;
    }
}
