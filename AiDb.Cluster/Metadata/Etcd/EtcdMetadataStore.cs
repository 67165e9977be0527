namespace AiDb.Cluster.Metadata.Etcd;

/// <summary>
/// A metadata store in etcd (3.4 and later), by its JSON gateway. It outlives the loss of any minority of
/// etcd's members, and lets several gateways share one cluster.
/// </summary>
/// <remarks>
/// <para>Reads are linearizable and go to the next member where one fails. A transaction goes out once: when
/// its answer is lost, it ends as <see cref="AiDbErrorKind.OutcomeUnknown"/>.</para>
/// <para>etcd counts leases in seconds and has a shortest one (2 s, with its usual settings): what is asked
/// for is rounded up.</para>
/// <para>Thread safety: all members may be called concurrently.</para>
/// </remarks>
public sealed class EtcdMetadataStore : IMetadataStore
{
    private readonly EtcdOptions _options;
    private readonly TimeProvider _timeProvider;
    private readonly EtcdClient _client;
    private readonly EtcdKeys _keys;

    /// <summary>A store; nothing is connected before the first call.</summary>
    /// <exception cref="AiDbException"><see cref="AiDbErrorKind.InvalidArgument"/>: a setting is invalid, or a
    /// certificate cannot be read.</exception>
    public EtcdMetadataStore(EtcdOptions options, TimeProvider timeProvider)
    {
        options.Validate();
        _options = options;
        _timeProvider = timeProvider;
        _client = new EtcdClient(EtcdHttp.Open(options), options, timeProvider);
        _keys = new EtcdKeys(options.Prefix);
    }

    /// <inheritdoc/>
    public async ValueTask<MetadataRange> RangeAsync(
        string key, bool prefix = false, CancellationToken cancellationToken = default)
    {
        MetadataLimits.CheckKey(key, prefix);
        EtcdRangeResponse answer = await _client.CallAsync(
            "kv/range", ToRange(key, prefix), EtcdJson.Default.EtcdRangeRequest, EtcdJson.Default.EtcdRangeResponse,
            EtcdCall.Read, cancellationToken);
        return _keys.Read(answer, HeaderOf(answer.Header).Revision);
    }

    /// <inheritdoc/>
    public async ValueTask<MetadataTransactionResult> CommitAsync(
        MetadataTransaction transaction, CancellationToken cancellationToken = default)
    {
        MetadataLimits.CheckTransaction(transaction);
        EtcdTxnRequest request = new(
            [.. transaction.Compares.Select(ToCompare)], ToOperations(transaction.Then), ToOperations(transaction.Otherwise));
        EtcdTxnResponse answer = await _client.CallAsync(
            "kv/txn", request, EtcdJson.Default.EtcdTxnRequest, EtcdJson.Default.EtcdTxnResponse,
            MayChange(transaction) ? EtcdCall.Change : EtcdCall.Read, cancellationToken);
        long revision = HeaderOf(answer.Header).Revision;
        return new MetadataTransactionResult(
            answer.Succeeded,
            revision,
            [
                .. (answer.Responses ?? []).Where(static item => item.ResponseRange is not null)
                    .Select(item => _keys.Read(item.ResponseRange!, revision)),
            ]);
    }

    /// <inheritdoc/>
    public IAsyncEnumerable<MetadataChange> WatchAsync(
        string prefix, long fromRevision, CancellationToken cancellationToken = default)
    {
        MetadataLimits.CheckKey(prefix, prefix: true);
        return new EtcdWatch(_client, _keys, _options, ReadHeaderAsync, _timeProvider)
            .RunAsync(prefix, fromRevision, cancellationToken);
    }

    /// <inheritdoc/>
    public async ValueTask<long> GrantLeaseAsync(TimeSpan timeToLive, CancellationToken cancellationToken = default)
    {
        MetadataLimits.CheckLease(timeToLive);
        EtcdLeaseGrantRequest request = new((long)Math.Ceiling(timeToLive.TotalSeconds));
        EtcdLeaseResponse answer = await _client.CallAsync(
            "lease/grant", request, EtcdJson.Default.EtcdLeaseGrantRequest, EtcdJson.Default.EtcdLeaseResponse,
            EtcdCall.Change, cancellationToken);
        return answer.Id != 0
            ? answer.Id
            : throw new AiDbException(AiDbErrorKind.OutcomeUnknown, "etcd: the answer to a lease grant names no lease.");
    }

    /// <inheritdoc/>
    public async ValueTask<bool> KeepLeaseAliveAsync(long leaseId, CancellationToken cancellationToken = default)
    {
        EtcdKeepAliveResponse answer = await _client.CallAsync(
            "lease/keepalive", new EtcdLeaseRequest(leaseId), EtcdJson.Default.EtcdLeaseRequest,
            EtcdJson.Default.EtcdKeepAliveResponse, EtcdCall.Read, cancellationToken);
        if (answer.Result is null)
            throw new AiDbException(AiDbErrorKind.Unavailable, "etcd: " + (answer.Error?.Message ?? "an empty answer"));

        // A lease that has ended is answered without its time, and with status 200.
        return answer.Result.Ttl > 0;
    }

    /// <inheritdoc/>
    public async ValueTask RevokeLeaseAsync(long leaseId, CancellationToken cancellationToken = default)
    {
        try
        {
            await _client.CallAsync(
                "lease/revoke", new EtcdLeaseRequest(leaseId), EtcdJson.Default.EtcdLeaseRequest,
                EtcdJson.Default.EtcdEmpty, EtcdCall.Idempotent, cancellationToken);
        }
        catch (AiDbException error) when (error.InnerException is EtcdFailure { Kind: AiDbErrorKind.NotFound })
        {
            // It has ended already, perhaps by an attempt whose answer was lost.
        }
    }

    /// <inheritdoc/>
    public ValueTask DisposeAsync()
    {
        _client.Dispose();
        return ValueTask.CompletedTask;
    }

    private async Task<EtcdHeader> ReadHeaderAsync(CancellationToken cancellationToken)
    {
        EtcdRangeResponse answer = await _client.CallAsync(
            "kv/range", new EtcdRangeRequest(_keys.Of(""), CountOnly: true), EtcdJson.Default.EtcdRangeRequest,
            EtcdJson.Default.EtcdRangeResponse, EtcdCall.Read, cancellationToken);
        return HeaderOf(answer.Header);
    }

    private static EtcdHeader HeaderOf(EtcdHeader? header) =>
        header ?? throw new AiDbException(AiDbErrorKind.OutcomeUnknown, "etcd: the answer has no header.");

    private static bool MayChange(MetadataTransaction transaction) =>
        transaction.Then.Concat(transaction.Otherwise).Any(static step => step.Kind != MetadataOperationKind.Range);

    private EtcdRangeRequest ToRange(string key, bool prefix) => new(_keys.Of(key), prefix ? _keys.EndOf(key) : null);

    private EtcdCompare ToCompare(MetadataCompare compare) => compare.Target switch
    {
        MetadataCompareTarget.CreateRevision =>
            new EtcdCompare("EQUAL", "CREATE", _keys.Of(compare.Key), CreateRevision: compare.Revision),
        MetadataCompareTarget.ModRevision =>
            new EtcdCompare("EQUAL", "MOD", _keys.Of(compare.Key), ModRevision: compare.Revision),
        _ => new EtcdCompare("EQUAL", "VALUE", _keys.Of(compare.Key), Value: compare.Value.ToArray()),
    };

    // Ranges read what the transaction changes, so they come last; etcd goes by the order of the steps.
    private EtcdOperation[] ToOperations(IReadOnlyList<MetadataOperation> operations) =>
    [
        .. operations.Where(static step => step.Kind != MetadataOperationKind.Range).Select(ToOperation),
        .. operations.Where(static step => step.Kind == MetadataOperationKind.Range).Select(ToOperation),
    ];

    private EtcdOperation ToOperation(MetadataOperation step) => step.Kind switch
    {
        MetadataOperationKind.Put =>
            new EtcdOperation(RequestPut: new EtcdPutRequest(_keys.Of(step.Key), step.Value.ToArray(), step.LeaseId)),
        MetadataOperationKind.Delete => new EtcdOperation(
            RequestDeleteRange: new EtcdDeleteRequest(_keys.Of(step.Key), step.IsPrefix ? _keys.EndOf(step.Key) : null)),
        _ => new EtcdOperation(RequestRange: ToRange(step.Key, step.IsPrefix)),
    };
}
