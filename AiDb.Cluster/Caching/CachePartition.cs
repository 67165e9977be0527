namespace AiDb.Cluster.Caching;

/// <summary>
/// One lock's share of a cache: entries in two queues (S3-FIFO: Yang et al., "FIFO queues are all you need
/// for cache eviction", SOSP 2023) and the recent invalidations of its keys. A key enters the small queue;
/// only what is read again before it falls out of there reaches the main one, so a scan cannot push out what
/// is hot.
/// </summary>
/// <remarks>Thread safety: all members may be called concurrently.</remarks>
internal sealed class CachePartition
{
    private const byte MaxFrequency = 3;

    private readonly Lock _lock = new();
    private readonly Dictionary<ulong, CacheEntry> _entries = [];
    private readonly CacheQueue _small = new();
    private readonly CacheQueue _main = new();
    private readonly GhostQueue _ghosts = new();
    private readonly InvalidationRing _invalidations;
    private readonly long _capacityBytes;
    private long _hits;
    private long _misses;
    private long _installed;
    private long _rejected;
    private long _invalidated;
    private long _evicted;

    public CachePartition(long capacityBytes, int rememberedInvalidations)
    {
        _capacityBytes = capacityBytes;
        _invalidations = new InvalidationRing(rememberedInvalidations);
    }

    /// <summary>Finds what is known of a key, as of a watermark that was read before.</summary>
    public CacheRead Read(
        ulong keyHash, uint tableId, ReadOnlySpan<byte> key, CacheWatermark watermark, ShardPosition atLeast, ulong nowMs)
    {
        lock (_lock)
        {
            if (!_entries.TryGetValue(keyHash, out CacheEntry? entry)
                || entry.TableId != tableId
                || !entry.Key.SequenceEqual(key)
                || !watermark.Covers(entry)
                || (entry.ExpiresAtMs != 0 && entry.ExpiresAtMs <= nowMs))
            {
                _misses++;
                return default;
            }

            ShardPosition position = new(watermark.Position.Epoch, Math.Max(watermark.Position.Lsn, entry.FillLsn));
            if (position < atLeast)
            {
                _misses++;
                return new CacheRead { Status = CacheReadStatus.Behind, Position = position };
            }

            _hits++;
            if (entry.Frequency < MaxFrequency)
                entry.Frequency++;
            return new CacheRead
            {
                Status = entry.Found ? CacheReadStatus.Hit : CacheReadStatus.Absent,
                Value = entry.Value,
                Version = entry.Version,
                ExpiresAtMs = entry.ExpiresAtMs,
                Position = position,
            };
        }
    }

    /// <summary>Installs a fill where nothing newer is known. The owner's watermark is read under the lock:
    /// an invalidation that this partition has taken is of the generation read here or of an older
    /// one.</summary>
    public CacheInstallResult Install(
        ulong keyHash, uint tableId, ReadOnlySpan<byte> key, in CacheFill fill, CacheFillTicket ticket, CacheState owner)
    {
        lock (_lock)
        {
            CacheInstallResult result = TryInstall(keyHash, tableId, key, fill, ticket, owner.Watermark);
            if (result == CacheInstallResult.Installed)
                _installed++;
            else
                _rejected++;
            return result;
        }
    }

    public void Invalidate(ulong keyHash, ulong lsn, ulong generation)
    {
        lock (_lock)
        {
            _invalidations.Add(keyHash, lsn, generation);
            // A fill at or above the LSN has already seen this write.
            if (_entries.TryGetValue(keyHash, out CacheEntry? entry)
                && (entry.Generation != generation || entry.FillLsn < lsn))
            {
                Remove(entry);
                _invalidated++;
            }
        }
    }

    /// <summary>Whether a key is known, as of a watermark; not a read, and not counted as one.</summary>
    public bool Knows(ulong keyHash, uint tableId, ReadOnlySpan<byte> key, CacheWatermark watermark)
    {
        lock (_lock)
        {
            return _entries.TryGetValue(keyHash, out CacheEntry? entry) && entry.TableId == tableId
                && entry.Key.SequenceEqual(key) && watermark.Covers(entry);
        }
    }

    /// <summary>Keys that were read more than once, those of the main queue first, each queue's newest first.</summary>
    public List<HotKey> GetHottest(int most)
    {
        List<HotKey> keys = [];
        lock (_lock)
        {
            for (CacheEntry? entry = _main.Newest; entry is not null && most > 0; entry = entry.Older, most--)
                keys.Add(new HotKey(entry.TableId, entry.Key.ToArray()));
            for (CacheEntry? entry = _small.Newest; entry is not null && most > 0; entry = entry.Older)
            {
                if (entry.Frequency == 0)
                    continue;
                keys.Add(new HotKey(entry.TableId, entry.Key.ToArray()));
                most--;
            }
        }

        return keys;
    }

    public CacheStatistics GetStatistics()
    {
        lock (_lock)
        {
            return new CacheStatistics(
                _entries.Count, _small.Bytes + _main.Bytes, _hits, _misses, _installed, _rejected, _invalidated, _evicted, 0);
        }
    }

    private CacheInstallResult TryInstall(
        ulong keyHash, uint tableId, ReadOnlySpan<byte> key, in CacheFill fill, CacheFillTicket ticket, CacheWatermark watermark)
    {
        if (!watermark.IsWarm || ticket.Generation != watermark.Generation || fill.Position.Epoch != watermark.Position.Epoch)
            return CacheInstallResult.Stale;
        ulong lsn = fill.Position.Lsn;
        if (_invalidations.ReachesBackTo(watermark.Generation, watermark.BaseLsn) > lsn)
            return CacheInstallResult.TooOld;
        if (_invalidations.NewestLsnOf(keyHash, watermark.Generation) > lsn || watermark.IsDropped(tableId, lsn))
            return CacheInstallResult.Invalidated;
        int size = CacheEntry.SizeOf(key.Length, fill.Value.Length);
        if (size > _capacityBytes / 4)
            return CacheInstallResult.NotAdmitted;
        byte frequency = 0;
        if (_entries.TryGetValue(keyHash, out CacheEntry? old))
        {
            bool sameKey = old.TableId == tableId && old.Key.SequenceEqual(key);
            if (sameKey && old.Generation == watermark.Generation && old.FillLsn > lsn)
                return CacheInstallResult.NotAdmitted;
            frequency = old.Frequency;
            Remove(old);
        }

        CacheEntry entry = new(keyHash, tableId, key, fill, watermark.Generation) { Frequency = frequency };
        MakeRoom(size, watermark);
        _entries.Add(keyHash, entry);
        (frequency > 0 || _ghosts.Remove(keyHash) ? _main : _small).Add(entry);
        return CacheInstallResult.Installed;
    }

    private void MakeRoom(int size, CacheWatermark watermark)
    {
        while (_small.Bytes + _main.Bytes + size > _capacityBytes)
        {
            if (_main.Oldest is null || (_small.Oldest is not null && _small.Bytes >= _capacityBytes / 10))
                EvictFromSmall(watermark);
            else
                EvictFromMain(watermark);
        }
    }

    private void EvictFromSmall(CacheWatermark watermark)
    {
        CacheEntry entry = _small.Oldest!;
        bool isCold = !watermark.Covers(entry);
        if (entry.Frequency > 0 && !isCold)
        {
            _small.Remove(entry);
            entry.Frequency = 0;
            _main.Add(entry);
            return;
        }

        Remove(entry);
        _evicted++;
        if (!isCold)
            _ghosts.Add(entry.KeyHash, _entries.Count);
    }

    private void EvictFromMain(CacheWatermark watermark)
    {
        CacheEntry entry = _main.Oldest!;
        if (entry.Frequency > 0 && watermark.Covers(entry))
        {
            _main.Remove(entry);
            entry.Frequency--;
            _main.Add(entry);
            return;
        }

        Remove(entry);
        _evicted++;
    }

    private void Remove(CacheEntry entry)
    {
        _entries.Remove(entry.KeyHash);
        entry.Queue!.Remove(entry);
    }
}

/// <summary>Keys that recently fell out of the small queue: a fill of one of them goes straight to the main
/// queue.</summary>
internal sealed class GhostQueue
{
    private readonly Dictionary<ulong, int> _counts = [];
    private readonly Queue<ulong> _order = new();

    /// <summary>Remembers a key; no more are remembered than the cache holds entries.</summary>
    public void Add(ulong keyHash, int capacity)
    {
        System.Runtime.InteropServices.CollectionsMarshal.GetValueRefOrAddDefault(_counts, keyHash, out _)++;
        _order.Enqueue(keyHash);
        while (_order.Count > Math.Max(capacity, 16))
        {
            ulong oldest = _order.Dequeue();
            if (!_counts.TryGetValue(oldest, out int count))
                continue;
            if (count <= 1)
                _counts.Remove(oldest);
            else
                _counts[oldest] = count - 1;
        }
    }

    /// <summary>Whether the key was remembered; it no longer is.</summary>
    public bool Remove(ulong keyHash) => _counts.Remove(keyHash);
}
