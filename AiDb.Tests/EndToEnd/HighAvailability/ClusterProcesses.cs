using System.Diagnostics;
using System.Text.Json;

namespace AiDb.Tests.EndToEnd.HighAvailability;

/// <summary>A gateway and primaries as processes of their own, on ports that stay theirs, with data that outlives kills.</summary>
internal sealed class ClusterProcesses : IAsyncDisposable
{
    public const string Secret = "between the nodes";

    /// <summary>Longer than anything may take on a machine that does other things besides.</summary>
    public static readonly TimeSpan Patience = TimeSpan.FromMinutes(2);

    /// <summary>Nodes that do not take a machine that is busy with other things for a primary that is gone: for tests in which none
    /// is.</summary>
    public static readonly string[] Patient = ["--AiDb:Replication:SuspectAfterMs=15000"];

    private readonly string _folder = Directory.CreateTempSubdirectory("aidb-ha-").FullName;
    private readonly Dictionary<string, Member> _members = new(StringComparer.Ordinal);
    private readonly string[] _gatewaySettings;
    private readonly string[] _nodeSettings;

    private ClusterProcesses(string[] gatewaySettings, string[] nodeSettings)
    {
        _gatewaySettings = gatewaySettings;
        _nodeSettings = nodeSettings;
    }

    public HttpClient Http { get; private set; } = new();

    public string GatewayGrpc => $"http://127.0.0.1:{_members["gateway"].GrpcPort}";

    public IEnumerable<string> Nodes => _members.Keys.Where(name => name != "gateway").Order(StringComparer.Ordinal);

    /// <summary>Starts all and waits until every shard is served.</summary>
    public static async Task<ClusterProcesses> StartAsync(
        int primaries, string[] gatewaySettings, string[] nodeSettings, CancellationToken cancellationToken)
    {
        var cluster = new ClusterProcesses(gatewaySettings, nodeSettings);
        try
        {
            await cluster.StartGatewayAsync(cancellationToken);
            for (int i = 1; i <= primaries; i++)
                cluster.StartNode($"p{i}");
            await cluster.WaitUntilServedAsync(cancellationToken);
            return cluster;
        }
        catch
        {
            await cluster.DisposeAsync();
            throw;
        }
    }

    public async Task StartGatewayAsync(CancellationToken cancellationToken, params string[] settings)
    {
        Member gateway = Launch("gateway", "AiDb.Gateway", ["--AiDb:Mode=cluster", .. _gatewaySettings, .. settings]);
        Http.Dispose();
        Http = new HttpClient { BaseAddress = new Uri($"http://127.0.0.1:{gateway.HttpPort}"), Timeout = TimeSpan.FromSeconds(60) };
        await gateway.Process.WaitUntilReadyAsync(new Uri(Http.BaseAddress, "/livez"), cancellationToken);
    }

    public void StartNode(string name, params string[] settings) => Launch(
        name, "AiDb.Primary",
        [
            $"--AiDb:Metadata:Address=http://127.0.0.1:{_members["gateway"].GrpcPort}",
            .. _nodeSettings, .. settings,
        ]);

    public Task KillAsync(string name) => _members[name].Process.KillAsync();

    /// <summary>SIGTERM: an orderly stop.</summary>
    public async Task<int> TerminateAsync(string name, CancellationToken cancellationToken)
    {
        Signal(name, "TERM");
        return await _members[name].Process.WaitForExitAsync(cancellationToken);
    }

    /// <summary>SIGSTOP: the process stands still, its connections stay.</summary>
    public void Freeze(string name) => Signal(name, "STOP");

    /// <summary>SIGCONT.</summary>
    public void Thaw(string name) => Signal(name, "CONT");

    /// <summary>CPU time that a process has used since its start.</summary>
    public TimeSpan CpuOf(string name)
    {
        using Process process = Process.GetProcessById(_members[name].Process.ProcessId);
        return process.TotalProcessorTime;
    }

    public string OutputOf(string name) => _members[name].Process.Output;

    public bool HasExited(string name) => _members[name].Process.HasExited;

    public string DataOf(string name) => Path.Combine(_folder, name);

    public async Task<JsonElement> GetClusterAsync(CancellationToken cancellationToken)
    {
        using Stream stream = await Http.GetStreamAsync(new Uri("/v1/cluster", UriKind.Relative), cancellationToken);
        return (await JsonDocument.ParseAsync(stream, cancellationToken: cancellationToken)).RootElement.Clone();
    }

    /// <summary>The primary of a shard by the gateway's map.</summary>
    public async Task<string> PrimaryOfAsync(int shard, CancellationToken cancellationToken) =>
        ShardOf(await GetClusterAsync(cancellationToken), shard).GetProperty("primary").GetString()!;

    public static JsonElement ShardOf(JsonElement cluster, int shard) =>
        cluster.GetProperty("shards").EnumerateArray().Single(item => item.GetProperty("id").GetInt32() == shard);

    /// <summary>Waits until the cluster is in a state.</summary>
    public async Task WaitUntilAsync(Func<JsonElement, bool> condition, CancellationToken cancellationToken)
    {
        var patience = Stopwatch.StartNew();
        JsonElement last = default;
        while (patience.Elapsed < Patience)
        {
            last = await GetClusterAsync(cancellationToken);
            if (condition(last))
                return;
            await Task.Delay(50, cancellationToken);
        }

        Assert.Fail($"The cluster did not get there: {last}\n{AllOutput()}");
    }

    public Task WaitUntilServedAsync(CancellationToken cancellationToken) => WaitUntilAsync(
        cluster => cluster.GetProperty("shards").EnumerateArray().Any()
            && cluster.GetProperty("shards").EnumerateArray().All(
                shard => shard.GetProperty("state").GetString() == "active" && IsAlive(cluster, shard.GetProperty("primary").GetString()!)),
        cancellationToken);

    public static bool IsAlive(JsonElement cluster, string node) =>
        cluster.GetProperty("nodes").EnumerateArray().Any(
            item => item.GetProperty("id").GetString() == node && item.GetProperty("alive").GetBoolean());

    public string AllOutput() => string.Join(
        '\n', _members.Select(member => $"--- {member.Key}\n{Tail(member.Value.Process.Output)}"));

    public async ValueTask DisposeAsync()
    {
        Http.Dispose();
        foreach (Member member in _members.Values)
            await member.Process.DisposeAsync();
        Directory.Delete(_folder, recursive: true);
    }

    private static string Tail(string output) => output.Length > 20_000 ? output[^20_000..] : output;

    private Member Launch(string name, string assembly, string[] settings)
    {
        int[] ports = _members.TryGetValue(name, out Member? before)
            ? [before.HttpPort, before.GrpcPort]
            : ServerProcess.FreePorts(2);
        ServerProcess process = ServerProcess.Start(
            assembly, _folder,
            [
                $"--AiDb:DataDirectory={DataOf(name)}",
                $"--AiDb:Node:Id={name}",
                $"--AiDb:Cluster:Secret={Secret}",
                $"--AiDb:Node:Address=http://127.0.0.1:{ports[1]}",
                $"--Kestrel:Endpoints:Rest:Url=http://127.0.0.1:{ports[0]}",
                "--Kestrel:Endpoints:Rest:Protocols=Http1",
                $"--Kestrel:Endpoints:Grpc:Url=http://127.0.0.1:{ports[1]}",
                "--Kestrel:Endpoints:Grpc:Protocols=Http2",
                .. settings,
            ]);
        return _members[name] = new Member(process, ports[0], ports[1]);
    }

    private void Signal(string name, string signal)
    {
        using Process kill = Process.Start("kill", ["-" + signal, _members[name].Process.ProcessId.ToString()]);
        kill.WaitForExit();
        Assert.Equal(0, kill.ExitCode);
    }

    private sealed record Member(ServerProcess Process, int HttpPort, int GrpcPort);
}
