using System.Runtime.InteropServices;
using AiDb.Engine.Caching;

namespace AiDb.Tests.Engine.Caching;

public sealed class BlockCacheTests
{
    private const int BlockBytes = 1000;

    [Fact]
    public void It_stays_within_its_capacity_and_frees_everything_when_disposed()
    {
        var cache = new BlockCache(256 << 10);
        for (ulong i = 0; i < 5000; i++)
        {
            Insert(cache, 1, i * 16, fromScan: false).Dispose();
            Assert.InRange(cache.Memory.AllocatedBytes, 0, cache.CapacityBytes);
        }

        Assert.InRange(cache.UsedBytes, cache.CapacityBytes / 3, cache.CapacityBytes);
        cache.Dispose();
        Assert.Equal(0, cache.Memory.AllocatedBytes);
    }

    [Fact]
    public void A_held_block_outlives_its_eviction_and_the_cache()
    {
        var cache = new BlockCache(64 << 10);
        BlockLease held = Insert(cache, 9, 16, fromScan: false);
        for (ulong i = 0; i < 1000; i++)
            Insert(cache, 1, i * 16, fromScan: false).Dispose();
        cache.Dispose();
        Assert.True(IsBlock(held, 9, 16));
        Assert.True(cache.Memory.AllocatedBytes > 0);
        held.Dispose();
        held.Dispose();
        Assert.Equal(0, cache.Memory.AllocatedBytes);
    }

    [Fact]
    public void A_scan_does_not_push_out_what_point_reads_use()
    {
        using var cache = new BlockCache(1 << 20);
        for (ulong i = 0; i < 200; i++)
            Insert(cache, 1, i * 16, fromScan: false).Dispose();
        for (ulong i = 0; i < 20_000; i++)
        {
            Insert(cache, 2, i * 16, fromScan: true).Dispose();
            if (cache.TryGet(1, i % 200 * 16, touch: true, out BlockLease lease))
                lease.Dispose();
        }

        int kept = 0;
        for (ulong i = 0; i < 200; i++)
        {
            if (cache.TryGet(1, i * 16, touch: false, out BlockLease lease))
                kept++;
            lease.Dispose();
        }

        Assert.InRange(kept, 150, 200);
    }

    [Fact]
    public void A_block_that_is_too_large_is_served_and_not_kept()
    {
        using var cache = new BlockCache(1 << 20);
        BlockLease lease = cache.InsertCopy(1, 0, new byte[1 << 18], fromScan: false);
        Assert.Equal(1 << 18, lease.Length);
        Assert.False(cache.TryGet(1, 0, touch: true, out _));
        lease.Dispose();
        Assert.Equal(0, cache.Memory.AllocatedBytes);
        Assert.Equal(1, cache.Misses);
    }

    [Fact]
    public void Concurrent_reads_inserts_evictions_and_dispose_leave_nothing_and_mix_nothing_up()
    {
        var cache = new BlockCache(128 << 10);
        int wrong = 0;
        Parallel.For(0, 4, new ParallelOptions { MaxDegreeOfParallelism = 4 }, worker =>
        {
            var random = new Random(worker);
            for (int i = 0; i < 60_000; i++)
            {
                ulong file = (ulong)random.Next(1, 4);
                ulong offset = (ulong)random.Next(0, 200) * 16;
                if (!cache.TryGet(file, offset, random.Next(2) == 0, out BlockLease lease))
                    lease = Insert(cache, file, offset, random.Next(2) == 0);
                if (!IsBlock(lease, file, offset))
                    Interlocked.Increment(ref wrong);
                lease.Dispose();
                if (worker == 0 && i == 50_000)
                    cache.Dispose();
            }
        });
        Assert.Equal(0, wrong);
        Assert.Equal(0, cache.Memory.AllocatedBytes);
        Assert.Equal(0, cache.UsedBytes);
    }

    private static BlockLease Insert(BlockCache cache, ulong file, ulong offset, bool fromScan)
    {
        Span<ulong> words = stackalloc ulong[BlockBytes / sizeof(ulong)];
        words.Fill(file * 1_000_003 + offset);
        return cache.InsertCopy(file, offset, MemoryMarshal.AsBytes(words), fromScan);
    }

    private static bool IsBlock(in BlockLease lease, ulong file, ulong offset) =>
        MemoryMarshal.Cast<byte, ulong>(lease.Span).IndexOfAnyExcept(file * 1_000_003 + offset) < 0;
}
