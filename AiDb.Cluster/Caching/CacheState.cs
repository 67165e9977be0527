using System.Numerics;
using AiDb.Contracts.Internal.V1;

namespace AiDb.Cluster.Caching;

/// <summary>
/// What a cache replica knows of one shard. It hears of every write by key hash and LSN, keeps a watermark,
/// and holds values that it filled from the primary. docs/replication.md explains why a fill and an
/// invalidation that race leave the right thing behind.
/// </summary>
/// <remarks>
/// <para>Invariant: a value that a read answers with watermark w equals the value of the key at every LSN
/// from its fill to w (or is the value at its fill, where that is above w): no invalidation of it in between
/// is known.</para>
/// <para>Thread safety: all members may be called concurrently; frames are taken one at a time, in the order
/// of
/// <see cref="OnFrame"/>. Nothing here owns a thread, a timer or a socket.</para>
/// </remarks>
public sealed class CacheState
{
    /// <summary>With more dropped tables than this in one generation everything becomes cold
    /// instead.</summary>
    private const int MaxDroppedTables = 1024;

    private readonly TimeProvider _timeProvider;
    private readonly CachePartition[] _partitions;
    private readonly WatermarkWaiters _waiters;
    private readonly Lock _frameLock = new();
    private CacheWatermark _watermark = CacheWatermark.Cold;
    private long _resets;

    /// <summary>A cache that is cold until its first frame.</summary>
    /// <exception cref="AiDbException"><see cref="AiDbErrorKind.InvalidArgument"/>: invalid
    /// options.</exception>
    public CacheState(CacheOptions options, TimeProvider timeProvider)
    {
        options.Validate();
        _timeProvider = timeProvider;
        _waiters = new WatermarkWaiters(timeProvider);
        int count = options.Partitions > 0
            ? options.Partitions
            : (int)BitOperations.RoundUpToPowerOf2((uint)Math.Clamp(options.MemoryBytes / (8 << 20), 1, 64));
        _partitions = new CachePartition[count];
        for (int i = 0; i < count; i++)
        {
            _partitions[i] = new CachePartition(
                options.MemoryBytes / count, Math.Max(1, options.RememberedInvalidations / count));
        }
    }

    internal CacheWatermark Watermark => Volatile.Read(ref _watermark);

    /// <summary>Every write up to here has been heard of; what a new subscription continues from. Zero while
    /// cold.</summary>
    public ShardPosition Position => Watermark is { IsWarm: true } watermark ? watermark.Position : default;

    /// <summary>How long ago the replica last heard that it is current; null while cold.</summary>
    public TimeSpan? Age => Watermark is { IsWarm: true } watermark ? _timeProvider.GetElapsedTime(watermark.HeardAt) : null;

    /// <summary>Takes a frame of the primary's feed: invalidations first, then the watermark.</summary>
    public void OnFrame(SubscribeFrame frame)
    {
        ShardPosition position = ShardPosition.From(frame.Position);
        lock (_frameLock)
        {
            CacheWatermark before = _watermark;
            bool continues = !frame.Reset
                && before.IsWarm
                && position.Epoch == before.Position.Epoch
                && position.Lsn >= before.Position.Lsn
                && (frame.Previous is null || ShardPosition.From(frame.Previous) == before.Position)
                && before.DroppedTables.Count + frame.DroppedTables.Count <= MaxDroppedTables;
            if (continues)
                Continue(before, position, frame);
            else
                BeginGeneration(before, position, frame);
        }

        _waiters.Release(position);
    }

    /// <summary>Holds everything for cold: the feed broke and it is not known what was missed. Reads miss
    /// until the next frame.</summary>
    /// <remarks>A feed that ended cleanly needs no reset: the next one continues from <see cref="Position"/>,
    /// and the age of what is read goes on counting meanwhile.</remarks>
    public void Reset()
    {
        lock (_frameLock)
        {
            Volatile.Write(ref _watermark, new CacheWatermark { Generation = _watermark.Generation + 1 });
            _resets++;
        }
    }

    /// <summary>Reads a key.</summary>
    /// <param name="tableId">The table.</param>
    /// <param name="key">The key.</param>
    /// <param name="keyHash">Its <see cref="Contracts.KeyHash"/>.</param>
    /// <param name="atLeast">What the session must see; default: anything.</param>
    public CacheRead Read(uint tableId, ReadOnlySpan<byte> key, ulong keyHash, ShardPosition atLeast = default)
    {
        // Before the entry is looked at: an entry that is still there then is valid at this watermark. The
        // other way round an invalidated value could be answered with the watermark of its invalidation.
        CacheWatermark watermark = Watermark;
        ulong nowMs = (ulong)_timeProvider.GetUtcNow().ToUnixTimeMilliseconds();
        CacheRead read = PartitionOf(keyHash).Read(keyHash, tableId, key, watermark, atLeast, nowMs);
        return read.Status is CacheReadStatus.Hit or CacheReadStatus.Absent
            ? read with { Age = _timeProvider.GetElapsedTime(watermark.HeardAt) }
            : read;
    }

    /// <summary>Called before the primary is asked.</summary>
    public CacheFillTicket BeginFill() => new(Watermark.Generation);

    /// <summary>Installs what the primary answered, unless something newer is known or may have been
    /// forgotten. The answer itself is good for the caller in either case.</summary>
    public CacheInstallResult Install(
        CacheFillTicket ticket, uint tableId, ReadOnlySpan<byte> key, ulong keyHash, in CacheFill fill) =>
        PartitionOf(keyHash).Install(keyHash, tableId, key, fill, ticket, this);

    /// <summary>Waits until every write up to a position has been heard of.</summary>
    /// <returns>False: not within <paramref name="timeout"/>; the read is the primary's then.</returns>
    public ValueTask<bool> WaitForWatermarkAsync(
        ShardPosition position, TimeSpan timeout, CancellationToken cancellationToken = default) =>
        Position >= position
            ? ValueTask.FromResult(true)
            : _waiters.WaitAsync(() => Position, position, timeout, cancellationToken);

    /// <summary>Whether a read of a key would be answered now. Not counted as a read.</summary>
    public bool Knows(uint tableId, ReadOnlySpan<byte> key, ulong keyHash) =>
        PartitionOf(keyHash).Knows(keyHash, tableId, key, Watermark);

    /// <summary>The keys that were read again while they were here, about hottest first: what a cache that begins had best
    /// know.</summary>
    /// <param name="most">The most to give.</param>
    public IReadOnlyList<HotKey> GetHotKeys(int most)
    {
        // In turns: a cache that is filled in this order fills all its partitions alike.
        List<HotKey>[] found = [.. _partitions.Select(partition => partition.GetHottest(most))];
        List<HotKey> keys = [];
        int longest = found.Max(static some => some.Count);
        for (int index = 0; index < longest && keys.Count < most; index++)
        {
            foreach (List<HotKey> some in found)
            {
                if (index < some.Count && keys.Count < most)
                    keys.Add(some[index]);
            }
        }

        return keys;
    }

    /// <summary>Figures of the moment.</summary>
    public CacheStatistics GetStatistics()
    {
        CacheStatistics total = default;
        foreach (CachePartition partition in _partitions)
        {
            CacheStatistics one = partition.GetStatistics();
            total = new CacheStatistics(
                total.Entries + one.Entries, total.Bytes + one.Bytes, total.Hits + one.Hits, total.Misses + one.Misses,
                total.Installed + one.Installed, total.Rejected + one.Rejected, total.Invalidated + one.Invalidated,
                total.Evicted + one.Evicted, 0);
        }

        return total with { Resets = Volatile.Read(ref _resets) };
    }

    private void Continue(CacheWatermark before, ShardPosition position, SubscribeFrame frame)
    {
        foreach (Invalidation invalidation in frame.Invalidations)
            PartitionOf(invalidation.KeyHash).Invalidate(invalidation.KeyHash, invalidation.Lsn, before.Generation);
        Volatile.Write(ref _watermark, before with
        {
            Position = position,
            HeardAt = frame.Behind ? before.HeardAt : Math.Max(before.HeardAt, HeardAt(frame)),
            DroppedTables = frame.DroppedTables.Count == 0
                ? before.DroppedTables
                : before.DroppedTables.SetItems(frame.DroppedTables.Select(id => KeyValuePair.Create(id, position.Lsn))),
        });
    }

    private void BeginGeneration(CacheWatermark before, ShardPosition position, SubscribeFrame frame)
    {
        Volatile.Write(ref _watermark, new CacheWatermark
        {
            Generation = before.Generation + 1,
            IsWarm = true,
            Position = position,
            BaseLsn = position.Lsn,
            HeardAt = HeardAt(frame),
        });
        _resets++;
    }

    private long HeardAt(SubscribeFrame frame) =>
        _timeProvider.GetTimestamp() - (long)(frame.LagMs / 1000.0 * _timeProvider.TimestampFrequency);

    // The dictionaries inside a partition use the hash's low bits.
    private CachePartition PartitionOf(ulong keyHash) => _partitions[(keyHash >> 40) & (ulong)(_partitions.Length - 1)];
}
