namespace AiDb.Tests.EndToEnd;

/// <summary>A stand-alone gateway as a process on free ports, its data in a temporary folder that outlives a
/// kill.</summary>
internal sealed class GatewayProcess : IAsyncDisposable
{
    private readonly string[] _settings;
    private ServerProcess? _process;

    private GatewayProcess(string dataDirectory, string[] settings)
    {
        DataDirectory = dataDirectory;
        _settings = settings;
    }

    public string DataDirectory { get; }

    public HttpClient Http { get; private set; } = new();

    /// <summary>Where its gRPC port is.</summary>
    public string GrpcAddress { get; private set; } = "";

    public ServerProcess Process => _process ?? throw new InvalidOperationException("The gateway is not running.");

    /// <summary>A folder that the caller deletes.</summary>
    public static string NewDataDirectory() => Directory.CreateTempSubdirectory("aidb-e2e-").FullName;

    public static async Task<GatewayProcess> StartAsync(
        string dataDirectory, CancellationToken cancellationToken, params string[] settings)
    {
        GatewayProcess gateway = new(dataDirectory, settings);
        await gateway.StartAgainAsync(cancellationToken);
        return gateway;
    }

    /// <summary>Starts without waiting until it is ready; for starts that should fail.</summary>
    public static ServerProcess Launch(string dataDirectory, params string[] settings)
    {
        int[] ports = ServerProcess.FreePorts(2);
        return Launch(dataDirectory, ports, settings);
    }

    /// <summary>After a kill: the same data, new ports.</summary>
    public async Task StartAgainAsync(CancellationToken cancellationToken)
    {
        int[] ports = ServerProcess.FreePorts(2);
        _process = Launch(DataDirectory, ports, _settings);
        GrpcAddress = $"http://127.0.0.1:{ports[1]}";
        Http.Dispose();
        Http = new HttpClient { BaseAddress = new Uri($"http://127.0.0.1:{ports[0]}") };
        await _process.WaitUntilReadyAsync(new Uri(Http.BaseAddress, "/readyz"), cancellationToken);
    }

    public async ValueTask DisposeAsync()
    {
        Http.Dispose();
        if (_process is not null)
            await _process.DisposeAsync();
    }

    private static ServerProcess Launch(string dataDirectory, int[] ports, string[] settings) => ServerProcess.Start(
        "AiDb.Gateway",
        dataDirectory,
        [
            $"--AiDb:DataDirectory={Path.Combine(dataDirectory, "data")}",
            $"--Kestrel:Endpoints:Rest:Url=http://127.0.0.1:{ports[0]}",
            $"--Kestrel:Endpoints:Grpc:Url=http://127.0.0.1:{ports[1]}",
            "--Kestrel:Endpoints:Grpc:Protocols=Http2",
            .. settings,
        ]);
}
