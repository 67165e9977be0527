using System.Text;
using AiDb.Cluster;
using AiDb.Cluster.Caching;
using AiDb.Contracts.Internal.V1;

namespace AiDb.Tests.Cluster.Caching;

/// <summary>Random interleavings of writes, fills, frames and resets against a model of the primary: a cached
/// value at watermark w is the key's value at every LSN from its fill to w.</summary>
public class CacheRaceTests
{
    private static readonly string[] Keys = [.. Enumerable.Range(0, 12).Select(i => $"k{i}")];

    [Theory]
    [InlineData(0)]
    [InlineData(1)]
    [InlineData(2)]
    [InlineData(3)]
    public void A_cached_value_was_current_from_its_fill_to_the_watermark(int variant)
    {
        int seed = TestSupport.Seed + variant;
        Random random = new(seed);
        CacheHarness cache = new(new CacheOptions
        {
            MemoryBytes = 64 << 10,
            Partitions = variant == 0 ? 1 : 4,
            RememberedInvalidations = variant < 2 ? 4 : 64,
        });
        PrimaryModel primary = new();
        List<PendingFill> fills = [];
        Feed feed = new(primary, cache);
        int hits = 0;
        int installed = 0;
        feed.Connect();
        for (int step = 0; step < 40_000; step++)
        {
            string key = Keys[random.Next(Keys.Length)];
            switch (random.Next(100))
            {
                case < 25:
                    primary.Write(key, random.Next(8) == 0 ? null : $"{key}-{step}");
                    break;
                case < 45:
                    fills.Add(primary.BeginFill(key, cache.Cache.BeginFill()));
                    break;
                case < 65 when fills.Count > 0:
                    // Mostly recent ones: old ones are refused, which is the easy case.
                    PendingFill fill = fills[^random.Next(1, Math.Min(fills.Count, 8) + 1)];
                    fills.Remove(fill);
                    installed += cache.Fill(fill.Key, fill.Value, fill.Position.Lsn, fill.Position.Epoch, fill.Ticket)
                        == CacheInstallResult.Installed ? 1 : 0;
                    break;
                case < 80:
                    feed.Deliver(random.Next(1, 6));
                    break;
                case 80 when random.Next(4) == 0:
                    feed.LoseAndReset();
                    break;
                case 81 when random.Next(4) == 0:
                    primary.BeginEpoch();
                    feed.Connect();
                    break;
                case 82 when random.Next(4) == 0:
                    cache.Cache.Reset();
                    feed.Connect();
                    break;
                default:
                    hits += Check(seed, step, cache, primary, key) ? 1 : 0;
                    break;
            }
        }

        Assert.True(hits > 500 && installed > 500, $"seed {seed}: only {hits} hits and {installed} fills: nothing was tested");
    }

    [Fact]
    public async Task Concurrent_readers_fillers_and_the_feed_keep_the_invariant()
    {
        int seed = TestSupport.Seed;
        CacheHarness cache = new(new CacheOptions { MemoryBytes = 256 << 10, Partitions = 2, RememberedInvalidations = 128 });
        PrimaryModel primary = new();
        cache.Frame(0);
        using CancellationTokenSource end = new();
        long hits = 0;
        Task[] workers = [.. Enumerable.Range(1, 3).Select(worker => Task.Run(() =>
        {
            Random random = new(seed + worker);
            while (!end.IsCancellationRequested)
            {
                string key = Keys[random.Next(Keys.Length)];
                if (Check(seed, -worker, cache, primary, key))
                {
                    Interlocked.Increment(ref hits);
                    continue;
                }

                PendingFill fill = primary.BeginFill(key, cache.Cache.BeginFill());
                cache.Fill(fill.Key, fill.Value, fill.Position.Lsn, fill.Position.Epoch, fill.Ticket);
            }
        }))];
        Feed feed = new(primary, cache);
        Random writes = new(seed);
        for (int i = 0; i < 20_000; i++)
        {
            primary.Write(Keys[writes.Next(Keys.Length)], $"v{i}");
            if (writes.Next(3) == 0)
                feed.Deliver(writes.Next(1, 8));
            if (i % 64 == 0)
                await Task.Yield();
        }

        await end.CancelAsync();
        await Task.WhenAll(workers).WaitAsync(TestSupport.Patience);
        Assert.True(Interlocked.Read(ref hits) > 100, $"seed {seed}: only {hits} hits");
    }

    private static bool Check(int seed, int step, CacheHarness cache, PrimaryModel primary, string key)
    {
        CacheRead read = cache.Read(key);
        if (read.Status is not (CacheReadStatus.Hit or CacheReadStatus.Absent))
            return false;
        string? value = read.Status == CacheReadStatus.Hit ? Encoding.UTF8.GetString(read.Value.Span) : null;
        // The version of a fill in this model is its LSN.
        for (ulong lsn = read.Version; lsn <= read.Position.Lsn; lsn++)
        {
            string? then = primary.ValueAt(key, lsn);
            Assert.True(
                value == then,
                $"seed {seed}, step {step}: {key} read as '{value}' at {read.Position}, filled at {read.Version}, "
                + $"but it was '{then}' at {lsn}");
        }

        return true;
    }

    internal sealed record PendingFill(string Key, string? Value, ShardPosition Position, CacheFillTicket Ticket);

    /// <summary>The log of a shard: entry i + 1 is what LSN i + 1 wrote.</summary>
    internal sealed class PrimaryModel
    {
        private readonly Lock _lock = new();
        private readonly List<(string Key, string? Value)> _log = [];
        private readonly Dictionary<string, List<(ulong Lsn, string? Value)>> _history = new(StringComparer.Ordinal);
        private ulong _epoch = 1;

        public ShardPosition Position
        {
            get
            {
                lock (_lock)
                    return new ShardPosition(_epoch, (ulong)_log.Count);
            }
        }

        public void Write(string key, string? value)
        {
            lock (_lock)
            {
                _log.Add((key, value));
                if (!_history.TryGetValue(key, out List<(ulong, string?)>? writes))
                    _history.Add(key, writes = []);
                writes.Add(((ulong)_log.Count, value));
            }
        }

        public void BeginEpoch()
        {
            Write("epoch", null);
            lock (_lock)
                _epoch++;
        }

        public PendingFill BeginFill(string key, CacheFillTicket ticket)
        {
            lock (_lock)
                return new PendingFill(key, ValueAt(key, (ulong)_log.Count), Position, ticket);
        }

        public string KeyAt(ulong lsn)
        {
            lock (_lock)
                return _log[(int)lsn - 1].Key;
        }

        public string? ValueAt(string key, ulong lsn)
        {
            lock (_lock)
            {
                if (!_history.TryGetValue(key, out List<(ulong Lsn, string? Value)>? writes))
                    return null;
                int index = writes.FindLastIndex(write => write.Lsn <= lsn);
                return index < 0 ? null : writes[index].Value;
            }
        }
    }

    /// <summary>What a primary sends to one cache.</summary>
    private sealed class Feed(PrimaryModel primary, CacheHarness cache)
    {
        private ulong _sent;

        /// <summary>A new subscription, from where the cache stands, or from now on.</summary>
        public void Connect()
        {
            ShardPosition now = primary.Position;
            ShardPosition from = cache.Cache.Position;
            if (from.Epoch == now.Epoch)
            {
                _sent = from.Lsn;
                return;
            }

            _sent = now.Lsn;
            Send(now, now, [], reset: true);
        }

        public void Deliver(int entries)
        {
            ShardPosition now = primary.Position;
            ulong last = Math.Min(_sent + (ulong)entries, now.Lsn);
            List<ulong> lsns = [];
            for (ulong lsn = _sent + 1; lsn <= last; lsn++)
                lsns.Add(lsn);
            ShardPosition previous = new(now.Epoch, _sent);
            _sent = last;
            Send(previous, new ShardPosition(now.Epoch, last), lsns, reset: false);
        }

        public void LoseAndReset()
        {
            ShardPosition now = primary.Position;
            _sent = now.Lsn;
            Send(now, now, [], reset: true);
        }

        private void Send(ShardPosition previous, ShardPosition position, List<ulong> lsns, bool reset)
        {
            SubscribeFrame frame = new() { Position = position.ToMessage(), Previous = previous.ToMessage(), Reset = reset };
            foreach (ulong lsn in lsns)
                frame.Invalidations.Add(new Invalidation { Lsn = lsn, KeyHash = CacheHarness.Hash(primary.KeyAt(lsn)) });
            cache.Cache.OnFrame(frame);
        }
    }
}
