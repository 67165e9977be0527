using System.Diagnostics;
using Google.Protobuf;
using Google.Protobuf.Collections;
using Grpc.Core;

namespace AiDb.Contracts.Multiplexing;

/// <summary>Bounds of a
/// <see cref="FrameServer{TRequest, TResponse, TRequestFrame, TResponseFrame}"/>.</summary>
public sealed record FrameServerOptions
{
    /// <summary>Requests under way on one stream; while there are as many, no more are read. Default:
    /// 8,192.</summary>
    public int MaxInFlight { get; init; } = 8192;

    /// <summary>Bytes of answers that wait to be written; while there are as many, no more requests are
    /// begun. Default: 8 MiB.</summary>
    public int MaxWaitingBytes { get; init; } = 8 << 20;

    /// <summary>Bytes of answers that one frame gathers; a larger answer travels alone. Default: 1
    /// MiB.</summary>
    public int MaxFrameBytes { get; init; } = 1 << 20;

    /// <summary>Bytes of one answer; in place of a larger one the peer gets an error, since the answer would
    /// break the stream for all. Default: a little below <see cref="WireLimits.MaxMessageBytes"/>.</summary>
    public int MaxResponseBytes { get; init; } = WireLimits.MaxMessageBytes - (1 << 20);
}

/// <summary>The serving half of a
/// <see cref="StreamMultiplexer{TRequest, TResponse, TRequestFrame, TResponseFrame}"/>: reads frames, runs
/// their requests concurrently, and writes the answers that are ready in the next frame.</summary>
/// <remarks>A request whose handler ends without waiting is answered from the reading loop; the others go on
/// by themselves. A peer that does not read its answers is not read from either.</remarks>
public sealed class FrameServer<TRequest, TResponse, TRequestFrame, TResponseFrame>
    where TRequest : class
    where TResponse : class
    where TRequestFrame : class, new()
    where TResponseFrame : class, new()
{
    private readonly MultiplexProtocol<TRequest, TResponse, TRequestFrame, TResponseFrame> _protocol;
    private readonly Func<TRequest, CancellationToken, ValueTask<TResponse>> _handler;
    private readonly FrameServerOptions _options;
    private readonly Lock _gate = new();
    private readonly Queue<TResponse> _ready = new();
    private readonly AsyncSignal _readySignal = new();
    private readonly AsyncSignal _roomSignal = new();
    private long _readyBytes;
    private int _inFlight;
    private bool _requestsEnded;
    private bool _broken;

    private FrameServer(
        MultiplexProtocol<TRequest, TResponse, TRequestFrame, TResponseFrame> protocol,
        Func<TRequest, CancellationToken, ValueTask<TResponse>> handler,
        FrameServerOptions options)
    {
        _protocol = protocol;
        _handler = handler;
        _options = options;
    }

    /// <summary>Serves one stream until the peer ends it.</summary>
    /// <param name="protocol">How requests travel in frames.</param>
    /// <param name="requests">The peer's frames.</param>
    /// <param name="responses">Where the answers go.</param>
    /// <param name="context">The call.</param>
    /// <param name="handler">Executes a request; what it throws becomes the request's answer.</param>
    /// <param name="options">Bounds.</param>
    /// <param name="stopping">Ends the stream: no more requests are read, those under way are
    /// answered.</param>
    public static async Task ServeAsync(
        MultiplexProtocol<TRequest, TResponse, TRequestFrame, TResponseFrame> protocol,
        IAsyncStreamReader<TRequestFrame> requests,
        IServerStreamWriter<TResponseFrame> responses,
        ServerCallContext context,
        Func<TRequest, CancellationToken, ValueTask<TResponse>> handler,
        FrameServerOptions? options = null,
        CancellationToken stopping = default)
    {
        // The span of the stream lives as long as the stream. It is not the parent of what travels on it.
        Activity.Current = null;
        // The peer takes the headers for the sign that the stream stands.
        await context.WriteResponseHeadersAsync([]).ConfigureAwait(false);
        var server = new FrameServer<TRequest, TResponse, TRequestFrame, TResponseFrame>(
            protocol, handler, options ?? new FrameServerOptions());
        await server.RunAsync(requests, responses, context.CancellationToken, stopping).ConfigureAwait(false);
    }

    private async Task RunAsync(
        IAsyncStreamReader<TRequestFrame> requests,
        IServerStreamWriter<TResponseFrame> responses,
        CancellationToken aborted,
        CancellationToken stopping)
    {
        Task writing = WriteAsync(responses, aborted);
        using var reading = CancellationTokenSource.CreateLinkedTokenSource(aborted, stopping);
        try
        {
            await ReadAsync(requests, reading.Token, aborted).ConfigureAwait(false);
        }
        catch (Exception) when (aborted.IsCancellationRequested || stopping.IsCancellationRequested)
        {
            // The peer went away, or the node stops; neither is an error of the stream.
        }
        catch (InvalidProtocolBufferException exception)
        {
            throw ErrorMapping.ToRpc(new AiDbException(
                AiDbErrorKind.InvalidArgument, $"A frame is no well-formed message: {exception.Message}", exception));
        }
        finally
        {
            lock (_gate)
            {
                _requestsEnded = true;
                _broken |= aborted.IsCancellationRequested;
            }

            _readySignal.Set();
            await writing.ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
        }
    }

    private async Task ReadAsync(
        IAsyncStreamReader<TRequestFrame> requests, CancellationToken reading, CancellationToken aborted)
    {
        while (await requests.MoveNext(reading).ConfigureAwait(false))
        {
            foreach (TRequest request in _protocol.Requests(requests.Current))
            {
                while (!TryBegin())
                {
                    _readySignal.Set();
                    await _roomSignal.WaitAsync().ConfigureAwait(false);
                }

                Begin(request, aborted);
            }

            _readySignal.Set();
        }
    }

    private bool TryBegin()
    {
        lock (_gate)
        {
            // On a broken stream nothing is written any more, so that room would never come.
            if (!_broken && (_inFlight >= _options.MaxInFlight || _readyBytes >= _options.MaxWaitingBytes))
                return false;
            _inFlight++;
            return true;
        }
    }

    private void Begin(TRequest request, CancellationToken aborted)
    {
        ulong id = _protocol.IdOf(request);
        ValueTask<TResponse> answer;
        try
        {
            answer = _handler(request, aborted);
        }
        catch (Exception exception)
        {
            End(id, _protocol.Failure(exception));
            return;
        }

#pragma warning disable VSTHRD002 // It has completed: nothing waits here.
        if (answer.IsCompletedSuccessfully)
            End(id, answer.Result);
#pragma warning restore VSTHRD002
        else
            _ = FinishAsync(id, answer);
    }

    private async Task FinishAsync(ulong id, ValueTask<TResponse> answer)
    {
        TResponse response;
        try
        {
            response = await answer.ConfigureAwait(false);
        }
        catch (Exception exception)
        {
            response = _protocol.Failure(exception);
        }

        End(id, response);
        _readySignal.Set();
    }

    private void End(ulong id, TResponse response)
    {
        int size = _protocol.SizeOf(response);
        if (size > _options.MaxResponseBytes)
        {
            response = _protocol.Failure(new AiDbException(
                AiDbErrorKind.InvalidArgument,
                $"The answer has about {size} bytes; at most {_options.MaxResponseBytes} can be sent. Ask for less at a time."));
            size = _protocol.SizeOf(response);
        }

        _protocol.SetId(response, id);
        lock (_gate)
        {
            _inFlight--;
            _ready.Enqueue(response);
            _readyBytes += size;
        }
    }

    private async Task WriteAsync(IServerStreamWriter<TResponseFrame> stream, CancellationToken aborted)
    {
        var frame = new TResponseFrame();
        RepeatedField<TResponse> responses = _protocol.Responses(frame);
        try
        {
            while (true)
            {
                if (TakeForFrame(responses))
                {
                    await stream.WriteAsync(frame, aborted).ConfigureAwait(false);
                    responses.Clear();
                }
                else if (IsDone())
                {
                    return;
                }
                else
                {
                    await _readySignal.WaitAsync().ConfigureAwait(false);
                }
            }
        }
        catch
        {
            lock (_gate)
                _broken = true;
            throw;
        }
        finally
        {
            // Whoever waits for room must see that the stream is over.
            _roomSignal.Set();
            await DrainAsync().ConfigureAwait(false);
        }
    }

    private bool TakeForFrame(RepeatedField<TResponse> frame)
    {
        long bytes = 0;
        lock (_gate)
        {
            while (_ready.TryPeek(out TResponse? response))
            {
                int size = _protocol.SizeOf(response);
                if (frame.Count > 0 && bytes + size > _options.MaxFrameBytes)
                    break;
                _ready.Dequeue();
                frame.Add(response);
                bytes += size;
            }

            _readyBytes -= bytes;
        }

        if (frame.Count == 0)
            return false;
        _roomSignal.Set();
        return true;
    }

    private bool IsDone()
    {
        lock (_gate)
            return _broken || (_requestsEnded && _inFlight == 0 && _ready.Count == 0);
    }

    /// <summary>Handlers may use the call until they end, so that the call must not end before
    /// them.</summary>
    private async Task DrainAsync()
    {
        while (true)
        {
            lock (_gate)
            {
                _ready.Clear();
                if (_inFlight == 0 && _requestsEnded)
                    return;
            }

            _roomSignal.Set();
            await _readySignal.WaitAsync().ConfigureAwait(false);
        }
    }
}
