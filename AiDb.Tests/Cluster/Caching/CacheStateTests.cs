using AiDb.Cluster;
using AiDb.Cluster.Caching;
using AiDb.Contracts.Internal.V1;

namespace AiDb.Tests.Cluster.Caching;

public class CacheStateTests
{
    private readonly CacheHarness _cache = new();

    [Fact]
    public void Before_its_first_frame_a_cache_knows_nothing_and_takes_nothing()
    {
        Assert.Null(_cache.Cache.Age);
        Assert.Equal(CacheInstallResult.Stale, _cache.Fill("k", "v", 10));
        Assert.Null(_cache.Value("k"));
    }

    [Fact]
    public void A_fill_is_read_until_a_newer_write_is_heard_of()
    {
        _cache.Frame(10);
        Assert.Equal(CacheInstallResult.Installed, _cache.Fill("k", "v", 10));
        Assert.Equal("v", _cache.Value("k"));
        _cache.Frame(11, ["other@11"]);
        CacheRead read = _cache.Read("k");
        Assert.Equal(new ShardPosition(1, 11), read.Position);
        Assert.Equal(10UL, read.Version);
        _cache.Frame(12, ["k@12"]);
        Assert.Null(_cache.Value("k"));
    }

    [Theory]
    // The write is heard of before the fill arrives.
    [InlineData(12, "k@12", 11, CacheInstallResult.Invalidated)]
    [InlineData(12, "k@11", 11, CacheInstallResult.Installed)]
    [InlineData(12, "k@11", 12, CacheInstallResult.Installed)]
    [InlineData(12, "other@12", 11, CacheInstallResult.Installed)]
    // The fill is from before the cache began to listen.
    [InlineData(12, "other@12", 9, CacheInstallResult.TooOld)]
    public void A_fill_that_races_with_a_write_is_installed_only_when_it_has_seen_it(
        ulong heard, string invalidation, ulong filledAt, CacheInstallResult result)
    {
        _cache.Frame(10);
        CacheFillTicket ticket = _cache.Cache.BeginFill();
        _cache.Frame(heard, [invalidation]);
        Assert.Equal(result, _cache.Fill("k", "v", filledAt, ticket: ticket));
        Assert.Equal(result == CacheInstallResult.Installed ? "v" : null, _cache.Value("k"));
    }

    [Fact]
    public void A_fill_ahead_of_the_watermark_outlives_the_invalidations_that_it_has_seen()
    {
        _cache.Frame(10);
        Assert.Equal(CacheInstallResult.Installed, _cache.Fill("k", "v", 15));
        Assert.Equal(new ShardPosition(1, 15), _cache.Read("k").Position);
        _cache.Frame(15, ["k@12", "k@15"]);
        Assert.Equal("v", _cache.Value("k"));
        _cache.Frame(16, ["k@16"]);
        Assert.Null(_cache.Value("k"));
    }

    [Fact]
    public void A_fill_is_refused_when_the_invalidations_since_may_be_forgotten()
    {
        CacheHarness cache = new(new CacheOptions { MemoryBytes = 1 << 20, Partitions = 1, RememberedInvalidations = 3 });
        cache.Frame(10);
        cache.Frame(14, ["a@11", "b@12", "c@13", "d@14"]);
        Assert.Equal(CacheInstallResult.TooOld, cache.Fill("k", "v", 10));
        Assert.Equal(CacheInstallResult.Installed, cache.Fill("k", "v", 11));
        Assert.Equal(CacheInstallResult.Invalidated, cache.Fill("d", "v", 13));
    }

    [Fact]
    public void An_older_fill_does_not_replace_a_newer_one()
    {
        _cache.Frame(10);
        _cache.Fill("k", "new", 12);
        Assert.Equal(CacheInstallResult.NotAdmitted, _cache.Fill("k", "old", 11));
        Assert.Equal("new", _cache.Value("k"));
        Assert.Equal(CacheInstallResult.Installed, _cache.Fill("k", "newer", 13));
        Assert.Equal("newer", _cache.Value("k"));
    }

    [Theory]
    [InlineData("gap")]
    [InlineData("epoch")]
    [InlineData("reset")]
    [InlineData("backwards")]
    [InlineData("broken")]
    public void Whatever_breaks_the_feed_makes_everything_cold(string cause)
    {
        _cache.Frame(10);
        _cache.Fill("k", "v", 10);
        CacheFillTicket ticket = _cache.Cache.BeginFill();
        switch (cause)
        {
            case "gap":
                _cache.Frame(20, more: frame => frame.Previous = new Position { Epoch = 1, Lsn = 15 });
                break;
            case "epoch":
                _cache.Frame(20, epoch: 2);
                break;
            case "reset":
                _cache.Frame(20, more: frame => frame.Reset = true);
                break;
            case "backwards":
                _cache.Frame(9);
                break;
            default:
                _cache.Cache.Reset();
                break;
        }

        Assert.Null(_cache.Value("k"));
        Assert.NotEqual(CacheInstallResult.Installed, _cache.Fill("k", "v", 30, ticket: ticket));
        Assert.Equal(2, _cache.Cache.GetStatistics().Resets);
    }

    [Fact]
    public void A_frame_that_continues_keeps_everything()
    {
        _cache.Frame(10);
        _cache.Fill("k", "v", 10);
        _cache.Frame(12, ["x@11"], more: frame => frame.Previous = new Position { Epoch = 1, Lsn = 10 });
        Assert.Equal("v", _cache.Value("k"));
    }

    [Fact]
    public void After_a_reset_fills_from_before_it_are_too_old()
    {
        _cache.Frame(10);
        _cache.Frame(20, more: frame => frame.Reset = true);
        Assert.Equal(CacheInstallResult.TooOld, _cache.Fill("k", "v", 19));
        Assert.Equal(CacheInstallResult.Installed, _cache.Fill("k", "v", 20));
    }

    [Fact]
    public void A_fill_of_another_epoch_is_refused()
    {
        _cache.Frame(10, epoch: 2);
        Assert.Equal(CacheInstallResult.Stale, _cache.Fill("k", "v", 12, epoch: 1));
        Assert.Equal(CacheInstallResult.Stale, _cache.Fill("k", "v", 12, epoch: 3));
    }

    [Fact]
    public void That_a_key_is_absent_is_remembered_until_it_is_written()
    {
        _cache.Frame(10);
        _cache.Fill("k", null, 10);
        Assert.Equal("absent", _cache.Value("k"));
        _cache.Frame(11, ["k@11"]);
        Assert.Null(_cache.Value("k"));
    }

    [Fact]
    public void An_expired_value_is_not_read()
    {
        ulong now = (ulong)_cache.Time.GetUtcNow().ToUnixTimeMilliseconds();
        _cache.Frame(10);
        _cache.Fill("k", "v", 10, expiresAtMs: now + 1000);
        _cache.Time.Advance(TimeSpan.FromMilliseconds(999));
        Assert.Equal("v", _cache.Value("k"));
        _cache.Time.Advance(TimeSpan.FromMilliseconds(1));
        Assert.Null(_cache.Value("k"));
    }

    [Fact]
    public void A_dropped_table_takes_its_keys_and_no_others()
    {
        _cache.Frame(10);
        _cache.Fill("k", "v", 10);
        _cache.Fill("k", "w", 10, table: CacheHarness.TableId + 1);
        _cache.Frame(12, more: frame => frame.DroppedTables.Add(CacheHarness.TableId));
        Assert.Null(_cache.Value("k"));
        Assert.Equal(CacheReadStatus.Hit, _cache.Read("k", table: CacheHarness.TableId + 1).Status);
        Assert.Equal(CacheInstallResult.Invalidated, _cache.Fill("k", "v", 11));
        Assert.Equal(CacheInstallResult.Installed, _cache.Fill("k", null, 12));
    }

    [Fact]
    public void Age_counts_from_when_the_replica_last_heard_that_it_is_current()
    {
        _cache.Frame(10);
        _cache.Fill("k", "v", 10);
        _cache.Time.Advance(TimeSpan.FromSeconds(3));
        Assert.Equal(TimeSpan.FromSeconds(3), _cache.Read("k").Age);
        _cache.Frame(11, more: frame => frame.Behind = true);
        Assert.Equal(TimeSpan.FromSeconds(3), _cache.Cache.Age);
        _cache.Frame(11);
        Assert.Equal(TimeSpan.Zero, _cache.Read("k").Age);
    }

    [Fact]
    public void A_session_ahead_of_what_is_cached_is_not_answered_from_it()
    {
        _cache.Frame(10);
        _cache.Fill("k", "v", 10);
        Assert.Equal(CacheReadStatus.Hit, _cache.Read("k", new ShardPosition(1, 10)).Status);
        Assert.Equal(CacheReadStatus.Behind, _cache.Read("k", new ShardPosition(1, 11)).Status);
        Assert.Equal(CacheReadStatus.Behind, _cache.Read("k", new ShardPosition(2, 1)).Status);
        _cache.Fill("k", "v", 11);
        Assert.Equal(CacheReadStatus.Hit, _cache.Read("k", new ShardPosition(1, 11)).Status);
    }

    [Fact]
    public void Keys_of_one_hash_are_told_apart()
    {
        _cache.Frame(10);
        CacheFill fill = new() { Position = new ShardPosition(1, 10), Found = true, Value = "a"u8 };
        _cache.Cache.Install(_cache.Cache.BeginFill(), 1, "a"u8, 42, fill);
        Assert.Equal(CacheReadStatus.Miss, _cache.Cache.Read(1, "b"u8, 42).Status);
        Assert.Equal(CacheReadStatus.Miss, _cache.Cache.Read(2, "a"u8, 42).Status);
        Assert.Equal(CacheInstallResult.Installed, _cache.Cache.Install(_cache.Cache.BeginFill(), 1, "b"u8, 42, fill));
        Assert.Equal(CacheReadStatus.Hit, _cache.Cache.Read(1, "b"u8, 42).Status);
        Assert.Equal(CacheReadStatus.Miss, _cache.Cache.Read(1, "a"u8, 42).Status);
    }

    [Fact]
    public void Memory_is_bounded_and_a_scan_leaves_what_is_hot()
    {
        CacheHarness cache = new(new CacheOptions { MemoryBytes = 256 << 10, Partitions = 1 });
        cache.Frame(10);
        string value = new('v', 500);
        for (int round = 0; round < 3; round++)
        {
            for (int i = 0; i < 20; i++)
            {
                if (cache.Value($"hot{i}") is null)
                    cache.Fill($"hot{i}", value, 10);
            }
        }

        for (int i = 0; i < 20_000; i++)
        {
            cache.Fill($"scan{i}", value, 10);
            Assert.True(cache.Cache.GetStatistics().Bytes <= 256 << 10);
        }

        Assert.All(Enumerable.Range(0, 20), i => Assert.Equal(value, cache.Value($"hot{i}")));
        Assert.True(cache.Cache.GetStatistics().Evicted > 19_000);
    }

    [Fact]
    public void A_value_that_would_push_out_much_is_not_admitted_and_cold_entries_make_room()
    {
        CacheHarness cache = new(new CacheOptions { MemoryBytes = 64 << 10, Partitions = 1 });
        cache.Frame(10);
        Assert.Equal(CacheInstallResult.NotAdmitted, cache.Fill("big", new string('v', 20_000), 10));
        for (int i = 0; i < 40; i++)
            cache.Fill($"old{i}", new string('v', 1000), 10);
        cache.Frame(20, more: frame => frame.Reset = true);
        for (int i = 0; i < 40; i++)
            cache.Fill($"new{i}", new string('v', 1000), 20);
        Assert.All(Enumerable.Range(0, 40), i => Assert.NotNull(cache.Value($"new{i}")));
    }

    [Fact]
    public async Task A_session_waits_for_the_watermark()
    {
        _cache.Frame(10);
        Assert.True(await _cache.Cache.WaitForWatermarkAsync(new ShardPosition(1, 10), TimeSpan.Zero));
        Assert.False(await _cache.Cache.WaitForWatermarkAsync(new ShardPosition(1, 11), TimeSpan.Zero));
        Task<bool> near = _cache.Cache.WaitForWatermarkAsync(new ShardPosition(1, 12), TimeSpan.FromSeconds(1)).AsTask();
        Task<bool> far = _cache.Cache.WaitForWatermarkAsync(new ShardPosition(1, 20), TimeSpan.FromSeconds(1)).AsTask();
        _cache.Frame(11);
        Assert.False(near.IsCompleted);
        _cache.Frame(12);
        Assert.True(await near.WaitAsync(TestSupport.Patience));
        _cache.Time.Advance(TimeSpan.FromSeconds(1));
        Assert.False(await far.WaitAsync(TestSupport.Patience));
    }

    [Fact]
    public async Task A_wait_ends_when_the_caller_gives_up_or_a_later_epoch_is_heard_of()
    {
        _cache.Frame(10);
        using CancellationTokenSource giveUp = new();
        Task<bool> waiting = _cache.Cache.WaitForWatermarkAsync(
            new ShardPosition(1, 20), TimeSpan.FromSeconds(1), giveUp.Token).AsTask();
        await giveUp.CancelAsync();
        await Assert.ThrowsAnyAsync<OperationCanceledException>(() => waiting);
        Task<bool> later = _cache.Cache.WaitForWatermarkAsync(new ShardPosition(1, 20), TimeSpan.FromSeconds(1)).AsTask();
        _cache.Frame(15, epoch: 2);
        Assert.True(await later.WaitAsync(TestSupport.Patience));
    }

    [Fact]
    public void Reading_does_not_allocate()
    {
        _cache.Frame(10);
        _cache.Fill("k", "v", 10);
        byte[] key = "k"u8.ToArray();
        ulong hash = CacheHarness.Hash("k");
        // The fake clock allocates nothing; the first call compiles.
        for (int i = 0; i < 100; i++)
            _cache.Cache.Read(CacheHarness.TableId, key, hash);
        long before = GC.GetAllocatedBytesForCurrentThread();
        for (int i = 0; i < 1000; i++)
            _cache.Cache.Read(CacheHarness.TableId, key, hash);
        Assert.Equal(before, GC.GetAllocatedBytesForCurrentThread());
    }

    [Fact]
    public void Every_invalid_option_is_named()
    {
        AiDbException error = Assert.Throws<AiDbException>(
            () => new CacheState(new CacheOptions { MemoryBytes = 1, Partitions = 3, RememberedInvalidations = 0 }, _cache.Time));
        foreach (string name in (string[])["MemoryBytes", "Partitions", "RememberedInvalidations"])
            Assert.Contains(name, error.Message, StringComparison.Ordinal);
    }
}
