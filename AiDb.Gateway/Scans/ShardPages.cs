using AiDb.Contracts.Internal.V1;
using AiDb.Contracts.V1;
using AiDb.Gateway.Front;

namespace AiDb.Gateway.Scans;

/// <summary>What a scan reads from a shard.</summary>
/// <param name="TableId">The table.</param>
/// <param name="Shard">The shard.</param>
/// <param name="Bounds">The keys.</param>
/// <param name="Snapshot">The snapshot that an earlier page began; 0: none yet.</param>
/// <param name="SlotsVersion">The version of the slot map by which it begins.</param>
internal readonly record struct ShardPart(uint TableId, uint Shard, ScanBounds Bounds, ulong Snapshot, ulong SlotsVersion);

/// <summary>One shard's part of a scan, page by page. While one page is given out the next one is on its
/// way.</summary>
/// <remarks>Thread safety: none; it belongs to one scan.</remarks>
internal sealed class ShardPages
{
    /// <summary>Bytes that a shard is asked for at a time.</summary>
    private const uint PageBytes = 1 << 20;

    private static readonly Action<Request, ShardRoute, Scan> Fill = (request, _, scan) => request.Scan = scan;

    private readonly ShardCaller _caller;
    private readonly ShardPart _part;
    private readonly ScanRequest _call;
    private readonly ReadLevel _level;
    private readonly TimeSpan _pageTimeout;
    private readonly uint _pageItems;
    private readonly CancellationToken _cancellationToken;
    private ScanBounds _remaining;
    private IList<ScanItem> _page = [];
    private int _next;
    private Task<ScanPage>? _coming;
    private bool _keysRemain;

    public ShardPages(
        ShardCaller caller, ShardPart part, ScanRequest call, ReadLevel level, TimeSpan pageTimeout, uint pageItems,
        CancellationToken cancellationToken)
    {
        _caller = caller;
        _part = part;
        _call = call;
        _level = level;
        _pageTimeout = pageTimeout;
        _pageItems = pageItems;
        _cancellationToken = cancellationToken;
        Snapshot = part.Snapshot;
        _remaining = part.Bounds;
        _keysRemain = !_remaining.IsEmpty;
        if (_keysRemain)
            _coming = RequestAsync();
    }

    /// <summary>The shard.</summary>
    public uint Shard => _part.Shard;

    /// <summary>Its snapshot; 0 before the first page came.</summary>
    public ulong Snapshot { get; private set; }

    /// <summary>The next item; null when <see cref="LoadAsync"/> must be called, or at the end.</summary>
    public ScanItem? Current => _next < _page.Count ? _page[_next] : null;

    /// <summary>Whether items remain, loaded or not.</summary>
    public bool HasMore => _next < _page.Count || _keysRemain;

    /// <summary>Whether the shard still holds the snapshot: it does until it has answered the last page.</summary>
    public bool IsHeld => _keysRemain && Snapshot != 0;

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
            if (!Take(page))
                return;

            // A scan whose limit fits into one page is unlikely to need another.
            if (_call.Limit == 0 || _call.Limit > _pageItems)
                _coming = RequestAsync();
        }
    }

    /// <summary>Takes in the page that is under way.</summary>
    public async ValueTask SettleAsync()
    {
        if (_coming is null)
            return;
        ScanPage page = await _coming;
        _coming = null;
        _page = [.. _page.Skip(_next), .. page.Items];
        _next = 0;
        Take(page);
    }

    /// <summary>Waits for what is under way, so that nobody uses the scan's token after its end.</summary>
    public async ValueTask StopAsync()
    {
        if (_coming is not null)
            await ((Task)_coming).ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
        _coming = null;
    }

    /// <summary>Notes how a page leaves the scan; false: it was the last.</summary>
    private bool Take(ScanPage page)
    {
        Snapshot = page.SnapshotVersion;
        _keysRemain = page.More;
        if (!page.More)
            return false;
        if (page.Items.Count == 0)
            throw new AiDbException(AiDbErrorKind.Internal, $"Shard {Shard} answered an empty page that is not the last.");
        _remaining = _remaining.After(page.Items[^1].Key, inclusive: false, _call.Reverse);
        return true;
    }

    private async Task<ScanPage> RequestAsync()
    {
        Scan scan = new()
        {
            TableId = _part.TableId,
            Start = _remaining.Start,
            End = _remaining.End,
            Reverse = _call.Reverse,
            Limit = _pageItems,
            LimitBytes = PageBytes,
            KeysOnly = _call.KeysOnly,
            SnapshotVersion = Snapshot,
            Level = _level,
            SlotsVersion = _part.SlotsVersion,
        };
        Response response = await _caller.SendToShardAsync(
            Shard, Fill, scan, isRead: true, Deadline.In(_caller.Clock, _pageTimeout), _cancellationToken);
        return response.Scan
            ?? throw new AiDbException(AiDbErrorKind.Internal, $"Shard {Shard} answered a scan with something else.");
    }
}
