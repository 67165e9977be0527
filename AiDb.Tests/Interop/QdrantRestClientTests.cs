using System.Collections.Concurrent;
using System.Text.Json;
using AiDb.Tests.Gateway.Qdrant;
using AiDb.Tests.TestSupport;

namespace AiDb.Tests.Interop;

/// <summary>Qdrant's own REST clients in Node, of this version and the one before, and LangChain's store over one, against a
/// stand-alone gateway and one in front of two primaries.</summary>
public sealed class QdrantRestClientTests(QdrantRestClientTests.Runs runs) : IClassFixture<QdrantRestClientTests.Runs>
{
    private const string Folder = "AiDb.Tests/Interop/qdrant-rest";

    private static readonly (string Program, string[] Cases)[] Programs =
    [
        ("current",
        [
            "versions", "create", "upsert_and_read", "scroll", "filters_without_indexes", "indexes", "filters_with_indexes", "nearest",
            "examples", "orders", "fusion_and_prefetch", "text", "groups_and_facets", "matrix", "named_sparse_and_multi_vectors",
            "payloads", "conditional_writes", "time_to_live", "aliases", "settings", "explain", "snapshots", "bad_input", "large_upsert",
            "deletes",
        ]),
        ("older", ["fill", "search", "search_batch", "search_groups", "recommend", "discover", "bad_input", "delete"]),
        ("langchain", ["fill", "similarity", "filter", "diverse", "existing_collection", "delete"]),
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
    public async Task A_client_that_knows_nothing_of_AiDb_uses_it(int shards, string program, string name)
    {
        IReadOnlyDictionary<string, string?> results = await runs.OfAsync(shards, program);
        Assert.True(results.TryGetValue(name, out string? error), "The client did not come to this case.");
        Assert.Null(error);
    }

    /// <summary>Each program runs once against each cluster, and the tests look at what it said.</summary>
    public sealed class Runs : IAsyncDisposable
    {
        private static readonly TimeSpan Patience = TimeSpan.FromMinutes(5);

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
                    Repository.PathOf($"{Folder}/{program}.js"), cluster.Rest.GetLeftPart(UriPartial.Authority),
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
