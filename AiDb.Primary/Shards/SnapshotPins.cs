using AiDb.Engine;
using AiDb.Primary.Migration;

namespace AiDb.Primary.Shards;

/// <summary>The snapshots that scans hold between their pages.</summary>
/// <remarks>Thread safety: all members may be called concurrently. A snapshot that a page is reading is
/// released only after that page, however it lost its place here. Scans that began at the same version share
/// one.</remarks>
internal sealed class SnapshotPins : IDisposable
{
    private readonly Lock _gate = new();
    private readonly Dictionary<ulong, Pin> _pins = [];
    private readonly ShardHostOptions _options;
    private readonly TimeProvider _time;
    private readonly ITimer _timer;
    private bool _disposed;

    public SnapshotPins(ShardHostOptions options, TimeProvider time)
    {
        _options = options;
        _time = time;
        TimeSpan period = options.SnapshotIdleTimeout / 4;
        _timer = time.CreateTimer(static state => ((SnapshotPins)state!).ReleaseIdle(), this, period, period);
    }

    /// <summary>Snapshots that are held.</summary>
    public int Count
    {
        get
        {
            lock (_gate)
                return _pins.Count;
        }
    }

    /// <summary>Holds a snapshot for the pages to come. It belongs to this object from here on.</summary>
    /// <param name="snapshot">The snapshot.</param>
    /// <param name="filter">What its scan shows; null: everything.</param>
    /// <exception cref="AiDbException"><see cref="AiDbErrorKind.Unavailable"/>: one of the same version is held for scans
    /// of other slots. The snapshot is released.</exception>
    public void Keep(Snapshot snapshot, SlotFilter? filter = null)
    {
        Snapshot? superfluous = null;
        bool isTaken = false;
        lock (_gate)
        {
            if (_disposed)
            {
                superfluous = snapshot;
            }
            else if (_pins.TryGetValue(snapshot.Version, out Pin? existing) && !SlotFilter.Equal(existing.Filter, filter))
            {
                // The slots change their owner, and an entry of the log that says so is under way.
                isTaken = true;
                superfluous = snapshot;
            }
            else if (existing is not null)
            {
                existing.Scans++;
                existing.LastUsed = _time.GetTimestamp();
                superfluous = snapshot;
            }
            else
            {
                if (_pins.Count >= _options.MaxPinnedSnapshots)
                    superfluous = Drop(OldestIdle());
                _pins.Add(snapshot.Version, new Pin(snapshot, filter) { Scans = 1, LastUsed = _time.GetTimestamp() });
            }
        }

        superfluous?.Dispose();
        if (isTaken)
        {
            throw new AiDbException(AiDbErrorKind.Unavailable, "Slots of the shard are moving; try again.")
            {
                RetryAfter = TimeSpan.FromMilliseconds(20),
            };
        }
    }

    /// <summary>A held snapshot, for one page; null when it is gone.</summary>
    public Pin? Acquire(ulong version)
    {
        lock (_gate)
        {
            if (!_pins.TryGetValue(version, out Pin? pin))
                return null;
            pin.Readers++;
            pin.LastUsed = _time.GetTimestamp();
            return pin;
        }
    }

    /// <summary>Ends a page.</summary>
    /// <param name="pin">What <see cref="Acquire"/> gave.</param>
    /// <param name="finished">Whether it was the last page of its scan.</param>
    public void Release(Pin pin, bool finished)
    {
        Snapshot? released = null;
        lock (_gate)
        {
            pin.Readers--;
            pin.LastUsed = _time.GetTimestamp();
            if (finished)
                pin.Scans--;
            if (pin.Dropped)
                released = pin.Readers == 0 ? pin.Snapshot : null;
            else if (pin.Scans <= 0)
                released = Drop(pin);
        }

        released?.Dispose();
    }

    public void Dispose()
    {
        _timer.Dispose();
        List<Snapshot> released = [];
        lock (_gate)
        {
            _disposed = true;
            foreach (Pin pin in _pins.Values.ToArray())
            {
                if (Drop(pin) is { } snapshot)
                    released.Add(snapshot);
            }
        }

        released.ForEach(snapshot => snapshot.Dispose());
    }

    private void ReleaseIdle()
    {
        List<Snapshot> released = [];
        lock (_gate)
        {
            foreach (Pin pin in _pins.Values.ToArray())
            {
                bool idle = _time.GetElapsedTime(pin.LastUsed) >= _options.SnapshotIdleTimeout;
                if (idle && pin.Readers == 0 && Drop(pin) is { } snapshot)
                    released.Add(snapshot);
            }
        }

        released.ForEach(snapshot => snapshot.Dispose());
    }

    private Pin OldestIdle()
    {
        Pin? oldest = null;
        foreach (Pin pin in _pins.Values)
        {
            if (oldest is null || pin.LastUsed < oldest.LastUsed)
                oldest = pin;
        }

        return oldest!;
    }

    /// <summary>Takes a pin away; its snapshot, when nobody reads it.</summary>
    private Snapshot? Drop(Pin pin)
    {
        pin.Dropped = true;
        _pins.Remove(pin.Snapshot.Version);
        return pin.Readers == 0 ? pin.Snapshot : null;
    }

    /// <summary>A held snapshot; its counters are guarded by the lock of its owner.</summary>
    internal sealed class Pin(Snapshot snapshot, SlotFilter? filter)
    {
        public Snapshot Snapshot { get; } = snapshot;

        public SlotFilter? Filter { get; } = filter;

        public int Readers { get; set; }

        public int Scans { get; set; }

        public long LastUsed { get; set; }

        public bool Dropped { get; set; }
    }
}
