using AiDb.Gateway.OpenApi;
using static AiDb.Gateway.Qdrant.Rest.Docs.QdrantDoc;

namespace AiDb.Gateway.Qdrant.Rest.Docs;

/// <summary>What the OpenAPI document says of the routes about the server.</summary>
internal static class ServiceDocs
{
    private const string NoShardKeys = "Collections are sharded by the hash of ids, so this is always refused (400).";

    private static readonly FieldDoc ShardKey = new("shard_key", "The key.", IsRequired: true);

    public static EndpointDoc Telemetry { get; } = Other(
        "Shows telemetry", "What clients look at: the version, and how many collections there are. /metrics has the rest.",
        "id, app and collections.", [GivenUpAfter]);

    public static EndpointDoc Cluster { get; } = Other(
        "Shows the cluster as Qdrant does", "/v1/cluster says more.", "status: disabled where the gateway stands alone; else peers.",
        [GivenUpAfter]);

    public static EndpointDoc CollectionCluster { get; } = Other(
        "Shows the shards of a collection", "All collections lie on all shards.", "local_shards and remote_shards.",
        [Collection, GivenUpAfter]);

    public static EndpointDoc Issues { get; } = Other(
        "Lists issues", "There are none here: POST …/points/query/explain warns about the query that one asks about.", "issues: [].", []);

    public static EndpointDoc ClearIssues { get; } = Other("Clears issues", "There are none.", "true.", []);

    public static EndpointDoc ListShardKeys { get; } =
        Other("Lists the shard keys of a collection", "There are none.", "shard_keys: null.", [Collection, GivenUpAfter]);

    public static EndpointDoc CreateShardKey { get; } =
        Other("Creates a shard key", NoShardKeys, "Never.", [Collection, GivenUpAfter], ShardKey);

    public static EndpointDoc DeleteShardKey { get; } =
        Other("Deletes a shard key", NoShardKeys, "Never.", [Collection, GivenUpAfter], ShardKey);
}
