using System.Net;
using System.Net.Sockets;
using AiDb.Cli.Up;

namespace AiDb.Tests.Cli;

public sealed class PortCheckTests
{
    [Fact]
    public void A_taken_port_is_told_with_the_option_that_chooses_another()
    {
        using TcpListener listener = new(IPAddress.Loopback, 0);
        listener.Start();
        int port = ((IPEndPoint)listener.LocalEndpoint).Port;

        AiDbException error = Assert.Throws<AiDbException>(() => PortCheck.ThrowIfTaken(port, "--port"));
        Assert.Equal(AiDbErrorKind.AlreadyExists, error.Kind);
        Assert.Contains($"port {port}", error.Message, StringComparison.Ordinal);
        Assert.Contains("--port", error.Message, StringComparison.Ordinal);

        listener.Stop();
        PortCheck.ThrowIfTaken(port, "--port");
    }
}
