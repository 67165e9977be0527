using System.Net;

namespace AiDb.Tests.EndToEnd;

/// <summary>Gateways, primaries and replicas of one cluster as processes, each on ports and in a folder of its own.</summary>
internal sealed class ClusterProcesses : IAsyncDisposable
{
    /// <summary>What its nodes know one another by.</summary>
    public const string Secret = "the secret of this test";

    private readonly string _folder = GatewayProcess.NewDataDirectory();
    private readonly Dictionary<string, ClusterNode> _nodes = new(StringComparer.Ordinal);

    /// <summary>Where the data of a node is.</summary>
    public string FolderOf(string id) => Path.Combine(_folder, id);

    /// <summary>Starts a gateway. The same id again: the same folder and ports.</summary>
    public ClusterNode StartGateway(string id, string? metadata, params string[] settings) =>
        Start("AiDb.Gateway", id, metadata, ["--AiDb:Mode=cluster", .. settings]);

    public ClusterNode StartPrimary(string id, string metadata, params string[] settings) =>
        Start("AiDb.Primary", id, metadata, settings);

    public ClusterNode StartReplica(string id, string metadata) => Start("AiDb.Replica", id, metadata, []);

    public async ValueTask DisposeAsync()
    {
        foreach (ClusterNode node in _nodes.Values)
            await node.DisposeAsync();
        Directory.Delete(_folder, recursive: true);
    }

    private ClusterNode Start(string assembly, string id, string? metadata, string[] settings)
    {
        int[] ports = _nodes.TryGetValue(id, out ClusterNode? before) ? before.Ports : ServerProcess.FreePorts(2);
        Directory.CreateDirectory(FolderOf(id));
        ServerProcess process = ServerProcess.Start(
            assembly,
            FolderOf(id),
            [
                $"--AiDb:DataDirectory={FolderOf(id)}/data",
                $"--AiDb:Node:Id={id}",
                $"--AiDb:Cluster:Secret={Secret}",
                $"--Kestrel:Endpoints:Http:Url=http://127.0.0.1:{ports[0]}",
                $"--Kestrel:Endpoints:Grpc:Url=http://127.0.0.1:{ports[1]}",
                "--Kestrel:Endpoints:Grpc:Protocols=Http2",
                .. metadata is null ? (string[])[] : [$"--AiDb:Metadata:Address={metadata}"],
                .. settings,
            ]);
        return _nodes[id] = new ClusterNode(process, ports);
    }
}

/// <summary>One of them.</summary>
internal sealed class ClusterNode(ServerProcess process, int[] ports) : IAsyncDisposable
{
    private static readonly TimeSpan Limit = TimeSpan.FromSeconds(60);

    public int[] Ports => ports;

    public ServerProcess Process => process;

    public HttpClient Http { get; } = new() { BaseAddress = new Uri($"http://127.0.0.1:{ports[0]}") };

    public string GrpcAddress => $"http://127.0.0.1:{ports[1]}";

    /// <summary>Waits until it is ready to serve.</summary>
    public async Task<ClusterNode> ReadyAsync(string path = "/health")
    {
        await process.WaitUntilReadyAsync(new Uri(Http.BaseAddress!, path), TestContext.Current.CancellationToken);
        return this;
    }

    /// <summary>Waits for a line of its log.</summary>
    public Task SaysAsync(string text) =>
        UntilAsync(() => Task.FromResult(process.Output.Contains(text, StringComparison.Ordinal)), $"'{text}'");

    /// <summary>Waits until its health is what is expected.</summary>
    public Task HealthIsAsync(string health) =>
        UntilAsync(async () => await Http.GetStringAsync("/health") == health, "health " + health);

    public async Task PutAsync(string table, string key, string value)
    {
        using StringContent content = new(value);
        using HttpResponseMessage response = await Http.PutAsync($"/v1/kv/{table}/{key}", content);
        Assert.True(response.IsSuccessStatusCode, $"{response.StatusCode} {await response.Content.ReadAsStringAsync()}");
    }

    /// <summary>The value of a key; null: there is none.</summary>
    public async Task<string?> GetAsync(string table, string key)
    {
        using HttpResponseMessage response = await Http.GetAsync($"/v1/kv/{table}/{key}");
        string text = await response.Content.ReadAsStringAsync();
        if (response.StatusCode == HttpStatusCode.NotFound)
            return null;
        Assert.True(response.IsSuccessStatusCode, $"{response.StatusCode} {text}");
        return text;
    }

    public async ValueTask DisposeAsync()
    {
        Http.Dispose();
        await process.DisposeAsync();
    }

    private async Task UntilAsync(Func<Task<bool>> condition, string what)
    {
        using CancellationTokenSource limit = CancellationTokenSource.CreateLinkedTokenSource(
            TestContext.Current.CancellationToken);
        limit.CancelAfter(Limit);
        while (!await condition())
        {
            Assert.False(process.HasExited, $"It ended before {what}:\n{process.Output}");
            Assert.False(limit.IsCancellationRequested, $"Waited in vain for {what}:\n{process.Output}");
            await Task.Delay(20, TestContext.Current.CancellationToken);
        }
    }
}
