using System.Net;
using System.Net.Sockets;

namespace AiDb.Tests.TestSupport;

/// <summary>Stands between a client and a server, and fails as networks do.</summary>
internal sealed class TcpProxy : IAsyncDisposable
{
    private readonly TcpListener _listener = new(IPAddress.Loopback, 0);
    private readonly CancellationTokenSource _end = new();
    private readonly Lock _lock = new();
    private readonly HashSet<Socket> _open = [];
    private readonly IPEndPoint _target;
    private readonly Task _accepting;
    private int _answersToLose;
    private bool _isSilent;

    public TcpProxy(string target)
    {
        _target = IPEndPoint.Parse(target);
        _listener.Start();
        _accepting = AcceptAsync();
    }

    /// <summary>Where it listens, <c>host:port</c>.</summary>
    public string Host => $"{_listener.LocalEndpoint}";

    /// <summary>Whether it takes what comes and passes nothing on.</summary>
    public bool IsSilent
    {
        set => Volatile.Write(ref _isSilent, value);
    }

    /// <summary>The next answer cuts its connection instead of arriving.</summary>
    public void LoseNextAnswer() => Interlocked.Increment(ref _answersToLose);

    /// <summary>Cuts all connections.</summary>
    public void Cut()
    {
        lock (_lock)
        {
            foreach (Socket socket in _open)
                socket.Close(0);
            _open.Clear();
        }
    }

    public async ValueTask DisposeAsync()
    {
        await _end.CancelAsync();
        _listener.Stop();
        Cut();
        await _accepting;
        _end.Dispose();
    }

    private async Task AcceptAsync()
    {
        List<Task> serving = [];
        try
        {
            while (true)
                serving.Add(ServeAsync(await _listener.AcceptSocketAsync(_end.Token)));
        }
        catch (Exception error) when (error is OperationCanceledException or SocketException or ObjectDisposedException)
        {
            await Task.WhenAll(serving);
        }
    }

    private async Task ServeAsync(Socket client)
    {
        using Socket server = new(SocketType.Stream, ProtocolType.Tcp) { NoDelay = true };
        client.NoDelay = true;
        try
        {
            await server.ConnectAsync(_target, _end.Token);
            lock (_lock)
            {
                _open.Add(client);
                _open.Add(server);
            }

            await Task.WhenAny(CopyAsync(client, server, isAnswer: false), CopyAsync(server, client, isAnswer: true));
        }
        catch (Exception error) when (error is SocketException or OperationCanceledException or ObjectDisposedException)
        {
            // Cut, or the server is not there.
        }
        finally
        {
            lock (_lock)
            {
                _open.Remove(client);
                _open.Remove(server);
            }

            client.Close(0);
            server.Close(0);
        }
    }

    private async Task CopyAsync(Socket from, Socket to, bool isAnswer)
    {
        byte[] buffer = new byte[64 << 10];
        try
        {
            while (await from.ReceiveAsync(buffer, _end.Token) is > 0 and int length)
            {
                if (isAnswer && TryLose())
                    return;
                if (!Volatile.Read(ref _isSilent))
                    await to.SendAsync(buffer.AsMemory(0, length), _end.Token);
            }
        }
        catch (Exception error) when (error is SocketException or OperationCanceledException or ObjectDisposedException)
        {
            // The other side is gone.
        }
    }

    private bool TryLose()
    {
        int left = Volatile.Read(ref _answersToLose);
        return left > 0 && Interlocked.CompareExchange(ref _answersToLose, left - 1, left) == left;
    }
}
