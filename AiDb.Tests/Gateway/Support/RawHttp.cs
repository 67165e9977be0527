using System.Net.Sockets;
using System.Text;

namespace AiDb.Tests.Gateway.Support;

/// <summary>HTTP/1.1 by hand: addresses go out as they are written, where HttpClient would normalise
/// them.</summary>
internal static class RawHttp
{
    public static async Task<(int Status, string Headers, byte[] Body)> SendAsync(
        Uri address, string method, string target, byte[]? body = null, string extraHeaders = "")
    {
        using TcpClient client = new();
        await client.ConnectAsync(address.Host, address.Port);
        await using NetworkStream stream = client.GetStream();
        string head = $"{method} {target} HTTP/1.1\r\nHost: {address.Authority}\r\nConnection: close\r\n{extraHeaders}";
        if (body is not null)
            head += $"Content-Length: {body.Length}\r\n";
        await stream.WriteAsync(Encoding.ASCII.GetBytes(head + "\r\n"));
        if (body is not null)
            await stream.WriteAsync(body);
        using MemoryStream answer = new();
        await stream.CopyToAsync(answer);
        byte[] bytes = answer.ToArray();
        int end = bytes.AsSpan().IndexOf("\r\n\r\n"u8);
        string headers = Encoding.ASCII.GetString(bytes, 0, end);
        return (int.Parse(headers.Split(' ')[1]), headers, bytes[(end + 4)..]);
    }
}
