using System.Diagnostics;
using System.Runtime.CompilerServices;
using AiDb.Contracts.V1;
using Google.Protobuf;
using Grpc.Core;

namespace AiDb.Client.Transport;

/// <summary>Runs calls: chooses the gateway, repeats what may be repeated, hedges, measures, translates
/// errors.</summary>
/// <remarks>Thread safety: all members may be called concurrently, <see cref="DisposeAsync"/> last.</remarks>
internal sealed class CallExecutor : IAsyncDisposable
{
    private readonly AiDbClientSettings _settings;
    private readonly TimeProvider _time;
    private readonly GatewayPool _pool;
    private readonly RetryPolicy _retries;
    private readonly Func<Call, CancellationToken, ValueTask<PipelineResponse>> _attempt;

    public CallExecutor(AiDbClientSettings settings, TimeProvider time)
    {
        _settings = settings;
        _time = time;
        _pool = new GatewayPool(settings, time);
        _retries = new RetryPolicy(settings, time);
        _attempt = AttemptAsync;
        Session = new SessionState(settings.TrackSession);
    }

    public SessionState Session { get; }

    public async ValueTask<GetResponse> GetAsync(
        GetRequest request, TimeSpan? timeout, TimeSpan? hedgeAfter, CancellationToken cancellationToken)
    {
        PipelineResponse response = await ExecuteAsync(
            CallKind.Get, request.Table, request, idempotent: true, timeout, hedgeAfter, cancellationToken).ConfigureAwait(false);
        return response.Get ?? throw Unexpected(response);
    }

    public async ValueTask<MultiGetResponse> MultiGetAsync(
        MultiGetRequest request, TimeSpan? timeout, TimeSpan? hedgeAfter, CancellationToken cancellationToken)
    {
        PipelineResponse response = await ExecuteAsync(
            CallKind.MultiGet, request.Table, request, idempotent: true, timeout, hedgeAfter, cancellationToken)
            .ConfigureAwait(false);
        return response.MultiGet ?? throw Unexpected(response);
    }

    public async ValueTask<WriteResponse> PutAsync(
        PutRequest request, WriteOptions options, CancellationToken cancellationToken)
    {
        PipelineResponse response = await ExecuteAsync(
            CallKind.Put, request.Table, request, options.Idempotent, options.Timeout, null, cancellationToken)
            .ConfigureAwait(false);
        return response.Write ?? throw Unexpected(response);
    }

    public async ValueTask<WriteResponse> DeleteAsync(
        DeleteRequest request, WriteOptions options, CancellationToken cancellationToken)
    {
        PipelineResponse response = await ExecuteAsync(
            CallKind.Delete, request.Table, request, options.Idempotent, options.Timeout, null, cancellationToken)
            .ConfigureAwait(false);
        return response.Write ?? throw Unexpected(response);
    }

    public async ValueTask<BatchResponse> BatchAsync(
        BatchRequest request, WriteOptions options, CancellationToken cancellationToken)
    {
        PipelineResponse response = await ExecuteAsync(
            CallKind.Batch, "", request, options.Idempotent, options.Timeout, null, cancellationToken).ConfigureAwait(false);
        return response.Batch ?? throw Unexpected(response);
    }

    /// <summary>Runs a call of the administration.</summary>
    public ValueTask<TResult> AdministerAsync<TRequest, TResult>(
        CallKind kind, TRequest request, Func<Admin.AdminClient, TRequest, CallOptions, AsyncUnaryCall<TResult>> send,
        CancellationToken cancellationToken)
        where TRequest : IMessage =>
        MeasureAsync(
            kind, "", NewCall(kind, "", request, idempotent: kind.IsRead, null),
            (call, token) => SendAloneAsync(
                call, (connection, options) => send(connection.Admin, request, options), token),
            cancellationToken);

    /// <summary>Runs a call about a collection.</summary>
    /// <param name="kind">Read or write.</param>
    /// <param name="collection">The collection's name, for telemetry.</param>
    /// <param name="request">The message.</param>
    /// <param name="timeout">How long it may take; null: as the settings say.</param>
    /// <param name="send">Sends one attempt.</param>
    /// <param name="cancellationToken">Gives up waiting.</param>
    public ValueTask<TResult> CallAsync<TRequest, TResult>(
        CallKind kind, string collection, TRequest request, TimeSpan? timeout,
        Func<CallInvoker, TRequest, CallOptions, AsyncUnaryCall<TResult>> send, CancellationToken cancellationToken)
        where TRequest : IMessage =>
        MeasureAsync(
            kind, collection, NewCall(kind, collection, request, idempotent: kind.Repeats, timeout),
            (call, token) => SendAloneAsync(
                call, (connection, options) => send(connection.Invoker, request, options), token),
            cancellationToken);

    /// <summary>Streams the items of a scan. A stream that breaks is opened again at the cursor of its last
    /// page.</summary>
    public async IAsyncEnumerable<ScanItem> ScanAsync(
        ScanRequest request, [EnumeratorCancellation] CancellationToken cancellationToken)
    {
        ulong remaining = request.Limit == 0 ? ulong.MaxValue : request.Limit;
        using Activity? activity = ClientTelemetry.Start(CallKind.Scan, request.Table);
        PageReader pages = new(_pool, _retries, request, NewDeadline, _time);
        await using (pages.ConfigureAwait(false))
        {
            while (await pages.NextAsync(cancellationToken).ConfigureAwait(false) is { } page)
            {
                foreach (ScanItem item in page.Items)
                {
                    if (remaining-- == 0)
                        yield break;
                    yield return item;
                }

                if (page.Cursor.Length == 0)
                    yield break;
            }
        }
    }

    public async ValueTask DisposeAsync() => await _pool.DisposeAsync().ConfigureAwait(false);

    private ValueTask<PipelineResponse> ExecuteAsync(
        CallKind kind, string table, IMessage message, bool idempotent, TimeSpan? timeout, TimeSpan? hedgeAfter,
        CancellationToken cancellationToken)
    {
        Call call = NewCall(kind, table, message, idempotent, timeout, hedgeAfter ?? _settings.HedgeReadsAfter);
        return MeasureAsync(kind, table, call, _attempt, cancellationToken);
    }

    private Call NewCall(
        CallKind kind, string table, IMessage message, bool idempotent, TimeSpan? timeout, TimeSpan? hedgeAfter = null)
    {
        return new Call(kind, table, message, idempotent, NewDeadline(timeout))
        {
            HedgeAfter = kind.IsRead ? hedgeAfter : null,
        };
    }

    private long NewDeadline(TimeSpan? timeout) =>
        _time.GetTimestamp() + (long)((timeout ?? _settings.Timeout).TotalSeconds * _time.TimestampFrequency);

    private async ValueTask<TResult> MeasureAsync<TResult>(
        CallKind kind, string table, Call call, Func<Call, CancellationToken, ValueTask<TResult>> attempt,
        CancellationToken cancellationToken)
    {
        using Activity? activity = ClientTelemetry.Start(kind, table);
        // Of the call's own span where there is one: the gateway's spans belong below it.
        if (Activity.Current is { Recorded: true, IdFormat: ActivityIdFormat.W3C, Id: { } id })
            call.TraceParent = id;
        long started = _time.GetTimestamp();
        Exception? error = null;
        try
        {
            return await _retries.ExecuteAsync(call, attempt, cancellationToken).ConfigureAwait(false);
        }
        catch (AiDbException exception) when (
            exception.Kind == AiDbErrorKind.Cancelled && cancellationToken.IsCancellationRequested)
        {
            error = exception;
            throw new OperationCanceledException("The call was cancelled.", exception, cancellationToken);
        }
        catch (Exception exception)
        {
            error = exception;
            throw;
        }
        finally
        {
            if (activity is not null || ClientTelemetry.MeasuresDuration)
                ClientTelemetry.Stop(activity, kind, table, _time.GetElapsedTime(started), error);
        }
    }

    private ValueTask<PipelineResponse> AttemptAsync(Call call, CancellationToken cancellationToken)
    {
        GatewayConnection connection = _pool.Pick(call.LastConnection);
        call.LastConnection = connection;
        return call.HedgeAfter is { } delay
            ? HedgeAsync(connection, call, delay, cancellationToken)
            : SendAsync(connection, call, cancellationToken);
    }

    private static async ValueTask<PipelineResponse> SendAsync(
        GatewayConnection connection, Call call, CancellationToken cancellationToken)
    {
        PipelineResponse response;
        try
        {
            response = await connection.SendAsync(call, cancellationToken).ConfigureAwait(false);
        }
        catch (AiDbException exception)
        {
            if (exception.Kind is AiDbErrorKind.Unavailable or AiDbErrorKind.OutcomeUnknown)
                connection.MarkFailed();
            // A stream that was refused for its credentials shows as a node out of reach; the cause is what
            // helps.
            if (exception is { Kind: AiDbErrorKind.Unavailable, InnerException: RpcException cause }
                && ErrorTranslation.IsRefusal(cause.StatusCode))
            {
                throw ErrorTranslation.ToException(cause, changesState: false);
            }

            throw;
        }

        return response.Error is null ? response : throw ErrorTranslation.ToException(response.Error);
    }

    /// <summary>Sends a second, equal request when the first is slow; the first good answer wins.</summary>
    private async ValueTask<PipelineResponse> HedgeAsync(
        GatewayConnection connection, Call call, TimeSpan delay, CancellationToken cancellationToken)
    {
        using CancellationTokenSource ended = CancellationTokenSource.CreateLinkedTokenSource(cancellationToken);
        Task<PipelineResponse> first = SendAsync(connection, call, ended.Token).AsTask();
        try
        {
            return await first.WaitAsync(delay, _time, CancellationToken.None).ConfigureAwait(false);
        }
        catch (TimeoutException)
        {
            ClientTelemetry.CountHedge();
        }

        Task<PipelineResponse> second = SendAsync(_pool.Pick(connection), call, ended.Token).AsTask();
        Task<PipelineResponse> winner = await Task.WhenAny(first, second).ConfigureAwait(false);
        Task<PipelineResponse> other = ReferenceEquals(winner, first) ? second : first;
        if (!winner.IsCompletedSuccessfully)
            (winner, other) = (other, winner);
        try
        {
            return await winner.ConfigureAwait(false);
        }
        finally
        {
            await ended.CancelAsync().ConfigureAwait(false);
            _ = other.ContinueWith(
                static done => _ = done.Exception, CancellationToken.None,
                TaskContinuationOptions.OnlyOnFaulted | TaskContinuationOptions.ExecuteSynchronously, TaskScheduler.Default);
        }
    }

    private async ValueTask<TResult> SendAloneAsync<TResult>(
        Call call, Func<GatewayConnection, CallOptions, AsyncUnaryCall<TResult>> send, CancellationToken cancellationToken)
    {
        GatewayConnection connection = _pool.Pick(call.LastConnection);
        call.LastConnection = connection;
        try
        {
            using AsyncUnaryCall<TResult> sent = send(connection, connection.Options(call.Deadline, cancellationToken));
            return await sent.ResponseAsync.ConfigureAwait(false);
        }
        catch (RpcException exception)
        {
            AiDbException error = ErrorTranslation.ToException(exception, changesState: !call.Kind.IsRead);
            if (error.Kind == AiDbErrorKind.Unavailable)
                connection.MarkFailed();
            throw error;
        }
    }

    private static AiDbException Unexpected(PipelineResponse response) => new(
        AiDbErrorKind.Internal, $"The gateway answered with {response.ResultCase}, which does not belong to the request.");
}
