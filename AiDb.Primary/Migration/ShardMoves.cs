using System.Collections.Concurrent;
using AiDb.Cluster.Migration;
using AiDb.Cluster.Model;
using AiDb.Contracts;
using AiDb.Contracts.Internal.V1;
using AiDb.Engine;
using AiDb.Primary.Shards;

namespace AiDb.Primary.Migration;

/// <summary>What a shard knows of its slots and of migrations: which slots it answers for, which keys are whose, what the
/// markers in its database say, and how busy its slots are.</summary>
/// <remarks>Thread safety: all members may be called concurrently.</remarks>
internal sealed class ShardMoves
{
    private readonly ClusterMapWatcher? _map;
    private readonly TimeProvider _time;
    private readonly long _openedAt;
    private readonly long[] _requests = new long[ShardLoad.Runs];
    private readonly Lock _gate = new();
    private readonly Dictionary<ulong, MoveFigures> _incoming = [];
    private readonly ConcurrentDictionary<ulong, TaskCompletionSource> _freezes = new();
    private readonly ConcurrentDictionary<ulong, SlotFreeze> _frozen = new();

    public ShardMoves(Database database, SlotOwnership ownership, ClusterMapWatcher? map, TimeProvider time)
    {
        _map = map;
        _time = time;
        _openedAt = time.GetTimestamp();
        Slots = new ShardSlots(ownership, () => database.Epoch);
        Partitions = new NamedPartitions(database);
        Markers = new MoveMarkers(database);
        KeySlots = new KeySlots(Partitions);
        foreach (MoveMarker marker in Markers.All().Where(marker => marker.Role == MoveRole.Source))
            Hold(marker.Migration, marker.Slots);
    }

    /// <summary>The slots that it answers for.</summary>
    public ShardSlots Slots { get; }

    /// <summary>The slots of keys whose writers named the partition.</summary>
    public NamedPartitions Partitions { get; }

    /// <summary>The markers of migrations.</summary>
    public MoveMarkers Markers { get; }

    /// <summary>Finds the slots of keys.</summary>
    public KeySlots KeySlots { get; }

    /// <summary>Counts a request. Some may be missed where several threads count at once.</summary>
    public void Count(uint slot)
    {
        if (slot < SlotHash.SlotCount)
            _requests[slot / (SlotHash.SlotCount / ShardLoad.Runs)]++;
    }

    /// <summary>What a scan of a table shows; null: everything.</summary>
    /// <param name="tableId">The table.</param>
    /// <param name="ownership">The slots that the scan goes by.</param>
    /// <exception cref="AiDbException"><see cref="AiDbErrorKind.Unavailable"/>: the table is not known here
    /// yet.</exception>
    public SlotFilter? FilterOf(uint tableId, SlotOwnership ownership)
    {
        if (_map is null || !Markers.HasAny)
            return null;
        return _map.Current.FindTable(tableId) is { } table && (table.Ranges is null || ownership.Ranges.ContainsKey(tableId))
            ? new SlotFilter(KeySlots, table, ownership)
            : throw new AiDbException(AiDbErrorKind.Unavailable, $"Table {tableId} is not known here yet.")
            {
                RetryAfter = TimeSpan.FromMilliseconds(10),
            };
    }

    /// <summary>A task that ends when the target of a migration allows the freeze; <see cref="ForgetFreeze"/> ends the
    /// wait for it.</summary>
    public Task WhenFreezeAllowed(ulong migration) => _freezes.GetOrAdd(
        migration, static _ => new TaskCompletionSource(TaskCreationOptions.RunContinuationsAsynchronously)).Task;

    /// <summary>Allows a freeze; false: nobody waits for that.</summary>
    public bool AllowFreeze(ulong migration)
    {
        if (!_freezes.TryGetValue(migration, out TaskCompletionSource? allowed))
            return false;
        allowed.TrySetResult();
        return true;
    }

    /// <summary>Nobody waits for a freeze any more.</summary>
    public void ForgetFreeze(ulong migration) => _freezes.TryRemove(migration, out _);

    /// <summary>Stops answering for the slots of a migration, and waits for the writes that began before: from there on nothing
    /// of them changes. <see cref="MarkFrozenAsync"/> has to follow.</summary>
    /// <exception cref="AiDbException"><see cref="AiDbErrorKind.Unavailable"/>: writes under way do not end; nothing is
    /// frozen.</exception>
    public async ValueTask FreezeAsync(SlotMigration migration, TimeSpan patience, CancellationToken cancellationToken)
    {
        Hold(migration.Id, migration.Slots);
        try
        {
            await Slots.DrainAsync(patience, _time, cancellationToken).ConfigureAwait(false);
            FreezeOf(migration.Id)?.Mark(SlotFreeze.Step.Drained);
        }
        catch
        {
            Release(migration.Id);
            throw;
        }
    }

    /// <summary>Makes a freeze durable. If it fails it is not known whether the marker is there: the slots stay frozen until the
    /// store has decided.</summary>
    public async ValueTask MarkFrozenAsync(SlotMigration migration, CancellationToken cancellationToken)
    {
        await Markers.PutAsync(new MoveMarker(migration.Id, MoveRole.Source, migration.Slots), cancellationToken)
            .ConfigureAwait(false);
        FreezeOf(migration.Id)?.Mark(SlotFreeze.Step.Durable);
    }

    /// <summary>The freeze of a migration's slots, since the shard was opened; null: there is none.</summary>
    public SlotFreeze? FreezeOf(ulong migration) => _frozen.GetValueOrDefault(migration);

    /// <summary>Ends a freeze of a migration that was aborted.</summary>
    public async ValueTask UnfreezeAsync(ulong migration, CancellationToken cancellationToken)
    {
        // The slots first: were the marker gone, a restart in between would serve them as well.
        Release(migration);
        await Markers.RemoveAsync(migration, cancellationToken).ConfigureAwait(false);
    }

    /// <summary>Tells how far a copy is that is taken in; null: it has ended.</summary>
    public void Report(ulong migration, MoveFigures? figures)
    {
        lock (_gate)
        {
            if (figures is null)
                _incoming.Remove(migration);
            else
                _incoming[migration] = figures;
        }
    }

    /// <summary>What the placement of slots goes by.</summary>
    public ShardFigures Figures(Database database)
    {
        DatabaseStatistics statistics = database.GetStatistics();
        var figures = new ShardFigures
        {
            Bytes = (ulong)(statistics.TableBytes + statistics.ValueFileBytes + statistics.LogBytes + statistics.MemtableBytes),
            FreeDiskBytes = (ulong)FreeBytesOf(database.Path),
            OpenMs = (ulong)_time.GetElapsedTime(_openedAt).TotalMilliseconds,
            CpuLoad = CpuMeter.Shared.Load(_time),
        };
        foreach (long count in _requests)
            figures.Requests.Add((ulong)count);
        lock (_gate)
        {
            figures.Moves.AddRange(_incoming.Values.Select(move => new MoveProgress
            {
                Migration = move.Migration,
                Phase = move.Phase,
                Keys = move.Keys,
                Bytes = move.Bytes,
                Frames = move.Frames,
            }));
        }

        return figures;
    }

    private void Hold(ulong migration, SlotSet slots)
    {
        _frozen[migration] = new SlotFreeze(_time);
        Slots.Freeze(migration, slots);
    }

    private void Release(ulong migration)
    {
        Slots.Unfreeze(migration);
        _frozen.TryRemove(migration, out _);
    }

    // 0 says that it is not known.
    private static long FreeBytesOf(string path)
    {
        try
        {
            return Math.Max(1, new DriveInfo(Path.GetFullPath(path)).AvailableFreeSpace);
        }
        catch (Exception error) when (error is IOException or UnauthorizedAccessException or ArgumentException)
        {
            return 0;
        }
    }
}

/// <summary>How busy this process keeps the machine's processors, between two looks at it.</summary>
internal sealed class CpuMeter
{
    private static readonly TimeSpan ShortestSpan = TimeSpan.FromSeconds(1);

    private readonly Lock _gate = new();
    private TimeSpan _used;
    private long _lookedAt;
    private double _load;

    /// <summary>The process has one.</summary>
    public static CpuMeter Shared { get; } = new();

    /// <summary>A part of all processors, 0 to 1.</summary>
    public double Load(TimeProvider time)
    {
        lock (_gate)
        {
            TimeSpan span = _lookedAt == 0 ? TimeSpan.Zero : time.GetElapsedTime(_lookedAt);
            if (_lookedAt != 0 && span < ShortestSpan)
                return _load;
            TimeSpan used = Environment.CpuUsage.TotalTime;
            if (span > TimeSpan.Zero)
                _load = Math.Clamp((used - _used) / span / Environment.ProcessorCount, 0, 1);
            _used = used;
            _lookedAt = time.GetTimestamp();
            return _load;
        }
    }
}
