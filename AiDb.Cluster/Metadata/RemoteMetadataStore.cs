using System.Runtime.CompilerServices;
using AiDb.Contracts.Internal.V1;
using Grpc.Core;
using MetadataClient = AiDb.Contracts.Internal.V1.Metadata.MetadataClient;

namespace AiDb.Cluster.Metadata;

/// <summary>Settings of a <see cref="RemoteMetadataStore"/>.</summary>
public sealed record RemoteMetadataStoreOptions
{
    /// <summary>How long a call may take. Default: 5 s.</summary>
    public TimeSpan CallTimeout { get; init; } = TimeSpan.FromSeconds(5);

    /// <summary>How long a watch that broke waits before it connects anew. Default: 500 ms.</summary>
    public TimeSpan ReconnectDelay { get; init; } = TimeSpan.FromMilliseconds(500);

    /// <summary>Reports every invalid setting at once.</summary>
    /// <exception cref="AiDbException"><see cref="AiDbErrorKind.InvalidArgument"/>, naming each
    /// setting.</exception>
    public void Validate()
    {
        List<string> errors = [];
        if (CallTimeout <= TimeSpan.Zero)
            errors.Add($"{nameof(CallTimeout)} must be more than zero");
        if (ReconnectDelay <= TimeSpan.Zero)
            errors.Add($"{nameof(ReconnectDelay)} must be more than zero");
        if (errors.Count > 0)
        {
            throw new AiDbException(
                AiDbErrorKind.InvalidArgument, "Invalid RemoteMetadataStoreOptions: " + string.Join("; ", errors) + ".");
        }
    }
}

/// <summary>The metadata store of another node. Watches that break go on where they were when the node is
/// back.</summary>
/// <remarks>The channel is the host's business, and so are the cluster's secret (a header) and the keep-alive
/// pings without which a watch does not notice that the other side is gone.</remarks>
public sealed class RemoteMetadataStore : IMetadataStore
{
    private readonly MetadataClient _client;
    private readonly RemoteMetadataStoreOptions _options;
    private readonly TimeProvider _timeProvider;
    private readonly IDisposable? _channel;

    /// <summary>A store behind a channel.</summary>
    /// <param name="invoker">Calls over the channel.</param>
    /// <param name="timeProvider">The clock.</param>
    /// <param name="options">Its settings; null: the defaults.</param>
    /// <param name="channel">What is closed with the store; null: nothing.</param>
    public RemoteMetadataStore(
        CallInvoker invoker, TimeProvider timeProvider, RemoteMetadataStoreOptions? options = null, IDisposable? channel = null)
    {
        _client = new MetadataClient(invoker);
        _options = options ?? new RemoteMetadataStoreOptions();
        _options.Validate();
        _timeProvider = timeProvider;
        _channel = channel;
    }

    /// <inheritdoc/>
    public async ValueTask<MetadataRange> RangeAsync(
        string key, bool prefix = false, CancellationToken cancellationToken = default)
    {
        MetadataLimits.CheckKey(key, prefix);
        MetadataRangeRequest request = new() { Key = key, Prefix = prefix };
        return MetadataMessages.FromMessage(await CallAsync(
            (client, options) => client.RangeAsync(request, options), mayChange: false, cancellationToken));
    }

    /// <inheritdoc/>
    public async ValueTask<MetadataTransactionResult> CommitAsync(
        MetadataTransaction transaction, CancellationToken cancellationToken = default)
    {
        MetadataLimits.CheckTransaction(transaction);
        MetadataTxnRequest request = MetadataMessages.ToMessage(transaction);
        return MetadataMessages.FromMessage(await CallAsync(
            (client, options) => client.TxnAsync(request, options), mayChange: true, cancellationToken));
    }

    /// <inheritdoc/>
    public async IAsyncEnumerable<MetadataChange> WatchAsync(
        string prefix, long fromRevision, [EnumeratorCancellation] CancellationToken cancellationToken = default)
    {
        MetadataLimits.CheckKey(prefix, prefix: true);
        long next = fromRevision;
        while (true)
        {
            using AsyncServerStreamingCall<MetadataWatchResponse> call = _client.Watch(
                new MetadataWatchRequest { Prefix = prefix, FromRevision = next },
                cancellationToken: cancellationToken);
            while (await TryReadAsync(call.ResponseStream, cancellationToken) is { } change)
            {
                // Without the prefix' changes in between the store may have gone on further; asking again
                // from here is right.
                next = change.Revision + 1;
                yield return change;
            }

            await Task.Delay(_options.ReconnectDelay, _timeProvider, cancellationToken);
        }
    }

    /// <inheritdoc/>
    public async ValueTask<long> GrantLeaseAsync(TimeSpan timeToLive, CancellationToken cancellationToken = default)
    {
        MetadataLimits.CheckLease(timeToLive);
        LeaseGrantRequest request = new() { TtlMs = (long)timeToLive.TotalMilliseconds };
        LeaseGrantResponse response = await CallAsync(
            (client, options) => client.LeaseGrantAsync(request, options), mayChange: true, cancellationToken);
        return response.LeaseId;
    }

    /// <inheritdoc/>
    public async ValueTask<bool> KeepLeaseAliveAsync(long leaseId, CancellationToken cancellationToken = default)
    {
        LeaseKeepAliveRequest request = new() { LeaseId = leaseId };
        LeaseKeepAliveResponse response = await CallAsync(
            (client, options) => client.LeaseKeepAliveAsync(request, options), mayChange: false, cancellationToken);
        return response.TtlMs > 0;
    }

    /// <inheritdoc/>
    public async ValueTask RevokeLeaseAsync(long leaseId, CancellationToken cancellationToken = default)
    {
        LeaseRevokeRequest request = new() { LeaseId = leaseId };
        await CallAsync((client, options) => client.LeaseRevokeAsync(request, options), mayChange: true, cancellationToken);
    }

    /// <inheritdoc/>
    public ValueTask DisposeAsync()
    {
        _channel?.Dispose();
        return ValueTask.CompletedTask;
    }

    private static async ValueTask<MetadataChange?> TryReadAsync(
        IAsyncStreamReader<MetadataWatchResponse> stream, CancellationToken cancellationToken)
    {
        try
        {
            return await stream.MoveNext(cancellationToken) ? MetadataMessages.FromMessage(stream.Current) : null;
        }
        catch (RpcException error)
        {
            cancellationToken.ThrowIfCancellationRequested();
            AiDbException cause = MetadataErrors.ToException(error, mayHaveChanged: false);
            return cause.Kind == AiDbErrorKind.Unavailable ? null : throw cause;
        }
    }

    private async Task<T> CallAsync<T>(
        Func<MetadataClient, CallOptions, AsyncUnaryCall<T>> start, bool mayChange, CancellationToken cancellationToken)
    {
        using CancellationTokenSource timeout = new(_options.CallTimeout, _timeProvider);
        using CancellationTokenSource both =
            CancellationTokenSource.CreateLinkedTokenSource(timeout.Token, cancellationToken);
        try
        {
            using AsyncUnaryCall<T> call = start(_client, new CallOptions(cancellationToken: both.Token));
            return await call.ResponseAsync;
        }
        catch (RpcException error)
        {
            cancellationToken.ThrowIfCancellationRequested();
            throw MetadataErrors.ToException(error, mayChange);
        }
        catch (OperationCanceledException error) when (!cancellationToken.IsCancellationRequested)
        {
            throw new AiDbException(
                mayChange ? AiDbErrorKind.OutcomeUnknown : AiDbErrorKind.Unavailable,
                $"The metadata store did not answer within {_options.CallTimeout}.", error);
        }
    }
}
