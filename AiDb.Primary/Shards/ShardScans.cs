using AiDb.Contracts.Internal.V1;
using AiDb.Contracts.V1;
using AiDb.Engine;
using Google.Protobuf;

namespace AiDb.Primary.Shards;

/// <summary>Pages of scans of one shard, each scan at a snapshot of its own.</summary>
internal sealed class ShardScans(Database database, ShardHostOptions options, TimeProvider time) : IDisposable
{
    private readonly SnapshotPins _pins = new(options, time);

    /// <summary>Snapshots that wait for a next page.</summary>
    public int PinnedSnapshots => _pins.Count;

    /// <summary>Reads a page.</summary>
    /// <exception cref="AiDbException"><see cref="AiDbErrorKind.Aborted"/>: the scan's snapshot is
    /// gone.</exception>
    public (ScanPage Page, LogPosition Position) Read(Scan request, Table table, CancellationToken cancellationToken) =>
        request.SnapshotVersion == 0
            ? ReadFirst(request, table, cancellationToken)
            : ReadNext(request, table, cancellationToken);

    public void Dispose() => _pins.Dispose();

    private (ScanPage Page, LogPosition Position) ReadFirst(Scan request, Table table, CancellationToken cancellationToken)
    {
        Snapshot snapshot = database.CreateSnapshot();
        bool kept = false;
        try
        {
            LogPosition position = snapshot.Position;
            ScanPage page = ReadPage(request, table, snapshot, cancellationToken);
            if (page.More)
            {
                kept = true;
                _pins.Keep(snapshot);
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
            ScanPage page = ReadPage(request, table, pin.Snapshot, cancellationToken);
            finished = !page.More;
            return (page, pin.Snapshot.Position);
        }
        finally
        {
            _pins.Release(pin, finished);
        }
    }

    private ScanPage ReadPage(Scan request, Table table, Snapshot snapshot, CancellationToken cancellationToken)
    {
        int maxItems = request.Limit == 0 ? options.DefaultScanItems : (int)Math.Min(request.Limit, (uint)options.MaxScanItems);
        int maxBytes = request.LimitBytes == 0
            ? options.DefaultScanBytes
            : (int)Math.Min(request.LimitBytes, (uint)options.MaxScanBytes);
        var page = new ScanPage { SnapshotVersion = snapshot.Version };
        var range = new ScanRange { Start = request.Start.Memory, End = request.End.Memory, Reverse = request.Reverse };
        using ScanCursor cursor = table.Scan(range, snapshot);
        long bytes = 0;
        while (cursor.MoveNext())
        {
            if (page.Items.Count >= maxItems || bytes >= maxBytes)
            {
                page.More = true;
                break;
            }

            if ((page.Items.Count & 0xFF) == 0)
                cancellationToken.ThrowIfCancellationRequested();
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
