using AiDb.Tests.TestSupport;

namespace AiDb.Tests.Interop;

/// <summary>The gateway as a user runs it: a process of its own, stand-alone, with an API key and a fresh
/// folder.</summary>
internal sealed class GatewayProcess : IAsyncDisposable
{
    public const string ApiKey = "interop-key";

    private readonly PeerProcess _process;
    private readonly string _folder;

    private GatewayProcess(PeerProcess process, string folder, Uri rest, Uri grpc)
    {
        _process = process;
        _folder = folder;
        Rest = rest;
        Grpc = grpc;
    }

    public Uri Rest { get; }

    public Uri Grpc { get; }

    /// <summary>Starts it at free ports and waits until it listens.</summary>
    public static async Task<GatewayProcess> StartAsync(CancellationToken cancellationToken)
    {
        var folder = Directory.CreateTempSubdirectory("aidb-interop-").FullName;
        var process = PeerProcess.Start(
            "dotnet",
            [Path.Combine(AppContext.BaseDirectory, "AiDb.Gateway.dll")],
            new Dictionary<string, string>(StringComparer.Ordinal)
            {
                ["Kestrel__Endpoints__Rest__Url"] = "http://127.0.0.1:0",
                ["Kestrel__Endpoints__Rest__Protocols"] = "Http1",
                ["Kestrel__Endpoints__Grpc__Url"] = "http://127.0.0.1:0",
                ["Kestrel__Endpoints__Grpc__Protocols"] = "Http2",
                ["AiDb__ApiKey"] = ApiKey,
                ["AiDb__DataDirectory"] = folder,
            });
        try
        {
            // "... is listening: REST <url>, gRPC <url>; documentation ..."
            var line = await process.ReadUntilAsync("is listening: REST ", cancellationToken);
            process.IgnoreOutput();
            var addresses = line.Split(';')[0].Split(", gRPC ");
            return new GatewayProcess(process, folder, new Uri(addresses[0]), new Uri(addresses[1]));
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
