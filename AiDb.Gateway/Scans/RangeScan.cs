using AiDb.Cluster.Model;
using AiDb.Contracts.Internal.V1;
using AiDb.Contracts.V1;
using AiDb.Gateway.Front;
using Google.Protobuf;

namespace AiDb.Gateway.Scans;

/// <summary>
/// A scan of a table that is partitioned by ranges: asks one shard after the other, only those that have ranges of the scan,
/// and each only when the scan gets there. Neighbouring ranges of one shard are one run.
/// </summary>
/// <remarks>A run has a snapshot of its own, begun by the map of then: ranges may be split and moved between two runs, and a
/// run that could not begin since its slots moved is planned anew.</remarks>
internal sealed class RangeScan : TableScan
{
    private readonly TableDescriptor _table;
    private readonly Func<uint, ReadLevel> _levelOf;
    private readonly ulong _fingerprint;
    private ScanBounds? _remaining;
    private ShardPages? _run;
    private ScanBounds _runBounds;
    private ByteString? _lastKey;

    private RangeScan(
        ShardCaller caller, TableDescriptor table, ScanRequest call, Func<uint, ReadLevel> levelOf, TimeSpan pageTimeout,
        Admission admission, RangeCursor? cursor, ulong fingerprint, CancellationToken cancellationToken)
        : base(caller, call, pageTimeout, admission, cancellationToken)
    {
        _table = table;
        _levelOf = levelOf;
        _fingerprint = fingerprint;
        ScanBounds all = ScanBounds.Of(call);
        if (cursor is null)
        {
            _remaining = NotEmpty(all);
            return;
        }

        _lastKey = cursor.LastKey;
        ScanBounds left = all.After(cursor.LastKey, inclusive: false, call.Reverse);
        _remaining = NotEmpty(left);
        if (cursor.Shard == 0)
            return;
        ScanBounds run = call.Reverse ? left with { Start = cursor.RunEnd } : left with { End = cursor.RunEnd };
        Open(new ShardPart(table.Id, cursor.Shard, run, cursor.Snapshot, SlotsVersion: 0));
    }

    /// <summary>Begins a scan, or goes on with one.</summary>
    /// <param name="caller">The way to the shards.</param>
    /// <param name="table">The table.</param>
    /// <param name="call">What was asked.</param>
    /// <param name="levelOf">What a read of a shard must see.</param>
    /// <param name="pageTimeout">How long a page may take.</param>
    /// <param name="admission">Where the scan has a place until it is disposed.</param>
    /// <param name="cancellationToken">Ends it.</param>
    /// <exception cref="AiDbException"><see cref="AiDbErrorKind.InvalidArgument"/>: the cursor.</exception>
    public static RangeScan Create(
        ShardCaller caller, TableDescriptor table, ScanRequest call, Func<uint, ReadLevel> levelOf, TimeSpan pageTimeout,
        Admission admission, CancellationToken cancellationToken)
    {
        ulong fingerprint = ScanCursor.FingerprintOf(table.Id, call);
        RangeCursor? cursor = call.Cursor.Length == 0 ? null : RangeCursor.Parse(call.Cursor, fingerprint);
        return new RangeScan(caller, table, call, levelOf, pageTimeout, admission, cursor, fingerprint, cancellationToken);
    }

    /// <inheritdoc/>
    protected override string? CreateCursor()
    {
        if (_lastKey is null)
            return null;
        if (_run is { IsHeld: true } run)
        {
            ByteString end = Call.Reverse ? _runBounds.Start : _runBounds.End;
            return new RangeCursor(_fingerprint, _lastKey, run.Shard, run.Snapshot, end).ToString();
        }

        // The shard has given the snapshot up with its last page: what is not given out of that is a run to begin anew.
        bool isLeft = _run is { HasMore: true } || (_run is null ? _remaining : AfterRun()) is not null;
        return isLeft ? new RangeCursor(_fingerprint, _lastKey, 0, 0, ByteString.Empty).ToString() : null;
    }

    /// <inheritdoc/>
    protected override ValueTask SettleAsync() => _run is null ? ValueTask.CompletedTask : _run.SettleAsync();

    /// <inheritdoc/>
    protected override async ValueTask<ScanItem?> TakeAsync()
    {
        while (true)
        {
            if (_run is null && !await BeginRunAsync())
                return null;
            await _run!.LoadAsync();
            if (_run.Current is { } item)
            {
                _run.Advance();
                _lastKey = item.Key;
                return item;
            }

            _remaining = AfterRun();
            _run = null;
        }
    }

    /// <inheritdoc/>
    protected override ValueTask StopAsync() => _run is null ? ValueTask.CompletedTask : _run.StopAsync();

    /// <summary>Begins the next run; false: no range is left.</summary>
    private async ValueTask<bool> BeginRunAsync()
    {
        Deadline deadline = Deadline.In(Caller.Clock, PageTimeout);
        while (_remaining is { } remaining)
        {
            ClusterMap map = Caller.Router.Map;
            ShardPart part = PlanRun(map, remaining);
            try
            {
                Open(part);
                await _run!.LoadAsync();
                return true;
            }
            catch (AiDbException error) when (!deadline.HasPassed && HasMoved(error, part.SlotsVersion))
            {
                await _run!.StopAsync();
                _run = null;
                await Caller.WaitForMoveAsync(map.Version, deadline, Stopping);
            }
        }

        return false;
    }

    private void Open(ShardPart part)
    {
        _runBounds = part.Bounds;
        _run = new ShardPages(Caller, part, Call, _levelOf(part.Shard), PageTimeout, PageItems, Stopping);
    }

    /// <summary>The ranges that come next and are of one shard, as far as the scan wants them.</summary>
    private ShardPart PlanRun(ClusterMap map, ScanBounds remaining)
    {
        TableRanges ranges = SlotSource.TableIn(map, _table).Ranges!;
        int step = Call.Reverse ? -1 : 1;
        int first = Call.Reverse ? ranges.LastBefore(remaining.End.Span) : ranges.IndexOf(remaining.Start.Span);
        uint shard = map.Slots[ranges.SlotAt(first)];
        int last = first;
        while (last + step >= 0 && last + step < ranges.Count && map.Slots[ranges.SlotAt(last + step)] == shard)
            last += step;
        ScanBounds run = Call.Reverse
            ? remaining with { Start = Greater(remaining.Start, ranges.StartOf(last)) }
            : remaining with { End = Lesser(remaining.End, ranges.EndOf(last)) };
        return new ShardPart(_table.Id, shard, run, Snapshot: 0, (ulong)map.SlotsRevision);
    }

    /// <summary>What remains behind the present run; null: nothing, as behind one with an open bound.</summary>
    private ScanBounds? AfterRun()
    {
        ByteString end = Call.Reverse ? _runBounds.Start : _runBounds.End;
        if (end.IsEmpty || _remaining is not { } remaining)
            return null;
        return NotEmpty(Call.Reverse ? remaining with { End = end } : remaining with { Start = end });
    }

    private static ScanBounds? NotEmpty(ScanBounds bounds) => bounds.IsEmpty ? null : bounds;

    private static ByteString Greater(ByteString one, ReadOnlyMemory<byte> other) =>
        one.Span.SequenceCompareTo(other.Span) >= 0 ? one : ByteString.CopyFrom(other.Span);

    // An empty bound is open.
    private static ByteString Lesser(ByteString one, ReadOnlyMemory<byte> other) =>
        other.IsEmpty || (!one.IsEmpty && one.Span.SequenceCompareTo(other.Span) <= 0) ? one : ByteString.CopyFrom(other.Span);
}
