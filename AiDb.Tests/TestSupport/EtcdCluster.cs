using System.Net.Http.Json;
using System.Text;
using System.Text.Json;
using AiDb.Tests.EndToEnd;

namespace AiDb.Tests.TestSupport;

/// <summary>Real etcd: one or more members as processes on free loopback ports, their data in a temporary folder.</summary>
internal sealed class EtcdCluster : IAsyncDisposable
{
    private static readonly TimeSpan StartLimit = TimeSpan.FromSeconds(60);

    private readonly string _program = Peers.Require("etcd");
    private readonly string _folder = Directory.CreateTempSubdirectory("aidb-etcd-").FullName;
    private readonly PeerProcess?[] _members;
    private readonly int[] _clientPorts;
    private readonly int[] _peerPorts;
    private readonly string[] _settings;
    private readonly string _scheme;
    private readonly HttpClient _http;

    private EtcdCluster(int[] clientPorts, int[] peerPorts, string scheme, HttpMessageHandler handler, string[] settings)
    {
        (_clientPorts, _peerPorts) = (clientPorts, peerPorts);
        _members = new PeerProcess?[clientPorts.Length];
        _scheme = scheme;
        _settings = settings;
        _http = new HttpClient(handler) { Timeout = TimeSpan.FromSeconds(5) };
    }

    /// <summary>The addresses of all members, <c>host:port</c>.</summary>
    public IReadOnlyList<string> Hosts => [.. _clientPorts.Select(port => $"127.0.0.1:{port}")];

    /// <summary>All members, as a setting names them.</summary>
    public string Address => $"etcd{(_scheme == "https" ? "s" : "")}://{string.Join(',', Hosts)}";

    /// <summary>The token that administrative calls show.</summary>
    public string? Token { get; set; }

    public static Task<EtcdCluster> StartAsync(int members = 1) => StartAsync(members, "http", new HttpClientHandler());

    public static async Task<EtcdCluster> StartAsync(
        int members, string scheme, HttpMessageHandler handler, params string[] settings)
    {
        int[] ports = ServerProcess.FreePorts(members * 2);
        EtcdCluster cluster = new(ports[..members], ports[members..], scheme, handler, settings);
        return await cluster.LaunchAsync();
    }

    /// <summary>Starts a member again with the data that it had.</summary>
    public async Task StartAgainAsync(int member)
    {
        Launch(member);
        await WaitUntilReadyAsync(member);
    }

    /// <summary>SIGKILL.</summary>
    public async Task KillAsync(int member)
    {
        if (Interlocked.Exchange(ref _members[member], null) is { } process)
            await process.DisposeAsync();
    }

    /// <summary>Another cluster, without any data, at the addresses of this one, whose members were killed.</summary>
    public async Task<EtcdCluster> ReplaceAsync()
    {
        EtcdCluster other = new(_clientPorts, _peerPorts, _scheme, new HttpClientHandler(), _settings);
        return await other.LaunchAsync();
    }

    /// <summary>Makes a member stand still (SIGSTOP), or go on (SIGCONT).</summary>
    public async Task SignalAsync(int member, string signal) => await PeerProcess.RunAsync(
        "kill", [$"-{signal}", $"{_members[member]!.ProcessId}"], "", TestContext.Current.CancellationToken);

    /// <summary>The number of the member that leads.</summary>
    public async Task<int> FindLeaderAsync()
    {
        for (int member = 0; member < _members.Length; member++)
        {
            if (_members[member] is null)
                continue;
            using JsonDocument status = await CallAsync("maintenance/status", "{}", member);
            string? leader = status.RootElement.TryGetProperty("leader", out JsonElement id) ? id.GetString() : null;
            if (leader is not null && leader == status.RootElement.GetProperty("header").GetProperty("member_id").GetString())
                return member;
        }

        throw new InvalidOperationException("No member of etcd leads.");
    }

    /// <summary>Forgets all revisions before one.</summary>
    public async Task CompactAsync(long revision) =>
        (await CallAsync("kv/compaction", $$"""{"revision":"{{revision}}","physical":true}""")).Dispose();

    /// <summary>Writes a key beside those of the cluster under test.</summary>
    public async Task PutAsync(string key, string value)
    {
        string Base64(string text) => Convert.ToBase64String(Encoding.UTF8.GetBytes(text));
        (await CallAsync("kv/put", $$"""{"key":"{{Base64(key)}}","value":"{{Base64(value)}}"}""")).Dispose();
    }

    /// <summary>Calls a method of the JSON gateway.</summary>
    public async Task<JsonDocument> CallAsync(string method, string body, int member = 0)
    {
        using HttpRequestMessage request = new(HttpMethod.Post, $"{_scheme}://{Hosts[member]}/v3/{method}");
        request.Content = new StringContent(body, Encoding.UTF8, "application/json");
        if (Token is not null)
            request.Headers.TryAddWithoutValidation("Authorization", Token);
        using HttpResponseMessage response = await _http.SendAsync(request);
        string answer = await response.Content.ReadAsStringAsync();
        Assert.True(response.IsSuccessStatusCode, $"{method}: {response.StatusCode} {answer}");
        return JsonDocument.Parse(answer);
    }

    public async ValueTask DisposeAsync()
    {
        for (int member = 0; member < _members.Length; member++)
            await KillAsync(member);
        _http.Dispose();
        Directory.Delete(_folder, recursive: true);
    }

    private async Task<EtcdCluster> LaunchAsync()
    {
        try
        {
            for (int member = 0; member < _members.Length; member++)
                Launch(member);
            for (int member = 0; member < _members.Length; member++)
                await WaitUntilReadyAsync(member);
            return this;
        }
        catch
        {
            await DisposeAsync();
            throw;
        }
    }

    private string FolderOf(int member) => Path.Combine(_folder, $"m{member}");

    private void Launch(int member)
    {
        string client = $"{_scheme}://{Hosts[member]}";
        string Peer(int index) => $"http://127.0.0.1:{_peerPorts[index]}";
        _members[member] = PeerProcess.Start(
            _program,
            [
                "--name", $"m{member}", "--data-dir", FolderOf(member), "--initial-cluster-token", Path.GetFileName(_folder),
                "--listen-client-urls", client, "--advertise-client-urls", client,
                "--listen-peer-urls", Peer(member), "--initial-advertise-peer-urls", Peer(member),
                "--initial-cluster", string.Join(',', Enumerable.Range(0, _members.Length).Select(i => $"m{i}={Peer(i)}")),
                "--unsafe-no-fsync", "--logger", "zap", "--log-level", "error", .. _settings,
            ]);
        _members[member]!.IgnoreOutput();
    }

    private async Task WaitUntilReadyAsync(int member)
    {
        using CancellationTokenSource limit = new(StartLimit);
        while (true)
        {
            try
            {
                using HttpResponseMessage response = await _http.PostAsJsonAsync(
                    $"{_scheme}://{Hosts[member]}/v3/kv/range", new { key = "YQ==" }, limit.Token);
                // With authentication on, etcd asks who is there only once it serves.
                if (response.IsSuccessStatusCode || response.StatusCode == System.Net.HttpStatusCode.BadRequest)
                    return;
            }
            catch (Exception error) when (error is HttpRequestException or TaskCanceledException && !limit.IsCancellationRequested)
            {
                // Not listening yet.
            }

            if (limit.IsCancellationRequested)
                throw new TimeoutException($"etcd did not start: {_members[member]?.Errors}");
            await Task.Delay(25, limit.Token);
        }
    }
}
