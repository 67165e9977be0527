using AiDb.Cluster.Model;
using AiDb.Contracts;
using Grpc.Core;

namespace AiDb.Gateway.Routing;

/// <summary>Ways to the nodes: in this process, or over the network.</summary>
internal interface INodeDirectory : IAsyncDisposable
{
    /// <summary>The way to a node of a map; null when the map does not know it.</summary>
    IShardClient? Find(ClusterMap map, string nodeId);

    /// <summary>A way to a node's other services; null when the map does not know it, or it is in this process.</summary>
    CallInvoker? FindInvoker(ClusterMap map, string nodeId);

    /// <summary>Closes ways to nodes that a newer map does not know any more.</summary>
    ValueTask RetainAsync(ClusterMap map);
}
