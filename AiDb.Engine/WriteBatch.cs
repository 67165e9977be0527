using AiDb.Engine.Collections;
using AiDb.Engine.Collections.Writing;
using AiDb.Engine.Log;
using AiDb.Engine.RangeDeletes;

namespace AiDb.Engine;

/// <summary>Operations that are applied together or not at all. Within a batch a later operation on a key
/// wins over an earlier one; conditions look at the state before the batch.</summary>
/// <remarks>Thread safety: none; a batch belongs to one caller and may be cleared and used again after its
/// write was answered. Keys and values are copied in.</remarks>
public sealed class WriteBatch
{
    private LogOperationWriter _operations = new();
    private Database? _database;
    private List<AttachedPoints>? _points;

    /// <summary>Operations in the batch, checks included.</summary>
    public int Count => _operations.Count;

    /// <summary>Bytes that the batch takes in the log.</summary>
    public int SizeBytes => _operations.SizeBytes;

    /// <summary>Whether any operation has a condition.</summary>
    internal bool HasConditions { get; private set; }

    /// <summary>The greatest version of a key that is moved here; 0: none is.</summary>
    internal ulong GreatestMovedVersion { get; private set; }

    /// <summary>Whether it is an ingest, which is committed alone.</summary>
    internal bool IsIngest { get; private set; }

    /// <summary>The payload, which goes into the log as it is.</summary>
    internal LogOperationWriter Operations => _operations;

    /// <summary>Points of collections whose keys are in the batch; null: none.</summary>
    internal IReadOnlyList<AttachedPoints>? Points => _points;

    /// <summary>The database that its tables belong to; null while it is empty.</summary>
    internal Database? Database => _database;

    /// <summary>Sets a key.</summary>
    /// <param name="table">The table, of the database that the batch is written to.</param>
    /// <param name="key">1 byte to <see cref="DatabaseOptions.MaxKeyBytes"/>.</param>
    /// <param name="value">0 bytes to <see cref="DatabaseOptions.MaxValueBytes"/>.</param>
    /// <param name="timeToLive">How long it lives from the write's timestamp, to the millisecond; null: for
    /// ever.</param>
    /// <param name="condition">What must hold of the key.</param>
    public void Put(
        Table table, ReadOnlySpan<byte> key, ReadOnlySpan<byte> value, TimeSpan? timeToLive = null,
        WriteCondition condition = default)
    {
        if (value.Length > DatabaseOptions.MaxValueBytes)
            throw TooBig("value", value.Length, DatabaseOptions.MaxValueBytes, "Split it over several keys.");
        ulong timeToLiveMs = 0;
        if (timeToLive is { } lifetime)
        {
            if (lifetime <= TimeSpan.Zero)
                throw new AiDbException(AiDbErrorKind.InvalidArgument, "timeToLive must be more than zero.");
            timeToLiveMs = (ulong)Math.Max(1, Math.Ceiling(lifetime.TotalMilliseconds));
        }

        Begin(table, key, value.Length, condition);
        _operations.Put(table.Id, key, value, timeToLiveMs, condition);
    }

    /// <summary>Sets a key that comes from another shard, with the version and the end that it had there.</summary>
    /// <param name="table">The table, of the database that the batch is written to.</param>
    /// <param name="key">1 byte to <see cref="DatabaseOptions.MaxKeyBytes"/>.</param>
    /// <param name="value">0 bytes to <see cref="DatabaseOptions.MaxValueBytes"/>.</param>
    /// <param name="version">The version, which readers and conditions see here, too; not 0. Later writes to this
    /// database get greater ones.</param>
    /// <param name="expiresAtMs">Unix time in milliseconds at which it expires; 0: never.</param>
    public void PutMoved(
        Table table, ReadOnlySpan<byte> key, ReadOnlySpan<byte> value, ulong version, ulong expiresAtMs = 0)
    {
        if (value.Length > DatabaseOptions.MaxValueBytes)
            throw TooBig("value", value.Length, DatabaseOptions.MaxValueBytes, "Split it over several keys.");
        if (version == 0)
            throw new AiDbException(AiDbErrorKind.InvalidArgument, "version must be that of the key, not 0.");
        Begin(table, key, value.Length, default);
        GreatestMovedVersion = Math.Max(GreatestMovedVersion, version);
        _operations.PutMoved(table.Id, key, value, version, expiresAtMs);
    }

    /// <summary>Deletes a key; deleting an absent one is no error.</summary>
    public void Delete(Table table, ReadOnlySpan<byte> key, WriteCondition condition = default)
    {
        Begin(table, key, 0, condition);
        _operations.Delete(table.Id, key, condition);
    }

    /// <summary>Deletes the keys from <paramref name="start"/> up to and without <paramref name="end"/>, as
    /// far as they were written before this operation. Takes as long as deleting one key, however many there
    /// are.</summary>
    /// <param name="table">The table.</param>
    /// <param name="start">The first key; empty: from the first.</param>
    /// <param name="end">The first key that stays; empty: to the last.</param>
    /// <exception cref="AiDbException"><see cref="AiDbErrorKind.InvalidArgument"/>: no key lies between the
    /// two.</exception>
    public void DeleteRange(Table table, ReadOnlySpan<byte> start, ReadOnlySpan<byte> end)
    {
        ArgumentNullException.ThrowIfNull(table);
        RangeTombstone.Check(table.Id, start, end);
        ReadOnlySpan<byte> first = start.IsEmpty ? RangeTombstone.FirstKey : start;
        Begin(table, first, end.Length, default);
        _operations.DeleteRange(table.Id, first, end);
    }

    /// <summary>Adds an operand to a key, for the table's merge operator to combine with what the key
    /// holds when it is read.</summary>
    /// <param name="table">A table with a merge operator; see
    /// <see cref="Database.GetOrCreateTable(string, string)"/>.</param>
    /// <param name="key">1 byte to <see cref="DatabaseOptions.MaxKeyBytes"/>.</param>
    /// <param name="operand">0 bytes to <see cref="DatabaseOptions.MaxValueBytes"/>.</param>
    /// <param name="condition">What must hold of the key.</param>
    /// <remarks>A key that lives for a limited time keeps its end: what is merged before it expires expires with
    /// it, what is merged later begins anew and lives for ever.</remarks>
    /// <exception cref="AiDbException"><see cref="AiDbErrorKind.PreconditionFailed"/>: the table has no merge
    /// operator.</exception>
    public void Merge(
        Table table, ReadOnlySpan<byte> key, ReadOnlySpan<byte> operand, WriteCondition condition = default)
    {
        if (operand.Length > DatabaseOptions.MaxValueBytes)
            throw TooBig("operand", operand.Length, DatabaseOptions.MaxValueBytes, "Split it over several keys.");
        ArgumentNullException.ThrowIfNull(table);
        table.Database.Catalogue.MergeOperators.RequireFor(table.Id);
        Begin(table, key, operand.Length, condition);
        _operations.Merge(table.Id, key, operand, condition);
    }

    /// <summary>Adds a condition on a key that the batch does not write.</summary>
    public void Require(Table table, ReadOnlySpan<byte> key, WriteCondition condition)
    {
        Begin(table, key, 0, condition);
        _operations.Require(table.Id, key, condition);
    }

    /// <summary>Writes a point, which replaces the one with its id. It can be found by searches when the batch was
    /// written.</summary>
    /// <param name="collection">A collection of the database that the batch is written to.</param>
    /// <param name="point">The point.</param>
    /// <exception cref="AiDbException"><see cref="AiDbErrorKind.InvalidArgument"/>: it does not fit the
    /// collection; the batch is as it was.</exception>
    public void Upsert(Collection collection, Point point)
    {
        ArgumentNullException.ThrowIfNull(collection);
        ArgumentNullException.ThrowIfNull(point);
        collection.AddTo(this, new UpsertOperation([point]));
    }

    /// <summary>Deletes a point; an absent one is no error.</summary>
    public void DeletePoint(Collection collection, PointId id)
    {
        ArgumentNullException.ThrowIfNull(collection);
        collection.AddTo(this, new DeleteOperation(PointSelector.Of(id)));
    }

    /// <summary>Has indexes told of points when the batch was written.</summary>
    internal void Attach(AttachedPoints points)
    {
        _points ??= [];
        if (_points.Find(other => other.State == points.State) is { } attached)
            attached.Add(points);
        else
            _points.Add(points);
    }

    /// <summary>Sets or deletes a key that must have a version, for the engine's own writes, which know their
    /// database.</summary>
    internal void Replace(uint tableId, ReadOnlySpan<byte> key, byte[]? value, ulong timeToLiveMs, ulong version)
    {
        HasConditions = true;
        if (value is null)
            _operations.Delete(tableId, key, WriteCondition.VersionIs(version));
        else
            _operations.Put(tableId, key, value, timeToLiveMs, WriteCondition.VersionIs(version));
    }

    /// <summary>Makes it an ingest.</summary>
    /// <param name="table">The table.</param>
    /// <param name="ids">The ids of the files.</param>
    internal void Ingest(Table table, ReadOnlySpan<byte> ids)
    {
        _database = table.Database;
        IsIngest = true;
        _operations.Ingest(table.Id, ids);
    }

    /// <summary>Empties the batch, keeping its memory.</summary>
    public void Clear()
    {
        _operations.Clear();
        _database = null;
        _points = null;
        HasConditions = false;
        IsIngest = false;
        GreatestMovedVersion = 0;
    }

    /// <summary>Leaves the memory to a write that is still queued and whose caller has stopped
    /// waiting.</summary>
    internal void Detach() => _operations = new LogOperationWriter();

    private void Begin(Table table, ReadOnlySpan<byte> key, int valueBytes, WriteCondition condition)
    {
        ArgumentNullException.ThrowIfNull(table);
        Table.CheckKey(key);
        if (_database is null)
            _database = table.Database;
        else if (_database != table.Database)
            throw new AiDbException(AiDbErrorKind.InvalidArgument, "A batch writes to one database; use one for each.");
        if ((long)SizeBytes + key.Length + valueBytes > DatabaseOptions.MaxBatchBytes)
        {
            throw TooBig(
                "batch", (long)SizeBytes + key.Length + valueBytes, DatabaseOptions.MaxBatchBytes, "Split the batch.");
        }

        if (condition.Kind > WriteConditionKind.VersionDiffers)
            throw new AiDbException(AiDbErrorKind.InvalidArgument, $"condition has an unknown kind: {condition.Kind}.");
        HasConditions |= condition.Kind != WriteConditionKind.None;
    }

    private static AiDbException TooBig(string what, long bytes, int limit, string wayOut) => new(
        AiDbErrorKind.InvalidArgument, $"{what} has {bytes} bytes; the limit is {limit}. {wayOut}");
}
