using AiDb.Contracts.Internal.V1;
using AiDb.Contracts.V1;
using AiDb.Gateway.Front;
using Google.Protobuf;

namespace AiDb.Gateway.Scans;

/// <summary>A scan over all shards of a table: merges their pages in key order.</summary>
/// <remarks>
/// <para>Keys of one name in two shards (written with different explicit partitions) are both given out; the
/// lower shard's comes first, in either direction, and a cursor between the two knows it.</para>
/// <para>Thread safety: none; a scan belongs to one request, which disposes it.</para>
/// </remarks>
internal sealed class TableScan : IAsyncDisposable
{
    /// <summary>Items that a shard is asked for at a time.</summary>
    private const uint MaxShardPageItems = 1000;

    /// <summary>Bytes that a shard is asked for at a time.</summary>
    private const uint ShardPageBytes = 1 << 20;

    private readonly ScanPlan _plan;
    private readonly Admission _admission;
    private readonly CancellationTokenSource _stop;
    private readonly ShardPages[] _shards;
    private ByteString? _lastKey;
    private int _lastShardIndex;
    private ulong _given;
    private bool _disposed;

    public TableScan(
        ShardCaller caller, ScanPlan plan, Func<uint, ReadLevel> levelOf, TimeSpan pageTimeout, Admission admission,
        CancellationToken cancellationToken)
    {
        _plan = plan;
        _admission = admission;
        _stop = CancellationTokenSource.CreateLinkedTokenSource(cancellationToken);
        uint items = plan.Call.Limit == 0 ? MaxShardPageItems : (uint)Math.Min(plan.Call.Limit, MaxShardPageItems);
        _shards = new ShardPages[plan.Shards.Count];
        for (int i = 0; i < _shards.Length; i++)
        {
            _shards[i] = new ShardPages(
                caller, plan, i, levelOf(plan.Shards[i]), pageTimeout, items, ShardPageBytes, _stop.Token);
        }
    }

    /// <summary>Takes the next items in order.</summary>
    /// <param name="into">Where they go; it is cleared first.</param>
    /// <param name="maxItems">No more than these.</param>
    /// <param name="maxBytes">No more than one item beyond this many bytes.</param>
    /// <returns>False when nothing was left.</returns>
    public async ValueTask<bool> ReadAsync(IList<ScanItem> into, int maxItems, int maxBytes)
    {
        into.Clear();
        ulong left = _plan.Call.Limit == 0 ? ulong.MaxValue : _plan.Call.Limit - _given;
        int count = (int)Math.Min(left, (ulong)maxItems);
        for (long bytes = 0; into.Count < count && bytes < maxBytes;)
        {
            int index = await FindNextAsync();
            if (index < 0)
                break;
            ScanItem item = _shards[index].Current!;
            _shards[index].Advance();
            _lastKey = item.Key;
            _lastShardIndex = index;
            _given++;
            bytes += item.Key.Length + item.Value.Length;
            into.Add(item);
        }

        return into.Count > 0;
    }

    /// <summary>Whether as many items were given out as were asked for.</summary>
    public bool IsComplete => _plan.Call.Limit != 0 && _given >= _plan.Call.Limit;

    /// <summary>Where the scan stands; null when no key remains.</summary>
    public ScanCursor? CreateCursor()
    {
        if (!Array.Exists(_shards, shard => shard.HasMore) || (_lastKey ?? _plan.Cursor?.LastKey) is not { } key)
            return null;
        int shardIndex = _lastKey is null ? _plan.Cursor!.LastShardIndex : _lastShardIndex;
        return new ScanCursor(
            _plan.Fingerprint, key, shardIndex, [.. _shards.Select(shard => (shard.Shard, shard.Snapshot))]);
    }

    /// <inheritdoc/>
    public async ValueTask DisposeAsync()
    {
        if (_disposed)
            return;
        _disposed = true;
        await _stop.CancelAsync();
        foreach (ShardPages shard in _shards)
            await shard.StopAsync();
        _stop.Dispose();
        _admission.Exit();
    }

    // A linear search beats a heap for as many shards as there are; ties go to the lower index.
    private async ValueTask<int> FindNextAsync()
    {
        int best = -1;
        for (int i = 0; i < _shards.Length; i++)
        {
            if (_shards[i].Current is null)
            {
                if (!_shards[i].HasMore)
                    continue;
                await _shards[i].LoadAsync();
            }

            if (_shards[i].Current is not { } item)
                continue;
            if (best < 0)
            {
                best = i;
                continue;
            }

            int order = ScanBounds.Compare(item.Key, _shards[best].Current!.Key);
            if (_plan.Call.Reverse ? order > 0 : order < 0)
                best = i;
        }

        return best;
    }
}
