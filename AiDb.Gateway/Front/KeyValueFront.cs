using AiDb.Cluster.Model;
using AiDb.Contracts;
using AiDb.Contracts.Internal.V1;
using AiDb.Contracts.V1;
using AiDb.Gateway.Routing;
using AiDb.Gateway.Scans;
using Google.Protobuf;

namespace AiDb.Gateway.Front;

/// <summary>The one way to the keys, for REST and gRPC alike: checks limits, finds the table, routes, retries
/// where nothing was done, and answers with what sessions need.</summary>
/// <remarks>Thread safety: all members may be called concurrently. Errors are
/// <see cref="AiDbException"/>.</remarks>
internal sealed class KeyValueFront
{
    private readonly TableCatalogue _catalogue;
    private readonly ShardCaller _caller;
    private readonly PointReads _reads;
    private readonly Writes _writes;
    private readonly TimeSpan _defaultTimeout;

    public KeyValueFront(
        IShardRouter router, TableCatalogue catalogue, Admission admission, FrontOptions options, TimeProvider clock)
    {
        AcknowledgedPositions acknowledged = new();
        _catalogue = catalogue;
        _caller = new ShardCaller(router, clock, options.RetryTime);
        _reads = new PointReads(_caller, acknowledged, options.ReplicaPatience);
        _writes = new Writes(_caller, acknowledged);
        _defaultTimeout = options.RequestTimeout;
        Admission = admission;
    }

    /// <summary>What is in hand.</summary>
    public Admission Admission { get; }

    /// <summary>Reads one key.</summary>
    /// <param name="call">What to read.</param>
    /// <param name="timeout">How long the caller waits; null: the gateway's default.</param>
    /// <param name="cancellationToken">Gives up.</param>
    public async ValueTask<GetResponse> GetAsync(
        GetRequest call, TimeSpan? timeout = null, CancellationToken cancellationToken = default)
    {
        RequestLimits.CheckTable(call.Table);
        RequestLimits.CheckKey(call.Key.Span);
        RequestLimits.CheckPartition(call.Partition);
        RequestLimits.CheckConsistency(call.Options?.Consistency ?? default);
        Admission.Enter();
        try
        {
            TableDescriptor table = FindTable(call.Table, call.Partition);
            return await _reads.GetAsync(table, call, DeadlineOf(timeout), cancellationToken);
        }
        finally
        {
            Admission.Exit();
        }
    }

    /// <summary>Reads many keys.</summary>
    public async ValueTask<MultiGetResponse> MultiGetAsync(
        MultiGetRequest call, TimeSpan? timeout = null, CancellationToken cancellationToken = default)
    {
        RequestLimits.CheckTable(call.Table);
        RequestLimits.CheckCount(call.Keys.Count, "keys");
        for (int i = 0; i < call.Keys.Count; i++)
        {
            if (call.Keys[i].Length is 0 or > WireLimits.MaxKeyBytes)
                RequestLimits.CheckKey(call.Keys[i].Span, $"keys[{i}]");
        }

        RequestLimits.CheckPartition(call.Partition);
        RequestLimits.CheckConsistency(call.Options?.Consistency ?? default);
        Admission.Enter();
        try
        {
            TableDescriptor table = FindTable(call.Table, call.Partition);
            return await _reads.MultiGetAsync(table, call, DeadlineOf(timeout), cancellationToken);
        }
        finally
        {
            Admission.Exit();
        }
    }

    /// <summary>Sets a key; the first write to a table creates it.</summary>
    public async ValueTask<WriteResponse> PutAsync(
        PutRequest call, TimeSpan? timeout = null, CancellationToken cancellationToken = default)
    {
        RequestLimits.CheckTable(call.Table);
        RequestLimits.CheckKey(call.Key.Span);
        RequestLimits.CheckValue(call.Value);
        RequestLimits.CheckPartition(call.Partition);
        RequestLimits.CheckTimeToLive(call.TtlMs);
        RequestLimits.CheckCondition(call.Condition);
        RequestLimits.CheckDurability(call.Durability);
        Admission.Enter();
        try
        {
            Deadline deadline = DeadlineOf(timeout);
            TableDescriptor table = await FindOrCreateTableAsync(call.Table, call.Partition, deadline, cancellationToken);
            return await _writes.PutAsync(table, call, deadline, cancellationToken);
        }
        finally
        {
            Admission.Exit();
        }
    }

    /// <summary>Deletes a key; deleting an absent one is no error.</summary>
    public async ValueTask<WriteResponse> DeleteAsync(
        DeleteRequest call, TimeSpan? timeout = null, CancellationToken cancellationToken = default)
    {
        RequestLimits.CheckTable(call.Table);
        RequestLimits.CheckKey(call.Key.Span);
        RequestLimits.CheckPartition(call.Partition);
        RequestLimits.CheckCondition(call.Condition);
        RequestLimits.CheckDurability(call.Durability);
        Admission.Enter();
        try
        {
            Deadline deadline = DeadlineOf(timeout);
            TableDescriptor table = await FindOrCreateTableAsync(call.Table, call.Partition, deadline, cancellationToken);
            return await _writes.DeleteAsync(table, call, deadline, cancellationToken);
        }
        finally
        {
            Admission.Exit();
        }
    }

    /// <summary>Writes a batch. Nothing is done when any operation of it is invalid.</summary>
    public async ValueTask<BatchResponse> BatchAsync(
        BatchRequest call, TimeSpan? timeout = null, CancellationToken cancellationToken = default)
    {
        BatchCheck.Check(call);
        Admission.Enter();
        try
        {
            Deadline deadline = DeadlineOf(timeout);
            TableDescriptor[] tables = new TableDescriptor[call.Operations.Count];
            for (int i = 0; i < tables.Length; i++)
            {
                string name = call.Operations[i].Table;
                tables[i] = i > 0 && string.Equals(tables[i - 1].Name, name, StringComparison.Ordinal)
                    ? tables[i - 1]
                    : await FindOrCreateTableAsync(name, call.Partition, deadline, cancellationToken);
            }

            return await _writes.BatchAsync(tables, call, deadline, cancellationToken);
        }
        finally
        {
            Admission.Exit();
        }
    }

    /// <summary>Begins or continues a scan. Bad arguments and bad cursors fail here.</summary>
    /// <param name="call">The range.</param>
    /// <param name="pageTimeout">How long one page may take; null: the gateway's default.</param>
    /// <param name="cancellationToken">Ends the whole scan.</param>
    /// <returns>The scan; it holds a place among the requests in hand until it is disposed.</returns>
    public TableScan Scan(
        ScanRequest call, TimeSpan? pageTimeout = null, CancellationToken cancellationToken = default)
    {
        RequestLimits.CheckTable(call.Table);
        RequestLimits.CheckConsistency(call.Options?.Consistency ?? default);
        ScanBounds.Check(call);
        SessionToken session = SessionToken.Parse(call.Options?.Session ?? "");
        Admission.Enter();
        try
        {
            TableDescriptor table = FindTable(call.Table, ByteString.Empty);
            ReadLevel LevelOf(uint shard) => _reads.LevelOf(shard, call.Options, session);
            TimeSpan timeout = pageTimeout ?? _defaultTimeout;
            return table.Ranges is null
                ? new MergedScan(
                    _caller, () => ScanPlan.Create(table, call, _caller.Router.Map), LevelOf, timeout, Admission, cancellationToken)
                : RangeScan.Create(_caller, table, call, LevelOf, timeout, Admission, cancellationToken);
        }
        catch
        {
            Admission.Exit();
            throw;
        }
    }

    private TableDescriptor FindTable(string name, ByteString partition)
    {
        TableDescriptor table = _catalogue.Find(name)
            ?? throw new AiDbException(
                AiDbErrorKind.NotFound, $"There is no table '{name}'; the first write to it creates it.");
        CheckNamed(table, partition);
        return table;
    }

    private static void CheckNamed(TableDescriptor table, ByteString partition)
    {
        if (table.Ranges is not null && !partition.IsEmpty)
        {
            throw RequestLimits.Invalid(
                $"partition: the table '{table.Name}' is partitioned by ranges of its keys; a request cannot name another partition.");
        }
    }

    // Making a table waits for the metadata store and its watch, which the write's own limit must bound, too.
    private async ValueTask<TableDescriptor> FindOrCreateTableAsync(
        string name, ByteString partition, Deadline deadline, CancellationToken cancellationToken)
    {
        if (_catalogue.Find(name) is { } known)
        {
            CheckNamed(known, partition);
            return known;
        }

        using CancellationTokenSource limit = CancellationTokenSource.CreateLinkedTokenSource(cancellationToken);
        limit.CancelAfter(deadline.Remaining);
        try
        {
            return await _catalogue.GetOrCreateAsync(name, limit.Token);
        }
        catch (OperationCanceledException) when (!cancellationToken.IsCancellationRequested)
        {
            throw new AiDbException(
                AiDbErrorKind.DeadlineExceeded,
                $"The table '{name}' was not made within the request's time limit; nothing was written to it.");
        }
    }

    private Deadline DeadlineOf(TimeSpan? timeout) => Deadline.In(_caller.Clock, timeout ?? _defaultTimeout);
}
