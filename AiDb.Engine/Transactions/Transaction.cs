using AiDb.Engine.Encoding;
using AiDb.Engine.Transactions;

namespace AiDb.Engine;

/// <summary>
/// Reads as of one moment and writes that take effect together, if nobody changed in the meantime what they
/// rest upon. Optimistic: no locks; the conflict shows at <see cref="Commit"/>.
/// </summary>
/// <remarks>
/// <para>Reads see the state of the beginning and, over it, the transaction's own writes. The version (or the
/// absence) of each key that counts is remembered; see <see cref="TransactionIsolation"/>. A commit is one
/// batch with these as conditions, which the log's order decides. Phantoms are not detected: a key that
/// another adds to a scanned range is no conflict. Where it must be one, let both change a common key.</para>
/// <para>It holds a snapshot, so old versions stay on disk until it ends. Thread safety: none.</para>
/// </remarks>
public sealed class Transaction : IDisposable
{
    /// <summary>Bytes that an operation takes in the log beside its key and value, at most.</summary>
    private const int OperationBytes = 32;

    private const int StackKeyBytes = 512;

    private readonly Database _database;
    private readonly TransactionOptions _options;
    private readonly Snapshot _snapshot;
    private readonly TransactionWrites _writes = new();
    private readonly Dictionary<byte[], ulong> _tracked = new(BytesComparer.Instance);
    private readonly Dictionary<uint, Table> _tables = [];
    private long _sizeBytes;
    private string? _ended;

    internal Transaction(Database database, TransactionOptions options)
    {
        options.Validate();
        _database = database;
        _options = options;
        _snapshot = database.CreateSnapshot();
    }

    /// <summary>The position that it reads at.</summary>
    public LogPosition ReadPosition => _snapshot.Position;

    /// <summary>Keys whose change by others would be a conflict.</summary>
    public int TrackedKeys => _tracked.Count;

    /// <summary>Keys that it writes.</summary>
    public int WrittenKeys => _writes.Count;

    /// <summary>Bytes of the commit's batch, at most.</summary>
    public long SizeBytes => _sizeBytes;

    /// <summary>Reads a value; null when the key is absent or expired. Tracks the key under
    /// <see cref="TransactionIsolation.Serializable"/>.</summary>
    /// <exception cref="AiDbException"><see cref="AiDbErrorKind.InvalidArgument"/>: what it tracks and writes
    /// is beyond <see cref="DatabaseOptions.MaxBatchBytes"/>.</exception>
    public byte[]? Get(Table table, ReadOnlySpan<byte> key) =>
        Read(table, key, track: _options.Isolation == TransactionIsolation.Serializable, out _);

    /// <summary>Reads a value without tracking its key: its change by others is no conflict.</summary>
    public byte[]? GetUntracked(Table table, ReadOnlySpan<byte> key) => Read(table, key, track: false, out _);

    /// <summary>Reads a value and tracks its key under either isolation; fails at once when the key has changed
    /// since the beginning, which spares work that could not be committed.</summary>
    /// <exception cref="AiDbException"><see cref="AiDbErrorKind.Aborted"/>: it has.</exception>
    public byte[]? GetForUpdate(Table table, ReadOnlySpan<byte> key)
    {
        byte[]? value = Read(table, key, track: true, out ulong? version);
        if (version is { } read)
        {
            ulong current = VersionAt(table, key, snapshot: null);
            if (current != read)
                throw Conflict(table, key, read, current);
        }

        return value;
    }

    /// <summary>Walks a range: the state of the beginning with the transaction's writes as they are now. Keys
    /// that it returns are tracked under <see cref="TransactionIsolation.Serializable"/>.</summary>
    public TransactionCursor Scan(Table table, ScanRange range = default)
    {
        Check(table);
        bool track = _options.Isolation == TransactionIsolation.Serializable;
        return new TransactionCursor(
            table.Scan(range, _snapshot), _writes.InRange(table.Id, range), range.Reverse, track ? this : null, table);
    }

    /// <summary>Sets a key at the commit; within the transaction, at once.</summary>
    /// <param name="table">The table.</param>
    /// <param name="key">1 byte to <see cref="DatabaseOptions.MaxKeyBytes"/>.</param>
    /// <param name="value">0 bytes to <see cref="DatabaseOptions.MaxValueBytes"/>.</param>
    /// <param name="timeToLive">How long it lives from the commit on; it does not expire before. Null: for ever.</param>
    public void Put(Table table, ReadOnlySpan<byte> key, ReadOnlySpan<byte> value, TimeSpan? timeToLive = null)
    {
        if (value.Length > DatabaseOptions.MaxValueBytes)
        {
            throw new AiDbException(
                AiDbErrorKind.InvalidArgument,
                $"value has {value.Length} bytes; the limit is {DatabaseOptions.MaxValueBytes}. Split it over several keys.");
        }

        if (timeToLive <= TimeSpan.Zero)
            throw new AiDbException(AiDbErrorKind.InvalidArgument, "timeToLive must be more than zero.");
        Write(table, key, value.ToArray(), timeToLive);
    }

    /// <summary>Deletes a key at the commit; within the transaction, at once.</summary>
    public void Delete(Table table, ReadOnlySpan<byte> key) => Write(table, key, null, null);

    /// <summary>Makes the writes take effect, all or none, and ends the transaction in any case. One without
    /// writes has read one moment and has nothing to check.</summary>
    /// <exception cref="AiDbException"><see cref="AiDbErrorKind.Aborted"/>: another changed a tracked key,
    /// which the message names; begin anew. Else as <see cref="Database.TryWrite"/>.</exception>
    public WriteResult Commit()
    {
        WriteBatch? batch = Prepare();
        return batch is null ? NothingWritten() : Judge(_database.TryWrite(batch, _options.Durability));
    }

    /// <summary>As <see cref="Commit"/>. Cancelling gives up waiting, not the commit: once it is queued its
    /// outcome is unknown (<see cref="AiDbErrorKind.OutcomeUnknown"/>).</summary>
    public async ValueTask<WriteResult> CommitAsync(CancellationToken cancellationToken = default)
    {
        cancellationToken.ThrowIfCancellationRequested();
        WriteBatch? batch = Prepare();
        return batch is null
            ? NothingWritten()
            : Judge(await _database.TryWriteAsync(batch, _options.Durability, cancellationToken).ConfigureAwait(false));
    }

    /// <summary>Forgets the writes and ends the transaction.</summary>
    public void Rollback()
    {
        ThrowIfEnded();
        End("rolled back");
    }

    /// <summary>Rolls back what was not committed.</summary>
    public void Dispose()
    {
        if (_ended is null)
            End("disposed");
    }

    /// <summary>Tracks a key that a scan returned.</summary>
    internal void TrackScanned(Table table, ReadOnlySpan<byte> key, ulong version)
    {
        ThrowIfEnded();
        Track(PrefixOf(table, key), key.Length, version);
    }

    private byte[]? Read(Table table, ReadOnlySpan<byte> key, bool track, out ulong? version)
    {
        Check(table);
        Table.CheckKey(key);
        version = null;
        if (TryGetOwn(table, key, out TransactionWrite? write))
            return (byte[]?)write!.Value?.Clone();
        if (!table.TryGet(key, out ValueLease lease, _snapshot))
        {
            version = 0;
            if (track)
                Track(PrefixOf(table, key), key.Length, 0);
            return null;
        }

        using (lease)
        {
            version = lease.Version;
            if (track)
                Track(PrefixOf(table, key), key.Length, lease.Version);
            return lease.Span.ToArray();
        }
    }

    private void Write(Table table, ReadOnlySpan<byte> key, byte[]? value, TimeSpan? timeToLive)
    {
        Check(table);
        Table.CheckKey(key);
        byte[] prefix = PrefixOf(table, key);
        long bytes = key.Length + (value?.Length ?? 0) + OperationBytes;
        if (_writes.TryGet(prefix, out TransactionWrite? before))
            bytes -= before!.Key.Length + (before.Value?.Length ?? 0) + OperationBytes;
        if (before is null && _options.Isolation == TransactionIsolation.Snapshot)
            Track(prefix, key.Length, VersionAt(table, key, _snapshot));
        Grow(bytes);
        _writes.Set(new TransactionWrite(prefix, value, timeToLive));
    }

    /// <summary>What was read first counts: the snapshot does not change, but its entries may expire.</summary>
    private void Track(byte[] prefix, int keyBytes, ulong version)
    {
        if (_tracked.ContainsKey(prefix))
            return;
        Grow(keyBytes + OperationBytes);
        _tracked.Add(prefix, version);
    }

    private void Grow(long bytes)
    {
        if (_sizeBytes + bytes > DatabaseOptions.MaxBatchBytes)
        {
            throw new AiDbException(
                AiDbErrorKind.InvalidArgument,
                $"The transaction tracks and writes {_sizeBytes + bytes} bytes; the limit is " +
                $"{DatabaseOptions.MaxBatchBytes}. Split it, or read without tracking.");
        }

        _sizeBytes += bytes;
    }

    /// <summary>The batch of a commit, or null when nothing is written; the transaction ends with it.</summary>
    private WriteBatch? Prepare()
    {
        ThrowIfEnded();
        if (_writes.Count == 0)
        {
            End("committed");
            return null;
        }

        var batch = new WriteBatch();
        foreach ((byte[] prefix, ulong version) in _tracked)
        {
            batch.Require(
                TableOf(prefix), prefix.AsSpan(InternalKey.TableIdBytes),
                version == 0 ? WriteCondition.MustBeAbsent : WriteCondition.VersionIs(version));
        }

        foreach (TransactionWrite write in _writes.All)
        {
            if (write.Value is null)
                batch.Delete(TableOf(write.Prefix), write.Key);
            else
                batch.Put(TableOf(write.Prefix), write.Key, write.Value, write.TimeToLive);
        }

        End("committed, or its commit failed");
        return batch;
    }

    private WriteResult Judge(WriteResult result)
    {
        if (result.Applied)
            return result;
        (byte[] prefix, ulong version) = _tracked.ElementAt(result.FailedOperation);
        throw Conflict(TableOf(prefix), prefix.AsSpan(InternalKey.TableIdBytes), version, result.CurrentVersion);
    }

    private WriteResult NothingWritten() => new(Applied: true, ReadPosition.Timestamp, ReadPosition.Lsn);

    private void End(string how)
    {
        _ended = how;
        _snapshot.Dispose();
    }

    private bool TryGetOwn(Table table, ReadOnlySpan<byte> key, out TransactionWrite? write)
    {
        write = null;
        if (_writes.Count == 0)
            return false;
        int length = InternalKey.PrefixLength(key.Length);
        Span<byte> prefix = length <= StackKeyBytes ? stackalloc byte[StackKeyBytes] : new byte[length];
        InternalKey.WritePrefix(prefix, table.Id, key);
        return _writes.TryGet(prefix[..length], out write);
    }

    private Table TableOf(byte[] prefix) => _tables[InternalKey.TableId(prefix)];

    private static byte[] PrefixOf(Table table, ReadOnlySpan<byte> key)
    {
        byte[] prefix = new byte[InternalKey.PrefixLength(key.Length)];
        InternalKey.WritePrefix(prefix, table.Id, key);
        return prefix;
    }

    private static ulong VersionAt(Table table, ReadOnlySpan<byte> key, Snapshot? snapshot)
    {
        if (!table.TryGet(key, out ValueLease lease, snapshot))
            return 0;
        using (lease)
            return lease.Version;
    }

    private void Check(Table table)
    {
        ArgumentNullException.ThrowIfNull(table);
        ThrowIfEnded();
        if (table.Database != _database)
        {
            throw new AiDbException(
                AiDbErrorKind.InvalidArgument, "The table is of another database; a transaction spans one.");
        }

        _tables.TryAdd(table.Id, table);
    }

    private void ThrowIfEnded()
    {
        if (_ended is not null)
        {
            throw new AiDbException(
                AiDbErrorKind.InvalidArgument, $"The transaction has ended ({_ended}); begin another.");
        }
    }

    private static AiDbException Conflict(Table table, ReadOnlySpan<byte> key, ulong read, ulong current)
    {
        string name = table.Name is null ? $"table {table.Id}" : $"table '{table.Name}'";
        static string State(ulong version) => version == 0 ? "absent" : $"of version {version}";
        return new AiDbException(
            AiDbErrorKind.Aborted,
            $"The transaction lost a race: key {KeyText.Of(key)} of {name} was {State(read)} when it was read and is " +
            $"{State(current)} now. Nothing was written; begin anew.");
    }
}
