using Google.Protobuf.Collections;
using Grpc.Core;

namespace AiDb.Contracts.Multiplexing;

/// <summary>Many concurrent requests over one duplex stream. What gathers while a frame is being written
/// leaves in the next frame; answers come in any order.</summary>
/// <remarks>
/// Thread safety: all members may be called concurrently, <see cref="DisposeAsync"/> last. The server must
/// send its response headers at once
/// (<see cref="FrameServer{TRequest, TResponse, TRequestFrame, TResponseFrame}"/> does): they are the sign
/// that the stream stands, so that nothing is written, and no outcome in doubt, before it does. While the
/// stream is down requests fail at once; it is opened again with growing, jittered pauses.
/// </remarks>
public sealed class StreamMultiplexer<TRequest, TResponse, TRequestFrame, TResponseFrame> : IAsyncDisposable
    where TRequest : class
    where TResponse : class
    where TRequestFrame : class, new()
    where TResponseFrame : class, new()
{
    private static readonly TimeSpan SweepInterval = TimeSpan.FromMilliseconds(20);
    private static readonly TimeSpan LastWordPatience = TimeSpan.FromMilliseconds(250);

    private readonly MultiplexProtocol<TRequest, TResponse, TRequestFrame, TResponseFrame> _protocol;
    private readonly Func<CancellationToken, AsyncDuplexStreamingCall<TRequestFrame, TResponseFrame>> _open;
    private readonly MultiplexerOptions _options;
    private readonly TimeProvider _time;
    private readonly PendingRequests<TRequest, TResponse> _pending;
    private readonly AsyncSignal _queued = new();
    private readonly Action<TRequest, ulong> _setId;
    private readonly Func<TResponse, ulong> _idOf;
    private readonly CancellationTokenSource _stop = new();
    private readonly ITimer _sweep;
    private readonly Task _loop;
    private int _sweeping;
    private int _disposed;
    private long _framesSent;
    private long _requestsSent;
    private volatile bool _connected;
    private volatile bool _broken;

    /// <summary>Starts to connect.</summary>
    /// <param name="protocol">How requests travel in frames.</param>
    /// <param name="open">Opens a stream; called for every connection. The token ends the call.</param>
    /// <param name="options">Bounds and times.</param>
    public StreamMultiplexer(
        MultiplexProtocol<TRequest, TResponse, TRequestFrame, TResponseFrame> protocol,
        Func<CancellationToken, AsyncDuplexStreamingCall<TRequestFrame, TResponseFrame>> open,
        MultiplexerOptions? options = null)
    {
        _protocol = protocol;
        _open = open;
        _options = options ?? new MultiplexerOptions();
        _options.Validate();
        _time = _options.TimeProvider;
        _pending = new PendingRequests<TRequest, TResponse>(_options);
        _setId = protocol.SetId;
        _idOf = protocol.IdOf;
        // Often the first request makes the connection: its trace must not become that of a stream that lives
        // for days.
        using (ExecutionContext.IsFlowSuppressed() ? null : (AsyncFlowControl?)ExecutionContext.SuppressFlow())
        {
            _sweep = _time.CreateTimer(
                static state => ((StreamMultiplexer<TRequest, TResponse, TRequestFrame, TResponseFrame>)state!).Sweep(),
                this, Timeout.InfiniteTimeSpan, Timeout.InfiniteTimeSpan);
            _loop = Task.Run(RunAsync, CancellationToken.None);
        }
    }

    /// <summary>Whether the stream stands.</summary>
    public bool IsConnected => _connected;

    /// <summary>Requests without an answer.</summary>
    public int InFlight => _pending.Count;

    /// <summary>Frames written since the start.</summary>
    public long FramesSent => Interlocked.Read(ref _framesSent);

    /// <summary>Requests written since the start.</summary>
    public long RequestsSent => Interlocked.Read(ref _requestsSent);

    /// <summary>Sends a request and waits for its answer. The request belongs to the multiplexer from here
    /// on: it must not be changed, nor sent again before this call has ended.</summary>
    /// <exception cref="AiDbException"><see cref="AiDbErrorKind.Unavailable"/>: nothing was done (or a read's
    /// answer was lost). <see cref="AiDbErrorKind.OutcomeUnknown"/>: a change was sent and its answer did not
    /// come. <see cref="AiDbErrorKind.ResourceExhausted"/>: too much is under way.
    /// <see cref="AiDbErrorKind.DeadlineExceeded"/> or <see cref="AiDbErrorKind.Cancelled"/>: the wait
    /// ended.</exception>
    public ValueTask<TResponse> SendAsync(TRequest request, CancellationToken cancellationToken = default)
    {
        int sizeBytes = _protocol.SizeOf(request);
        if (sizeBytes > _options.MaxRequestBytes)
        {
            return ValueTask.FromException<TResponse>(new AiDbException(
                AiDbErrorKind.InvalidArgument,
                $"The request has about {sizeBytes} bytes; at most {_options.MaxRequestBytes} can be sent."));
        }

        PendingRequest<TRequest, TResponse> pending = _pending.Rent();
        pending.Request = request;
        pending.SizeBytes = sizeBytes;
        pending.ChangesState = _protocol.ChangesState(request);
        pending.Deadline = DeadlineOf(request);
        if (cancellationToken.CanBeCanceled)
            pending.CancelWith(cancellationToken);
        ValueTask<TResponse> answer = pending.Task;
        bool timed = pending.Deadline != long.MaxValue;
        if (_pending.TryQueue(pending, _setId) is { } refused)
        {
            pending.Abandon();
            return ValueTask.FromException<TResponse>(refused);
        }

        _queued.Set();
        if (timed && Interlocked.Exchange(ref _sweeping, 1) == 0)
            ScheduleSweep();
        return answer;
    }

    /// <summary>Refuses new requests, waits a while for the answers that are under way, and closes the
    /// stream.</summary>
    public async ValueTask DisposeAsync()
    {
        if (Interlocked.Exchange(ref _disposed, 1) != 0)
        {
            await _loop.ConfigureAwait(false);
            return;
        }

        _pending.Refuse(Closed);
        if (_connected)
        {
            try
            {
                await _pending.WhenEmpty().WaitAsync(_options.DrainTimeout, _time, CancellationToken.None)
                    .ConfigureAwait(false);
            }
            catch (TimeoutException)
            {
                // What is still open is failed below.
            }
        }

        await _stop.CancelAsync().ConfigureAwait(false);
        await _loop.ConfigureAwait(false);
        _pending.FailAll(Closed, AiDbErrorKind.Unavailable, "The connection was closed.", null);
        await _sweep.DisposeAsync().ConfigureAwait(false);
        _stop.Dispose();
    }

    private static AiDbException Closed() => new(AiDbErrorKind.Unavailable, "The connection is closed.");

    private long DeadlineOf(TRequest request)
    {
        uint timeoutMs = _protocol.TimeoutMs(request);
        TimeSpan? timeout = timeoutMs > 0 ? TimeSpan.FromMilliseconds(timeoutMs) : _options.DefaultTimeout;
        return timeout is { } limit
            ? _time.GetTimestamp() + (long)(limit.TotalSeconds * _time.TimestampFrequency)
            : long.MaxValue;
    }

    private async Task RunAsync()
    {
        TimeSpan backoff = _options.MinBackoff;
        while (!_stop.IsCancellationRequested)
        {
            Exception? cause = null;
            try
            {
                await ConnectAndServeAsync().ConfigureAwait(false);
            }
            catch (Exception exception)
            {
                cause = exception;
            }

            bool wasConnected = _connected;
            _connected = false;
            string reason = cause is null ? "the other side closed the stream" : Describe(cause);
            _pending.FailAll(
                Volatile.Read(ref _disposed) != 0 ? Closed : () => Down(reason, cause),
                KindOf(cause), $"The connection failed: {reason}.", cause);
            if (wasConnected)
                backoff = _options.MinBackoff;
            try
            {
                await Task.Delay(backoff * (0.5 + Random.Shared.NextDouble()), _time, _stop.Token).ConfigureAwait(false);
            }
            catch (OperationCanceledException)
            {
                return;
            }

            backoff = backoff * 2 < _options.MaxBackoff ? backoff * 2 : _options.MaxBackoff;
        }
    }

    private static AiDbException Down(string reason, Exception? cause) =>
        new(KindOf(cause), $"The node cannot be reached: {reason}.", cause)
        {
            RetryAfter = TimeSpan.FromMilliseconds(100),
        };

    /// <summary>What a broken stream means for a request that did nothing: it may be tried again, unless the
    /// credentials are wrong.</summary>
    private static AiDbErrorKind KindOf(Exception? cause) => cause switch
    {
        RpcException { StatusCode: StatusCode.Unauthenticated } => AiDbErrorKind.Unauthenticated,
        RpcException { StatusCode: StatusCode.PermissionDenied } => AiDbErrorKind.PermissionDenied,
        _ => AiDbErrorKind.Unavailable,
    };

    private static string Describe(Exception cause) => cause switch
    {
        RpcException rpc => $"{rpc.StatusCode}: {rpc.Status.Detail}".TrimEnd('.'),
        TimeoutException => "no answer to the opening of the stream",
        _ => cause.Message.TrimEnd('.'),
    };

    private async Task ConnectAndServeAsync()
    {
        using var ended = CancellationTokenSource.CreateLinkedTokenSource(_stop.Token);
        using AsyncDuplexStreamingCall<TRequestFrame, TResponseFrame> call = _open(ended.Token);
        try
        {
            await call.ResponseHeadersAsync.WaitAsync(_options.ConnectTimeout, _time, _stop.Token).ConfigureAwait(false);
        }
        catch
        {
            await ended.CancelAsync().ConfigureAwait(false);
            Observe(call.ResponseHeadersAsync);
            throw;
        }

        _broken = false;
        _connected = true;
        if (Volatile.Read(ref _disposed) == 0)
            _pending.Accept();
        Task writing = WriteAsync(call.RequestStream, ended.Token);
        Task reading = ReadAsync(call.ResponseStream, ended.Token);
        Task first = await Task.WhenAny(writing, reading).ConfigureAwait(false);
        _broken = true;
        _queued.Set();
        if (first == writing)
        {
            // A call that the server has ended fails the writer, too; the reader is about to learn why.
            await reading.WaitAsync(LastWordPatience, _time, _stop.Token)
                .ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
        }

        await ended.CancelAsync().ConfigureAwait(false);
        await Task.WhenAll(writing, reading).ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
        // A broken stream shows on both sides; what the reader says is the server's own word.
        await (reading.IsFaulted ? reading : first).ConfigureAwait(false);
    }

    private static void Observe(Task task) =>
        _ = task.ContinueWith(
            static done => _ = done.Exception, CancellationToken.None,
            TaskContinuationOptions.OnlyOnFaulted | TaskContinuationOptions.ExecuteSynchronously, TaskScheduler.Default);

    private async Task WriteAsync(IClientStreamWriter<TRequestFrame> stream, CancellationToken cancellationToken)
    {
        // One frame is used again and again: a stream has serialized it when its write ends.
        var frame = new TRequestFrame();
        RepeatedField<TRequest> requests = _protocol.Requests(frame);
        while (!_broken)
        {
            if (!_pending.TakeForFrame(requests))
            {
                await _queued.WaitAsync().ConfigureAwait(false);
                continue;
            }

            Interlocked.Increment(ref _framesSent);
            Interlocked.Add(ref _requestsSent, requests.Count);
            await stream.WriteAsync(frame, cancellationToken).ConfigureAwait(false);
            requests.Clear();
        }
    }

    private async Task ReadAsync(IAsyncStreamReader<TResponseFrame> stream, CancellationToken cancellationToken)
    {
        while (await stream.MoveNext(cancellationToken).ConfigureAwait(false))
            _pending.Complete(_protocol.Responses(stream.Current), _idOf);
    }

    private void ScheduleSweep()
    {
        try
        {
            _sweep.Change(SweepInterval, Timeout.InfiniteTimeSpan);
        }
        catch (ObjectDisposedException)
        {
            // Disposed meanwhile: every wait has been ended.
        }
    }

    private void Sweep()
    {
        // Cleared before the look: a request that comes after it schedules the next sweep itself.
        Volatile.Write(ref _sweeping, 0);
        if (_pending.Expire(_time.GetTimestamp()) && Interlocked.Exchange(ref _sweeping, 1) == 0)
            ScheduleSweep();
    }
}
