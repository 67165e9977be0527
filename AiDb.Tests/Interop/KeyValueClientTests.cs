using System.Collections.Concurrent;
using AiDb.Tests.ServiceDefaults;
using AiDb.Tests.TestSupport;

namespace AiDb.Tests.Interop;

/// <summary>Clients in other languages against AiDb's own services, in a gateway that runs as a
/// process.</summary>
public sealed class KeyValueClientTests(KeyValueClientTests.Runs runs) : IClassFixture<KeyValueClientTests.Runs>
{
    private static readonly string[] Cases =
    [
        "put_and_get", "delete_and_absent", "unknown_table", "conditions", "time_to_live", "multi_get", "scan_in_order",
        "batch", "pipeline", "burst", "limits", "deadline_and_cancel", "api_key", "tables", "cluster",
    ];

    public static TheoryData<string, string> AllCases
    {
        get
        {
            var all = new TheoryData<string, string>();
            foreach (var peer in (string[])[PeerPrograms.Node, PeerPrograms.Python])
            {
                foreach (var name in Cases)
                {
                    all.Add(peer, name);
                }
            }

            return all;
        }
    }

    [Theory]
    [MemberData(nameof(AllCases))]
    public async Task A_client_in_another_language_uses_the_database(string peer, string name)
    {
        var results = await runs.OfAsync(peer);
        Assert.True(results.TryGetValue(name, out var error), "The client did not come to this case.");
        Assert.Null(error);
    }

    [Fact]
    public async Task Promtool_accepts_the_metrics_of_the_gateway()
    {
        var promtool = Peers.Require("promtool");
        var cancellation = TestContext.Current.CancellationToken;
        await using var gateway = await GatewayProcess.StartAsync(cancellation);
        using var http = new HttpClient { BaseAddress = gateway.Rest };
        http.DefaultRequestHeaders.Add("api-key", GatewayProcess.ApiKey);
        using var written = await http.PutAsync("/v1/kv/metrics/key", new StringContent("value"), cancellation);
        written.EnsureSuccessStatusCode();
        await http.GetStringAsync("/v1/kv/metrics/key", cancellation);

        var text = await http.GetStringAsync("/metrics", cancellation);
        var (_, output, errors) = await PeerProcess.RunAsync(promtool, ["check", "metrics"], text, cancellation);

        Assert.Contains("\naidb_", text, StringComparison.Ordinal);
        Assert.Empty(Promtool.Complaints(output + errors));
    }

    /// <summary>One gateway; each peer's client runs once against it, and the tests look at what it
    /// said.</summary>
    public sealed class Runs : IAsyncDisposable
    {
        private static readonly TimeSpan Patience = TimeSpan.FromMinutes(3);

        private readonly ConcurrentDictionary<string, Lazy<Task<IReadOnlyDictionary<string, string?>>>> _runs =
            new(StringComparer.Ordinal);

        private readonly CancellationTokenSource _patience = new(Patience);
        private readonly Lazy<Task<GatewayProcess>> _gateway;

        public Runs() => _gateway = new(() => GatewayProcess.StartAsync(_patience.Token));

        public async ValueTask DisposeAsync()
        {
            if (_gateway is { IsValueCreated: true, Value.IsCompletedSuccessfully: true })
            {
                await (await _gateway.Value).DisposeAsync();
            }

            _patience.Dispose();
        }

        internal Task<IReadOnlyDictionary<string, string?>> OfAsync(string peer) =>
            _runs.GetOrAdd(peer, name => new(() => RunAsync(name))).Value;

        private async Task<IReadOnlyDictionary<string, string?>> RunAsync(string peer)
        {
            var gateway = await _gateway.Value;
            return await PeerPrograms.RunCasesAsync(
                peer, "keyvalue", PeerWire.AiDbV1, [gateway.Grpc.Authority, GatewayProcess.ApiKey], _patience.Token);
        }
    }
}
