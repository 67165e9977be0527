using AiDb.Tests.TestSupport;

namespace AiDb.Tests.Interop;

/// <summary>The gateway as a user runs it: a process of its own, stand-alone, with an API key and a fresh folder.</summary>
internal sealed class GatewayProcess : IAsyncDisposable
{
    public const string ApiKey = "interop-key";

    private readonly PeerProcess _process;
    private readonly string _folder;

    private GatewayProcess(PeerProcess process, string folder, Uri address)
    {
        _process = process;
        _folder = folder;
        Address = address;
    }

    public Uri Address { get; }

    /// <summary>Starts it with one listener.</summary>
    /// <param name="protocols">What that listener speaks: Http1 for REST, Http2 for gRPC.</param>
    /// <param name="cancellationToken">Gives up waiting for it to listen.</param>
    public static async Task<GatewayProcess> StartAsync(string protocols, CancellationToken cancellationToken)
    {
        var folder = Directory.CreateTempSubdirectory("aidb-interop-").FullName;
        var process = PeerProcess.Start(
            "dotnet",
            [Path.Combine(AppContext.BaseDirectory, "AiDb.Gateway.dll")],
            new Dictionary<string, string>(StringComparer.Ordinal)
            {
                ["Kestrel__Endpoints__Only__Url"] = "http://127.0.0.1:0",
                ["Kestrel__Endpoints__Only__Protocols"] = protocols,
                ["Logging__LogLevel__Microsoft.Hosting.Lifetime"] = "Information",
                ["AiDb__ApiKey"] = ApiKey,
                ["AiDb__DataDirectory"] = folder,
            });
        try
        {
            var address = await process.ReadUntilAsync("Now listening on: ", cancellationToken);
            process.IgnoreOutput();
            return new GatewayProcess(process, folder, new Uri(address));
        }
        catch
        {
            await process.DisposeAsync();
            Directory.Delete(folder, recursive: true);
            throw;
        }
    }

    public async ValueTask DisposeAsync()
    {
        await _process.DisposeAsync();
        Directory.Delete(_folder, recursive: true);
    }
}
