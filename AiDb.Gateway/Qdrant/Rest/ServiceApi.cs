using System.Globalization;
using System.IO.Hashing;
using System.Text;
using System.Text.Json;
using AiDb.Cluster.Model;
using AiDb.Engine.Collections;
using AiDb.Gateway.Hosting;
using AiDb.Gateway.OpenApi;
using AiDb.Gateway.Qdrant.Rest.Docs;
using AiDb.Gateway.Routing;

namespace AiDb.Gateway.Qdrant.Rest;

/// <summary>What clients and tools ask about the server: telemetry, the cluster, and the shard keys that there
/// are none of.</summary>
internal static class ServiceApi
{
    // Clients keep numbers of peers in doubles.
    private const ulong PeerIdMask = (1UL << 53) - 1;

    public static void Map(IEndpointRouteBuilder routes)
    {
        RouteGroupBuilder group = routes.MapGroup("").WithTags("Cluster");
        group.MapGet("/telemetry", TelemetryAsync).WithName("GetTelemetry").Describe(ServiceDocs.Telemetry);
        group.MapGet("/cluster", ClusterAsync).WithName("GetClusterStatus").Describe(ServiceDocs.Cluster);
        group.MapGet("/collections/{collection}/cluster", CollectionClusterAsync)
            .WithName("GetCollectionClusterInfo").Describe(ServiceDocs.CollectionCluster);
        group.MapGet("/issues", (Delegate)IssuesAsync).WithName("GetIssues").Describe(ServiceDocs.Issues);
        group.MapDelete("/issues", (Delegate)ClearIssuesAsync).WithName("ClearIssues").Describe(ServiceDocs.ClearIssues);
        RouteGroupBuilder shards = group.MapGroup("/collections/{collection}/shards");
        shards.MapGet("", ListShardKeysAsync).WithName("ListShardKeys").Describe(ServiceDocs.ListShardKeys);
        shards.MapPut("", RefuseShardKeyAsync).WithName("CreateShardKey").Describe(ServiceDocs.CreateShardKey);
        shards.MapPost("/delete", RefuseShardKeyAsync).WithName("DeleteShardKey").Describe(ServiceDocs.DeleteShardKey);
    }

    private static async Task TelemetryAsync(HttpContext context, ICollections collections, IShardRouter router)
    {
        IReadOnlyList<string> names = await QdrantRequest.RunAsync(context, collections.ListAsync);
        await Envelope.WriteAsync(context, json =>
        {
            json.WriteStartObject();
            json.WriteString("id"u8, router.Map.ClusterId);
            json.WriteStartObject("app"u8);
            json.WriteString("name"u8, "aidb"u8);
            json.WriteString("version"u8, QdrantVersion.Spoken);
            json.WriteString("aidb"u8, GatewayServer.Version);
            json.WriteEndObject();
            json.WriteStartObject("collections"u8);
            json.WriteNumber("number_of_collections"u8, names.Count);
            json.WriteEndObject();
            json.WriteEndObject();
        });
    }

    private static Task ClusterAsync(HttpContext context, GatewayOptions options, IShardRouter router) =>
        Envelope.WriteAsync(context, json =>
        {
            json.WriteStartObject();
            if (options.Mode == GatewayMode.Standalone)
                json.WriteString("status"u8, "disabled"u8);
            else
                WriteCluster(json, options, router.Map);
            json.WriteEndObject();
        });

    private static void WriteCluster(Utf8JsonWriter json, GatewayOptions options, ClusterMap map)
    {
        ulong self = PeerId(options.NodeId);
        json.WriteString("status"u8, "enabled"u8);
        json.WriteNumber("peer_id"u8, self);
        json.WriteStartObject("peers"u8);
        foreach (var node in map.Nodes)
        {
            json.WriteStartObject(PeerId(node.Id).ToString(CultureInfo.InvariantCulture));
            json.WriteString("uri"u8, node.Address);
            json.WriteEndObject();
        }

        json.WriteEndObject();
        json.WriteStartObject("raft_info"u8);
        json.WriteNumber("term"u8, 0);
        json.WriteNumber("commit"u8, map.Version);
        json.WriteNumber("pending_operations"u8, 0);
        json.WriteNumber("leader"u8, self);
        json.WriteString("role"u8, "Leader"u8);
        json.WriteBoolean("is_voter"u8, value: true);
        json.WriteEndObject();
        json.WriteStartObject("consensus_thread_status"u8);
        json.WriteString("consensus_thread_status"u8, "working"u8);
        json.WriteEndObject();
        json.WriteStartObject("message_send_failures"u8);
        json.WriteEndObject();
    }

    private static async Task CollectionClusterAsync(
        HttpContext context, ICollections collections, GatewayOptions options, IShardRouter router, string collection)
    {
        CollectionInfo info = await QdrantRequest.RunAsync(context, ct => collections.GetInfoAsync(collection, ct));
        ClusterMap map = router.Map;
        bool isAlone = options.Mode == GatewayMode.Standalone;
        await Envelope.WriteAsync(context, json =>
        {
            json.WriteStartObject();
            json.WriteNumber("peer_id"u8, PeerId(options.NodeId));
            json.WriteNumber("shard_count"u8, map.Shards.Count);
            json.WriteStartArray("local_shards"u8);
            if (isAlone)
            {
                json.WriteStartObject();
                json.WriteNumber("shard_id"u8, 0);
                json.WriteNumber("points_count"u8, info.PointsCount);
                json.WriteString("state"u8, "Active"u8);
                json.WriteEndObject();
            }

            json.WriteEndArray();
            json.WriteStartArray("remote_shards"u8);
            foreach (var shard in isAlone ? [] : map.Shards)
            {
                json.WriteStartObject();
                json.WriteNumber("shard_id"u8, shard.Id);
                json.WriteNumber("peer_id"u8, PeerId(shard.PrimaryNodeId ?? ""));
                json.WriteString("state"u8, string.IsNullOrEmpty(shard.PrimaryNodeId) ? "Dead"u8 : "Active"u8);
                json.WriteEndObject();
            }

            json.WriteEndArray();
            json.WriteStartArray("shard_transfers"u8);
            json.WriteEndArray();
            json.WriteEndObject();
        });
    }

    // Warnings about queries come with POST …/points/query/explain, for the query that one asks about.
    private static Task IssuesAsync(HttpContext context) => Envelope.WriteAsync(context, static json =>
    {
        json.WriteStartObject();
        json.WriteStartArray("issues"u8);
        json.WriteEndArray();
        json.WriteEndObject();
    });

    private static Task ClearIssuesAsync(HttpContext context) => Envelope.WriteAsync(context, result: true);

    private static async Task ListShardKeysAsync(HttpContext context, ICollections collections, string collection)
    {
        _ = await QdrantRequest.RunAsync(context, ct => collections.GetInfoAsync(collection, ct));
        await Envelope.WriteAsync(context, static json =>
        {
            json.WriteStartObject();
            json.WriteNull("shard_keys"u8);
            json.WriteEndObject();
        });
    }

    private static async Task RefuseShardKeyAsync(HttpContext context, ICollections collections, string collection)
    {
        _ = await QdrantRequest.RunAsync(context, ct => collections.GetInfoAsync(collection, ct));
        await QdrantBody.ReadAsync(context, static body =>
        {
            Reading.SelectorReader.RefuseShardKey(body);
            return body.Require("shard_key");
        });
    }

    private static ulong PeerId(string node) => XxHash64.HashToUInt64(Encoding.UTF8.GetBytes(node)) & PeerIdMask;
}
