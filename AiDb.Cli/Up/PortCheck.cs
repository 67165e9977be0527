using System.Net;
using System.Net.Sockets;

namespace AiDb.Cli.Up;

/// <summary>Tells before anything is started that a port is taken, and by which option to choose
/// another.</summary>
internal static class PortCheck
{
    /// <summary>Throws when another program listens on the loopback port.</summary>
    /// <exception cref="AiDbException"><see cref="AiDbErrorKind.AlreadyExists"/>.</exception>
    public static void ThrowIfTaken(int port, string option)
    {
        using Socket socket = new(AddressFamily.InterNetwork, SocketType.Stream, ProtocolType.Tcp);
        try
        {
            socket.Bind(new IPEndPoint(IPAddress.Loopback, port));
        }
        catch (SocketException error) when (error.SocketErrorCode == SocketError.AddressAlreadyInUse)
        {
            throw new AiDbException(
                AiDbErrorKind.AlreadyExists,
                $"Another program listens on port {port}; end it, or choose another port with {option} (0: a free one)",
                error);
        }
    }
}
