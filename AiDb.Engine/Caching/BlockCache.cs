namespace AiDb.Engine.Caching;

/// <summary>Uncompressed table blocks in native memory, shared by the databases that are given it. What open
/// tables pin (indexes, filters) counts against its capacity.</summary>
/// <remarks>Thread safety: all members may be called concurrently; leases outlive the cache.</remarks>
public sealed unsafe class BlockCache : IDisposable
{
    private readonly CacheCounters _counters = new();
    private const int SmallestPartitionBytes = 4 << 10;

    private int _tables;
    private long _pinBytes;

    /// <summary>Makes a cache.</summary>
    /// <param name="capacityBytes">What it holds at most, its own bookkeeping and what open tables pin
    /// included; an eighth is for blocks in any case. 0 caches nothing.</param>
    public BlockCache(long capacityBytes)
    {
        ArgumentOutOfRangeException.ThrowIfNegative(capacityBytes);
        CapacityBytes = capacityBytes;
        Pool = new BlockPool(capacityBytes);
    }

    /// <summary>What it holds at most.</summary>
    public long CapacityBytes { get; }

    /// <summary>Its memory.</summary>
    internal BlockPool Pool { get; }

    /// <summary>Native memory of the blocks, cached and only leased, and of what table readers pin.</summary>
    internal NativeMemoryAccount Memory => Pool.Memory;

    /// <summary>Bytes of the cached blocks.</summary>
    internal long UsedBytes => Pool.UsedBytes;

    /// <summary>Lookups that found their block, about: counts of threads that race may be lost.</summary>
    internal long Hits => _counters.Hits;

    /// <summary>Lookups that did not.</summary>
    internal long Misses => _counters.Misses;

    /// <summary>The place of an open table's blocks, which the table closes.</summary>
    internal TableBlocks OpenTable(int blocks) =>
        new(Pool, _counters, blocks, (uint)Interlocked.Increment(ref _tables));

    /// <summary>Memory for a block that is not to be cached.</summary>
    internal BlockHeader* AllocateBlock(int length) => Pool.AllocateAlone(length);

    /// <summary>Frees a block that was not handed on.</summary>
    internal void Discard(BlockHeader* block) => Pool.Discard(block);

    /// <summary>A hold on a block outside the cache; the block ends with it.</summary>
    internal BlockLease Lease(BlockHeader* block) => Pool.Lease(block);

    /// <summary>A hold on a copy of the content, which ends with it.</summary>
    internal BlockLease LeaseCopy(ReadOnlySpan<byte> content)
    {
        BlockHeader* block = AllocateBlock(content.Length);
        content.CopyTo(BlockHeader.Content(block));
        return Lease(block);
    }

    /// <summary>Counts memory that a table pins, or gives it back.</summary>
    internal void Charge(long bytes) => Pool.Charge(bytes);

    /// <summary>How large partitions of an index are to be, so that several fit into the cache's memory for
    /// blocks.</summary>
    /// <param name="wantedBytes">What was asked for; 0: no partitions.</param>
    internal int CacheablePartitionBytes(int wantedBytes) =>
        (int)Math.Min(wantedBytes, Math.Max(SmallestPartitionBytes, Pool.MaxBlockBytes / 2));

    /// <summary>Sets bytes of the capacity aside for blocks that are held for long: a quarter of it at most.</summary>
    internal bool TryReservePins(long bytes)
    {
        if (Interlocked.Add(ref _pinBytes, bytes) <= CapacityBytes / 4)
            return true;
        ReleasePins(bytes);
        return false;
    }

    /// <summary>Gives them back.</summary>
    internal void ReleasePins(long bytes) => Interlocked.Add(ref _pinBytes, -bytes);

    /// <summary>Frees every block that nobody holds; a held one goes with its last lease.</summary>
    public void Dispose() => Pool.Dispose();
}
