using AiDb.Contracts.Internal.V1;
using AiDb.Contracts.V1;
using AiDb.Engine;
using AiDb.Primary.Migration;
using Google.Protobuf;

namespace AiDb.Primary.Shards;

/// <summary>Pages of scans of one shard, each scan at a snapshot of its own and for the slots that the shard owned
/// then.</summary>
internal sealed class ShardScans(Database database, ShardHostOptions options, TimeProvider time, ShardMoves moves)
    : IDisposable
{
    private readonly SnapshotPins _pins = new(options, time);

    /// <summary>Snapshots that wait for a next page.</summary>
    public int PinnedSnapshots => _pins.Count;

    /// <summary>Reads a page.</summary>
    /// <exception cref="AiDbException"><see cref="AiDbErrorKind.Aborted"/>: the scan's snapshot is
    /// gone.</exception>
    public (ScanPage Page, LogPosition Position) Read(
        Scan request, Table table, SlotOwnership ownership, CancellationToken cancellationToken) =>
        request.SnapshotVersion == 0
            ? ReadFirst(request, table, ownership, cancellationToken)
            : ReadNext(request, table, cancellationToken);

    public void Dispose() => _pins.Dispose();

    private (ScanPage Page, LogPosition Position) ReadFirst(
        Scan request, Table table, SlotOwnership ownership, CancellationToken cancellationToken)
    {
        CheckSlots(request, ownership);

        // Whether keys of other slots may be there is asked before and after the snapshot is taken: a copy may have begun,
        // or the last of its keys may have been deleted.
        SlotFilter? filter = moves.FilterOf(request.TableId, ownership);
        Snapshot snapshot = database.CreateSnapshot();
        bool kept = false;
        try
        {
            filter ??= moves.FilterOf(request.TableId, ownership);
            if (!ReferenceEquals(moves.Slots.Current, ownership))
                CheckSlots(request, moves.Slots.Current);
            LogPosition position = snapshot.Position;
            ScanPage page = ReadPage(request, table, snapshot, filter, cancellationToken);
            if (page.More)
            {
                kept = true;
                _pins.Keep(snapshot, filter);
            }

            return (page, position);
        }
        finally
        {
            if (!kept)
                snapshot.Dispose();
        }
    }

    private (ScanPage Page, LogPosition Position) ReadNext(Scan request, Table table, CancellationToken cancellationToken)
    {
        SnapshotPins.Pin pin = _pins.Acquire(request.SnapshotVersion)
            ?? throw new AiDbException(
                AiDbErrorKind.Aborted,
                $"The scan's snapshot is gone (it is held {options.SnapshotIdleTimeout.TotalSeconds:0} s after the last "
                + "page, and not beyond a restart). Start the scan anew.");
        bool finished = false;
        try
        {
            ScanPage page = ReadPage(request, table, pin.Snapshot, pin.Filter, cancellationToken);
            finished = !page.More;
            return (page, pin.Snapshot.Position);
        }
        finally
        {
            _pins.Release(pin, finished);
        }
    }

    /// <summary>All shards of a scan begin by one slot map, so that each key is shown by one of them. A shard that has
    /// frozen slots waits for what becomes of them.</summary>
    private static void CheckSlots(Scan request, SlotOwnership ownership)
    {
        if (request.SlotsVersion == 0 || (request.SlotsVersion == ownership.SlotsVersion && !ownership.HasFrozen))
            return;
        throw new AiDbException(
            AiDbErrorKind.Unavailable,
            ownership.HasFrozen
                ? "Slots of the shard are moving; try again."
                : $"The scan goes by slots of version {request.SlotsVersion}, this shard by {ownership.SlotsVersion}; try again.")
        {
            RetryAfter = TimeSpan.FromMilliseconds(20),
        };
    }

    private ScanPage ReadPage(
        Scan request, Table table, Snapshot snapshot, SlotFilter? filter, CancellationToken cancellationToken)
    {
        int maxItems = request.Limit == 0 ? options.DefaultScanItems : (int)Math.Min(request.Limit, (uint)options.MaxScanItems);
        int maxBytes = request.LimitBytes == 0
            ? options.DefaultScanBytes
            : (int)Math.Min(request.LimitBytes, (uint)options.MaxScanBytes);
        var page = new ScanPage { SnapshotVersion = snapshot.Version };
        var range = new ScanRange { Start = request.Start.Memory, End = request.End.Memory, Reverse = request.Reverse };
        using ScanCursor cursor = table.Scan(range, snapshot);
        long bytes = 0;
        for (int looked = 0; cursor.MoveNext(); looked++)
        {
            if ((looked & 0xFF) == 0)
                cancellationToken.ThrowIfCancellationRequested();
            if (filter is not null && !filter.Shows(cursor.Key, snapshot))
                continue;
            if (page.Items.Count >= maxItems || bytes >= maxBytes)
            {
                page.More = true;
                break;
            }

            ReadOnlySpan<byte> key = cursor.Key;
            var item = new ScanItem
            {
                Key = ByteString.CopyFrom(key),
                Version = cursor.Version,
                ExpiresAtMs = cursor.ExpiresAtMs,
            };
            bytes += key.Length;
            if (!request.KeysOnly)
            {
                ReadOnlySpan<byte> value = cursor.Value;
                // A page of small items must not swell by a large value at its end: that begins the next
                // page.
                if (page.Items.Count > 0 && bytes + value.Length > maxBytes)
                {
                    page.More = true;
                    break;
                }

                item.Value = ByteString.CopyFrom(value);
                bytes += value.Length;
            }

            page.Items.Add(item);
        }

        return page;
    }
}
