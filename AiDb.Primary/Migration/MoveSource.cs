using AiDb.Cluster.Migration;
using AiDb.Cluster.Model;
using AiDb.Contracts.Internal.V1;
using AiDb.Engine;
using AiDb.Engine.Log;
using AiDb.Primary.Shards;
using Google.Protobuf;

namespace AiDb.Primary.Migration;

/// <summary>
/// The source's side of a migration: sends a copy of the keys of the slots as of a snapshot, then the state of every key
/// that changed meanwhile, again and again until few do; then it freezes the slots, and sends the rest. What is sent of a
/// key is its state, never an operation: it may be sent twice, and what merges or conditions made of it is in it.
/// </summary>
/// <remarks>Thread safety: none; one instance serves one stream.</remarks>
internal sealed class MoveSource
{
    /// <summary>Keys that are left to be sent while nobody may touch the slots.</summary>
    private const int FreezeBelow = 200;

    private const int MaxRounds = 200;
    private const int KeysBetweenLooks = 4096;

    /// <summary>Between looks at the log while the target takes in what it was sent.</summary>
    private static readonly TimeSpan Look = TimeSpan.FromMilliseconds(5);

    private static readonly TimeSpan MapPause = TimeSpan.FromMilliseconds(1);

    /// <summary>How long writes that began before the freeze may take.</summary>
    private static readonly TimeSpan DrainPatience = TimeSpan.FromSeconds(2);

    private readonly ShardHost _host;
    private readonly ClusterMapWatcher _map;
    private readonly SlotMigration _migration;
    private readonly MovePace _pace;
    private readonly HashSet<KeyName> _touched = [];
    private readonly Dictionary<KeyName, ulong> _sent = [];
    private readonly Snapshot _snapshot;
    private readonly LogTail _tail;
    private readonly TimeProvider _time;
    private readonly bool _asksForFreeze;
    private MoveChecksum _checksum;
    private ulong _tailLsn;

    private MoveSource(
        ShardHost host, ClusterMapWatcher map, TimeProvider time, SlotMigration migration, MoveSlotsRequest request,
        Func<MoveFrame, Task> write, Snapshot snapshot, LogTail tail)
    {
        _host = host;
        _map = map;
        _migration = migration;
        _pace = new MovePace(request.BytesPerSecond, time, write);
        _checksum = new MoveChecksum(request.HorizonMs);
        _time = time;
        _asksForFreeze = request.AsksForFreeze;
        _snapshot = snapshot;
        _tail = tail;
        _tailLsn = snapshot.Position.Lsn;
    }

    /// <summary>Serves a stream to its end.</summary>
    /// <exception cref="AiDbException"><see cref="AiDbErrorKind.PreconditionFailed"/>: the slots cannot be moved;
    /// <see cref="AiDbErrorKind.Aborted"/>: something happened that a copy does not bear; try anew.</exception>
    public static async Task RunAsync(
        ShardHost host, ClusterMapWatcher map, TimeProvider time, MoveSlotsRequest request, Func<MoveFrame, Task> write,
        CancellationToken cancellationToken)
    {
        ClusterMap known = await map.WaitForAsync(
            current => current.Migrations.Any(migration => migration.Id == request.Migration), cancellationToken)
            .ConfigureAwait(false);

        // Writes must be checked by ranges that are as new as the migration: a range that was split before it may have kept
        // one of its halves out of these slots.
        while (host.Moves.Slots.ByMap.MapVersion < (ulong)known.Version)
            await Task.Delay(MapPause, time, cancellationToken).ConfigureAwait(false);
        SlotMigration migration = known.Migrations.First(migration => migration.Id == request.Migration);
        if (migration.Phase != MigrationPhase.Copying || migration.Source != host.Shard
            || !migration.Slots.All().All(slot => host.Ownership.Owns((uint)slot)))
        {
            throw new AiDbException(
                AiDbErrorKind.PreconditionFailed,
                $"Migration {migration.Id} ({migration.Phase}) cannot take slots from shard {host.Shard}.");
        }

        using Snapshot snapshot = host.Database.CreateSnapshot();
        using LogTail tail = host.Database.TailLog(snapshot.Position.Lsn + 1);
        var source = new MoveSource(host, map, time, migration, request, write, snapshot, tail);
        await source.SendAsync(cancellationToken).ConfigureAwait(false);
    }

    private async Task SendAsync(CancellationToken cancellationToken)
    {
        CheckNoPoints();
        foreach (TableDescriptor table in _map.Current.Tables)
        {
            foreach (ScanRange range in RangesOf(table))
                await CopyAsync(table, range, cancellationToken).ConfigureAwait(false);
        }

        await _pace.WriteAsync(new MoveFrame { Copied = true }).ConfigureAwait(false);
        await CatchUpAsync(cancellationToken).ConfigureAwait(false);
        if (_asksForFreeze)
            await AwaitTargetAsync(cancellationToken).ConfigureAwait(false);
        await _host.Moves.FreezeAsync(_migration, DrainPatience, cancellationToken).ConfigureAwait(false);
        Task marking = _host.Moves.MarkFrozenAsync(_migration, cancellationToken).AsTask();
        try
        {
            await SendRestAsync(_host.Database.AppliedPosition.Lsn, cancellationToken).ConfigureAwait(false);
        }
        finally
        {
            await marking.ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
        }

        await marking.ConfigureAwait(false);
        await _pace.WriteAsync(new MoveFrame { Frozen = true, KeyCount = _checksum.Count, Checksum = _checksum.Sum })
            .ConfigureAwait(false);
    }

    /// <summary>Sends what changed before the freeze. The target looks at it and makes it durable while the freeze becomes
    /// durable here.</summary>
    private async Task SendRestAsync(ulong last, CancellationToken cancellationToken)
    {
        while (_tailLsn < last)
        {
            if (!await _tail.WaitToReadAsync(cancellationToken).ConfigureAwait(false))
                throw new AiDbException(AiDbErrorKind.Unavailable, $"Shard {_host.Shard} is closing.");
            await FollowAsync(cancellationToken).ConfigureAwait(false);
        }

        await SendTouchedAsync(cancellationToken).ConfigureAwait(false);
        await _pace.WriteAsync(new MoveFrame { Complete = true, KeyCount = _checksum.Count, Checksum = _checksum.Sum })
            .ConfigureAwait(false);
        _host.Moves.FreezeOf(_migration.Id)?.Mark(SlotFreeze.Step.Sent);
    }

    /// <summary>Sends what changed until little did.</summary>
    private async Task CatchUpAsync(CancellationToken cancellationToken)
    {
        for (int round = 0; round <= MaxRounds; round++)
        {
            await FollowAsync(cancellationToken).ConfigureAwait(false);
            int touched = _touched.Count;
            await SendTouchedAsync(cancellationToken).ConfigureAwait(false);
            if (touched < FreezeBelow)
                return;
        }

        throw new AiDbException(AiDbErrorKind.Aborted, "The slots change faster than they can be copied.");
    }

    /// <summary>Waits until the target has taken in what it was sent, durably, and goes on with what changes: nobody may touch
    /// the slots while it catches up.</summary>
    private async Task AwaitTargetAsync(CancellationToken cancellationToken)
    {
        try
        {
            Task allowed = _host.Moves.WhenFreezeAllowed(_migration.Id);
            await _pace.WriteAsync(new MoveFrame { CaughtUp = true }).ConfigureAwait(false);
            while (!allowed.IsCompleted)
            {
                await Task.WhenAny(allowed, Task.Delay(Look, _time, cancellationToken)).ConfigureAwait(false);
                await FollowAsync(cancellationToken).ConfigureAwait(false);
                await SendTouchedAsync(cancellationToken).ConfigureAwait(false);
                await _pace.KeepAliveAsync().ConfigureAwait(false);
            }
        }
        finally
        {
            _host.Moves.ForgetFreeze(_migration.Id);
        }

        await CatchUpAsync(cancellationToken).ConfigureAwait(false);
    }

    /// <summary>Where keys of the slots may be: of hashed keys anywhere.</summary>
    private IEnumerable<ScanRange> RangesOf(TableDescriptor table) => table.Ranges is not { } ranges
        ? [default]
        : Enumerable.Range(0, ranges.Count)
            .Where(index => _migration.Slots.Contains(ranges.SlotAt(index)))
            .Select(index => new ScanRange { Start = ranges.StartOf(index), End = ranges.EndOf(index) });

    private async Task CopyAsync(TableDescriptor table, ScanRange range, CancellationToken cancellationToken)
    {
        var frame = new MoveFrame();
        long bytes = 0;
        int looked = 0;
        using ScanCursor cursor = _host.Database.GetTableById(table.Id).Scan(range, _snapshot);
        while (cursor.MoveNext())
        {
            if (++looked % KeysBetweenLooks == 0)
            {
                // The log keeps only so much for those who follow it.
                await FollowAsync(cancellationToken).ConfigureAwait(false);
                await _pace.KeepAliveAsync().ConfigureAwait(false);
            }

            int slot = _host.Moves.KeySlots.SlotOf(table, cursor.Key, _snapshot, out bool isNamed);
            if (!_migration.Slots.Contains(slot))
                continue;
            var key = new MovedKey
            {
                TableId = table.Id,
                Key = ByteString.CopyFrom(cursor.Key),
                Value = ByteString.CopyFrom(cursor.Value),
                Version = cursor.Version,
                ExpiresAtMs = cursor.ExpiresAtMs,
                NamedSlot = isNamed ? (uint)slot + 1 : 0,
            };
            _checksum.Replace(0, HashOf(key));
            frame.Keys.Add(key);
            bytes += SizeOf(key);
            if (bytes < _pace.FrameBytes)
                continue;
            await _pace.WriteAsync(frame).ConfigureAwait(false);
            await FollowAsync(cancellationToken).ConfigureAwait(false);
            await _pace.TakeAsync(bytes, FollowAsync, cancellationToken).ConfigureAwait(false);
            frame = new MoveFrame();
            bytes = 0;
        }

        if (frame.Keys.Count > 0)
            await _pace.WriteAsync(frame).ConfigureAwait(false);
    }

    /// <summary>Takes note of what the log brought.</summary>
    private async ValueTask FollowAsync(CancellationToken cancellationToken)
    {
        cancellationToken.ThrowIfCancellationRequested();
        List<KeyName> unknown = [];
        while (_tail.TryRead(out LogEntry entry))
        {
            if (entry.Type == LogRecordType.Batch)
                Note(entry, unknown);
            _tailLsn = entry.Position.Lsn;
        }

        foreach (KeyName key in unknown)
        {
            // Whoever wrote it knew the table from the store, so that the map must show it soon.
            ClusterMap map = await _map.WaitForAsync(
                current => current.FindTable(key.TableId) is not null || current.DroppedTables.Contains(key.TableId)
                    || current.Collections.Dropped.Contains(key.TableId) || IsCollection(current, key.TableId),
                cancellationToken).ConfigureAwait(false);
            if (IsCollection(map, key.TableId))
                throw PointsStay();
            if (map.FindTable(key.TableId) is { } table && Concerns(table, key))
                _touched.Add(key);
        }
    }

    private void Note(in LogEntry entry, List<KeyName> unknown)
    {
        var operations = new LogOperationReader(entry.Payload.Span);
        while (operations.MoveNext())
        {
            if (operations.Kind == LogOperationKind.Require || operations.TableId < Table.FirstHostId)
                continue;
            if (operations.Kind is LogOperationKind.DeleteRange or LogOperationKind.Ingest)
            {
                throw new AiDbException(
                    AiDbErrorKind.Aborted,
                    $"Table {operations.TableId} was changed by a {operations.Kind} during the copy; it begins anew.");
            }

            var key = new KeyName(operations.TableId, operations.Key.ToArray());
            if (_map.Current.FindTable(key.TableId) is not { } table)
                unknown.Add(key);
            else if (Concerns(table, key))
                _touched.Add(key);
        }
    }

    /// <summary>Whether a key is, or was when it was sent, of the slots.</summary>
    private bool Concerns(TableDescriptor table, in KeyName key)
    {
        KeySlots slots = _host.Moves.KeySlots;
        return _migration.Slots.Contains(slots.SlotOf(table, key.Key, null, out _))
            || (_host.Moves.Partitions.HasAny
                && (_sent.ContainsKey(key) || _migration.Slots.Contains(slots.SlotOf(table, key.Key, _snapshot, out _))));
    }

    private async Task SendTouchedAsync(CancellationToken cancellationToken)
    {
        var frame = new MoveFrame();
        long bytes = 0;
        foreach (KeyName name in _touched)
        {
            if (_map.Current.FindTable(name.TableId) is not { } table)
                continue;
            MovedKey key = Read(table, name, snapshot: null);
            if (!_sent.TryGetValue(name, out ulong before))
                before = HashOf(Read(table, name, _snapshot));
            ulong after = HashOf(key);
            _sent[name] = after;
            _checksum.Replace(before, after);
            frame.Keys.Add(key);
            bytes += SizeOf(key);
            if (bytes < MovePace.LargestFrame)
                continue;
            cancellationToken.ThrowIfCancellationRequested();
            await _pace.WriteAsync(frame).ConfigureAwait(false);
            frame = new MoveFrame();
            bytes = 0;
        }

        if (frame.Keys.Count > 0)
            await _pace.WriteAsync(frame).ConfigureAwait(false);
        _touched.Clear();
    }

    private MovedKey Read(TableDescriptor table, in KeyName name, Snapshot? snapshot)
    {
        var key = new MovedKey { TableId = table.Id, Key = UnsafeByteOperations.UnsafeWrap(name.Key), Absent = true };
        int slot = _host.Moves.KeySlots.SlotOf(table, name.Key, snapshot, out bool isNamed);
        if (!_migration.Slots.Contains(slot)
            || !_host.Database.GetTableById(table.Id).TryGet(name.Key, out ValueLease lease, snapshot))
        {
            return key;
        }

        using (lease)
        {
            key.Absent = false;
            key.Value = ByteString.CopyFrom(lease.Span);
            key.Version = lease.Version;
            key.ExpiresAtMs = lease.ExpiresAtMs;
            key.NamedSlot = isNamed ? (uint)slot + 1 : 0;
            return key;
        }
    }

    private ulong HashOf(MovedKey key) => key.Absent
        ? 0
        : _checksum.Of(key.TableId, key.Key.Span, key.Value.Span, key.Version, key.ExpiresAtMs);

    private static long SizeOf(MovedKey key) => 32 + key.Key.Length + key.Value.Length;

    private void CheckNoPoints()
    {
        foreach (CollectionDescriptor collection in _map.Current.Collections.All)
        {
            using ScanCursor cursor = _host.Database.GetTableById(collection.Id).Scan(default, _snapshot);
            if (cursor.MoveNext())
                throw PointsStay();
        }
    }

    private static bool IsCollection(ClusterMap map, uint id) => map.Collections.All.Any(collection => collection.Id == id);

    private static AiDbException PointsStay() => new(
        AiDbErrorKind.PreconditionFailed, "The shard holds points of collections, which do not move yet: its slots stay.");
}
