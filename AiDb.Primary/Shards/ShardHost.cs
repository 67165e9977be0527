using System.Collections.Concurrent;
using System.Diagnostics;
using AiDb.Backup.Archiving;
using AiDb.Backup.Restoring.Lazy;
using AiDb.Cluster.Model;
using AiDb.Contracts;
using AiDb.Contracts.Internal.V1;
using AiDb.Engine;
using AiDb.Primary.Migration;
using Google.Protobuf;
using Microsoft.Extensions.Logging.Abstractions;

namespace AiDb.Primary.Shards;

/// <summary>One shard: its database, and the requests of the wire against it. In a cluster a primary hosts
/// it; the stand-alone gateway calls it in its own process.</summary>
/// <remarks>
/// Thread safety: all members may be called concurrently, <see cref="DisposeAsync"/> last. Gets are answered
/// without waiting; writes wait for the engine; scans and large multi-gets run on the pool, since they may
/// read much from the disk. What is wrong with a request comes back in <see cref="Response.Error"/>; nothing
/// is thrown.
/// </remarks>
public sealed partial class ShardHost : IShardClient
{
    private const int InlineKeys = 128;

    private static readonly RequestTracing Tracing = new("AiDb.Primary");
    private const int MaxMultiGetBytes = WireLimits.MaxBatchBytes;

    /// <summary>How long a request waits for the map that it was sent by.</summary>
    private static readonly TimeSpan LongestWaitForMap = TimeSpan.FromMilliseconds(100);

    private readonly ConcurrentDictionary<uint, Table> _tables = new();
    private readonly ShardScans _scans;
    private readonly ShardWrites _writes;
    private readonly ShardCollections _collections;
    private readonly ILogger _logger;
    private readonly TimeProvider _time;
    private Position _position = new();
    private int _disposed;

    /// <summary>Hosts an open database, which belongs to this object from here on.</summary>
    /// <param name="shard">The shard's number, from 1.</param>
    /// <param name="database">Its data; its epoch has begun.</param>
    /// <param name="ownership">The slots that it owns at first.</param>
    /// <param name="options">Bounds.</param>
    /// <param name="timeProvider">The clock of idle snapshots.</param>
    /// <param name="logger">Where faults go.</param>
    /// <param name="map">Where the settings of collections come from; null: it serves none.</param>
    public ShardHost(
        uint shard,
        Database database,
        SlotOwnership ownership,
        ShardHostOptions? options = null,
        TimeProvider? timeProvider = null,
        ILogger? logger = null,
        ClusterMapWatcher? map = null)
    {
        options ??= new ShardHostOptions();
        options.Validate();
        Shard = shard;
        Database = database;
        _logger = logger ?? NullLogger.Instance;
        _time = timeProvider ?? TimeProvider.System;
        Moves = new ShardMoves(database, ownership, map, _time);
        _scans = new ShardScans(database, options, _time, Moves);
        _writes = new ShardWrites(database, TableOf, () => Archive, Moves, WrongSlot, () => ConfirmRead is not null);
        _collections = new ShardCollections(database, map, () => Archive is not null);
    }

    /// <summary>The shard's number.</summary>
    public uint Shard { get; }

    /// <summary>Its data.</summary>
    public Database Database { get; }

    /// <summary>Its archive, which belongs to this object; null: it is not archived.</summary>
    public ArchiveRunner? Archive { get; set; }

    /// <summary>Of a shard of several voters: waits until a read that begins now sees what was acknowledged before, and no later
    /// primary can have been elected meanwhile. Null: there is nobody else to serve it.</summary>
    public Func<CancellationToken, ValueTask<ulong>>? ConfirmRead { get; init; }

    /// <summary>Holds writes off while the shard is handed over.</summary>
    internal WriteGate Gate { get; } = new();

    /// <summary>Fetches tables that are missing, which belongs to this object; null: none are.</summary>
    public LazyRestore? Restore { get; set; }

    /// <summary>Snapshots that scans hold between their pages.</summary>
    public int PinnedSnapshots => _scans.PinnedSnapshots;

    /// <summary>The slots that it owns and answers for; replaced when the map changes.</summary>
    public SlotOwnership Ownership
    {
        get => Moves.Slots.Current;
        set => Moves.Slots.ByMap = value;
    }

    /// <summary>What it knows of slots that come and go.</summary>
    internal ShardMoves Moves { get; }

    /// <summary>Opens a shard's folder and begins a new epoch, as every start of a primary does.</summary>
    /// <param name="shard">The shard's number, from 1.</param>
    /// <param name="path">The folder.</param>
    /// <param name="ownership">The slots that it owns at first; null: all.</param>
    /// <param name="databaseOptions">Settings of the engine.</param>
    /// <param name="components">Parts of the engine.</param>
    /// <param name="options">Bounds.</param>
    /// <param name="epoch">The elected epoch; null: the next one.</param>
    public static ShardHost Open(
        uint shard,
        string path,
        SlotOwnership? ownership = null,
        DatabaseOptions? databaseOptions = null,
        DatabaseComponents? components = null,
        ShardHostOptions? options = null,
        ulong? epoch = null)
    {
        components ??= new DatabaseComponents();
        Database database = Database.Open(path, databaseOptions, components);
        try
        {
            database.BeginEpoch(epoch ?? database.Epoch + 1);
            ILogger logger = components.LoggerFactory.CreateLogger<ShardHost>();
            return new ShardHost(
                shard, database, ownership ?? SlotOwnership.All, options, components.TimeProvider, logger);
        }
        catch
        {
            database.Dispose();
            throw;
        }
    }

    /// <summary>Executes a request.</summary>
    public ValueTask<Response> ExecuteAsync(Request request, CancellationToken cancellationToken = default)
    {
        ValueTask<Response> answer = Tracing.IsTraced(request, out ActivityContext parent)
            ? Tracing.RunAsync(request, parent, GuardedAsync, cancellationToken)
            : GuardedAsync(request, cancellationToken);
        return request.MapVersion <= Moves.Slots.ByMap.MapVersion
            ? answer
            : AgainByNewerMapAsync(request, answer, cancellationToken);
    }

    /// <inheritdoc/>
    public ValueTask<Response> SendAsync(Request request, CancellationToken cancellationToken = default) =>
        request.Shard == Shard
            ? ExecuteAsync(request, cancellationToken)
            : ValueTask.FromResult(WrongOwner($"This is shard {Shard}, not {request.Shard}."));

    /// <summary>Releases the snapshots of scans, syncs the log and closes the database.</summary>
    public async ValueTask DisposeAsync()
    {
        if (Interlocked.Exchange(ref _disposed, 1) != 0)
            return;
        _scans.Dispose();
        if (Archive is not null)
            await Archive.DisposeAsync().ConfigureAwait(false);

        // Reads that wait for it must not hold up the closing.
        if (Restore is not null)
            await Restore.DisposeAsync().ConfigureAwait(false);
        await Database.DisposeAsync().ConfigureAwait(false);
    }

    /// <summary>Whoever asks by a newer map may know of slots that this shard has got: what was refused for its slot is done by
    /// that map, which comes within moments.</summary>
    private async ValueTask<Response> AgainByNewerMapAsync(
        Request request, ValueTask<Response> answer, CancellationToken cancellationToken)
    {
        Response response = await answer.ConfigureAwait(false);
        if (response.Error is not { Kind: (int)AiDbErrorKind.Aborted } || response.MapVersion == 0)
            return response;
        try
        {
            bool isNewer = await Moves.Slots.WaitForMapAsync(request.MapVersion, LongestWaitForMap, _time, cancellationToken)
                .ConfigureAwait(false);
            return isNewer ? await GuardedAsync(request, cancellationToken).ConfigureAwait(false) : response;
        }
        catch (OperationCanceledException exception)
        {
            return Failed(exception);
        }
    }

    private ValueTask<Response> GuardedAsync(Request request, CancellationToken cancellationToken)
    {
        if (ConfirmRead is null)
            return ServeAsync(request, cancellationToken);
        if (RequestLimits.ChangesState(request))
            return GatedAsync(request, cancellationToken);
        return RequestLimits.MustBeConfirmed(request)
            ? ConfirmedAsync(request, ConfirmRead, cancellationToken)
            : ServeAsync(request, cancellationToken);
    }

    private async ValueTask<Response> ConfirmedAsync(
        Request request, Func<CancellationToken, ValueTask<ulong>> confirm, CancellationToken cancellationToken)
    {
        try
        {
            await confirm(cancellationToken).ConfigureAwait(false);
        }
        catch (AiDbException exception)
        {
            // Nothing was read; another node is the primary, or will be.
            return new Response
            {
                Error = ErrorMapping.ToError(
                    new AiDbException(AiDbErrorKind.Unavailable, exception.Message) { RetryAfter = TimeSpan.FromMilliseconds(50) }),
                MapVersion = Ownership.MapVersion,
            };
        }
        catch (OperationCanceledException exception)
        {
            return Failed(exception);
        }

        return await ServeAsync(request, cancellationToken).ConfigureAwait(false);
    }

    private async ValueTask<Response> GatedAsync(Request request, CancellationToken cancellationToken)
    {
        try
        {
            Gate.Enter();
        }
        catch (AiDbException exception)
        {
            return Failed(exception);
        }

        try
        {
            return await ServeAsync(request, cancellationToken).ConfigureAwait(false);
        }
        finally
        {
            Gate.Exit();
        }
    }

    private ValueTask<Response> ServeAsync(Request request, CancellationToken cancellationToken)
    {
        try
        {
            return request.OperationCase switch
            {
                Request.OperationOneofCase.Get => ValueTask.FromResult(Get(request.Get)),
                Request.OperationOneofCase.MultiGet when request.MultiGet.Keys.Count <= InlineKeys =>
                    ValueTask.FromResult(MultiGet(request.MultiGet)),
                Request.OperationOneofCase.Write => WriteAsync(request.Write, cancellationToken),
                Request.OperationOneofCase.Collection => CollectionAsync(request, cancellationToken),
                Request.OperationOneofCase.ReadFigures =>
                    ValueTask.FromResult(new Response { Figures = Moves.Figures(Database) }),
                Request.OperationOneofCase.ReadPosition => ValueTask.FromResult(At(Database.AppliedPosition)),
                Request.OperationOneofCase.None => throw RequestLimits.Invalid("operation is missing or not known."),
                _ => OnPoolAsync(request, cancellationToken),
            };
        }
        catch (Exception exception)
        {
            return ValueTask.FromResult(Failed(exception));
        }
    }

    private async ValueTask<Response> OnPoolAsync(Request request, CancellationToken cancellationToken)
    {
        try
        {
            return await Task.Run(
                () => request.OperationCase switch
                {
                    Request.OperationOneofCase.MultiGet => MultiGet(request.MultiGet),
                    Request.OperationOneofCase.Scan => Scan(request.Scan, cancellationToken),
                    Request.OperationOneofCase.MeasureRanges => Measure(request.MeasureRanges, cancellationToken),
                    _ => DropTable(request.DropTable),
                },
                cancellationToken).ConfigureAwait(false);
        }
        catch (Exception exception)
        {
            return Failed(exception);
        }
    }

    private async ValueTask<Response> WriteAsync(Write request, CancellationToken cancellationToken)
    {
        try
        {
            RequestLimits.CheckWrite(request);
            return await _writes.WriteAsync(request, cancellationToken).ConfigureAwait(false);
        }
        catch (Exception exception)
        {
            return Failed(exception);
        }
    }

    private async ValueTask<Response> CollectionAsync(Request request, CancellationToken cancellationToken)
    {
        bool isWrite = request.Collection.OperationCase == CollectionCall.OperationOneofCase.Write;
        if (!isWrite || Archive is not { } archive)
            return await CollectionNowAsync(request, isWrite, cancellationToken).ConfigureAwait(false);
        try
        {
            // Neither wait is part of the write: a slot that moves away waits for those.
            await ShardWrites.ThrottleAsync(archive, cancellationToken).ConfigureAwait(false);
            Response response = await CollectionNowAsync(request, isWrite, cancellationToken).ConfigureAwait(false);
            if (request.Collection.Write.Durability == Contracts.V1.Durability.Archived && response.Collection?.Write is { } written)
                await ShardWrites.WaitArchivedAsync(archive, written.Lsn, cancellationToken).ConfigureAwait(false);
            return response;
        }
        catch (Exception exception)
        {
            return Failed(exception);
        }
    }

    // Searches compute for a while; the thread that brings the requests must not.
    private async ValueTask<Response> CollectionNowAsync(
        Request request, bool isWrite, CancellationToken cancellationToken)
    {
        SlotOwnership ownership = isWrite ? Moves.Slots.EnterWrite() : Ownership;
        try
        {
            (CollectionAnswer? answer, uint wrongSlot) = await Task.Run(
                async () => await _collections.ExecuteAsync(request.Collection, ownership, cancellationToken)
                    .ConfigureAwait(false),
                cancellationToken).ConfigureAwait(false);
            if (answer is null)
                return WrongSlot(wrongSlot, ownership);
            Response response = At(Database.AppliedPosition);
            response.Collection = answer;
            return response;
        }
        catch (Exception exception)
        {
            return Failed(exception);
        }
        finally
        {
            if (isWrite)
                ShardSlots.ExitWrite(ownership);
        }
    }

    private Response Get(Get request)
    {
        RequestLimits.CheckTable(request.TableId);
        RequestLimits.CheckSlot(request.Slot);
        RequestLimits.CheckKey(request.Key.Length);
        SlotOwnership ownership = Ownership;
        uint slot = ownership.SlotOf(request.TableId, request.Key.Span, request.Slot);
        if (!ownership.Owns(slot))
            return WrongSlot(slot, ownership);
        Moves.Count(slot);

        // Taken before the read: the value is at least as new.
        LogPosition position = Database.AppliedPosition;
        CheckSeen(request.Level, position);
        Response response = At(position);
        var value = new Value();
        if (TableOf(request.TableId).TryGet(request.Key.Span, out ValueLease lease))
        {
            using (lease)
                Fill(value, in lease, request.Head);
        }

        // Frozen or given away meanwhile: another shard may have answered a newer write before this read was done.
        SlotOwnership now = Ownership;
        slot = now.SlotOf(request.TableId, request.Key.Span, request.Slot);
        if (!ReferenceEquals(ownership, now) && !now.Owns(slot))
            return WrongSlot(slot, now);
        response.Get = value;
        return response;
    }

    private Response MultiGet(MultiGet request)
    {
        RequestLimits.CheckTable(request.TableId);
        RequestLimits.CheckMultiGet(request);
        SlotOwnership ownership = Ownership;
        var keys = new ReadOnlyMemory<byte>[request.Keys.Count];
        for (int index = 0; index < keys.Length; index++)
        {
            RequestLimits.CheckKey(request.Keys[index].Length);
            RequestLimits.CheckSlot(request.Slots[index]);
            keys[index] = request.Keys[index].Memory;
            uint slot = ownership.SlotOf(request.TableId, keys[index].Span, request.Slots[index]);
            if (!ownership.Owns(slot))
                return WrongSlot(slot, ownership);
            Moves.Count(slot);
        }

        LogPosition position = Database.AppliedPosition;
        CheckSeen(request.Level, position);
        Response response = At(position);
        var values = new Values();
        var leases = new ValueLease[keys.Length];
        TableOf(request.TableId).MultiGet(keys, leases);
        try
        {
            long bytes = 0;
            foreach (ref readonly ValueLease lease in leases.AsSpan())
            {
                var value = new Value();
                if (lease.Found)
                    Fill(value, in lease, head: false);
                bytes += value.Value_.Length;
                if (bytes > MaxMultiGetBytes)
                    throw RequestLimits.Invalid($"The values of keys exceed {MaxMultiGetBytes} bytes; ask for fewer keys.");
                values.Values_.Add(value);
            }
        }
        finally
        {
            foreach (ref ValueLease lease in leases.AsSpan())
                lease.Dispose();
        }

        SlotOwnership now = Ownership;
        for (int index = 0; index < keys.Length && !ReferenceEquals(ownership, now); index++)
        {
            uint slot = now.SlotOf(request.TableId, keys[index].Span, request.Slots[index]);
            if (!now.Owns(slot))
                return WrongSlot(slot, now);
        }

        response.MultiGet = values;
        return response;
    }

    private Response Scan(Scan request, CancellationToken cancellationToken)
    {
        RequestLimits.CheckTable(request.TableId);
        CheckSeen(request.Level, Database.AppliedPosition);
        SlotOwnership ownership = Ownership;
        if (request.SnapshotVersion == 0 && request.SlotsVersion != 0 && ownership.SlotsVersion > request.SlotsVersion)
            return WrongOwner($"The scan goes by slots of version {request.SlotsVersion}, and they changed at {ownership.SlotsVersion}.");
        (ScanPage page, LogPosition position) =
            _scans.Read(request, TableOf(request.TableId), ownership, cancellationToken);
        Response response = At(position);
        response.Scan = page;
        return response;
    }

    private Response Measure(MeasureRanges request, CancellationToken cancellationToken)
    {
        RequestLimits.CheckTable(request.TableId);
        if (request.Ranges.Count > PartitionRule.MaxRanges)
            throw RequestLimits.Invalid($"ranges has {request.Ranges.Count} entries; at most {PartitionRule.MaxRanges}.");
        Table table = TableOf(request.TableId);
        var measured = new MeasuredRanges();
        foreach (KeyRange range in request.Ranges)
        {
            cancellationToken.ThrowIfCancellationRequested();
            long bytes = table.EstimateBytes(range.Start.Span, range.End.Span);
            byte[]? middle = (ulong)bytes > request.MiddleAbove ? table.FindMiddleKey(range.Start.Span, range.End.Span) : null;
            measured.Ranges.Add(new MeasuredRange
            {
                Bytes = (ulong)bytes,
                Middle = middle is null ? ByteString.Empty : UnsafeByteOperations.UnsafeWrap(middle),
            });
        }

        return new Response { Ranges = measured };
    }

    private Response DropTable(DropTable request)
    {
        RequestLimits.CheckTable(request.TableId);
        DropTable(request.TableId);
        return At(Database.AppliedPosition);
    }

    /// <summary>Drops a table's keys; caches hear of it by the log.</summary>
    public void DropTable(uint tableId)
    {
        _tables.TryRemove(tableId, out _);
        Database.DropTableById(tableId);
        Moves.Partitions.DropTable(tableId);
    }

    /// <summary>Drops a collection's points.</summary>
    public void DropCollection(uint id) => _collections.Drop(id);

    private static void Fill(Value value, in ValueLease lease, bool head)
    {
        ReadOnlySpan<byte> bytes = lease.Span;
        value.Found = true;
        value.Version = lease.Version;
        value.ExpiresAtMs = lease.ExpiresAtMs;
        value.ValueBytes = (ulong)bytes.Length;
        if (!head)
            value.Value_ = ByteString.CopyFrom(bytes);
    }

    private Table TableOf(uint id) =>
        _tables.TryGetValue(id, out Table? table) ? table : _tables.GetOrAdd(id, Database.GetTableById(id));

    /// <summary>A primary has seen every acknowledged write of its own epoch and all that survived of earlier
    /// ones. A position beyond that is of a later primary: this one has been replaced and does not know
    /// yet.</summary>
    private static void CheckSeen(ReadLevel? level, LogPosition position)
    {
        if (level?.AtLeast is not { } least)
            return;
        if (least.Epoch > position.Epoch || (least.Epoch == position.Epoch && least.Lsn > position.Lsn))
        {
            throw new AiDbException(
                AiDbErrorKind.Unavailable,
                $"The session has seen position {least.Epoch}/{least.Lsn}; this node stands at "
                + $"{position.Epoch}/{position.Lsn}.");
        }
    }

    /// <summary>An answer at a position. The message is shared between answers until the position moves on;
    /// nobody changes it.</summary>
    private Response At(LogPosition position)
    {
        Position shared = Volatile.Read(ref _position);
        if (shared.Lsn != position.Lsn || shared.Epoch != position.Epoch)
        {
            shared = new Position { Epoch = position.Epoch, Lsn = position.Lsn };
            Volatile.Write(ref _position, shared);
        }

        return new Response { Position = shared };
    }

    private Response WrongSlot(uint slot, SlotOwnership ownership) =>
        WrongOwner($"Shard {Shard} does not own slot {slot} by map version {ownership.MapVersion}.");

    private Response WrongOwner(string message) => new()
    {
        Error = ErrorMapping.ToError(AiDbErrorKind.Aborted, message),
        MapVersion = Ownership.MapVersion,
    };

    private Response Failed(Exception exception)
    {
        if (exception is not (AiDbException or OperationCanceledException))
            LogFault(_logger, exception, Shard);
        return new Response { Error = ErrorMapping.ToError(exception) };
    }

    [LoggerMessage(EventId = 1, Level = LogLevel.Error, Message = "A request of shard {Shard} failed")]
    private static partial void LogFault(ILogger logger, Exception exception, uint shard);
}
