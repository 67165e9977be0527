using AiDb.Contracts.Internal.V1;
using AiDb.Contracts.V1;
using AiDb.Gateway.Front;

namespace AiDb.Gateway.Scans;

/// <summary>One shard's part of a scan, page by page. While one page is given out the next one is on its
/// way.</summary>
/// <remarks>Thread safety: none; it belongs to one scan.</remarks>
internal sealed class ShardPages
{
    private static readonly Action<Request, uint, Scan> Fill = (request, _, scan) => request.Scan = scan;

    private readonly ShardCaller _caller;
    private readonly ScanPlan _plan;
    private readonly ReadLevel _level;
    private readonly TimeSpan _pageTimeout;
    private readonly uint _pageItems;
    private readonly uint _pageBytes;
    private readonly CancellationToken _cancellationToken;
    private ScanBounds _remaining;
    private IList<ScanItem> _page = [];
    private int _next;
    private Task<ScanPage>? _coming;
    private bool _keysRemain;

    public ShardPages(
        ShardCaller caller, ScanPlan plan, int index, ReadLevel level, TimeSpan pageTimeout, uint pageItems,
        uint pageBytes, CancellationToken cancellationToken)
    {
        _caller = caller;
        _plan = plan;
        _level = level;
        _pageTimeout = pageTimeout;
        _pageItems = pageItems;
        _pageBytes = pageBytes;
        _cancellationToken = cancellationToken;
        Shard = plan.Shards[index];
        Snapshot = plan.SnapshotOf(index);
        _remaining = plan.BoundsOf(index);
        _keysRemain = !_remaining.IsEmpty;
        if (_keysRemain)
            _coming = RequestAsync();
    }

    /// <summary>The shard.</summary>
    public uint Shard { get; }

    /// <summary>Its snapshot; 0 before the first page came.</summary>
    public ulong Snapshot { get; private set; }

    /// <summary>The next item; null when <see cref="LoadAsync"/> must be called, or at the end.</summary>
    public ScanItem? Current => _next < _page.Count ? _page[_next] : null;

    /// <summary>Whether items remain, loaded or not.</summary>
    public bool HasMore => _next < _page.Count || _keysRemain;

    /// <summary>Goes to the next item of the page.</summary>
    public void Advance() => _next++;

    /// <summary>Makes <see cref="Current"/> the next item, where there is one.</summary>
    public async ValueTask LoadAsync()
    {
        while (_next >= _page.Count && _keysRemain)
        {
            ScanPage page = await (_coming ?? RequestAsync());
            _coming = null;
            _page = page.Items;
            _next = 0;
            Snapshot = page.SnapshotVersion;
            _keysRemain = page.More;
            if (!page.More)
                return;
            if (page.Items.Count == 0)
                throw new AiDbException(AiDbErrorKind.Internal, $"Shard {Shard} answered an empty page that is not the last.");
            _remaining = _remaining.After(page.Items[^1].Key, inclusive: false, _plan.Call.Reverse);

            // A scan whose limit fits into one page is unlikely to need another.
            if (_plan.Call.Limit == 0 || _plan.Call.Limit > _pageItems)
                _coming = RequestAsync();
        }
    }

    /// <summary>Waits for what is under way, so that nobody uses the scan's token after its end.</summary>
    public async ValueTask StopAsync()
    {
        if (_coming is not null)
            await ((Task)_coming).ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
        _coming = null;
    }

    private async Task<ScanPage> RequestAsync()
    {
        Scan scan = new()
        {
            TableId = _plan.TableId,
            Start = _remaining.Start,
            End = _remaining.End,
            Reverse = _plan.Call.Reverse,
            Limit = _pageItems,
            LimitBytes = _pageBytes,
            KeysOnly = _plan.Call.KeysOnly,
            SnapshotVersion = Snapshot,
            Level = _level,
            SlotsVersion = _plan.SlotsVersion,
        };
        Response response = await _caller.SendToShardAsync(
            Shard, Fill, scan, isRead: true, Deadline.In(_caller.Clock, _pageTimeout), _cancellationToken);
        return response.Scan
            ?? throw new AiDbException(AiDbErrorKind.Internal, $"Shard {Shard} answered a scan with something else.");
    }
}
