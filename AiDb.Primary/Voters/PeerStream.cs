using System.Threading.Channels;
using AiDb.Contracts;
using AiDb.Contracts.Internal.V1;
using AiDb.Contracts.Multiplexing;
using Grpc.Core;
using Grpc.Net.Client;

namespace AiDb.Primary.Voters;

/// <summary>The stream to one run of one other node, opened again whenever it breaks.</summary>
/// <remarks>Thread safety: <see cref="Send"/> may be called concurrently. It never waits: what does not fit into the queue is
/// dropped, since the protocol says everything again. Order is kept.</remarks>
internal sealed partial class PeerStream : IAsyncDisposable
{
    /// <summary>Bytes that wait for a stream that stands. Bigger: a burst is not said again; smaller: less memory for a node that
    /// does not read.</summary>
    public const int MaxQueuedBytes = 64 << 20;

    /// <summary>Bytes that wait while there is no stream: what is said meanwhile is old when it stands.</summary>
    public const int MaxQueuedBytesWhileDown = 256 << 10;

    private const int MaxFrameBytes = 1 << 20;
    private static readonly TimeSpan ConnectTimeout = TimeSpan.FromSeconds(2);
    private static readonly TimeSpan FirstPause = TimeSpan.FromMilliseconds(50);
    private static readonly TimeSpan LongestPause = TimeSpan.FromSeconds(1);

    private readonly string _self;
    private readonly string _peer;
    private readonly string _address;
    private readonly Grpc.Core.Metadata _headers;
    private readonly GrpcChannel _channel;
    private readonly TimeProvider _time;
    private readonly ILogger _logger;
    private readonly Lock _gate = new();
    private readonly Queue<(ReplicationItem Item, int Bytes)> _queue = new();
    private readonly Channel<bool> _signal =
        Channel.CreateBounded<bool>(new BoundedChannelOptions(1) { FullMode = BoundedChannelFullMode.DropWrite, SingleReader = true });
    private readonly CancellationTokenSource _stop = new();
    private readonly Task _loop;
    private long _queuedBytes;
    private bool _isConnected;

    /// <summary>Starts to connect.</summary>
    public PeerStream(string self, string peer, string address, string clusterSecret, TimeProvider time, ILogger logger)
    {
        _self = self;
        _peer = peer;
        _address = address;
        _headers = new Grpc.Core.Metadata { { ClusterSecret.HeaderName, clusterSecret } };
        _time = time;
        _logger = logger;
        _channel = NodeChannels.Open(address);
        _loop = Task.Run(RunAsync, CancellationToken.None);
    }

    /// <summary>Puts a message into the queue, or drops it.</summary>
    public void Send(ReplicationItem item)
    {
        int bytes = ReplicationWire.SizeOf(item);
        lock (_gate)
        {
            // One message may be larger than the bound: alone it is let through.
            if (_queue.Count > 0 && _queuedBytes + bytes > (_isConnected ? MaxQueuedBytes : MaxQueuedBytesWhileDown))
            {
                return;
            }

            _queue.Enqueue((item, bytes));
            _queuedBytes += bytes;
        }

        _signal.Writer.TryWrite(true);
    }

    /// <inheritdoc/>
    public async ValueTask DisposeAsync()
    {
        await _stop.CancelAsync().ConfigureAwait(false);
        await _loop.ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
        _channel.Dispose();
        _stop.Dispose();
    }

    private async Task RunAsync()
    {
        TimeSpan pause = FirstPause;
        while (!_stop.IsCancellationRequested)
        {
            bool stood = false;
            try
            {
                await ConnectAsync(() => stood = true).ConfigureAwait(false);
            }
            catch (Exception error)
            {
                // Whatever it is, the stream is opened again: a voter that cannot speak is worse than one that tries.
                if (!_stop.IsCancellationRequested)
                    LogDown(_peer, _address, error.Message);
            }

            lock (_gate)
                _isConnected = false;
            pause = stood || pause * 2 > LongestPause ? (stood ? FirstPause : LongestPause) : pause * 2;
            await Task.Delay(pause * (0.5 + Random.Shared.NextDouble()), _time, _stop.Token)
                .ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
        }
    }

    private async Task ConnectAsync(Action onConnected)
    {
        using var ended = CancellationTokenSource.CreateLinkedTokenSource(_stop.Token);
        var client = new Contracts.Internal.V1.Replication.ReplicationClient(_channel);
        using AsyncDuplexStreamingCall<ReplicationFrame, ReplicationClosed> call =
            client.Connect(_headers, cancellationToken: ended.Token);
        try
        {
            await call.ResponseHeadersAsync.WaitAsync(ConnectTimeout, _time, ended.Token).ConfigureAwait(false);
            lock (_gate)
                _isConnected = true;
            onConnected();
            Task closed = WaitUntilClosedAsync(call.ResponseStream, ended);
            await WriteAsync(call.RequestStream, ended.Token).ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
            await ended.CancelAsync().ConfigureAwait(false);
            await closed.ConfigureAwait(false);
        }
        finally
        {
            await ended.CancelAsync().ConfigureAwait(false);
        }
    }

    private static async Task WaitUntilClosedAsync(
        IAsyncStreamReader<ReplicationClosed> answers, CancellationTokenSource ended)
    {
        try
        {
            while (await answers.MoveNext(ended.Token).ConfigureAwait(false))
            {
                // Nothing is said on it.
            }
        }
        finally
        {
            await ended.CancelAsync().ConfigureAwait(false);
        }
    }

    private async Task WriteAsync(IClientStreamWriter<ReplicationFrame> stream, CancellationToken cancellationToken)
    {
        // Serialized when its write ends, so that one frame serves all.
        var frame = new ReplicationFrame { NodeId = _self };
        while (true)
        {
            if (Take(frame))
            {
                await stream.WriteAsync(frame, cancellationToken).ConfigureAwait(false);
                frame.Items.Clear();
            }
            else
            {
                await _signal.Reader.ReadAsync(cancellationToken).ConfigureAwait(false);
            }
        }
    }

    private bool Take(ReplicationFrame frame)
    {
        long bytes = 0;
        lock (_gate)
        {
            while (_queue.TryPeek(out (ReplicationItem Item, int Bytes) next)
                && (frame.Items.Count == 0 || bytes + next.Bytes <= MaxFrameBytes))
            {
                _queue.Dequeue();
                frame.Items.Add(next.Item);
                bytes += next.Bytes;
            }

            _queuedBytes -= bytes;
        }

        return frame.Items.Count > 0;
    }

    [LoggerMessage(EventId = 1, Level = LogLevel.Debug, Message = "The stream to {Peer} at {Address} is down: {Reason}")]
    private partial void LogDown(string peer, string address, string reason);
}
