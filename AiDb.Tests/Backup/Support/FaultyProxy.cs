using System.Net;
using System.Net.Sockets;

namespace AiDb.Tests.Backup.Support;

/// <summary>What a connection through the proxy meets.</summary>
public enum ProxyFault
{
    /// <summary>Nothing: bytes pass both ways.</summary>
    None,

    /// <summary>An answer 503 and the end.</summary>
    Unavailable,

    /// <summary>Taken, and never answered.</summary>
    Hang,

    /// <summary>Cut with a reset after the first bytes of the request.</summary>
    Reset,

    /// <summary>The request arrives; its answer is thrown away and the connection cut.</summary>
    LoseAnswer,
}

/// <summary>A TCP proxy in front of a store that lets connections fail.</summary>
public sealed class FaultyProxy : IAsyncDisposable
{
    private readonly TcpListener _listener = new(IPAddress.Loopback, 0);
    private readonly CancellationTokenSource _ending = new();
    private readonly Uri _target;
    private readonly Task _accepting;
    private readonly Queue<ProxyFault> _faults = [];

    public FaultyProxy(string target)
    {
        _target = new Uri(target);
        _listener.Start();
        _accepting = AcceptAsync();
    }

    /// <summary>The target's address, through the proxy.</summary>
    public string Endpoint => $"http://127.0.0.1:{((IPEndPoint)_listener.LocalEndpoint).Port}{_target.AbsolutePath.TrimEnd('/')}";

    /// <summary>What the next connections meet; then nothing.</summary>
    public void FailNext(params ProxyFault[] faults)
    {
        lock (_faults)
        {
            foreach (ProxyFault fault in faults)
                _faults.Enqueue(fault);
        }
    }

    public async ValueTask DisposeAsync()
    {
        await _ending.CancelAsync();
        _listener.Stop();
        await _accepting.ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
        _ending.Dispose();
    }

    private async Task AcceptAsync()
    {
        while (true)
        {
            TcpClient client = await _listener.AcceptTcpClientAsync(_ending.Token);
            _ = ServeAsync(client);
        }
    }

    private ProxyFault NextFault()
    {
        lock (_faults)
            return _faults.TryDequeue(out ProxyFault fault) ? fault : ProxyFault.None;
    }

    /// <summary>One request for each connection, so that each fault meets one request.</summary>
    private async Task ServeAsync(TcpClient client)
    {
        using (client)
        {
            try
            {
                NetworkStream stream = client.GetStream();
                byte[] first = new byte[64 << 10];
                int read = await stream.ReadAsync(first, _ending.Token);
                if (read == 0)
                    return;
                ProxyFault fault = NextFault();
                switch (fault)
                {
                    case ProxyFault.Unavailable:
                        await stream.WriteAsync(
                            "HTTP/1.1 503 Service Unavailable\r\nContent-Length: 0\r\nConnection: close\r\n\r\n"u8.ToArray(), _ending.Token);
                        return;
                    case ProxyFault.Hang:
                        await Task.Delay(Timeout.Infinite, _ending.Token);
                        return;
                    case ProxyFault.Reset:
                        client.LingerState = new LingerOption(enable: true, seconds: 0);
                        return;
                    default:
                        await PassAsync(client, stream, first.AsMemory(0, read), fault == ProxyFault.LoseAnswer);
                        return;
                }
            }
            catch (Exception error) when (error is IOException or SocketException or OperationCanceledException)
            {
                // Either side has gone.
            }
        }
    }

    private async Task PassAsync(TcpClient client, NetworkStream stream, ReadOnlyMemory<byte> first, bool loseAnswer)
    {
        using var target = new TcpClient();
        await target.ConnectAsync(_target.Host, _target.Port, _ending.Token);
        NetworkStream far = target.GetStream();
        await far.WriteAsync(first, _ending.Token);
        Task up = stream.CopyToAsync(far, _ending.Token);
        if (loseAnswer)
        {
            byte[] answer = new byte[1024];
            while (true)
            {
                int read = await far.ReadAsync(answer, _ending.Token);

                // A "go on" is not the answer yet.
                if (read == 0 || !System.Text.Encoding.ASCII.GetString(answer, 0, read).Contains(" 100 ", StringComparison.Ordinal))
                    break;
                await stream.WriteAsync(answer.AsMemory(0, read), _ending.Token);
            }

            client.LingerState = new LingerOption(enable: true, seconds: 0);
            return;
        }

        await Task.WhenAny(up, far.CopyToAsync(stream, _ending.Token));
    }
}
