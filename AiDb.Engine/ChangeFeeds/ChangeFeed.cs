using System.Runtime.CompilerServices;
using AiDb.Engine.Catalogues;
using AiDb.Engine.ChangeFeeds;
using AiDb.Engine.Log;
using AiDb.Engine.Recovery;

namespace AiDb.Engine;

/// <summary>The changes of a database in the order of its log, from any position that the log still holds: what
/// took effect and is durable, nothing else. Batches whose conditions did not hold and writes to dropped tables
/// do not appear.</summary>
/// <remarks>
/// <para>Every change from the position on comes once; a consumer that keeps <see cref="Position"/> and goes on
/// from there after its own failure sees the changes since then again, so it should bear that. The log is kept
/// within <see cref="DatabaseOptions.LogRetentionBytes"/> beyond what recovery needs; who falls further behind
/// gets <see cref="AiDbErrorKind.Aborted"/> and starts over from a snapshot or a checkpoint.</para>
/// <para>Thread safety: none; one feed belongs to one caller, who disposes it.</para>
/// </remarks>
public sealed class ChangeFeed : IDisposable
{
    private readonly LogTail _tail;
    private readonly Catalogue _catalogue;
    private readonly BatchOutcomes _outcomes;
    private readonly HashSet<uint>? _tables;
    private readonly HashSet<uint> _dropped = [];
    private readonly List<Change> _changes = [];
    private int _next;
    private LogPosition _read;

    internal ChangeFeed(LogTail tail, Catalogue catalogue, BatchOutcomes outcomes, ChangeFeedOptions options)
    {
        _tail = tail;
        _catalogue = catalogue;
        _outcomes = outcomes;
        _tables = options.Tables is null ? null : [.. options.Tables.Select(static table => table.Id)];
    }

    /// <summary>Opens a feed; see <see cref="Database.OpenChangeFeed"/>.</summary>
    internal static ChangeFeed Open(DatabaseParts parts, Database database, ChangeFeedOptions options)
    {
        if (options.Tables is { } tables && tables.Any(table => table.Database != database))
            throw new AiDbException(AiDbErrorKind.InvalidArgument, "Tables names a table of another database.");
        ulong next = parts.State.Applied.Lsn + 1;
        ulong from = options.FromLsn ?? next;
        if (from == 0 || from > next)
        {
            throw new AiDbException(
                AiDbErrorKind.InvalidArgument,
                $"FromLsn is {from}; it must be 1 to {next}, the entry that comes next. A greater one is of another database.");
        }

        if (from < parts.Outcomes.KnownSinceLsn)
        {
            throw new AiDbException(
                AiDbErrorKind.Aborted,
                $"Which changes took effect is known from entry {parts.Outcomes.KnownSinceLsn} on, not from {from}. " +
                $"Start from a snapshot, or raise {nameof(DatabaseOptions)}.{nameof(DatabaseOptions.LogRetentionBytes)}.");
        }

        return new ChangeFeed(
            new LogTail(parts.Log, parts.Signal, from), parts.Catalogue, parts.Outcomes, options);
    }

    /// <summary>The last entry whose changes were all given, those left out by the filter included; the default
    /// value before the first. Going on from its Lsn + 1 leaves nothing out.</summary>
    public LogPosition Position { get; private set; }

    /// <summary>Waits until there is something to look at; then <see cref="TryRead"/> may still find nothing for
    /// this feed. False when the database is closed.</summary>
    public ValueTask<bool> WaitToReadAsync(CancellationToken cancellationToken = default) =>
        _next < _changes.Count ? ValueTask.FromResult(true) : _tail.WaitToReadAsync(cancellationToken);

    /// <summary>Gives the next change, if there is one. Its memory is the caller's.</summary>
    /// <exception cref="AiDbException"><see cref="AiDbErrorKind.Aborted"/>: the feed fell behind what the log
    /// keeps. <see cref="AiDbErrorKind.DataLoss"/>: the log is damaged.</exception>
    public bool TryRead(out Change change)
    {
        while (_next == _changes.Count)
        {
            Position = _read;
            if (!_tail.TryRead(out LogEntry entry))
            {
                change = default;
                return false;
            }

            Decode(entry);
        }

        change = _changes[_next++];
        if (_next == _changes.Count)
            Position = _read;
        return true;
    }

    /// <summary>Gives every change, waiting for further ones, until the database is closed.</summary>
    /// <exception cref="OperationCanceledException">The token was cancelled.</exception>
    public async IAsyncEnumerable<Change> ReadAllAsync(
        [EnumeratorCancellation] CancellationToken cancellationToken = default)
    {
        do
        {
            while (TryRead(out Change change))
            {
                yield return change;
                cancellationToken.ThrowIfCancellationRequested();
            }
        }
        while (await WaitToReadAsync(cancellationToken).ConfigureAwait(false));
    }

    /// <inheritdoc/>
    public void Dispose() => _tail.Dispose();

    private void Decode(in LogEntry entry)
    {
        _changes.Clear();
        _next = 0;
        _read = entry.Position;
        if (entry.Type != LogRecordType.Batch || _outcomes.IsRejected(entry.Position.Lsn))
            return;
        byte[] payload = entry.Payload.ToArray();
        var operations = new LogOperationReader(payload);
        while (operations.MoveNext())
        {
            if (operations.Kind != LogOperationKind.Require && !IsDropped(operations.TableId, entry.Position)
                && TryDecode(ref operations, payload, entry.Position, out Change change)
                && (_tables is null || _tables.Contains(change.TableId)))
            {
                _changes.Add(change);
            }
        }

        if (_changes.Count > 0)
            _changes[^1] = _changes[^1] with { EndsBatch = true };
    }

    /// <summary>Whether the applier left an operation out, since its table had been dropped by then.</summary>
    private bool IsDropped(uint tableId, LogPosition position) =>
        _dropped.Contains(tableId)
        || (_catalogue.Dropped.TryGetValue(tableId, out ulong droppedAt) && droppedAt < position.Timestamp);

    private bool TryDecode(
        ref LogOperationReader operation, byte[] payload, LogPosition position, out Change change)
    {
        change = new Change { Position = position, TableId = operation.TableId };
        if (operation.TableId == Catalogue.SystemTableId)
            return TryDecodeCatalogue(ref operation, ref change);
        change = change with { Key = MemoryOf(payload, operation.Key) };
        switch (operation.Kind)
        {
            case LogOperationKind.Put:
                change = change with
                {
                    Kind = ChangeKind.Put,
                    Value = MemoryOf(payload, operation.Value),
                    ExpiresAtMs = operation.TimeToLiveMs == 0
                        ? 0
                        : HybridClock.ToMilliseconds(position.Timestamp) + operation.TimeToLiveMs,
                };
                return true;
            case LogOperationKind.PutMoved:
                change = change with
                {
                    Kind = ChangeKind.Put,
                    Value = MemoryOf(payload, operation.Value),
                    ExpiresAtMs = operation.MovedExpiryMs,
                    MovedVersion = operation.MovedVersion,
                };
                return true;
            case LogOperationKind.Delete:
                change = change with { Kind = ChangeKind.Delete };
                return true;
            case LogOperationKind.DeleteRange:
                change = change with { Kind = ChangeKind.DeleteRange, EndKey = MemoryOf(payload, operation.EndKey) };
                return true;
            case LogOperationKind.Merge:
                change = change with { Kind = ChangeKind.Merge, Value = MemoryOf(payload, operation.Value) };
                return true;
            case LogOperationKind.Ingest:
                change = change with { Kind = ChangeKind.Ingest, Key = default };
                return true;
            default:
                throw new AiDbException(
                    AiDbErrorKind.Internal, $"The change feed does not know operations of kind {operation.Kind}.");
        }
    }

    private bool TryDecodeCatalogue(ref LogOperationReader operation, ref Change change)
    {
        if (operation.DroppedTable is { } dropped)
        {
            change = change with { Kind = ChangeKind.DropTable, TableId = dropped };
            return _dropped.Add(dropped);
        }

        if (operation.Kind != LogOperationKind.Put || Catalogue.NameOf(operation.Key) is not { } name)
            return false;
        change = change with
        {
            Kind = ChangeKind.CreateTable,
            TableId = Catalogue.IdOfValue(operation.Value),
            Name = name,
        };
        return true;
    }

    /// <summary>The memory of a span that lies in the payload.</summary>
    private static ReadOnlyMemory<byte> MemoryOf(byte[] payload, ReadOnlySpan<byte> part) =>
        part.Overlaps(payload, out int offset) ? payload.AsMemory(-offset, part.Length) : default;
}
