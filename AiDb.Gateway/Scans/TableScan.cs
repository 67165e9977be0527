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

    private readonly ShardCaller _caller;
    private readonly Func<ScanPlan> _replan;
    private readonly Func<uint, ReadLevel> _levelOf;
    private readonly TimeSpan _pageTimeout;
    private readonly Admission _admission;
    private readonly CancellationTokenSource _stop;
    private ScanPlan _plan;
    private ShardPages[] _shards;
    private bool _begun;
    private ByteString? _lastKey;
    private int _lastShardIndex;
    private ulong _given;
    private bool _disposed;

    public TableScan(
        ShardCaller caller, Func<ScanPlan> plan, Func<uint, ReadLevel> levelOf, TimeSpan pageTimeout, Admission admission,
        CancellationToken cancellationToken)
    {
        _caller = caller;
        _replan = plan;
        _levelOf = levelOf;
        _pageTimeout = pageTimeout;
        _admission = admission;
        _plan = plan();
        _stop = CancellationTokenSource.CreateLinkedTokenSource(cancellationToken);
        _shards = Open();
    }

    private ShardPages[] Open()
    {
        ScanPlan plan = _plan;
        uint items = plan.Call.Limit == 0 ? MaxShardPageItems : (uint)Math.Min(plan.Call.Limit, MaxShardPageItems);
        var shards = new ShardPages[plan.Shards.Count];
        for (int i = 0; i < shards.Length; i++)
        {
            shards[i] = new ShardPages(
                _caller, plan, i, _levelOf(plan.Shards[i]), _pageTimeout, items, ShardPageBytes, _stop.Token);
        }

        return shards;
    }

    /// <summary>Waits until every shard has a snapshot by the same slot map. Nothing was given out before, so that the
    /// scan begins anew when slots changed their shard meanwhile.</summary>
    private async ValueTask BeginAsync()
    {
        Deadline deadline = Deadline.In(_caller.Clock, _pageTimeout);
        while (!_begun)
        {
            try
            {
                foreach (ShardPages shard in _shards)
                    await shard.LoadAsync();
                _begun = true;
            }
            catch (AiDbException error) when (_plan.Cursor is null && !deadline.HasPassed && HasMoved(error))
            {
                foreach (ShardPages shard in _shards)
                    await shard.StopAsync();
                await _caller.WaitForMoveAsync(_plan.MapVersion, deadline, _stop.Token);
                _plan = _replan();
                _shards = Open();
            }
        }
    }

    /// <summary>Whether a shard could not begin since slots changed their shard: it says so, or it lost them all and was
    /// taken away.</summary>
    private bool HasMoved(AiDbException error) =>
        error.Kind == AiDbErrorKind.Aborted
        || (error.Kind == AiDbErrorKind.Unavailable && (ulong)_caller.Router.Map.SlotsRevision != _plan.SlotsVersion);

    /// <summary>Takes the next items in order.</summary>
    /// <param name="into">Where they go; it is cleared first.</param>
    /// <param name="maxItems">No more than these.</param>
    /// <param name="maxBytes">No more than one item beyond this many bytes.</param>
    /// <returns>False when nothing was left.</returns>
    public async ValueTask<bool> ReadAsync(IList<ScanItem> into, int maxItems, int maxBytes)
    {
        into.Clear();
        await BeginAsync();
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
