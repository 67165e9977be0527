using AiDb.Contracts.V1;
using Grpc.Core;

namespace AiDb.Client.Transport;

/// <summary>The pages of one scan, over as many streams as it takes.</summary>
/// <remarks>Thread safety: none; it belongs to one enumeration.</remarks>
internal sealed class PageReader(
    GatewayPool pool, RetryPolicy retries, ScanRequest request, Func<TimeSpan?, long> newDeadline,
    TimeProvider time) : IAsyncDisposable
{
    private readonly ScanRequest _request = request.Clone();
    private AsyncServerStreamingCall<ScanResponse>? _stream;
    private GatewayConnection? _connection;
    private bool _started;

    /// <summary>The next page, or null at the end of the stream.</summary>
    public async ValueTask<ScanResponse?> NextAsync(CancellationToken cancellationToken)
    {
        // Each page has its own deadline: a long scan, or a consumer that takes its time, is no error.
        Call call = new(CallKind.Scan, _request.Table, _request, idempotent: true, newDeadline(null))
        {
            LastConnection = _connection,
            // When the snapshot is gone, pages of another one would not fit to those that were handed out.
            RepeatsAborted = !_started,
        };
        try
        {
            return await retries.ExecuteAsync(call, ReadPageAsync, cancellationToken).ConfigureAwait(false);
        }
        catch (AiDbException exception) when (
            exception.Kind == AiDbErrorKind.Cancelled && cancellationToken.IsCancellationRequested)
        {
            throw new OperationCanceledException("The scan was cancelled.", exception, cancellationToken);
        }
    }

    public ValueTask DisposeAsync()
    {
        _stream?.Dispose();
        return ValueTask.CompletedTask;
    }

    private async ValueTask<ScanResponse?> ReadPageAsync(Call call, CancellationToken cancellationToken)
    {
        try
        {
            if (_stream is null)
            {
                _connection = pool.Pick(call.LastConnection);
                call.LastConnection = _connection;
                _stream = _connection.KeyValue.Scan(
                    _request, _connection.Options(long.MaxValue, CancellationToken.None));
            }

            using CancellationTokenRegistration cancelling = cancellationToken.UnsafeRegister(
                static stream => ((AsyncServerStreamingCall<ScanResponse>)stream!).Dispose(), _stream);
            Task<bool> moving = _stream.ResponseStream.MoveNext(CancellationToken.None);
            if (!await moving.WaitAsync(time.GetElapsedTime(time.GetTimestamp(), call.Deadline), time, CancellationToken.None)
                .ConfigureAwait(false))
            {
                return null;
            }

            ScanResponse page = _stream.ResponseStream.Current;
            _started = true;
            _request.Cursor = page.Cursor;
            return page;
        }
        catch (TimeoutException exception)
        {
            _stream?.Dispose();
            _stream = null;
            throw new AiDbException(
                AiDbErrorKind.DeadlineExceeded, "A page of the scan did not come within the time limit.", exception);
        }
        catch (RpcException exception)
        {
            _stream?.Dispose();
            _stream = null;
            cancellationToken.ThrowIfCancellationRequested();
            AiDbException error = ErrorTranslation.ToException(exception, changesState: false);
            if (error.Kind == AiDbErrorKind.Unavailable)
                _connection?.MarkFailed();
            throw error;
        }
    }
}
