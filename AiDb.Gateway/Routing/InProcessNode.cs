using AiDb.Cluster.Model;
using AiDb.Contracts;
using Grpc.Core;

namespace AiDb.Gateway.Routing;

/// <summary>The one node of a stand-alone gateway, a method call away.</summary>
internal sealed class InProcessNode(string nodeId, IShardClient node) : INodeDirectory
{
    /// <inheritdoc/>
    public IShardClient? Find(ClusterMap map, string nodeIdWanted) =>
        string.Equals(nodeIdWanted, nodeId, StringComparison.Ordinal) ? node : null;

    /// <inheritdoc/>
    public CallInvoker? FindInvoker(ClusterMap map, string nodeIdWanted) => null;

    /// <inheritdoc/>
    public ValueTask RetainAsync(ClusterMap map) => ValueTask.CompletedTask;

    /// <inheritdoc/>
    public ValueTask DisposeAsync() => ValueTask.CompletedTask;
}
