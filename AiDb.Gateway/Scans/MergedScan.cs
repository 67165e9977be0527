using AiDb.Contracts.Internal.V1;
using AiDb.Contracts.V1;
using AiDb.Gateway.Front;
using Google.Protobuf;

namespace AiDb.Gateway.Scans;

/// <summary>A scan of a table whose keys are spread by their hashes: merges the pages of all shards in key order.</summary>
/// <remarks>Keys of one name in two shards (written with different explicit partitions) are both given out; the lower shard's
/// comes first, in either direction, and a cursor between the two knows it.</remarks>
internal sealed class MergedScan : TableScan
{
    private readonly Func<ScanPlan> _replan;
    private readonly Func<uint, ReadLevel> _levelOf;
    private ScanPlan _plan;
    private ShardPages[] _shards;
    private bool _begun;
    private ByteString? _lastKey;
    private int _lastShardIndex;

    private MergedScan(
        ShardCaller caller, Func<ScanPlan> replan, ScanPlan plan, Func<uint, ReadLevel> levelOf, TimeSpan pageTimeout,
        Admission admission, CancellationToken cancellationToken)
        : base(caller, plan.Call, pageTimeout, admission, cancellationToken)
    {
        _replan = replan;
        _levelOf = levelOf;
        _plan = plan;
        _shards = Open();
    }

    /// <summary>Begins a scan, or goes on with one.</summary>
    /// <param name="caller">The way to the shards.</param>
    /// <param name="plan">Plans it by the map of now.</param>
    /// <param name="levelOf">What a read of a shard must see.</param>
    /// <param name="pageTimeout">How long a page may take.</param>
    /// <param name="admission">Where the scan has a place until it is disposed.</param>
    /// <param name="cancellationToken">Ends it.</param>
    public MergedScan(
        ShardCaller caller, Func<ScanPlan> plan, Func<uint, ReadLevel> levelOf, TimeSpan pageTimeout, Admission admission,
        CancellationToken cancellationToken)
        : this(caller, plan, plan(), levelOf, pageTimeout, admission, cancellationToken)
    {
    }

    /// <inheritdoc/>
    protected override string? CreateCursor()
    {
        if (!Array.Exists(_shards, shard => shard.HasMore) || (_lastKey ?? _plan.Cursor?.LastKey) is not { } key)
            return null;
        int shardIndex = _lastKey is null ? _plan.Cursor!.LastShardIndex : _lastShardIndex;

        // A shard has given its snapshot up with its last page; what is not given out of that is read anew.
        return new ScanCursor(
            _plan.Fingerprint, _plan.SlotsVersion, key, shardIndex,
            [
                .. _shards.Select(shard => (
                    shard.Shard, shard.IsHeld ? shard.Snapshot : shard.HasMore ? ScanCursor.ReadAnew : ScanCursor.Done)),
            ]).ToString();
    }

    /// <inheritdoc/>
    protected override async ValueTask SettleAsync()
    {
        foreach (ShardPages shard in _shards)
            await shard.SettleAsync();
    }

    /// <inheritdoc/>
    protected override async ValueTask<ScanItem?> TakeAsync()
    {
        await BeginAsync();
        int index = await FindNextAsync();
        if (index < 0)
            return null;
        ScanItem item = _shards[index].Current!;
        _shards[index].Advance();
        _lastKey = item.Key;
        _lastShardIndex = index;
        return item;
    }

    /// <inheritdoc/>
    protected override async ValueTask StopAsync()
    {
        foreach (ShardPages shard in _shards)
            await shard.StopAsync();
    }

    private ShardPages[] Open()
    {
        ScanPlan plan = _plan;
        var shards = new ShardPages[plan.Shards.Count];
        for (int i = 0; i < shards.Length; i++)
        {
            ShardPart part = new(plan.TableId, plan.Shards[i], plan.BoundsOf(i), plan.SnapshotOf(i), plan.SlotsVersion);
            shards[i] = new ShardPages(Caller, part, Call, _levelOf(part.Shard), PageTimeout, PageItems, Stopping);
        }

        return shards;
    }

    /// <summary>Waits until every shard has a snapshot by the same slot map. Nothing was given out before, so that the
    /// scan begins anew when slots changed their shard meanwhile.</summary>
    private async ValueTask BeginAsync()
    {
        if (_begun)
            return;
        Deadline deadline = Deadline.In(Caller.Clock, PageTimeout);
        while (!_begun)
        {
            try
            {
                foreach (ShardPages shard in _shards)
                    await shard.LoadAsync();
                _begun = true;
            }
            catch (AiDbException error) when (
                _plan.Cursor is null && !deadline.HasPassed && HasMoved(error, _plan.SlotsVersion))
            {
                await StopAsync();
                await Caller.WaitForMoveAsync(_plan.MapVersion, deadline, Stopping);
                _plan = _replan();
                _shards = Open();
            }
        }
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
            if (Call.Reverse ? order > 0 : order < 0)
                best = i;
        }

        return best;
    }
}
