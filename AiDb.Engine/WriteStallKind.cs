namespace AiDb.Engine;

/// <summary>Why writes are slowed down, held up or refused. When several reasons hold at once, the one with the
/// greatest number is named.</summary>
/// <remarks>What each means and what to do about it: docs/operating/engine.md.</remarks>
public enum WriteStallKind
{
    /// <summary>Writes are not held up.</summary>
    None = 0,

    /// <summary>Slowed down: the tree is far behind its shape
    /// (<see cref="DatabaseOptions.PendingCompactionBytes"/>).</summary>
    PendingCompaction = 1,

    /// <summary>Slowed down: level 0 has many tables
    /// (<see cref="DatabaseOptions.Level0SlowdownTrigger"/>).</summary>
    Level0Slowdown = 2,

    /// <summary>Slowed down: all memtables but the active one wait for their flush
    /// (<see cref="DatabaseOptions.MaxImmutableMemtables"/>).</summary>
    MemtablesSlowdown = 3,

    /// <summary>Slowed down or held up: the databases that share a <see cref="MemoryGovernor"/> hold more memory than its
    /// budget.</summary>
    MemoryBudget = 4,

    /// <summary>Held up: level 0 has too many tables (<see cref="DatabaseOptions.Level0StopTrigger"/>).</summary>
    Level0Stop = 5,

    /// <summary>Held up: every memtable is full (<see cref="DatabaseOptions.MaxImmutableMemtables"/>).</summary>
    MemtablesFull = 6,

    /// <summary>Held up: an operation of the disk does not return
    /// (<see cref="DatabaseOptions.DiskStallThreshold"/>).</summary>
    DiskStalled = 7,

    /// <summary>Refused: a volume has too little space (<see cref="DatabaseOptions.MinFreeDiskBytes"/>).</summary>
    DiskFull = 8,
}

/// <summary>How often and how long writes were in a kind of stall since the database was opened.</summary>
/// <param name="Count">Stalls that began.</param>
/// <param name="Duration">How long they lasted, the one that lasts now included.</param>
/// <param name="Waited">How long writers really waited because of them.</param>
public readonly record struct WriteStallTotals(long Count, TimeSpan Duration, TimeSpan Waited);
