using System.Runtime.InteropServices;
using AiDb.Engine.Caching;

namespace AiDb.Tests.Engine.Caching;

public sealed class BlockCacheTests
{
    private const int BlockBytes = 1000;

    [Fact]
    public void It_stays_within_its_capacity_and_frees_everything_when_disposed()
    {
        var cache = new BlockCache(1 << 20);
        TableBlocks table = cache.OpenTable(5000);
        for (int i = 0; i < 5000; i++)
        {
            Insert(table, i, fromScan: false).Dispose();
            Assert.InRange(cache.Pool.ReservedBytes, 0, cache.CapacityBytes);
            Assert.InRange(cache.Memory.AllocatedBytes, 0, cache.CapacityBytes);
        }

        Assert.InRange(cache.UsedBytes, cache.CapacityBytes / 2, cache.CapacityBytes);
        cache.Dispose();
        Assert.Equal(0, cache.Memory.AllocatedBytes);
        table.Close();
        Assert.Equal(0, cache.Pool.ReservedBytes);
    }

    [Fact]
    public void A_held_block_outlives_its_eviction_its_table_and_the_cache()
    {
        var cache = new BlockCache(64 << 10);
        TableBlocks table = cache.OpenTable(1000);
        BlockLease held = Insert(table, 9, fromScan: false);
        for (int i = 10; i < 1000; i++)
            Insert(table, i, fromScan: false).Dispose();
        table.Close();
        cache.Dispose();
        Assert.True(IsBlock(held, 9));
        Assert.True(cache.Memory.AllocatedBytes > 0);
        Assert.True(cache.Pool.ReservedBytes > 0);
        held.Dispose();
        held.Dispose();
        Assert.Equal(0, cache.Memory.AllocatedBytes);
        Assert.Equal(0, cache.Pool.ReservedBytes);
    }

    [Fact]
    public void A_scan_does_not_push_out_what_point_reads_use()
    {
        using var cache = new BlockCache(4 << 20);
        TableBlocks table = cache.OpenTable(200);
        TableBlocks scanned = cache.OpenTable(20_000);
        for (int i = 0; i < 200; i++)
            Insert(table, i, fromScan: false).Dispose();
        for (int i = 0; i < 20_000; i++)
        {
            Insert(scanned, i, fromScan: true).Dispose();
            if (table.TryGet(i % 200, touch: true, out BlockLease lease, out _))
                lease.Dispose();
        }

        Assert.InRange(Cached(table, 200), 190, 200);
    }

    [Fact]
    public void Blocks_that_are_read_once_do_not_push_out_those_that_are_read_again()
    {
        using var cache = new BlockCache(4 << 20);
        TableBlocks often = cache.OpenTable(1000);
        TableBlocks once = cache.OpenTable(50_000);
        for (int i = 0; i < 50_000; i++)
        {
            Insert(once, i, fromScan: false).Dispose();
            Read(often, i * 7 % 1000);
        }

        Assert.InRange(Cached(often, 1000), 950, 1000);
    }

    [Fact]
    public void What_a_table_pins_is_taken_from_the_blocks()
    {
        using var cache = new BlockCache(1 << 20);
        TableBlocks table = cache.OpenTable(2000);
        for (int i = 0; i < 2000; i++)
            Insert(table, i, fromScan: false).Dispose();
        long before = cache.UsedBytes;
        cache.Charge(512 << 10);
        Assert.InRange(cache.UsedBytes, 1, before - (256 << 10));
        Assert.InRange(cache.Pool.ReservedBytes, 0, cache.CapacityBytes);
        cache.Charge(-(512 << 10));
        for (int i = 0; i < 2000; i++)
            Read(table, i);
        Assert.InRange(cache.UsedBytes, before * 6 / 10, cache.CapacityBytes);
    }

    [Fact]
    public void Memory_that_is_given_up_while_blocks_are_held_goes_back_with_their_last_hold()
    {
        using var cache = new BlockCache(1 << 20);
        TableBlocks table = cache.OpenTable(2000);
        List<BlockLease> held = [];
        for (int i = 0; i < 2000; i++)
        {
            BlockLease lease = Insert(table, i, fromScan: false);
            if (i % 20 == 0)
                held.Add(lease);
            else
                lease.Dispose();
        }

        cache.Charge(512 << 10);
        Assert.True(cache.Pool.ReservedBytes > cache.CapacityBytes, "no block that is held was in the way");
        foreach (BlockLease lease in held)
            lease.Dispose();
        Assert.InRange(cache.Pool.ReservedBytes, 0, cache.CapacityBytes);
        Cached(table, 2000);
    }

    [Fact]
    public void Blocks_of_mixed_sizes_fill_the_capacity()
    {
        using var cache = new BlockCache(8 << 20);
        TableBlocks table = cache.OpenTable(20_000);
        var random = new Random(3);
        for (int i = 0; i < 20_000; i++)
        {
            table.InsertCopy(i, new byte[random.Next(500, 40_000)], default, fromScan: false).Dispose();
            if (random.Next(3) == 0 && table.TryGet(random.Next(i + 1), touch: true, out BlockLease lease, out _))
                lease.Dispose();
        }

        Assert.InRange(cache.UsedBytes, cache.CapacityBytes * 6 / 10, cache.CapacityBytes);
    }

    [Fact]
    public void A_closed_tables_blocks_make_room_at_once()
    {
        using var cache = new BlockCache(1 << 20);
        TableBlocks table = cache.OpenTable(500);
        for (int i = 0; i < 500; i++)
            Insert(table, i, fromScan: false).Dispose();
        Assert.True(cache.UsedBytes > 0);
        table.Close();
        Assert.Equal(0, cache.UsedBytes);
        Assert.Equal(0, cache.Memory.AllocatedBytes);
    }

    [Fact]
    public void A_block_that_is_too_large_is_served_and_not_kept()
    {
        using var cache = new BlockCache(1 << 20);
        TableBlocks table = cache.OpenTable(1);
        BlockLease lease = table.InsertCopy(0, new byte[1 << 18], default, fromScan: false);
        Assert.Equal(1 << 18, lease.Length);
        Assert.False(table.TryGet(0, touch: true, out _, out _));
        lease.Dispose();
        Assert.Equal(0, cache.Memory.AllocatedBytes);
        Assert.Equal(1, cache.Misses);
    }

    [Fact]
    public void Reads_that_are_skewed_and_mixed_with_scans_hit_more_often_than_with_least_recently_used()
    {
        const int Blocks = 20_000;
        using var cache = new BlockCache(2 << 20);
        TableBlocks table = cache.OpenTable(Blocks);
        var peer = new LeastRecentlyUsed((int)((cache.CapacityBytes - table.SlotBytes) / 1088));
        var random = new Random(11);
        double[] sums = ZipfSums(Blocks, 0.9);
        int hits = 0;
        int peerHits = 0;
        int scan = 0;
        for (int i = 0; i < 200_000; i++)
        {
            if (i % 20_000 < 4000)
            {
                scan = (scan + 1) % Blocks;
                if (!table.TryGet(scan, touch: false, out BlockLease scanned, out _))
                    scanned = Insert(table, scan, fromScan: true);
                scanned.Dispose();
                peer.Read(scan);
            }

            int block = Array.BinarySearch(sums, random.NextDouble() * sums[^1]);
            block = Math.Min(block < 0 ? ~block : block, Blocks - 1) * 7919 % Blocks;
            hits += Read(table, block) ? 1 : 0;
            peerHits += peer.Read(block) ? 1 : 0;
        }

        Assert.True(hits > peerHits * 1.1, $"{hits} hits, least recently used has {peerHits}");
    }

    [Theory]
    [InlineData(true)]
    [InlineData(false)]
    public void Concurrent_reads_inserts_evictions_closes_and_dispose_leave_nothing_and_mix_nothing_up(bool disposesEarly)
    {
        var cache = new BlockCache(1 << 20);
        var shared = new TableBlocks[3];
        for (int i = 0; i < shared.Length; i++)
            shared[i] = cache.OpenTable(700);
        int wrong = 0;
        Parallel.For(0, 4, new ParallelOptions { MaxDegreeOfParallelism = 4 }, worker =>
        {
            var random = new Random(worker);
            TableBlocks own = cache.OpenTable(100);
            var kept = new BlockLease[8];
            for (int i = 0; i < 40_000; i++)
            {
                bool mine = random.Next(8) == 0;
                TableBlocks table = mine ? own : shared[random.Next(shared.Length)];
                int number = random.Next(mine ? 100 : 700);
                if (!table.TryGet(number, random.Next(2) == 0, out BlockLease lease, out _))
                    lease = Insert(table, number, random.Next(2) == 0);
                if (!IsBlock(lease, number))
                    Interlocked.Increment(ref wrong);
                int place = random.Next(kept.Length);
                kept[place].Dispose();
                kept[place] = lease;
                if (i % 1000 == 999)
                {
                    own.Close();
                    own = cache.OpenTable(100);
                }

                if (i % 500 == 0)
                    cache.Charge(i % 1000 == 0 ? 300_000 : -300_000);
                if (disposesEarly && worker == 0 && i == 35_000)
                    cache.Dispose();
            }

            foreach (ref BlockLease lease in kept.AsSpan())
                lease.Dispose();
            own.Close();
        });
        Assert.InRange(cache.Pool.ReservedBytes, 0, cache.CapacityBytes);
        foreach (TableBlocks table in shared)
            table.Close();
        cache.Dispose();
        Assert.Equal(0, wrong);
        Assert.Equal(0, cache.Memory.AllocatedBytes);
        Assert.Equal(0, cache.UsedBytes);
        Assert.Equal(0, cache.Pool.ReservedBytes);
    }

    private static bool Read(TableBlocks table, int number)
    {
        bool hit = table.TryGet(number, touch: true, out BlockLease lease, out _);
        if (!hit)
            lease = Insert(table, number, fromScan: false);
        lease.Dispose();
        return hit;
    }

    private static int Cached(TableBlocks table, int blocks)
    {
        int cached = 0;
        for (int i = 0; i < blocks; i++)
        {
            if (!table.TryGet(i, touch: false, out BlockLease lease, out _))
                continue;
            Assert.True(IsBlock(lease, i));
            lease.Dispose();
            cached++;
        }

        return cached;
    }

    private static BlockLease Insert(TableBlocks table, int number, bool fromScan)
    {
        Span<byte> content = stackalloc byte[BlockBytes];
        MemoryMarshal.Cast<byte, int>(content).Fill(number);
        return table.InsertCopy(number, content, new BlockShape(1, number, 3), fromScan);
    }

    private static bool IsBlock(in BlockLease lease, int number) =>
        lease.Length == BlockBytes && MemoryMarshal.Cast<byte, int>(lease.Span).IndexOfAnyExcept(number) < 0;

    private static double[] ZipfSums(int count, double exponent)
    {
        double[] sums = new double[count];
        double sum = 0;
        for (int i = 0; i < count; i++)
            sums[i] = sum += Math.Pow(i + 1, -exponent);
        return sums;
    }

    /// <summary>What a cache that keeps the last blocks would hit.</summary>
    private sealed class LeastRecentlyUsed(int capacity)
    {
        private readonly Dictionary<int, LinkedListNode<int>> _places = [];
        private readonly LinkedList<int> _order = new();

        public bool Read(int block)
        {
            if (_places.TryGetValue(block, out LinkedListNode<int>? node))
            {
                _order.Remove(node);
                _order.AddFirst(node);
                return true;
            }

            if (_places.Count == capacity)
            {
                _places.Remove(_order.Last!.Value);
                _order.RemoveLast();
            }

            _places[block] = _order.AddFirst(block);
            return false;
        }
    }
}
