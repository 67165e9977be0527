using System.Collections.Concurrent;
using System.Text.Json;
using AiDb.Tests.Gateway.Qdrant;
using AiDb.Tests.TestSupport;

namespace AiDb.Tests.Interop;

/// <summary>Qdrant's own gRPC client in Node, against a stand-alone gateway and one in front of two
/// primaries.</summary>
public sealed class QdrantGrpcClientTests(QdrantGrpcClientTests.Runs runs) : IClassFixture<QdrantGrpcClientTests.Runs>
{
    private const string Folder = "AiDb.Tests/Interop/qdrant-grpc";

    private static readonly (string Program, string[] Cases)[] Programs =
    [
        ("scenario",
        [
            "health", "create", "upsert_and_get", "scroll", "filters", "nearest", "vectors_and_ids_of_all_kinds", "payloads",
            "vectors", "batch_in_order", "aliases", "update_settings", "snapshots", "bad_input",
            "delete_by_filter_and_collection",
        ]),
        ("queries",
        [
            "prepare", "indexes", "recommend", "discover_and_context", "order_by", "fusion", "prefetch_and_formula",
            "mmr_and_sample", "batch", "groups", "facets", "matrices", "older_calls", "lookup_in_another_collection",
            "clean_up",
        ]),
    ];

    public static TheoryData<int, string, string> AllCases
    {
        get
        {
            var all = new TheoryData<int, string, string>();
            foreach (int shards in (int[])[1, 2])
            {
                foreach ((string program, string[] cases) in Programs)
                {
                    foreach (string name in cases)
                        all.Add(shards, program, name);
                }
            }

            return all;
        }
    }

    [Theory]
    [MemberData(nameof(AllCases))]
    public async Task Qdrants_own_client_uses_the_database(int shards, string program, string name)
    {
        IReadOnlyDictionary<string, string?> results = await runs.OfAsync(shards, program);
        Assert.True(results.TryGetValue(name, out string? error), "The client did not come to this case.");
        Assert.True(error is null, error);
    }

    /// <summary>Each program runs once against each cluster, and the tests look at what it said.</summary>
    public sealed class Runs : IAsyncDisposable
    {
        private static readonly TimeSpan Patience = TimeSpan.FromMinutes(3);

        private readonly ConcurrentDictionary<(int, string), Lazy<Task<IReadOnlyDictionary<string, string?>>>> _runs = [];
        private readonly ConcurrentDictionary<int, Lazy<Task<CollectionCluster>>> _clusters = [];
        private readonly CancellationTokenSource _patience = new(Patience);

        public async ValueTask DisposeAsync()
        {
            foreach (Lazy<Task<CollectionCluster>> cluster in _clusters.Values)
            {
                if (cluster.Value.IsCompletedSuccessfully)
                    await (await cluster.Value).DisposeAsync();
            }

            _patience.Dispose();
        }

        internal Task<IReadOnlyDictionary<string, string?>> OfAsync(int shards, string program) =>
            _runs.GetOrAdd((shards, program), _ => new(() => RunAsync(shards, program))).Value;

        private async Task<IReadOnlyDictionary<string, string?>> RunAsync(int shards, string program)
        {
            string node = Peers.Require("node");
            Peers.RequireThat(
                Directory.Exists(Repository.PathOf($"{Folder}/node_modules")),
                $"The packages of {Folder} are not installed: run 'npm ci' there.");
            CollectionCluster cluster =
                await _clusters.GetOrAdd(shards, count => new(() => CollectionCluster.StartAsync(count))).Value;
            await using PeerProcess process = PeerProcess.Start(
                node,
                [
                    Repository.PathOf($"{Folder}/{program}.js"), cluster.Grpc.GetLeftPart(UriPartial.Authority),
                    CollectionCluster.ApiKey,
                ]);
            Dictionary<string, string?> results = new(StringComparer.Ordinal);
            while (await process.ReadLineAsync(_patience.Token) is { } line)
            {
                using JsonDocument result = JsonDocument.Parse(line);
                results[result.RootElement.GetProperty("case").GetString()!] =
                    result.RootElement.GetProperty("error").GetString();
            }

            return results.Count > 0 ? results : throw new InvalidOperationException($"The client said: {process.Errors}");
        }
    }
}
