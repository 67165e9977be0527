using AiDb.Contracts.V1;
using AiDb.Gateway.Front;

namespace AiDb.Gateway.Scans;

/// <summary>A scan of a table in key order.</summary>
/// <remarks>Thread safety: none; a scan belongs to one request, which disposes it.</remarks>
internal abstract class TableScan : IAsyncDisposable
{
    /// <summary>Items that a shard is asked for at a time.</summary>
    private const uint MaxShardPageItems = 1000;

    private readonly Admission _admission;
    private readonly CancellationTokenSource _stop;
    private bool _disposed;

    /// <param name="caller">The way to the shards.</param>
    /// <param name="call">What was asked.</param>
    /// <param name="pageTimeout">How long a page may take.</param>
    /// <param name="admission">Where the scan has a place until it is disposed.</param>
    /// <param name="cancellationToken">Ends it.</param>
    protected TableScan(
        ShardCaller caller, ScanRequest call, TimeSpan pageTimeout, Admission admission, CancellationToken cancellationToken)
    {
        Caller = caller;
        Call = call;
        PageTimeout = pageTimeout;
        PageItems = call.Limit == 0 ? MaxShardPageItems : (uint)Math.Min(call.Limit, MaxShardPageItems);
        _admission = admission;
        _stop = CancellationTokenSource.CreateLinkedTokenSource(cancellationToken);
    }

    /// <summary>Whether as many items were given out as were asked for.</summary>
    public bool IsComplete => Call.Limit != 0 && Given >= Call.Limit;

    /// <summary>The way to the shards.</summary>
    protected ShardCaller Caller { get; }

    /// <summary>What was asked.</summary>
    protected ScanRequest Call { get; }

    /// <summary>How long a page may take.</summary>
    protected TimeSpan PageTimeout { get; }

    /// <summary>Items that a shard is asked for at a time.</summary>
    protected uint PageItems { get; }

    /// <summary>Items that were given out.</summary>
    protected ulong Given { get; private set; }

    /// <summary>Ends with the scan.</summary>
    protected CancellationToken Stopping => _stop.Token;

    /// <summary>Takes the next items in order.</summary>
    /// <param name="into">Where they go; it is cleared first.</param>
    /// <param name="maxItems">No more than these.</param>
    /// <param name="maxBytes">No more than one item beyond this many bytes.</param>
    /// <returns>False when nothing was left.</returns>
    public async ValueTask<bool> ReadAsync(IList<ScanItem> into, int maxItems, int maxBytes)
    {
        into.Clear();
        ulong left = Call.Limit == 0 ? ulong.MaxValue : Call.Limit - Given;
        int count = (int)Math.Min(left, (ulong)maxItems);
        for (long bytes = 0; into.Count < count && bytes < maxBytes;)
        {
            if (await TakeAsync() is not { } item)
                break;
            Given++;
            bytes += item.Key.Length + item.Value.Length;
            into.Add(item);
        }

        return into.Count > 0;
    }

    /// <summary>Where the scan stands, for a later request to go on from; null when no key remains.</summary>
    /// <param name="isLast">Whether this request ends here: then what is under way is waited for, since a shard gives a snapshot
    /// up with its last page.</param>
    public async ValueTask<string?> CreateCursorAsync(bool isLast)
    {
        if (isLast)
            await SettleAsync();
        return CreateCursor();
    }

    /// <inheritdoc/>
    public async ValueTask DisposeAsync()
    {
        if (_disposed)
            return;
        _disposed = true;
        await _stop.CancelAsync();
        await StopAsync();
        _stop.Dispose();
        _admission.Exit();
    }

    /// <summary>Takes the next item; null: there is none.</summary>
    protected abstract ValueTask<ScanItem?> TakeAsync();

    /// <summary>Where the scan stands, as far as the pages tell that are here.</summary>
    protected abstract string? CreateCursor();

    /// <summary>Takes in the pages that are under way.</summary>
    protected abstract ValueTask SettleAsync();

    /// <summary>Waits for what is under way.</summary>
    protected abstract ValueTask StopAsync();

    /// <summary>Whether a shard could not begin since slots changed their shard: it says so, or it lost them all and was
    /// taken away.</summary>
    /// <param name="error">What it answered.</param>
    /// <param name="slotsVersion">The version of the slots that it was asked by.</param>
    protected bool HasMoved(AiDbException error, ulong slotsVersion) =>
        error.Kind == AiDbErrorKind.Aborted
        || (error.Kind == AiDbErrorKind.Unavailable && (ulong)Caller.Router.Map.SlotsRevision != slotsVersion);
}
